/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CALL_H
#define CONTROL_CALL_H

/*
 * A call from the inside: how one comes from a request, is let in, and runs.
 */

#include "control/http/web_conn.h"

/* One of a request whose head is text, malloc'd, which it takes over; NULL: no
 * memory, and text is freed. */
struct http_call *call_new(struct web_conn *, char *text);
void call_free(struct http_call *);

/* Looks whether it may be let in, before its body is read; *limit is how long
 * that may be. True: call_run() may follow; false: it has been answered. */
bool call_admit(struct http_call *, size_t *limit);

/* Has it carried out; its body is there. */
void call_run(struct http_call *);

#endif
