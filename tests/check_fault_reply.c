/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fault rules make of replies, through a real link, device and framer:
 * which requests they meet, what the reply is then, what is carried out, and
 * that they count what they spoil and nothing else.
 */
#include "workers/fault.h"

#include "tests/lib/link_fixture.h"
#include "workers/fault_reply.h"

static struct fault_rule
rule(uint32_t effects)
{
	return (struct fault_rule){
		.effects = effects,
		.rate = FAULT_MILLION,
		.exception = 6,
		.delay_ms = 50,
		.split_ms = 40,
		.junk_bytes = 300,
		.change = FAULT_MILLION / 2,
	};
}

static uint64_t
add(const struct fault_rule *r)
{
	uint64_t id = fault_add(&lf.fx.proc.env, r);

	ck_assert_uint_ne(id, 0);
	return id;
}

/* How often it has hit; -1: it has ended. */
static int
hits(uint64_t id)
{
	struct fault_live f;

	for (unsigned i = 0; i < SHM_FAULTS; i++)
		if (fault_get(lf.fx.proc.env.control, i, &f) && f.id == id)
			return (int)f.hits;
	return -1;
}

/* One request of a PDU to a unit: how many bytes come back, in lf.out. */
static size_t
ask(uint8_t unit, const void *pdu, size_t len)
{
	lf.in.len = lf.out.len = 0;
	lf_ask(unit, pdu, len);
	lf_give(lf.in.p, lf.in.len);
	return lf.out.len;
}

static size_t
ask_read(unsigned addr, unsigned n)
{
	const uint8_t pdu[] = { 3, (uint8_t)(addr >> 8), (uint8_t)addr, 0,
		(uint8_t)n };

	return ask(1, pdu, sizeof(pdu));
}

START_TEST(an_exception_stands_in_for_carrying_it_out)
{
	struct fault_rule r = rule(FAULT_EXCEPTION);
	uint64_t id = add(&r);

	ck_assert_uint_eq(ask(1, "\6\0\5\0\x63", 5), 9);
	ck_assert_mem_eq(lf.out.p + 6, "\1\x86\6", 3);
	ck_assert_uint_eq(lf_reg(0, 5), 5);
	ck_assert_int_eq(hits(id), 1);
	ck_assert_uint_eq(
	    atomic_load(&lf.fx.worker.shm->stats.exceptions[6]), 1);
	ck_assert_uint_eq(atomic_load(&lf.fx.worker.shm->stats.faults), 1);
}
END_TEST

START_TEST(what_is_dropped_has_been_carried_out)
{
	struct fault_rule r = rule(FAULT_DROP);
	uint64_t id = add(&r);

	ck_assert_uint_eq(ask(1, "\6\0\5\0\x63", 5), 0);
	ck_assert_uint_eq(lf_reg(0, 5), 0x63);
	ck_assert_int_eq(hits(id), 1);
}
END_TEST

START_TEST(junk_is_of_the_length_that_was_asked_for)
{
	struct fault_rule r = rule(FAULT_JUNK);

	add(&r);
	ck_assert_uint_eq(ask_read(0, 1), 300);
}
END_TEST

START_TEST(junk_behind_replies_that_fill_a_round_finds_room)
{
	struct fault_rule r = rule(FAULT_JUNK);
	unsigned n = 150; /* several rounds of output */

	r.junk_bytes = FAULT_JUNK_MAX;
	r.rate = FAULT_MILLION / 2;
	add(&r);
	lf.in.len = lf.out.len = 0;
	for (unsigned i = 0; i < n; i++)
		lf_ask_read(0, 125);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_MORE);
	/* one in two is junk of 512 bytes, the others have 259 */
	ck_assert_uint_gt(lf.out.len, n * 280);
	ck_assert_uint_lt(lf.out.len, n * 490);
}
END_TEST

