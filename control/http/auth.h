/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_AUTH_H
#define CONTROL_AUTH_H

/*
 * Who asks, and from where: roles by token or by address, and whether a
 * browser asks on behalf of somebody else's page.
 */

#include "control/http/http.h"

struct server;

/* Sets call->role, and call->who for who has a token. False: it shows a token
 * that is none, or something else where the token belongs. */
bool auth_role(struct http_call *);

/* NULL if the names of the server and of the page that asks, as the request
 * says them, are ours; else a sentence. Holds until the next call. */
const char *auth_place(const struct http_call *);

/* Whether that address, as a browser names it in Referer, is a page of ours. */
bool auth_is_ours(const struct http_call *, const char *url);

#endif
