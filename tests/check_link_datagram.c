/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams through the link: what is a request, and what its peer's record
 * says after it.
 */

#include "shm/trace.h"
#include "tests/lib/worker_fixture.h"
#include "workers/conns.h"
#include "workers/link.h"

static struct fx fx;
static struct conns cs;
static struct link link_;
static struct link_peer peer;
static uint64_t before; /* the first operation's number less 1 */
static uint8_t out[FRAME_ADU_MAX];
static size_t out_len;

static void
setup(void)
{
	struct acl_peer at = {
		.family = AF_INET,
		.port = 4021,
		.addr = { 10, 0, 0, 7 },
	};
	struct conn *c;

	fx_init(&fx);
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_int_eq(conns_init(&cs, &fx.worker), 0);
	ck_assert_int_eq(link_init(&link_, &fx.worker), 0);
	c = conns_open(&cs, -1, &at, false);
	before = batch_half(c->rec.shm)->op;
	peer = (struct link_peer){
		.shm = c->rec.shm, .author = c->author, .op = before
	};
}

static void
teardown(void)
{
	conns_fini(&cs);
	bind_fini(&fx.worker.bind);
	fx_fini(&fx);
}

/* Whether it is a frame; if so, the reply to it is in out. */
static bool
datagram(const uint8_t *in, size_t len)
{
	static const struct acl_peer from = {
		.family = AF_INET,
		.port = 4021,
		.addr = { 10, 0, 0, 7 },
	};
	struct frame found;
	const struct late *late;

	if (!link_frame(&link_, &from, in, len, &found))
		return false;
	out_len = link_answer(&link_, &peer, &found, in, out, &late);
	return true;
}

START_TEST(a_datagram_counts_its_peers_numbers_on)
{
	uint8_t write[] = { 0, 1, 0, 0, 0, 6, 1, 6, 0, 3, 0, 33 };

	ck_assert(datagram(write, sizeof(write)));
	ck_assert_uint_eq(out_len, sizeof(write));
	ck_assert_mem_eq(out, write, sizeof(write));
	ck_assert_uint_eq(peer.op, before + 1);
	ck_assert_uint_eq(peer.asked, 1);
	ck_assert_uint_eq(atomic_load(&peer.shm->requests), 1);
	ck_assert_uint_eq(atomic_load(&peer.shm->last_fc), 6);
	/* a broadcast takes a number for each device */
	fx.transport.broadcast = true;
	write[6] = 0;
	ck_assert(datagram(write, sizeof(write)));
	ck_assert_uint_eq(out_len, 0);
	ck_assert_uint_eq(peer.op, before + 3);
	ck_assert_uint_eq(peer.asked, 2);
}
END_TEST

START_TEST(what_is_no_request_is_no_frame)
{
	const _Atomic uint64_t *bad = &fx.worker.shm->stats.frames_bad;
	uint8_t read[] = { 0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1, 0 };

	for (size_t len = 0; len <= sizeof(read); len++)
		ck_assert_int_eq(datagram(read, len), len == sizeof(read) - 1);
	ck_assert_uint_eq(atomic_load(bad), sizeof(read));
	read[7] |= 0x80; /* an exception reply */
	ck_assert(!datagram(read, sizeof(read) - 1));
	ck_assert_uint_eq(peer.op, before + 1);
	ck_assert_uint_eq(atomic_load(&peer.shm->requests), 1);
}
END_TEST

START_TEST(what_is_no_request_is_traced_as_nobodys)
{
	struct shm_ring *ring = seg_trace(fx.worker.shm);
	uint8_t read[] = { 0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1 };
	struct trace_frame f;
	uint64_t pos = 0;

	atomic_store(&fx.worker.shm->trace_on, 1);
	for (size_t len = 0; len < sizeof(read); len++) {
		ck_assert(!datagram(read, len));
		ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
		ck_assert(f.head.conn == 0 && f.head.unit == 0 &&
		    f.head.flags == TRACE_STRAY);
		ck_assert_uint_eq(f.head.len, len);
		ck_assert_mem_eq(f.adu, read, len);
		/* but it is known where it came from */
		ck_assert_uint_eq(f.head.port, 4021);
		ck_assert_mem_eq(f.peer, "\12\0\0\7", 4);
	}
	/* one that is a request is its peer's, and traced but once */
	ck_assert(datagram(read, sizeof(read)));
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert(
	    f.head.conn == atomic_load(&peer.shm->serial) && f.head.flags == 0);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert(f.head.conn != 0 && f.head.flags == TRACE_SENT);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_datagram");
	TCase *tc = tcase_create("link_datagram");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_datagram_counts_its_peers_numbers_on);
	tcase_add_test(tc, what_is_no_request_is_no_frame);
	tcase_add_test(tc, what_is_no_request_is_traced_as_nobodys);
	return fx_report(s);
}
