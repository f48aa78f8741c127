/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies that wait for the disk: which of a batch they are, what is sent in
 * their place, and that a successor ends what was begun of that.
 */
#include "workers/save.h"

#include "shm/clock.h"
#include "shm/durable.h"
#include "tests/lib/link_fixture.h"

static struct conf_range range = {
	.table = STORE_HR, .addr = 100, .count = 20, .durable = true
};
static char path[] = "/nowhere";

/* Registers 100 to 119 of unit 1 are durable. */
static void
begin(void)
{
	lf_setup();
	lf.fx.conf.snapshot.path = path;
	lf.fx.devices[0].ranges = &range;
	lf.fx.devices[0].nranges = 1;
	ck_assert_int_eq(bind_durable_init(&lf.fx.worker.bind.device[0]), 0);
}

static void
end(void)
{
	lf.fx.conf.snapshot.path = NULL;
	lf.fx.devices[0].ranges = NULL;
	lf.fx.devices[0].nranges = 0;
	lf_teardown();
}

/* One read brings what has been asked for, of which so many are to wait. */
static void
run(unsigned saves)
{
	batch_begin(lf.batch, &lf.conn->rec);
	memcpy(lf.batch->in, lf.in.p, lf.in.len);
	atomic_store(&lf.batch->in_len, (uint32_t)lf.in.len);
	ck_assert_int_eq(
	    lf_run(), saves == BATCH_SAVES ? LINK_FULL : LINK_MORE);
	ck_assert_uint_eq(batch_saves(lf.batch), saves);
}

/* The PDUs of all replies, one behind the other. */
static size_t
pdus(uint8_t *to)
{
	const uint8_t *out = lf.batch->out;
	size_t n = 0, len;

	for (size_t at = 0; at < batch_prog_get(lf.batch).out;) {
		len = (size_t)(out[at + 4] << 8 | out[at + 5]) - 1;
		memcpy(to + n, out + at + 7, len);
		n += len;
		at += 7 + len;
	}
	return n;
}

static void
mixed(void)
{
	lf_ask_write(1, 100, 1);
	lf_ask_read(100, 1);
	lf_ask_write(1, 99, 2);
	lf_ask_write(1, 119, 3);
	lf_ask_write(2, 50, 4); /* of another device */
	lf_ask(1, (const uint8_t *)"\x10\0\x62\0\3\6\0\1\0\2\0\5", 12);
	lf_ask_read(102, 1);
}

static const uint8_t wanted[] = { 0x86, 4, 3, 2, 0, 1, 6, 0, 99, 0, 2, 0x86, 4,
	6, 0, 50, 0, 4, 0x90, 4, 3, 2, 0, 102 };

START_TEST(those_that_have_written_there_are_known)
{
	mixed();
	run(3);
	for (unsigned i = 0; i < 3; i++) {
		const struct shm_save *s = &lf.batch->save[i];

		ck_assert_uint_eq(s->len, 12);
		ck_assert_mem_eq(
		    lf.batch->in + s->in, lf.batch->out + s->out, 2);
	}
	ck_assert_uint_eq(lf_reg(0, 100), 5);
	/* nobody has been asked to save: that is for who keeps them back */
	ck_assert_uint_eq(durable_asked(&lf.fx.proc.env.control->saved), 0);
	batch_saved(lf.batch);
	ck_assert_uint_eq(batch_saves(lf.batch), 0);
}
END_TEST

START_TEST(there_are_no_more_than_a_record_has_room_for)
{
	for (unsigned i = 0; i < BATCH_SAVES + 5; i++)
		lf_ask_write(1, 100, i);
	run(BATCH_SAVES);
	ck_assert_uint_eq(lf_reg(0, 100), BATCH_SAVES - 1);
	batch_saved(lf.batch);
	ck_assert_int_eq(lf_run(), LINK_MORE);
	ck_assert_uint_eq(batch_saves(lf.batch), 5);
	ck_assert_uint_eq(lf_reg(0, 100), BATCH_SAVES + 4);
}
END_TEST