START_TEST(a_share_of_the_registers_has_other_values)
{
	struct fault_rule r = rule(FAULT_CHANGE);
	unsigned other = 0;

	r.change = FAULT_MILLION / 4;
	add(&r);
	ck_assert_uint_eq(ask_read(0, 100), 9 + 200);
	ck_assert_mem_eq(lf.out.p + 6, "\1\3\310", 3);
	for (unsigned i = 0; i < 100; i++)
		other += lf.out.p[9 + 2 * i] != 0 || lf.out.p[10 + 2 * i] != i;
	ck_assert_uint_eq(other, 25);
	ck_assert_uint_eq(lf_reg(0, 99), 99);
	/* of one register, one */
	ck_assert_uint_eq(ask_read(7, 1), 11);
	ck_assert(lf.out.p[9] != 0 || lf.out.p[10] != 7);
}
END_TEST

START_TEST(of_bits_those_change_that_were_asked_for)
{
	struct fault_rule r = rule(FAULT_CHANGE);

	r.change = FAULT_MILLION;
	add(&r);
	ck_assert_uint_eq(ask(1, "\1\0\0\0\xb", 5), 11);
	ck_assert_mem_eq(lf.out.p + 6, "\1\1\2\xff\7", 5);
}
END_TEST

START_TEST(a_reply_without_values_is_not_counted_as_changed)
{
	struct fault_rule r = rule(FAULT_CHANGE);
	uint64_t id;

	r.count = 1;
	id = add(&r);
	ck_assert_uint_eq(ask(1, "\6\0\5\0\x63", 5), 12);
	ck_assert_uint_eq(ask_read(250, 1), 9);
	ck_assert_int_eq(hits(id), 0);
	ask_read(0, 1);
	ck_assert_int_eq(hits(id), -1);
}
END_TEST

START_TEST(another_unit_answers)
{
	struct fault_rule r = rule(FAULT_UNIT_WRONG);

	add(&r);
	ck_assert_uint_eq(ask_read(0, 1), 11);
	ck_assert_uint_eq(lf.out.p[6], 2);
}
END_TEST

START_TEST(where_there_is_no_check_the_protocol_id_is_wrong)
{
	struct fault_rule r = rule(FAULT_CRC);

	add(&r);
	ck_assert_uint_eq(ask_read(0, 1), 11);
	ck_assert_mem_eq(lf.out.p + 2, "\0\1\0\5\1\3\2", 7);
}
END_TEST

START_TEST(a_check_is_wrong_and_nothing_else)
{
	uint8_t rtu[] = { 1, 3, 2, 0, 9, 0x12, 0x34 };
	uint8_t ascii[] = ":0103020009F1\r\n", plugin[] = { 1, 2, 3 };

	fault_spoil_check(&frame_rtu, rtu, sizeof(rtu));
	ck_assert_mem_eq(rtu, "\1\3\2\0\11\x12", 6);
	ck_assert_uint_ne(rtu[6], 0x34);
	fault_spoil_check(&frame_ascii, ascii, 15);
	ck_assert_mem_eq(ascii, ":0103020009F", 12);
	ck_assert_str_eq((char *)ascii + 12, "0\r\n");
	fault_spoil_check(&(struct framer){ .name = "x" }, plugin, 3);
	ck_assert_mem_eq(plugin, "\1\2\374", 3);
}
END_TEST

START_TEST(who_is_late_ends_the_run_behind_its_reply)
{
	struct fault_rule r = rule(FAULT_DELAY | FAULT_SPLIT);
	const struct late *late = &lf.link.faults.late;

	r.given = FAULT_RANGE;
	r.first = r.last = 7;
	add(&r);
	lf.in.len = 0;
	lf_ask_read(0, 1);
	lf_ask_read(7, 1);
	lf_ask_read(9, 1);
	ck_assert_int_eq(lf_give(lf.in.p, lf.in.len), LINK_LATE);
	ck_assert_uint_eq(lf.out.len, 22);
	ck_assert_uint_eq(batch_prog_get(lf.batch).done, 24);
	ck_assert_uint_eq(late->delay_ms, 50);
	ck_assert_uint_eq(late->split_ms, 40);
	ck_assert_uint_eq(late->at, 11);
	ck_assert_uint_eq(late->first, 5);
	ck_assert_int_eq(lf_run(), LINK_MORE);
	ck_assert_uint_eq(batch_prog_get(lf.batch).out, 33);
}
END_TEST

