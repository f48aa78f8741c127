/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CURVE_H
#define CONTROL_CURVE_H

/*
 * Keys of TCP endpoints: the server's own, and those of the clients that may
 * come in, each with a role. Files are lines of `name = "value"`, as the
 * certificates of other ZeroMQ programs are; other lines are ignored. Only
 * plain files are read, so that nothing is waited for.
 */

#include <stddef.h>
#include <stdint.h>

#include "control/cmd/cmd.h"

enum {
	CURVE_TEXT = 41, /* a key in Z85, with NUL */
	CURVE_CLIENTS_MAX = 1024,
};

struct curve_client {
	uint8_t key[32];
	enum cmd_role role;
	char name[64]; /* of its file */
};

struct curve_clients {
	struct curve_client *at;
	size_t n;
	uint64_t read_ns; /* when the directory was looked at */
	uint64_t stamp; /* what it looked like; 0: read it in any case */
};

/* Reads the server's secret key: `secret-key = "..."`, or a line that is
 * nothing but the key. 0, or -1 with a sentence in why. */
int curve_load_secret(
    const char *path, char secret[CURVE_TEXT], char *why, size_t size);

/*
 * Reads every file of a directory that holds a `public-key`; `role` is read,
 * operate or admin, and read if it is not said. What is wrong with a file is
 * logged, and the file left out. Files that are as they were are not read
 * again. 0, or -1 with errno.
 */
int curve_load_clients(struct curve_clients *, const char *dir);
void curve_free_clients(struct curve_clients *);

/* The client of a key, or NULL. */
const struct curve_client *curve_find(
    const struct curve_clients *, const uint8_t key[32]);

#endif