START_TEST(what_cannot_be_saved_is_answered_04_among_the_others)
{
	uint8_t got[sizeof(wanted) + 100];
	const struct shm_stats *stats = &lf.fx.worker.shm->stats;

	mixed();
	run(3);
	ck_assert(save_unsaved(&lf.link, lf.conn->rec.shm, lf.batch));
	ck_assert_uint_eq(pdus(got), sizeof(wanted));
	ck_assert_mem_eq(got, wanted, sizeof(wanted));
	ck_assert_uint_eq(batch_saves(lf.batch), 0);
	ck_assert_uint_eq(stats->exceptions[4], 3);
}
END_TEST

/* After which of its stores somebody was killed. */
START_TEST(a_successor_ends_what_was_begun_of_that)
{
	struct shm_unsaved *u = &lf.fx.worker.shm->unsaved;
	static struct shm_batch was;
	uint8_t got[sizeof(wanted) + 100];
	uint64_t own;

	mixed();
	run(3);
	own = atomic_load(&lf.batch->own);
	memcpy(&was, lf.batch, sizeof(was));
	ck_assert(save_unsaved(&lf.link, lf.conn->rec.shm, lf.batch));
	ck_assert_uint_eq(atomic_load(&u->own), 0);
	atomic_store(&u->own, own);
	if (_i == 0) /* before anything of it was there */
		memcpy(lf.batch, &was, sizeof(was));
	if (_i == 1) /* within out[] */
		memcpy(lf.batch->out + 20, was.out + 20, BATCH_OUT - 20);
	if (_i <= 2) /* before prog */
		atomic_store(&lf.batch->prog, atomic_load(&was.prog));
	if (_i <= 3)
		atomic_store(&lf.batch->nsaves, 3);
	save_inherit(&lf.fx.worker);
	ck_assert_uint_eq(pdus(got), sizeof(wanted));
	ck_assert_mem_eq(got, wanted, sizeof(wanted));
	ck_assert_uint_eq(batch_saves(lf.batch), 0);
	ck_assert_uint_eq(atomic_load(&u->own), 0);
	/* another one's is nobody's */
	atomic_store(&u->own, own + (1 << 16));
	u->len = 0;
	save_inherit(&lf.fx.worker);
	ck_assert_uint_eq(pdus(got), sizeof(wanted));
}
END_TEST

START_TEST(what_was_noted_and_not_done_is_forgotten)
{
	lf_ask_write(1, 100, 1);
	lf_ask_write(1, 101, 1);
	run(2);
	batch_save(lf.batch, batch_prog_get(lf.batch).done, 0, 12);
	batch_saves_trim(lf.batch);
	ck_assert_uint_eq(batch_saves(lf.batch), 2);
}
END_TEST

START_TEST(nonsense_in_a_record_harms_nobody)
{
	static const struct shm_save nonsense[] = { { 5, 0, 12 },
		{ 0, 0xffff, 12 }, { 0, 0, 0xffff }, { 0xffff, 0, 12 },
		{ 13, 12, 12 } };

	lf_ask_write(1, 100, 1);
	lf_ask_write(1, 101, 1);
	run(2);
	if (_i == 5) { /* they fit, and reach far behind out[] */
		struct batch_prog p = batch_prog_get(lf.batch);

		p.out = 0xffff;
		batch_prog_set(lf.batch, &p);
		lf.batch->save[0].len = 0xfff0;
		lf.batch->save[1] = (struct shm_save){ 12, 0xfff0, 12 };
	} else {
		lf.batch->save[1] = nonsense[_i];
	}
	ck_assert(!save_unsaved(&lf.link, lf.conn->rec.shm, lf.batch));
	if (_i == 5) /* it was not looked at */
		ck_assert_uint_eq(lf.fx.worker.shm->stats.exceptions[4], 0);
	atomic_store(&lf.batch->nsaves, UINT32_MAX);
	ck_assert_uint_eq(batch_saves(lf.batch), BATCH_SAVES);
}
END_TEST