START_TEST(a_worker_that_drains_puts_nothing_off)
{
	struct fault_rule r = rule(FAULT_DELAY);

	add(&r);
	lf.fx.worker.draining = true;
	ck_assert_uint_eq(ask_read(0, 1), 11);
	ck_assert_uint_eq(batch_half(lf.conn->rec.shm)->tx, 11);
}
END_TEST

/* ---- conditions ---- */

static const struct {
	const char *title;
	struct fault_rule rule;
	uint8_t unit;
	uint8_t pdu[12];
	uint8_t len;
	bool hit;
} meets[] = {
	{ "no condition", { .unit = 0 }, 1, { 3, 0, 0, 0, 1 }, 5, true },
	{ "its transport", { .transport = "t" }, 1, { 3, 0, 0, 0, 1 }, 5,
	    true },
	{ "another transport", { .transport = "u" }, 1, { 3, 0, 0, 0, 1 }, 5,
	    false },
	{ "its unit", { .given = FAULT_UNIT, .unit = 2 }, 2, { 3, 0, 0, 0, 1 },
	    5, true },
	{ "another unit", { .given = FAULT_UNIT, .unit = 2 }, 1,
	    { 3, 0, 0, 0, 1 }, 5, false },
	{ "a unit that is not served", { .given = FAULT_UNIT, .unit = 9 }, 9,
	    { 3, 0, 0, 0, 1 }, 5, true },
	{ "its function code", { .fc = { 1 << 3 } }, 1, { 3, 0, 0, 0, 1 }, 5,
	    true },
	{ "another function code", { .fc = { 1 << 3 } }, 1, { 4, 0, 0, 0, 1 },
	    5, false },
	{ "one above 63", { .fc = { 0, 1ull << (65 - 64) } }, 1, { 65 }, 1,
	    true },
	{ "the first address of its range",
	    { .given = FAULT_RANGE, .first = 10, .last = 12 }, 1,
	    { 3, 0, 12, 0, 4 }, 5, true },
	{ "the last one", { .given = FAULT_RANGE, .first = 10, .last = 12 }, 1,
	    { 3, 0, 7, 0, 4 }, 5, true },
	{ "just before it", { .given = FAULT_RANGE, .first = 10, .last = 12 },
	    1, { 3, 0, 6, 0, 4 }, 5, false },
	{ "just behind it", { .given = FAULT_RANGE, .first = 10, .last = 12 },
	    1, { 3, 0, 13, 0, 4 }, 5, false },
	{ "its table",
	    { .given = FAULT_RANGE | FAULT_TABLE, .table = STORE_CO }, 1,
	    { 5, 0, 0, 0xff, 0 }, 5, true },
	{ "another table",
	    { .given = FAULT_RANGE | FAULT_TABLE, .table = STORE_CO }, 1,
	    { 6, 0, 0, 0, 1 }, 5, false },
	{ "what FC 23 writes",
	    { .given = FAULT_RANGE, .first = 50, .last = 50 }, 1,
	    { 23, 0, 0, 0, 1, 0, 50, 0, 1, 2, 0, 50 }, 12, true },
	{ "a request that is cut short", { .given = FAULT_RANGE }, 1,
	    { 3, 0, 0, 0 }, 4, false },
	{ "a function code without addresses",
	    { .given = FAULT_RANGE, .last = 65535 }, 1, { 7 }, 1, false },
	{ "a rate of nothing", { .rate = 0, .count = 1 }, 1, { 3, 0, 0, 0, 1 },
	    5, false },
};

enum { MEETS = sizeof(meets) / sizeof(meets[0]) };

START_TEST(a_rule_meets_what_it_says)
{
	struct fault_rule r = meets[_i].rule;
	uint64_t id;

	r.effects = FAULT_EXCEPTION;
	r.exception = 0x77;
	if (r.count == 0)
		r.rate = FAULT_MILLION;
	id = add(&r);
	ask(meets[_i].unit, meets[_i].pdu, meets[_i].len);
	if ((lf.out.p[8] == 0x77) != meets[_i].hit ||
	    (hits(id) == 1) != meets[_i].hit)
		ck_abort_msg("%s", meets[_i].title);
}
END_TEST

