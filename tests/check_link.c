/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to replies through real framers, function codes and devices: order,
 * splits, rounds, and what the batch record says at each point.
 */
#include "workers/link.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/trace.h"
#include "tests/lib/link_fixture.h"

START_TEST(requests_of_one_read_are_answered_in_order)
{
	static const uint8_t want[] = { 0, 0, 0, 5, 1, 3, 2, 0, 9, 0, 0, 0, 6,
		1, 6, 0, 9, 1, 0x11, 0, 0, 0, 5, 1, 3, 2, 1, 0x11, 0, 0, 0, 3,
		1, 0x83, 2 };
	uint8_t got[sizeof(want)];
	size_t n = 0;

	lf_ask_read(9, 1);
	lf_ask_write(1, 9, 0x111);
	lf_ask_read(9, 1);
	lf_ask_read(199, 2);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	for (size_t at = 0; at < lf.out.len;) {
		size_t len =
		    6u + (size_t)(lf.out.p[at + 4] << 8 | lf.out.p[at + 5]);

		ck_assert_uint_le(n + len - 2, sizeof(got));
		memcpy(got + n, lf.out.p + at + 2, len - 2);
		n += len - 2;
		at += len;
	}
	ck_assert_uint_eq(n, sizeof(want));
	ck_assert_mem_eq(got, want, n);
}
END_TEST

static void
mixed_input(void)
{
	lf_ask_read(0, 3);
	lf_ask_write(1, 5, 0x1234);
	lf_ask_read(5, 1);
	lf_ask(1, (const uint8_t *)"\x10\0\6\0\2\4\1\2\3\4", 10);
	lf_ask(7, (const uint8_t *)"\3\0\0\0\1", 5);
	lf_ask(1, (const uint8_t *)"\x55", 1);
	lf_ask_read(5, 3);
}

START_TEST(input_may_be_split_anywhere)
{
	static uint8_t whole[sizeof(lf.out.p)];
	size_t len;

	mixed_input();
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	len = lf.out.len;
	memcpy(whole, lf.out.p, len);
	for (size_t a = 0; a <= lf.in.len; a++) {
		for (size_t b = a; b <= lf.in.len; b += 3) {
			lf.out.len = 0;
			ck_assert_int_eq(lf_give(lf.in.p, a), LINK_MORE);
			ck_assert_int_eq(
			    lf_give(lf.in.p + a, b - a), LINK_MORE);
			ck_assert_int_eq(
			    lf_give(lf.in.p + b, lf.in.len - b), LINK_MORE);
			ck_assert_uint_eq(lf.out.len, len);
			ck_assert_mem_eq(lf.out.p, whole, len);
		}
	}
}
END_TEST

START_TEST(one_byte_at_a_time_is_as_good)
{
	static uint8_t whole[sizeof(lf.out.p)];
	size_t len;

	mixed_input();
	lf_give(lf.in.p, lf.in.len);
	len = lf.out.len;
	memcpy(whole, lf.out.p, len);
	lf.out.len = 0;
	for (size_t i = 0; i < lf.in.len; i++)
		ck_assert_int_eq(lf_give(lf.in.p + i, 1), LINK_MORE);
	ck_assert_uint_eq(lf.out.len, len);
	ck_assert_mem_eq(lf.out.p, whole, len);
}
END_TEST

START_TEST(the_record_says_after_each_request_how_far_it_is)
{
	lf_ask_probe();
	lf_ask_read(0, 2);
	lf_ask_probe();
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.probe.n, 2);
	ck_assert_uint_eq(lf.probe.prog[0].done, 0);
	ck_assert_uint_eq(lf.probe.prog[0].out, 0);
	ck_assert_uint_eq(lf.probe.prog[0].ops, 0);
	ck_assert_uint_eq(lf.probe.prog[1].done, 10 + 12);
	ck_assert_uint_eq(lf.probe.prog[1].out, 8 + 13);
	ck_assert_uint_eq(lf.probe.prog[1].ops, 2);
	ck_assert_uint_eq(lf.probe.op[1], lf.probe.op[0] + 2);
}
END_TEST

