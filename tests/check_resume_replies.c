/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a successor answers where replies are not sent as devices give them, or
 * requests not served as they came: hooks, frames in ASCII, limits.
 */
#include "tests/lib/resume_fixture.h"

/* ---- replies that are not sent as devices give them ---- */

static unsigned packets, replies;

/* Turns the values of a reply round, and so does another time. */
static size_t
turn_round(
    void *arg, const struct hf_traced *t, uint8_t *pdu, size_t len, size_t room)
{
	(void)arg;
	(void)room;
	for (size_t i = 2; t->sending && i < len; i++)
		pdu[i] ^= 0xff;
	replies += t->sending != 0;
	return len;
}

static size_t
just_look(
    void *arg, const struct hf_traced *t, uint8_t *p, size_t len, size_t room)
{
	(void)arg;
	(void)p;
	(void)room;
	packets += !t->sending;
	return len;
}

static const struct hf_hooks turning = {
	.size = sizeof(turning),
	.trace_pdu = turn_round,
};
static const struct hf_hooks looking = {
	.size = sizeof(looking),
	.trace_packet = just_look,
};
static const uint8_t turned_reply[13] = { 0, 9, 0, 0, 0, 7, 1, 23, 4, 0xff,
	RS_REG ^ 0xff, 0xff, 7 ^ 0xff };

static void
setup_turning(void)
{
	rs.hooks = &turning;
	rs_setup();
}

static void
setup_looking(void)
{
	rs.hooks = &looking;
	rs_setup();
}

/* It is given what the device answered, and not what it has made of that. */
START_TEST(a_hook_is_shown_what_the_device_has_answered)
{
	struct conn *c;
	int fd;

	c = rs_asked(&fd);
	rs_not_noted(rs_carry_out(c, sizeof(rs_both)));
	ck_assert_uint_eq(replies, 1);
	rs_set_reg(RS_REG, 1000);
	rs_next_says(fd, turned_reply, sizeof(turned_reply));
	ck_assert_uint_eq(replies, 2);
	close(fd);
}
END_TEST

/* The dead one had no hooks, and answered straight into what it sends. */
START_TEST(what_was_answered_without_hooks_is_shown_to_them)
{
	int fd;

	rs_unanswered(&fd);
	rs.fx.proc.hooks = &turning;
	rs_next_says(fd, turned_reply, sizeof(turned_reply));
	close(fd);
}
END_TEST

/* And the other way round. */
START_TEST(what_was_shown_to_hooks_is_answered_without_them)
{
	int fd;

	rs_unanswered(&fd);
	rs.fx.proc.hooks = NULL;
	rs_next_answers(fd);
	close(fd);
}
END_TEST

START_TEST(bytes_that_a_hook_was_changing_are_shown_as_they_came)
{
	struct shm_came *came = &rs.fx.worker.shm->came;
	struct shm_batch *b;
	struct conn *c;
	int fd;

	c = rs_asked(&fd);
	b = rs_begin(c);
	memcpy(came->in, b->in, sizeof(rs_both));
	atomic_store(&came->own, atomic_load(&b->own));
	memset(b->in, 0x55, 7); /* so far it has come */
	b->grown = 3;
	rs_next_answers(fd);
	ck_assert_uint_eq(packets, 1);
	close(fd);
}
END_TEST

static void
setup_ascii(void)
{
	static char name[] = "ascii";

	rs.framer = name;
	rs_setup();
}

/* Its frames have other bytes than PDUs, and are made where those stood. */
START_TEST(a_reply_in_ascii_stands_as_it_was_recorded)
{
	uint8_t adu[64] = { 1 }, reply[64] = { 1 };
	struct frame f = { .unit = 1 };
	size_t len, n;
	struct conn *c;
	int fd;

	memcpy(adu + 1, rs_both + 7, sizeof(rs_both) - 7);
	len = frame_ascii.seal(&f, 0, adu, sizeof(rs_both) - 7);
	memcpy(reply + 1, rs_both_reply + 7, sizeof(rs_both_reply) - 7);
	n = frame_ascii.seal(&f, 0, reply, sizeof(rs_both_reply) - 7);
	c = rs_served(&fd);
	rs_say(fd, adu, len);
	rs_not_noted(rs_carry_out(c, len));
	rs_set_reg(RS_REG, 1000);
	rs_next_says(fd, reply, n);
	close(fd);
}
END_TEST

static void
setup_broadcast(void)
{
	rs.broadcast = true;
	rs_setup();
}

/* Each device that a broadcast goes to has taken a number: there are more of
 * those than requests. */
START_TEST(what_has_been_carried_out_is_not_refused_as_too_much)
{
	static const uint8_t to_all[12] = { 0, 1, 0, 0, 0, 6, 0, 6, 0, 50, 0,
		1 };
	struct shm_batch *b;
	struct conn *c;
	int fd;

	rs.fx.transport.max_transactions = 2;
	c = rs_served(&fd);
	rs_say(fd, to_all, sizeof(to_all));
	rs_say(fd, rs_both, sizeof(rs_both));
	b = rs_carry_out(c, sizeof(to_all) + sizeof(rs_both));
	batch_prog_set(
	    b, &(struct batch_prog){ .done = sizeof(to_all), .ops = 2 });
	rs_next_answers(fd);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("resume_replies");
	TCase *tc;

	tc = tcase_create("hooks");
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup_turning, rs_teardown);
	tcase_add_test(tc, a_hook_is_shown_what_the_device_has_answered);
	tcase_add_test(tc, what_was_shown_to_hooks_is_answered_without_them);
	tc = tcase_create("late hooks");
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, rs_setup, rs_teardown);
	tcase_add_test(tc, what_was_answered_without_hooks_is_shown_to_them);
	tc = tcase_create("packets");
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup_looking, rs_teardown);
	tcase_add_test(
	    tc, bytes_that_a_hook_was_changing_are_shown_as_they_came);
	tc = tcase_create("ascii");
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup_ascii, rs_teardown);
	tcase_add_test(tc, a_reply_in_ascii_stands_as_it_was_recorded);
	tc = tcase_create("broadcasts");
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup_broadcast, rs_teardown);
	tcase_add_test(
	    tc, what_has_been_carried_out_is_not_refused_as_too_much);
	return fx_report(s);
}