START_TEST(a_connection_is_told_from_the_others)
{
	struct fault_rule r = rule(FAULT_DROP);
	uint64_t serial = atomic_load(&lf.conn->rec.shm->serial), id;
	static const int off[] = { 1, -1, 0 };

	r.given = FAULT_CONNECTION;
	for (int i = 0; i < 3; i++) {
		r.connection = CONN_ID(0, 0, serial + (uint64_t)off[i]);
		id = add(&r);
		ck_assert_uint_eq(ask_read(0, 1), off[i] == 0 ? 0 : 11);
		ck_assert_int_eq(hits(id), off[i] == 0);
	}
	r.connection = CONN_ID(0, 1, serial);
	add(&r);
	ck_assert_int_eq(lf.link.faults.n, 3);
	ask_read(0, 1);
	ck_assert_int_eq(
	    lf.link.faults.n, 3); /* another worker's is not here */
}
END_TEST

START_TEST(broadcasts_are_what_they_were)
{
	struct fault_rule r = rule(FAULT_EXCEPTION);
	uint64_t id = add(&r);

	lf.fx.transport.broadcast = true;
	ck_assert_uint_eq(ask(0, "\6\0\5\0\x63", 5), 0);
	ck_assert_uint_eq(lf_reg(0, 5), 0x63);
	ck_assert_uint_eq(lf_reg(1, 5), 0x63);
	ck_assert_int_eq(hits(id), 0);
}
END_TEST

START_TEST(a_device_that_listens_only_is_not_answered_by_a_fault)
{
	struct fault_rule r = rule(FAULT_EXCEPTION);
	uint64_t id;

	mb_diag_listen(lf.fx.worker.bind.by_unit[1]->unit.diag, true);
	id = add(&r);
	ck_assert_uint_eq(ask_read(0, 1), 0);
	ck_assert_int_eq(hits(id), 0);
}
END_TEST

START_TEST(a_silent_unit_stays_silent_and_counts_nothing)
{
	struct fault_rule r = rule(FAULT_EXCEPTION), drop = rule(FAULT_DROP);
	uint64_t id = add(&r), dropped = add(&drop);

	lf.fx.transport.silent_units = true;
	ck_assert_uint_eq(ask(9, "\3\0\0\0\1", 5), 0);
	ck_assert_int_eq(hits(id), 0);
	ck_assert_int_eq(hits(dropped), 0);
}
END_TEST

/* ---- how often ---- */

START_TEST(a_count_spoils_exactly_so_many_and_then_the_rule_is_gone)
{
	struct fault_rule r = rule(FAULT_EXCEPTION);
	uint64_t id;
	unsigned spoiled = 0;

	r.count = 5;
	id = add(&r);
	lf.in.len = lf.out.len = 0;
	for (int i = 0; i < 20; i++)
		lf_ask_read(0, 1);
	lf_give(lf.in.p, lf.in.len);
	for (size_t at = 0; at < lf.out.len; spoiled++) {
		if ((lf.out.p[at + 7] & 0x80) == 0)
			break;
		at += 9;
	}
	ck_assert_uint_eq(spoiled, 5);
	ck_assert_uint_eq(lf.out.len, 5 * 9 + 15 * 11);
	ck_assert_int_eq(hits(id), -1);
	ask_read(0, 1);
	ck_assert_uint_eq(lf.link.faults.n, 0);
}
END_TEST

START_TEST(a_rate_is_about_that_share)
{
	struct fault_rule r = rule(FAULT_EXCEPTION);
	uint64_t id;
	int n;

	r.rate = FAULT_MILLION / 10;
	id = add(&r);
	for (int i = 0; i < 10000; i++)
		ask_read(0, 1);
	n = hits(id);
	/* eight standard deviations: less often than anything else breaks */
	ck_assert_int_gt(n, 760);
	ck_assert_int_lt(n, 1240);
}
END_TEST

