/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_ECHO_H
#define PROTO_ECHO_H

/*
 * The echo of what was sent, on a line whose receiver hears its own sender.
 * Pure: no I/O, no clock.
 */

#include <stddef.h>
#include <stdint.h>

#include "workers/proto/frame.h"

struct echo {
	uint8_t sent[FRAME_ADU_MAX];
	unsigned len; /* of it; 0: no echo is awaited */
	unsigned at; /* how much of it has come */
	uint64_t until_ns; /* when it can come no more */
};

enum echo_rc {
	ECHO_NONE, /* none is awaited */
	ECHO_PART, /* all that came is the echo; more of it is awaited */
	ECHO_ALL, /* the whole echo has come */
	ECHO_OTHER, /* something else has come: echo.sent[0..at) is input */
};

/* An echo of these bytes is awaited; len is at most FRAME_ADU_MAX. */
void echo_await(struct echo *, const uint8_t *sent, size_t len, uint64_t until);

/* It is awaited no more. */
void echo_forget(struct echo *);

/* n bytes have come; *taken gets how many of them match what is awaited. But
 * for ECHO_PART, and for ECHO_NONE, nothing is awaited after it. */
enum echo_rc echo_match(
    struct echo *, const uint8_t *in, size_t n, size_t *taken);

#endif
