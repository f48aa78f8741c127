/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LINK_FIXTURE_H
#define TESTS_LINK_FIXTURE_H

/*
 * A link over the worker of worker_fixture.h with one connection: requests with
 * an MBAP header go in, replies come out. For the check_link*.c.
 */

#include "tests/lib/worker_fixture.h"
#include "workers/conns.h"
#include "workers/link.h"
#include "workers/proto/fc.h"

enum { PROBE_FC = 100, STREAM_MAX = 100000 };

static struct fx fx;
static struct conns cs;
static struct link link_;
static struct conn *conn;
static struct shm_batch *batch;
static uint64_t before; /* the first operation's number less 1 */
static const char *why;

static struct {
	uint8_t p[STREAM_MAX];
	size_t len;
} in, out;

static struct {
	unsigned n;
	struct batch_prog prog[8];
	uint64_t op[8];
} probe;

/* A function code that looks at the batch from inside a request. */
static inline enum mb_ex
run_probe(struct mb_call *call)
{
	rbuf_take(&call->in, call->in.left);
	probe.prog[probe.n] = batch_prog_get(batch);
	probe.op[probe.n] = fx.worker.bind.who.op;
	probe.n++;
	return MB_EX_NONE;
}

static const struct mb_fc probe_row = { .name = "probe", .run = run_probe };

static inline void
setup(void)
{
	struct acl_peer peer = { .family = AF_INET };

	fx_init(&fx);
	in.len = out.len = 0;
	probe.n = 0;
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_int_eq(conns_init(&cs, &fx.worker), 0);
	ck_assert_int_eq(link_init(&link_, &fx.worker), 0);
	ck_assert_int_eq(mb_fcs_set(&link_.fcs, PROBE_FC, &probe_row), 0);
	conn = conns_open(&cs, fcntl(STDERR_FILENO, F_DUPFD, 0), &peer, false);
	batch = seg_batch(fx.worker.shm, 0);
	before = batch_half(conn->rec.shm)->op;
}

static inline void
teardown(void)
{
	conns_close(&cs, conn, "test", NULL);
	conns_fini(&cs);
	bind_fini(&fx.worker.bind);
	fx_fini(&fx);
}

/* Appends one request with a transaction id of its own to the input. */
static inline void
ask(uint8_t unit, const uint8_t *pdu, size_t len)
{
	static uint16_t tid;
	uint8_t *p = in.p + in.len;

	ck_assert_uint_le(in.len + 7 + len, sizeof(in.p));
	tid++;
	p[0] = (uint8_t)(tid >> 8);
	p[1] = (uint8_t)tid;
	p[2] = p[3] = 0;
	p[4] = (uint8_t)((len + 1) >> 8);
	p[5] = (uint8_t)(len + 1);
	p[6] = unit;
	memcpy(p + 7, pdu, len);
	in.len += 7 + len;
}

static inline void
ask_read(unsigned addr, unsigned n)
{
	const uint8_t pdu[] = { 3, (uint8_t)(addr >> 8), (uint8_t)addr, 0,
		(uint8_t)n };

	ask(1, pdu, sizeof(pdu));
}

static inline void
ask_write(uint8_t unit, unsigned addr, unsigned value)
{
	const uint8_t pdu[] = { 6, (uint8_t)(addr >> 8), (uint8_t)addr,
		(uint8_t)(value >> 8), (uint8_t)value };

	ask(unit, pdu, sizeof(pdu));
}

static inline void
ask_probe(void)
{
	const uint8_t pdu[] = { PROBE_FC, 1, 2 };

	ask(1, pdu, sizeof(pdu));
}

static inline enum link_rc
run(void)
{
	return link_run(&link_, conn->rec.shm, FX_AUTHOR, batch, &why);
}

static inline void
take_output(void)
{
	unsigned n = batch_prog_get(batch).out;

	memcpy(out.p + out.len, batch->out, n);
	out.len += n;
}

/* Gives bytes as one read would and takes all replies; LINK_MORE or _BAD. */
static inline enum link_rc
give(const uint8_t *p, size_t len)
{
	unsigned pre = batch_begin(batch, &conn->rec);
	enum link_rc rc;

	ck_assert_uint_le(pre + len, BATCH_IN);
	memcpy(batch->in + pre, p, len);
	atomic_store(&batch->in_len, pre + (uint32_t)len);
	while ((rc = run()) == LINK_FULL) {
		take_output();
		batch_flip(batch);
	}
	take_output();
	if (rc == LINK_MORE)
		batch_end(batch, &conn->rec);
	return rc;
}

static inline unsigned
reg(int device, unsigned addr)
{
	uint8_t v[2];

	ck_assert_int_eq(
	    store_read(&fx.stores[device], STORE_HR, addr, 1, v, NULL),
	    STORE_OK);
	return (unsigned)(v[0] << 8 | v[1]);
}

#endif