START_TEST(a_batch_advances_the_connection_by_what_it_took_and_gave)
{
	struct shm_conn *c = lf.conn->rec.shm;
	uint64_t seq = atomic_load(&c->seq);
	struct shm_conn_half *h;

	lf_ask_read(0, 1);
	lf_ask_read(0, 2);
	lf_ask_read(0, 3);
	lf_give(lf.in.p, 30);
	h = batch_half(c);
	ck_assert_uint_eq(atomic_load(&c->seq), seq + 1);
	ck_assert_uint_eq(h->rx, 30);
	ck_assert_uint_eq(h->tx, 11 + 13);
	ck_assert_uint_eq(h->op, lf.before + 2);
	ck_assert_uint_eq(h->left, 6);
	ck_assert(!batch_in_force(lf.fx.worker.shm, lf.batch));
	lf_give(lf.in.p + 30, 6);
	h = batch_half(c);
	ck_assert_uint_eq(h->rx, 36);
	ck_assert_uint_eq(h->tx, 11 + 13 + 15);
	ck_assert_uint_eq(h->op, lf.before + 3);
	ck_assert_uint_eq(h->left, 0);
	ck_assert_uint_eq(atomic_load(&c->requests), 3);
	ck_assert_uint_eq(atomic_load(&c->last_fc), 3);
}
END_TEST

START_TEST(replies_that_do_not_fit_go_out_in_rounds)
{
	unsigned requests = BATCH_IN / 12;
	size_t at = 0;

	for (unsigned i = 0; i < requests; i++)
		lf_ask_read(i % 70, 125);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	ck_assert_uint_eq(lf.out.len, requests * 259u);
	for (unsigned i = 0; i < requests; i++, at += 259) {
		ck_assert_mem_eq(lf.out.p + at, lf.in.p + 12 * i, 2);
		ck_assert_uint_eq(lf.out.p[at + 8], 250);
		ck_assert_uint_eq(lf.out.p[at + 10], i % 70);
	}
	ck_assert_uint_eq(batch_half(lf.conn->rec.shm)->tx, lf.out.len);
	ck_assert_uint_eq(
	    batch_half(lf.conn->rec.shm)->op, lf.before + requests);
}
END_TEST

START_TEST(hopeless_bytes_leave_the_replies_before_them)
{
	lf_ask_read(1, 1);
	memcpy(lf.in.p + lf.in.len, "\0\1\0\7\0\6\1\3\0\0\0\1", 12);
	lf.in.len += 12;
	lf_ask_read(2, 1);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_BAD);
	ck_assert_uint_eq(lf.out.len, 11);
	ck_assert_uint_eq(batch_prog_get(lf.batch).done, 12);
	ck_assert_ptr_nonnull(lf.why);
	ck_assert_uint_eq(atomic_load(&lf.fx.worker.shm->stats.frames_bad), 1);
}
END_TEST

START_TEST(a_unit_that_is_not_served_is_answered_0b)
{
	lf_ask(9, (const uint8_t *)"\3\0\0\0\1", 5);
	lf_ask(0, (const uint8_t *)"\6\0\0\0\1", 5);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 18);
	ck_assert_mem_eq(lf.out.p + 6, "\x09\x83\x0b", 3);
	ck_assert_mem_eq(lf.out.p + 15, "\0\x86\x0b", 3);
	ck_assert_uint_eq(
	    atomic_load(&lf.fx.worker.shm->stats.unknown_units), 2);
	ck_assert_uint_eq(lf_reg(0, 0), 0);
}
END_TEST

START_TEST(a_unit_that_is_not_served_may_be_met_with_silence)
{
	lf.fx.transport.silent_units = true;
	lf_ask(9, (const uint8_t *)"\3\0\0\0\1", 5);
	lf_ask_read(4, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 11);
	ck_assert_mem_eq(lf.out.p, lf.in.p + 12, 2);
}
END_TEST