START_TEST(what_would_not_be_saved_is_not_carried_out)
{
	struct bind *b = &lf.fx.worker.bind;
	struct shm_saved *s = &lf.fx.proc.env.control->saved;
	uint8_t got[20];

	lf_ask_write(1, 100, 7);
	lf_ask_write(1, 99, 7);
	switch (_i) {
	case 0: /* too many wait */
		b->crowded = true;
		break;
	case 1: /* saving fails */
		durable_tell(s, durable_take(s), 5);
		break;
	case 2: /* what was waited for in vain is not there yet */
		b->late_ticket = durable_take(s);
		break;
	}
	run(0);
	ck_assert_uint_eq(pdus(got), 7);
	ck_assert_uint_eq(got[0], 0x86);
	ck_assert_uint_eq(got[1], _i == 0 ? 6 : 4);
	ck_assert_uint_eq(lf_reg(0, 100), 100);
	ck_assert_uint_eq(lf_reg(0, 99), 7);
	/* and then it is again */
	b->crowded = false;
	durable_tell(s, durable_asked(s), 0);
	batch_end(lf.batch, &lf.conn->rec);
	run(1);
	ck_assert_uint_eq(lf_reg(0, 100), 7);
}
END_TEST

START_TEST(of_what_was_begun_the_first_one_alone_is_not_refused)
{
	uint8_t got[20];

	lf.fx.worker.bind.crowded = true;
	lf.fx.worker.bind.resumed = lf.fx.worker.bind.begun = true;
	lf_ask_write(1, 100, 7);
	lf_ask_write(1, 101, 7);
	run(1);
	ck_assert_uint_eq(pdus(got), 7);
	ck_assert_uint_eq(got[0], 6);
	ck_assert_uint_eq(got[5], 0x86);
	ck_assert_uint_eq(got[6], 6);
	ck_assert_uint_eq(lf_reg(0, 100), 7);
	ck_assert_uint_eq(lf_reg(0, 101), 101);
}
END_TEST

/* Whether a request goes on after the wait or had ended before it. */
START_TEST(a_wait_is_nobodys_hang)
{
	struct proc *p = &lf.fx.proc;
	struct shm_slot *slot = seg_slot(p->env.control, SLOT_OF(p->env.me));
	uint64_t now = clock_mono_ns();

	durable_tell(&p->env.control->saved, 1, 5);
	proc_busy(p, _i);
	ck_assert(!bind_durable_wait(&lf.fx.worker.bind));
	if (_i == 0)
		ck_assert_uint_eq(atomic_load(&slot->busy_ns), 0);
	else
		ck_assert_uint_ge(atomic_load(&slot->busy_ns), now);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("save");
	TCase *tc = tcase_create("save");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, those_that_have_written_there_are_known);
	tcase_add_test(tc, there_are_no_more_than_a_record_has_room_for);
	tcase_add_test(
	    tc, what_cannot_be_saved_is_answered_04_among_the_others);
	tcase_add_loop_test(tc, a_successor_ends_what_was_begun_of_that, 0, 5);
	tcase_add_test(tc, what_was_noted_and_not_done_is_forgotten);
	tcase_add_loop_test(tc, nonsense_in_a_record_harms_nobody, 0, 6);
	tcase_add_loop_test(
	    tc, what_would_not_be_saved_is_not_carried_out, 0, 3);
	tcase_add_test(
	    tc, of_what_was_begun_the_first_one_alone_is_not_refused);
	tcase_add_loop_test(tc, a_wait_is_nobodys_hang, 0, 2);
	suite_add_tcase(s, tc);
	return fx_report(s);
}
