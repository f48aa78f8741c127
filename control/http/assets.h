/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_ASSETS_H
#define CONTROL_ASSETS_H

/*
 * The files of the page: those of control/web/ as they were when the program
 * was built (embed.sh), or those of http.web_root as they are.
 */

#include "control/http/http.h"

struct asset {
	const char *path; /* "/index.html" */
	const char *type;
	const char *etag; /* in quotes */
	const unsigned char *data;
	size_t len;
	const unsigned char *gz; /* the same, compressed by gzip */
	size_t gz_len;
};

extern const struct asset assets[];
extern const unsigned nassets;

/* True if there is a file for the path of a call. */
bool assets_have(const struct http_call *);

/* The handler of everything that no other route takes. */
http_fn assets_serve;

#endif