START_TEST(a_broadcast_is_carried_out_by_every_device_unanswered)
{
	lf.fx.transport.broadcast = true;
	lf_ask_write(0, 12, 0x77);
	lf_ask(0, (const uint8_t *)"\3\0\0\0\1", 5);
	lf_ask_read(12, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(lf.out.len, 11);
	ck_assert_uint_eq(lf_reg(0, 12), 0x77);
	ck_assert_uint_eq(lf_reg(1, 12), 0x77);
	ck_assert_uint_eq(
	    batch_half(lf.conn->rec.shm)->op, lf.before + 2 + 2 + 1);
	ck_assert_uint_eq(atomic_load(&lf.fx.worker.shm->stats.broadcasts), 2);
}
END_TEST

/* What a successor does with a record in force: the same code again, from
 * where prog says. */
static void
redo(struct batch_prog prog)
{
	batch_prog_set(lf.batch, &prog);
	lf.fx.worker.bind.resumed = true;
	ck_assert_int_eq(lf_run(), LINK_MORE);
}

/* Somebody else's write, in between. */
static void
overwrite(int device, unsigned addr, uint8_t value)
{
	uint8_t v[2] = { 0, value };
	struct store_who who = {
		.author = 1, .op = value, .budget_ns = 1000000000
	};
	struct store_step s = { .op = STORE_WRITE,
		.table = STORE_HR,
		.addr = addr,
		.count = 1,
		.in = v };

	ck_assert_int_eq(
	    store_apply(&lf.fx.stores[device], &who, &s, 1, NULL), STORE_OK);
}

START_TEST(requests_done_again_write_once)
{
	struct batch_prog zero = { 0, 0, 0, 0 };

	lf_ask_write(1, 20, 1);
	lf_ask_write(1, 21, 2);
	batch_begin(lf.batch, &lf.conn->rec);
	memcpy(lf.batch->in, lf.in.p, lf.in.len);
	atomic_store(&lf.batch->in_len, (uint32_t)lf.in.len);
	ck_assert_int_eq(lf_run(), LINK_MORE);
	overwrite(0, 20, 99);
	redo(zero);
	ck_assert_uint_eq(lf_reg(0, 20), 99);
	ck_assert_uint_eq(lf_reg(0, 21), 2);
	ck_assert_uint_eq(batch_prog_get(lf.batch).out, 24);
	ck_assert_mem_eq(lf.batch->out + 7, lf.in.p + 7, 5);
}
END_TEST

START_TEST(a_broadcast_done_again_writes_each_device_once)
{
	struct batch_prog zero = { 0, 0, 0, 0 };

	lf.fx.transport.broadcast = true;
	lf_ask_write(0, 20, 1);
	batch_begin(lf.batch, &lf.conn->rec);
	memcpy(lf.batch->in, lf.in.p, lf.in.len);
	atomic_store(&lf.batch->in_len, (uint32_t)lf.in.len);
	ck_assert_int_eq(lf_run(), LINK_MORE);
	ck_assert_uint_eq(lf_reg(1, 20), 1);
	overwrite(0, 20, 50);
	overwrite(1, 20, 51);
	redo(zero);
	ck_assert_uint_eq(lf_reg(0, 20), 50);
	ck_assert_uint_eq(lf_reg(1, 20), 51);
}
END_TEST

START_TEST(operations_go_on_from_the_connections_last)
{
	for (int i = 0; i < 5; i++) {
		lf.in.len = 0;
		lf_ask_probe();
		lf_ask_write(1, 30, (unsigned)i + 1);
		lf_give(lf.in.p, lf.in.len);
		ck_assert_uint_eq(
		    lf.probe.op[i], lf.before + 2 * (unsigned)i + 1);
		ck_assert_uint_eq(lf_reg(0, 30), (unsigned)i + 1);
	}
	ck_assert_uint_eq(
	    atomic_load(seg_done(lf.fx.proc.env.control, FX_AUTHOR)),
	    lf.before + 10);
}
END_TEST

START_TEST(what_a_dead_worker_is_credited_late_swallows_no_write)
{
	struct acl_peer peer = { .family = AF_INET };
	_Atomic uint64_t *done = seg_done(lf.fx.proc.env.control, FX_AUTHOR);
	uint64_t last = lf.before + BATCH_OPS_MAX;

	/* the whole batch that a predecessor was in counts */
	lf_ask_write(1, 30, 1);
	lf_give(lf.in.p, lf.in.len);
	conns_fini(&lf.cs);
	ck_assert_int_eq(conns_init(&lf.cs, &lf.fx.worker), 0);
	lf.conn =
	    conns_open(&lf.cs, fcntl(STDERR_FILENO, F_DUPFD, 0), &peer, false);
	ck_assert_uint_lt(atomic_load(done), last);
	atomic_store(done, last);
	lf.in.len = lf.out.len = 0;
	lf_ask_write(1, 30, 2);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_mem_eq(lf.out.p + 7, lf.in.p + 7, 5);
	ck_assert_uint_eq(lf_reg(0, 30), 2);
}
END_TEST

START_TEST(a_write_that_was_not_carried_out_is_not_answered_as_if)
{
	atomic_store(
	    seg_done(lf.fx.proc.env.control, FX_AUTHOR), lf.before + 50);
	lf_ask_write(1, 30, 77);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_mem_eq(lf.out.p + 7, "\x86\4", 2);
	ck_assert_uint_eq(lf_reg(0, 30), 30);
}
END_TEST

START_TEST(requests_and_exceptions_are_counted_by_code)
{
	struct shm_stats *s = &lf.fx.worker.shm->stats;

	mixed_input();
	lf_ask_read(500, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(atomic_load(&s->requests[3]), 5);
	ck_assert_uint_eq(atomic_load(&s->requests[6]), 1);
	ck_assert_uint_eq(atomic_load(&s->requests[16]), 1);
	ck_assert_uint_eq(atomic_load(&s->requests[0x55]), 1);
	ck_assert_uint_eq(atomic_load(&s->exceptions[1]), 1);
	ck_assert_uint_eq(atomic_load(&s->exceptions[2]), 1);
	ck_assert_uint_eq(atomic_load(&s->exceptions[11]), 1);
}
END_TEST

START_TEST(a_read_only_transport_answers_writes_with_01)
{
	bind_fini(&lf.fx.worker.bind);
	lf.fx.transport.read_only = true;
	ck_assert_int_eq(bind_init(&lf.fx.worker.bind, &lf.fx.proc), 0);
	lf_ask_write(1, 3, 77);
	lf_ask_read(3, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_mem_eq(lf.out.p + 6, "\1\x86\1", 3);
	ck_assert_uint_eq(lf_reg(0, 3), 3);
}
END_TEST

START_TEST(who_waits_is_woken_once_for_a_batch_that_wrote)
{
	struct proc *p = &lf.fx.proc;
	struct bell bell;
	char byte;

	ck_assert_int_eq(bell_open(&bell, &p->env), 0);
	bell_arm(&bell);
	lf_ask_read(0, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(atomic_load(&p->env.control->bells.armed), 1);
	lf.in.len = 0;
	lf_ask_write(1, 1, 1);
	lf_ask_write(1, 2, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_uint_eq(atomic_load(&p->env.control->bells.armed), 0);
	ck_assert_int_eq(recv(bell.fd, &byte, 1, 0), 1);
	ck_assert_int_eq(recv(bell.fd, &byte, 1, 0), -1);
	bell_close(&bell);
	close(p->bell_fd);
	p->bell_fd = -1;
}
END_TEST

START_TEST(frames_are_traced_when_asked_for)
{
	struct shm_ring *ring = seg_trace(lf.fx.worker.shm);
	struct trace_frame f;
	uint64_t pos = 0;

	lf_ask_read(1, 1);
	lf_give(lf.in.p, lf.in.len);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 0);
	atomic_store(&lf.fx.worker.shm->trace_on, 1);
	lf.out.len = 0;
	lf_give(lf.in.p, lf.in.len);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.head.flags, TRACE_MANY);
	ck_assert_uint_eq(f.head.len, 12);
	ck_assert_mem_eq(f.adu, lf.in.p, 12);
	ck_assert_int_eq(trace_next(ring, &pos, &f), 1);
	ck_assert_uint_eq(f.head.flags, TRACE_SENT | TRACE_MANY);
	ck_assert_uint_eq(f.head.len, lf.out.len);
	ck_assert_mem_eq(f.adu, lf.out.p, lf.out.len);
	ck_assert_uint_eq(f.head.conn, atomic_load(&lf.conn->rec.shm->serial));
	ck_assert_int_eq(trace_next(ring, &pos, &f), 0);
}
END_TEST

/* Where the next frame lies, which must be of those flags. */
static uint64_t
next_frame(uint64_t *pos, uint8_t flags, struct trace_frame *f)
{
	struct shm_ring *ring = seg_trace(lf.fx.worker.shm);
	uint64_t at = *pos, end;
	struct trace_head h;

	ck_assert_int_eq(trace_peek(ring, &at, &end, &h), 1);
	ck_assert_int_eq(trace_next(ring, pos, f), 1);
	ck_assert_uint_eq(f->head.flags, flags);
	return at;
}

/* Frames that say how long they are: the beginning of one more comes again with
 * the rest of it. */
START_TEST(what_is_read_at_once_is_one_record_and_so_are_the_replies)
{
	uint64_t pos = 0, asked;
	struct trace_frame f;
	size_t half = 5;

	atomic_store(&lf.fx.worker.shm->trace_on, 1);
	for (unsigned i = 0; i < 100; i++)
		lf_ask_read(1, 5);
	lf_give(lf.in.p, lf.in.len - half);
	asked = next_frame(&pos, TRACE_MANY, &f);
	ck_assert_uint_eq(f.head.len, lf.in.len - half);
	ck_assert_mem_eq(f.adu, lf.in.p, f.head.len);
	ck_assert_uint_eq(
	    next_frame(&pos, TRACE_SENT | TRACE_MANY, &f) - 8 * f.head.back,
	    asked);
	ck_assert_uint_eq(f.head.len, lf.out.len);
	ck_assert_mem_eq(f.adu, lf.out.p, lf.out.len);
	lf.out.len = 0;
	lf_give(lf.in.p + lf.in.len - half, half);
	next_frame(&pos, TRACE_MANY, &f);
	ck_assert_uint_eq(f.head.len, 12);
	next_frame(&pos, TRACE_SENT | TRACE_MANY, &f);
	ck_assert_uint_eq(f.head.len, lf.out.len);
	ck_assert_int_eq(trace_next(seg_trace(lf.fx.worker.shm), &pos, &f), 0);
}
END_TEST

/* More than a record holds: each begins with a frame. */
START_TEST(replies_that_are_too_many_are_several_records)
{
	uint64_t pos = 0, asked, n = 0;
	struct trace_frame f;

	atomic_store(&lf.fx.worker.shm->trace_on, 1);
	for (unsigned i = 0; i < 20; i++)
		lf_ask_read(0, 125);
	lf_give(lf.in.p, lf.in.len);
	asked = next_frame(&pos, TRACE_MANY, &f);
	while (n < 20 * 259) {
		ck_assert_uint_eq(
		    next_frame(&pos, TRACE_SENT | TRACE_MANY, &f) -
			8 * f.head.back,
		    asked);
		ck_assert_uint_eq(f.head.len % 259, 0);
		n += f.head.len;
	}
	ck_assert_uint_eq(n, 20 * 259);
	ck_assert_int_eq(trace_next(seg_trace(lf.fx.worker.shm), &pos, &f), 0);
}
END_TEST

/* More than fits into what is sent at once, and not all are answered: the
 * replies tell which requests are theirs all the same. */
START_TEST(recorded_replies_tell_the_how_manieth_request_is_theirs)
{
	struct shm_ring *ring = seg_trace(lf.fx.worker.shm);
	uint64_t pos = 0, end, asked = 0, at;
	unsigned want = 0, n = 200;
	struct trace_frame f;
	struct trace_head h;

	atomic_store(&lf.fx.worker.shm->trace_on, 1);
	/* every tenth is of a unit that nobody answers for */
	lf.fx.transport.silent_units = true;
	for (unsigned i = 0; i < n; i++) {
		lf_ask_read(0, 120);
		if (i % 10 == 9)
			lf.in.p[lf.in.len - 6] = 99;
	}
	lf_give(lf.in.p, lf.in.len);
	for (; trace_peek(ring, &pos, &end, &h) == 1; pos = end) {
		at = pos;
		ck_assert_int_eq(trace_next(ring, &at, &f), 1);
		if ((h.flags & TRACE_SENT) == 0) {
			asked = pos;
			continue;
		}
		ck_assert_uint_eq(pos - 8 * h.back, asked);
		ck_assert_uint_eq(h.first, want);
		want += h.len / 249;
		want += want % 10 == 9;
	}
	ck_assert_uint_eq(want, n);
}
END_TEST

/* Frames one by one, more than wait for one reading of the clock. */
START_TEST(a_recorded_reply_points_back_to_its_request)
{
	struct shm_stats *s = &lf.fx.worker.shm->stats;
	uint64_t pos = 0, asked[100], n = 0;
	struct trace_frame f;

	atomic_store(&lf.fx.worker.shm->trace_on, 1);
	lf.link.rec.splits = false;
	for (unsigned i = 0; i < 100; i++)
		lf_ask_read(1, (uint16_t)(1 + i % 5));
	worker_tick(&lf.fx.worker);
	lf_give(lf.in.p, lf.in.len);
	for (unsigned i = 0, o = 0; i < 100 || o < 100;) {
		uint64_t at = pos;

		/* 64 wait at most: then they are put behind what came */
		if (i < 100 && i - o <= 64 && (i < 65 || o >= 64)) {
			asked[i++] = next_frame(&pos, 0, &f);
			continue;
		}
		at = next_frame(&pos, TRACE_SENT, &f);
		ck_assert_uint_eq(at - 8 * f.head.back, asked[o]);
		ck_assert_uint_lt(f.head.us, 60000000);
		ck_assert_uint_eq(f.adu[8], 2 * (1 + o % 5));
		o++;
	}
	for (unsigned i = 0; i < SHM_DURATIONS; i++)
		n += atomic_load(&s->durations[i]);
	ck_assert_uint_eq(n, 100);
	ck_assert_uint_gt(atomic_load(&s->duration_ns), 0);
}
END_TEST

static const char *const framers[] = { "socket", "tls", "rtu", "ascii" };

START_TEST(any_framer_serves_a_stream)
{
	static const uint8_t pdu[] = { 3, 0, 5, 0, 1 };
	static char name[8];
	uint8_t adu[64];
	size_t n;

	strcpy(name, framers[_i]);
	lf.fx.transport.framer = name;
	ck_assert_int_eq(link_init(&lf.link, &lf.fx.worker), 0);
	memset(adu, 0, sizeof(adu));
	/* a request looks like a reply with the same PDU */
	memcpy(adu + lf.link.framer->head, pdu, sizeof(pdu));
	n = lf.link.framer->seal(
	    &(struct frame){ .unit = 1, .tid = 9 }, '\n', adu, sizeof(pdu));
	for (size_t split = 0; split <= n; split++) {
		lf.out.len = 0;
		ck_assert_int_eq(lf_give(adu, split), LINK_MORE);
		ck_assert_int_eq(lf_give(adu + split, n - split), LINK_MORE);
		ck_assert_msg(lf.out.len != 0, "no reply, split at %zu", split);
		ck_assert_uint_eq(
		    atomic_load(&lf.fx.worker.shm->stats.exceptions[2]), 0);
	}
	ck_assert_uint_eq(
	    atomic_load(&lf.fx.worker.shm->stats.requests[3]), n + 1);
}
END_TEST

START_TEST(a_framer_that_does_not_exist_is_refused)
{
	static char name[] = "morse";

	lf.fx.transport.framer = name;
	ck_assert_int_eq(link_init(&lf.link, &lf.fx.worker), -1);
	ck_assert_ptr_nonnull(lf.fx.worker.why);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link");
	TCase *tc = tcase_create("link");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, lf_setup, lf_teardown);
	tcase_add_test(tc, requests_of_one_read_are_answered_in_order);
	tcase_add_test(tc, input_may_be_split_anywhere);
	tcase_add_test(tc, one_byte_at_a_time_is_as_good);
	tcase_add_test(tc, the_record_says_after_each_request_how_far_it_is);
	tcase_add_test(
	    tc, a_batch_advances_the_connection_by_what_it_took_and_gave);
	tcase_add_test(tc, replies_that_do_not_fit_go_out_in_rounds);
	tcase_add_test(tc, hopeless_bytes_leave_the_replies_before_them);
	tcase_add_test(tc, a_unit_that_is_not_served_is_answered_0b);
	tcase_add_test(tc, a_unit_that_is_not_served_may_be_met_with_silence);
	tcase_add_test(
	    tc, a_broadcast_is_carried_out_by_every_device_unanswered);
	tcase_add_test(tc, requests_done_again_write_once);
	tcase_add_test(tc, a_broadcast_done_again_writes_each_device_once);
	tcase_add_test(tc, operations_go_on_from_the_connections_last);
	tcase_add_test(
	    tc, what_a_dead_worker_is_credited_late_swallows_no_write);
	tcase_add_test(
	    tc, a_write_that_was_not_carried_out_is_not_answered_as_if);
	tcase_add_test(tc, requests_and_exceptions_are_counted_by_code);
	tcase_add_test(tc, a_read_only_transport_answers_writes_with_01);
	tcase_add_test(tc, who_waits_is_woken_once_for_a_batch_that_wrote);
	tcase_add_test(
	    tc, recorded_replies_tell_the_how_manieth_request_is_theirs);
	tcase_add_test(tc, frames_are_traced_when_asked_for);
	tcase_add_test(tc, a_recorded_reply_points_back_to_its_request);
	tcase_add_test(
	    tc, what_is_read_at_once_is_one_record_and_so_are_the_replies);
	tcase_add_test(tc, replies_that_are_too_many_are_several_records);
	tcase_add_loop_test(tc, any_framer_serves_a_stream, 0,
	    sizeof(framers) / sizeof(framers[0]));
	tcase_add_test(tc, a_framer_that_does_not_exist_is_refused);
	return fx_report(s);
}