START_TEST(a_rule_that_is_due_does_nothing_any_more)
{
	struct fault_rule r = rule(FAULT_EXCEPTION);
	uint64_t id;

	r.expires_ns = lf.fx.worker.now_ns + 1000;
	id = add(&r);
	ck_assert_uint_eq(ask_read(0, 1), 9);
	lf.fx.worker.now_ns += 1000;
	ck_assert_uint_eq(ask_read(0, 1), 11);
	ck_assert_int_eq(hits(id), -1);
}
END_TEST

START_TEST(the_oldest_has_its_way_and_others_count_for_what_is_left)
{
	struct fault_rule six = rule(FAULT_EXCEPTION),
			  four = rule(FAULT_EXCEPTION),
			  unit = rule(FAULT_EXCEPTION | FAULT_UNIT_WRONG);
	uint64_t a = add(&six), b, c;

	four.exception = 4;
	b = add(&four);
	c = add(&unit);
	ck_assert_uint_eq(ask_read(0, 1), 9);
	ck_assert_mem_eq(lf.out.p + 6, "\2\x83\6", 3);
	ck_assert_int_eq(hits(a), 1);
	ck_assert_int_eq(hits(b), 0);
	ck_assert_int_eq(hits(c), 1);
}
END_TEST

START_TEST(without_rules_a_batch_looks_at_the_version_and_that_is_all)
{
	struct fault_rule r = rule(FAULT_EXCEPTION);
	struct fault_live f;

	ask_read(0, 1);
	ck_assert_ptr_null(lf.link.faults.rule);
	strcpy(r.transport, "other");
	add(&r);
	ask_read(0, 1);
	ck_assert_uint_eq(lf.link.faults.n, 0);
	/* a rule that nobody has told of is not seen */
	f.row = 0;
	ck_assert(fault_get(lf.fx.proc.env.control, 0, &f));
	atomic_store(&lf.fx.proc.env.control->faults.row[0].word[0], 't');
	ck_assert_uint_eq(ask_read(0, 1), 11);
	fault_touch(lf.fx.proc.env.control);
	ck_assert_uint_eq(ask_read(0, 1), 9);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fault_reply");
	TCase *t = tcase_create("fault_reply");

	tcase_add_checked_fixture(t, lf_setup, lf_teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, an_exception_stands_in_for_carrying_it_out);
	tcase_add_test(t, what_is_dropped_has_been_carried_out);
	tcase_add_test(t, junk_is_of_the_length_that_was_asked_for);
	tcase_add_test(t, junk_behind_replies_that_fill_a_round_finds_room);
	tcase_add_test(t, a_share_of_the_registers_has_other_values);
	tcase_add_test(t, of_bits_those_change_that_were_asked_for);
	tcase_add_test(t, a_reply_without_values_is_not_counted_as_changed);
	tcase_add_test(t, another_unit_answers);
	tcase_add_test(t, where_there_is_no_check_the_protocol_id_is_wrong);
	tcase_add_test(t, a_check_is_wrong_and_nothing_else);
	tcase_add_test(t, who_is_late_ends_the_run_behind_its_reply);
	tcase_add_test(t, a_worker_that_drains_puts_nothing_off);
	tcase_add_loop_test(t, a_rule_meets_what_it_says, 0, MEETS);
	tcase_add_test(t, a_connection_is_told_from_the_others);
	tcase_add_test(t, broadcasts_are_what_they_were);
	tcase_add_test(
	    t, a_device_that_listens_only_is_not_answered_by_a_fault);
	tcase_add_test(t, a_silent_unit_stays_silent_and_counts_nothing);
	tcase_add_test(
	    t, a_count_spoils_exactly_so_many_and_then_the_rule_is_gone);
	tcase_add_test(t, a_rate_is_about_that_share);
	tcase_add_test(t, a_rule_that_is_due_does_nothing_any_more);
	tcase_add_test(
	    t, the_oldest_has_its_way_and_others_count_for_what_is_left);
	tcase_add_test(
	    t, without_rules_a_batch_looks_at_the_version_and_that_is_all);
	suite_add_tcase(s, t);
	return fx_report(s);
}
