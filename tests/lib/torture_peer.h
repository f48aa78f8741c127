/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_PEER_H
#define TESTS_LIB_TORTURE_PEER_H

/*
 * A client of torture_wire.h that knows what every reply must be: one for each
 * request, in order, with what exactly one execution of all requests before it
 * comes to. It has four registers of its own, from base on:
 *
 *	base	counts its increments
 *	base+1	the same, by the second write of each
 *	base+2	the transaction number of its last request by FC 23
 *	base+3	the harness's, who changes it while no worker lives: a reply
 *		that was recorded before that has what was there before
 *
 * All frames are MBAP.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum peer_kind { PEER_INC, PEER_RW, PEER_READ };

enum { PEER_REGS = 4, PEER_QUEUE = 512, PEER_OUT = 1 << 15 };

struct peer_asked {
	uint8_t kind, regs;
	uint16_t count, token; /* what the registers must be */
	uint16_t mark_at_least; /* of base+3, as it was when asked */
	int mark; /* what it must be; -1: not known yet */
};

struct peer {
	int fd; /* -1: none */
	unsigned base;
	uint16_t count, token; /* as asked for */
	uint16_t sent, got; /* transaction numbers */
	struct peer_asked asked[PEER_QUEUE];
	uint8_t out[PEER_OUT]; /* not sent yet */
	size_t nout;
	uint8_t in[PEER_OUT];
	size_t nin;
	bool ended; /* by the other end, in order */
	long replies;
	const char *wrong; /* the first thing that was */
	char words[96];
};

/* Connects; small: with a small buffer to receive. -1 with errno. */
int peer_dial(struct peer *, const struct sockaddr_in *, bool small);
/* Gives it up; hard: with a reset. */
void peer_hang_up(struct peer *, bool hard);

/* Puts a request into out; n: words of padding, or registers to read. */
void peer_ask(struct peer *, enum peer_kind, unsigned n, uint16_t mark);

/* Sends up to len bytes of out. How many have gone, or -1 with errno. */
ssize_t peer_send(struct peer *, size_t len);

/* Takes what has come and judges it. mark: base+3 as it is now, -1: whatever.
 * How many replies it were. */
int peer_take(struct peer *, int mark);

/* The worker is dead; of what has been carried out by FC 23 it is known now
 * what the reply must say. token: base+2 as it is; mark: base+3, before it is
 * changed. */
void peer_fix(struct peer *, uint16_t token, uint16_t mark);

/* Notes something wrong, if it is the first thing. */
void peer_wrong(struct peer *, const char *what);

#endif
