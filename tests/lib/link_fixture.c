/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link that check_link*.c ask, and their one connection. Runs in tests.
 */
#include "tests/lib/link_fixture.h"

struct link_fixture lf;

/* A function code that looks at the batch from inside a request. */
static enum mb_ex
run_probe(struct mb_call *call)
{
	rbuf_take(&call->in, call->in.left);
	lf.probe.prog[lf.probe.n] = batch_prog_get(lf.batch);
	lf.probe.op[lf.probe.n] = lf.fx.worker.bind.who.op;
	lf.probe.n++;
	return MB_EX_NONE;
}

static const struct mb_fc probe_row = { .name = "probe", .run = run_probe };

void
lf_setup(void)
{
	struct acl_peer peer = { .family = AF_INET };

	fx_init(&lf.fx);
	lf.in.len = lf.out.len = 0;
	lf.probe.n = 0;
	ck_assert_int_eq(bind_init(&lf.fx.worker.bind, &lf.fx.proc), 0);
	ck_assert_int_eq(conns_init(&lf.cs, &lf.fx.worker), 0);
	ck_assert_int_eq(link_init(&lf.link, &lf.fx.worker), 0);
	ck_assert_int_eq(mb_fcs_set(&lf.link.fcs, PROBE_FC, &probe_row), 0);
	lf.conn =
	    conns_open(&lf.cs, fcntl(STDERR_FILENO, F_DUPFD, 0), &peer, false);
	lf.batch = seg_batch(lf.fx.worker.shm, 0);
	lf.before = batch_half(lf.conn->rec.shm)->op;
}

void
lf_teardown(void)
{
	conns_close(&lf.cs, lf.conn, "test", NULL);
	conns_fini(&lf.cs);
	bind_fini(&lf.fx.worker.bind);
	fx_fini(&lf.fx);
}

void
lf_ask(uint8_t unit, const uint8_t *pdu, size_t len)
{
	static uint16_t tid;
	uint8_t *p = lf.in.p + lf.in.len;

	ck_assert_uint_le(lf.in.len + 7 + len, sizeof(lf.in.p));
	tid++;
	p[0] = (uint8_t)(tid >> 8);
	p[1] = (uint8_t)tid;
	p[2] = p[3] = 0;
	p[4] = (uint8_t)((len + 1) >> 8);
	p[5] = (uint8_t)(len + 1);
	p[6] = unit;
	memcpy(p + 7, pdu, len);
	lf.in.len += 7 + len;
}

void
lf_ask_read(unsigned addr, unsigned n)
{
	const uint8_t pdu[] = { 3, (uint8_t)(addr >> 8), (uint8_t)addr, 0,
		(uint8_t)n };

	lf_ask(1, pdu, sizeof(pdu));
}

void
lf_ask_write(uint8_t unit, unsigned addr, unsigned value)
{
	const uint8_t pdu[] = { 6, (uint8_t)(addr >> 8), (uint8_t)addr,
		(uint8_t)(value >> 8), (uint8_t)value };

	lf_ask(unit, pdu, sizeof(pdu));
}

void
lf_ask_probe(void)
{
	const uint8_t pdu[] = { PROBE_FC, 1, 2 };

	lf_ask(1, pdu, sizeof(pdu));
}

enum link_rc
lf_run(void)
{
	return link_run(
	    &lf.link, lf.conn->rec.shm, FX_AUTHOR, lf.batch, &lf.why);
}

static void
take_output(void)
{
	unsigned n = batch_prog_get(lf.batch).out;

	memcpy(lf.out.p + lf.out.len, lf.batch->out, n);
	lf.out.len += n;
}

enum link_rc
lf_give(const uint8_t *p, size_t len)
{
	unsigned pre = batch_begin(lf.batch, &lf.conn->rec);
	enum link_rc rc;

	ck_assert_uint_le(pre + len, BATCH_IN);
	memcpy(lf.batch->in + pre, p, len);
	atomic_store(&lf.batch->in_len, pre + (uint32_t)len);
	while ((rc = lf_run()) == LINK_FULL) {
		take_output();
		batch_flip(lf.batch);
	}
	take_output();
	if (rc == LINK_MORE)
		batch_end(lf.batch, &lf.conn->rec);
	return rc;
}

unsigned
lf_reg(int device, unsigned addr)
{
	uint8_t v[2];

	ck_assert_int_eq(
	    store_read(&lf.fx.stores[device], STORE_HR, addr, 1, v, NULL),
	    STORE_OK);
	return (unsigned)(v[0] << 8 | v[1]);
}
