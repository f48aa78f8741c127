/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_LINK_FIXTURE_H
#define TESTS_LIB_LINK_FIXTURE_H

/*
 * A link over the worker of worker_fixture.h with one connection: requests with
 * an MBAP header go in, replies come out. For the check_link*.c.
 */

#include "tests/lib/worker_fixture.h"
#include "workers/conns.h"
#include "workers/link.h"
#include "workers/proto/fc.h"

enum { PROBE_FC = 100, STREAM_MAX = 100000 };

struct link_fixture {
	struct fx fx;
	struct conns cs;
	struct link link;
	struct conn *conn;
	struct shm_batch *batch;
	uint64_t before; /* the first operation's number less 1 */
	const char *why;
	struct {
		uint8_t p[STREAM_MAX];
		size_t len;
	} in, out;
	struct {
		unsigned n;
		struct batch_prog prog[8];
		uint64_t op[8];
	} probe; /* what was seen from inside requests */
};

extern struct link_fixture lf;

/* Opens the connection; each test begins with this. */
void lf_setup(void);

/* Ends what lf_setup() has made. */
void lf_teardown(void);

/* Appends one request with a transaction id of its own to the input. */
void lf_ask(uint8_t unit, const uint8_t *pdu, size_t len);

/* Asks unit 1 for n registers. */
void lf_ask_read(unsigned addr, unsigned n);

/* Asks for a register to be written. */
void lf_ask_write(uint8_t unit, unsigned addr, unsigned value);

/* Has the function code PROBE_FC look at the batch. */
void lf_ask_probe(void);

/* One call of link_run(). */
enum link_rc lf_run(void);

/* Gives bytes as one read would and takes all replies; LINK_MORE or _BAD. */
enum link_rc lf_give(const uint8_t *p, size_t len);

/* What a register of a device holds. */
unsigned lf_reg(int device, unsigned addr);

#endif
