/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_CROWD_H
#define TESTS_LIB_TORTURE_CROWD_H

/*
 * Clients that are processes of their own: requests in bursts, cut anywhere,
 * some with urgent bytes; some read slowly, some close their sending side
 * behind the last request, some come again. Each judges every reply
 * (torture_peer.h); client i has the registers from i * CROWD_REGS on.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum { CROWD_MAX = 12, CROWD_REGS = 10 };

/* What a client tells. */
struct crowd_told {
	long replies, connections, halves;
	uint16_t count; /* increments that it has asked for, in the end */
	char wrong[96]; /* the first thing that was; "" */
};

/* Starts n clients; each closes listen_fd, unless it is -1. */
void crowd_start(
    const struct sockaddr_in *, unsigned n, uint64_t seed, int listen_fd);

/* True if something is wrong already. */
bool crowd_wrong(void);

/* Has them finish, and waits for that. */
void crowd_stop(void);

const struct crowd_told *crowd_told(unsigned i);
struct crowd_told crowd_all(void); /* the sums */

#endif
