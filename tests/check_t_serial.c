/* SPDX-License-Identifier: Apache-2.0 */
/* What a serial line hears and answers: RTU by silence, other stations, and
 * the framers that read a stream. */
#include <pthread.h>

#include "tests/serial_fixture.h"

/* ---- silence ---- */

START_TEST(a_reply_comes_when_the_line_has_been_silent)
{
	uint64_t began, t35;

	fx.transport.serial.baudrate = 1200;
	start();
	t35 = line_t35_ns(&fx.transport.serial);
	ck_assert_uint_eq(t35 / 1000, 32083);
	for (int i = 0; i < 3; i++) {
		began = clock_mono_ns();
		is_served();
		ck_assert_uint_ge(clock_mono_ns() - began, t35);
	}
	ck_assert_uint_eq(count(MB_CPT_UNIT_MESSAGES), 3);
	ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), 0);
}
END_TEST

START_TEST(turnaround_is_waited_for_after_it)
{
	uint64_t began;

	fx.transport.serial.turnaround_ms = 60;
	start();
	began = clock_mono_ns();
	is_served();
	ck_assert_uint_ge(clock_mono_ns() - began, line()->t35_ns + 60000000);
}
END_TEST

START_TEST(who_asks_again_gets_no_stale_reply)
{
	fx.transport.serial.turnaround_ms = 100;
	start();
	say(write_one(1, 9, 77));
	until(SERIAL_PAUSES);
	say(read_two(1));
	hears(message(1, two, 6));
	hears_nothing(150);
	ck_assert_uint_eq(reg(9), 77); /* it was asked for */
	ck_assert_uint_eq(count(MB_CPT_NO_REPLY), 1);
}
END_TEST

/* The master, which has waited long enough. */
static void *
ask_when_busy(void *arg)
{
	const struct shm_slot *s = seg_slot(fx.proc.env.control, FX_SLOT);
	struct bytes b = read_two(1);

	(void)arg;
	while (atomic_load(&s->busy_ns) == 0)
		poll(NULL, 0, 1);
	say(b);
	return NULL;
}

START_TEST(nor_who_asks_again_while_a_device_is_waited_for)
{
	struct shm_device *dev = fx.device_seg[0].at;
	pthread_t thread;

	start();
	/* in the name of one that lives: ourselves */
	atomic_store(&dev->owner, fx.proc.env.me);
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_when_busy, NULL), 0);
	say(write_one(1, 9, 77));
	hears(message(1, two, 6));
	pthread_join(thread, NULL);
	hears_nothing(10);
	ck_assert_uint_eq(count(MB_CPT_NO_REPLY), 1);
	ck_assert_uint_eq(value(&stats()->exceptions[MB_EX_BUSY]), 1);
}
END_TEST

START_TEST(who_is_ready_answers_the_first_request)
{
	fx.transport.serial.baudrate = 600;
	serve();
	ck_assert_int_eq(line()->state, SERIAL_IDLE);
	is_served();
}
END_TEST

START_TEST(what_is_under_way_at_the_opening_is_left_alone)
{
	struct bytes b = write_one(1, 9, 77);

	fx.transport.serial.baudrate = 300;
	cut();
	serve();
	lay();
	until(SERIAL_DEAF);
	send_part(&b, 0, 4);
	pass(20);
	send_part(&b, 4, 4);
	until(SERIAL_IDLE);
	hears_nothing(150);
	ck_assert_uint_eq(reg(9), 9);
	is_served();
}
END_TEST

/* 600 Bd: t1.5 is 27 ms, t3.5 64 ms; each way a pause may fall out. */
static const struct {
	enum conf_t15 t15;
	unsigned pause_ms;
	bool answered;
	unsigned errors;
} pauses[] = {
	{ CONF_T15_OFF, 40, true, 0 },
	{ CONF_T15_COUNT, 40, true, 1 },
	{ CONF_T15_STRICT, 40, false, 1 },
	{ CONF_T15_OFF, 90, true, 0 },
	{ CONF_T15_STRICT, 90, false, 2 },
};

START_TEST(a_pause_within_a_request_does_what_t15_says)
{
	struct bytes b = write_one(1, 9, 77);
	uint64_t from, to;

	fx.transport.serial.baudrate = 600;
	fx.transport.serial.t15 = pauses[_i].t15;
	start();
	send_part(&b, 0, 4);
	from = clock_mono_ns();
	pass(pauses[_i].pause_ms);
	send_part(&b, 4, 4);
	to = clock_mono_ns();
	if (pauses[_i].answered)
		hears(b);
	else
		hears_nothing(150);
	/* where this process was kept waiting, nothing can be said */
	if (to - from < (pauses[_i].pause_ms + 15) * 1000000ull) {
		ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), pauses[_i].errors);
		ck_assert_uint_eq(reg(9), pauses[_i].answered ? 77 : 9);
	}
	pass(10);
	is_served();
}
END_TEST

START_TEST(a_wrong_length_is_answered)
{
	start();
	say(message(1, "\x10\0\0\0\2\4\1\2\3", 9));
	hears(message(1, "\x90\3", 2));
	say(message(1, "\x10\0\0\0\2\4\1\2\3\4\5", 11));
	hears(message(1, "\x90\3", 2));
}
END_TEST

START_TEST(an_unfinished_request_is_given_up)
{
	struct bytes b = write_one(1, 9, 77);

	start();
	send_part(&b, 0, 5);
	until(SERIAL_UNSURE);
	until(SERIAL_IDLE);
	ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), 1);
	send_part(&b, 5, 3);
	hears_nothing(20);
	is_served();
	ck_assert_uint_eq(reg(9), 9);
}
END_TEST

/* ---- a bus ---- */

START_TEST(other_stations_are_not_answered_for)
{
	static const char yes[] = "\3\4\1\2\3\4";

	start();
	for (int i = 0; i < 5; i++) {
		say(read_two(9));
		hears_nothing(4);
		say(message(9, yes, 6));
		hears_nothing(4);
		say(write_one(9, 3, 4));
		hears_nothing(4);
		say(write_one(9, 3, 4));
		hears_nothing(4);
		is_served();
		pass(4);
	}
	ck_assert_uint_eq(count(MB_CPT_BUS_MESSAGES), 25);
	ck_assert_uint_eq(count(MB_CPT_UNIT_MESSAGES), 5);
	ck_assert_uint_eq(value(&stats()->requests[3]), 5);
	ck_assert_uint_eq(value(&stats()->unknown_units), 0);
	ck_assert_uint_eq(value(&stats()->frames_bad), 0);
	ck_assert_uint_eq(reg(3), 3);
}
END_TEST

START_TEST(a_request_in_anothers_reply_is_none)
{
	struct bytes in = write_one(1, 9, 77);
	char pdu[14] = { 3, 12 };
	struct bytes b;

	memcpy(pdu + 4, in.at, in.len);
	b = message(9, pdu, sizeof(pdu));
	start();
	say(read_two(9));
	hears_nothing(4);
	for (size_t at = 1; at < b.len; at++) {
		send_part(&b, 0, at);
		hears_nothing(4);
		send_part(&b, at, b.len - at);
		hears_nothing(4);
	}
	ck_assert_uint_eq(reg(9), 9);
	is_served();
}
END_TEST

START_TEST(a_missing_unit_is_answered_where_it_is_asked_for)
{
	fx.transport.silent_units = false;
	start();
	say(read_two(9));
	hears(message(9, "\x83\x0b", 2));
}
END_TEST

START_TEST(broadcasts_are_carried_out_and_not_answered)
{
	fx.transport.broadcast = true;
	start();
	say(write_one(0, 9, 77));
	hears_nothing(20);
	ck_assert_uint_eq(reg(9), 77);
	say(message(0, "\3\0\1\0\1", 5)); /* prohibited */
	hears_nothing(20);
	ck_assert_uint_eq(count(MB_CPT_NO_REPLY), 2);
	ck_assert_uint_eq(count(MB_CPT_EXCEPTIONS), 1);
	ck_assert_uint_eq(value(&stats()->broadcasts), 2);
	is_served();
}
END_TEST

START_TEST(noise_is_counted_and_survived)
{
	struct bytes b = read_two(1), noise = { .len = 600 };

	fx.transport.serial.baudrate = 600; /* what comes late is no pause */
	start();
	b.at[6] ^= 1;
	say(b);
	until(SERIAL_HEARS);
	until(SERIAL_IDLE);
	ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), 1);
	is_served();
	memset(noise.at, 0x99, noise.len);
	say(noise);
	until(SERIAL_HEARS);
	until(SERIAL_IDLE);
	ck_assert_uint_eq(count(MB_CPT_OVERRUNS), 1);
	is_served();
	ck_assert_uint_eq(value(&stats()->frames_bad), 2);
}
END_TEST

START_TEST(operation_numbers_are_spent_before_they_are_used)
{
	const struct shm_conn *c;
	uint64_t before;

	start();
	c = line()->conn->rec.shm;
	for (int i = 0; i < 5; i++) {
		before = line()->peer.op;
		say(write_one(1, 9, (uint8_t)i));
		hears(write_one(1, 9, (uint8_t)i));
		ck_assert_uint_eq(line()->peer.op, before + 1);
		ck_assert_uint_ge(
		    c->half[atomic_load(&c->seq) & 1].op, line()->peer.op);
		pass(6);
	}
	ck_assert_uint_eq(atomic_load(&c->requests), 5);
	ck_assert_uint_eq(atomic_load(&c->last_fc), 6);
}
END_TEST

/* ---- ASCII and the others ---- */

/* Registers 5 and 6 of unit 1, and the answer; FC 11 in nine characters. */
#define ASK ":010300050002F5\r\n"
#define ANSWER ":01030400050006ED\r\n"
#define SHORT ":010BF4\r\n"

START_TEST(ascii_is_answered)
{
	start_as("ascii");
	say_text(ASK);
	hears_text(ANSWER);
	say_text(":0103000");
	pass(10);
	say_text("50002f5\r\n"); /* in lower case, and in two pieces */
	hears_text(ANSWER);
	say_text("noise" ASK);
	hears_text(ANSWER);
	ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), 1);
	say_text(":0103" ASK);
	hears_text(ANSWER);
	ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), 2);
	say_text(":010300050002F6\r\n"); /* LRC */
	hears_nothing(10);
	ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), 3);
	say_text(":090300050002ED\r\n"); /* another's */
	hears_nothing(10);
	ck_assert_uint_eq(count(MB_CPT_BUS_MESSAGES), 5);
	say_text(SHORT);
	ck_assert_uint_eq(hear(17, LONG_MS).len, 17);
}
END_TEST

START_TEST(ascii_frames_may_not_pause_for_long)
{
	start_as("ascii");
	say_text(":01030005");
	until(SERIAL_HEARS);
	until(SERIAL_IDLE);
	ck_assert_uint_eq(count(MB_CPT_COMM_ERRORS), 1);
	say_text("0002F5\r\n");
	hears_nothing(20);
	say_text(ASK);
	hears_text(ANSWER);
}
END_TEST

START_TEST(of_two_ascii_requests_the_last_is_answered)
{
	start_as("ascii");
	say_text(SHORT ASK);
	hears_text(ANSWER);
	hears_nothing(10);
	ck_assert_uint_eq(count(MB_CPT_NO_REPLY), 1);
}
END_TEST

START_TEST(the_ascii_delimiter_is_what_it_was_set_to)
{
	start_as("ascii");
	say_text(":010800032100D3\r\n"); /* 8/3: "!" */
	ck_assert_uint_eq(hear(17, LONG_MS).len, 17);
	say_text(":010300050002F5\r!");
	hears_text(":01030400050006ED\r!");
}
END_TEST

#define MBAP_ASK "\0\1\0\0\0\6\1\3\0\5\0\2"
#define MBAP_ANSWER "\0\1\0\0\0\7\1\3\4\0\5\0\6"

START_TEST(a_serial_pipe_may_carry_mbap)
{
	enum { N = 300 };
	struct bytes b;

	start_as(_i ? "tls" : "socket");
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(write(master, MBAP_ASK, 12), 12);
	for (int i = 0; i < N; i++) {
		b = hear(13, LONG_MS);
		ck_assert_uint_eq(b.len, 13);
		ck_assert_mem_eq(b.at, MBAP_ANSWER, 13);
	}
	/* hopeless, and found again behind a silence */
	ck_assert_int_eq(write(master, "\0\1\0\0\377\377xxxx", 10), 10);
	until(SERIAL_DEAF);
	until(SERIAL_IDLE);
	ck_assert_int_eq(write(master, MBAP_ASK, 12), 12);
	ck_assert_uint_eq(hear(13, LONG_MS).len, 13);
	/* cut short */
	ck_assert_int_eq(write(master, MBAP_ASK, 7), 7);
	until(SERIAL_HEARS);
	until(SERIAL_IDLE);
	ck_assert_int_eq(write(master, MBAP_ASK, 12), 12);
	ck_assert_uint_eq(hear(13, LONG_MS).len, 13);
	ck_assert_uint_eq(value(&stats()->frames_bad), 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("t_serial");
	TCase *tc = serial_case(s);

	tcase_add_test(tc, a_reply_comes_when_the_line_has_been_silent);
	tcase_add_test(tc, turnaround_is_waited_for_after_it);
	tcase_add_test(tc, who_asks_again_gets_no_stale_reply);
	tcase_add_test(tc, nor_who_asks_again_while_a_device_is_waited_for);
	tcase_add_test(tc, who_is_ready_answers_the_first_request);
	tcase_add_test(tc, what_is_under_way_at_the_opening_is_left_alone);
	LOOP(a_pause_within_a_request_does_what_t15_says,
	    sizeof(pauses) / sizeof(pauses[0]));
	tcase_add_test(tc, a_wrong_length_is_answered);
	tcase_add_test(tc, an_unfinished_request_is_given_up);
	tcase_add_test(tc, other_stations_are_not_answered_for);
	tcase_add_test(tc, a_request_in_anothers_reply_is_none);
	tcase_add_test(tc, a_missing_unit_is_answered_where_it_is_asked_for);
	tcase_add_test(tc, broadcasts_are_carried_out_and_not_answered);
	tcase_add_test(tc, noise_is_counted_and_survived);
	tcase_add_test(tc, operation_numbers_are_spent_before_they_are_used);
	tcase_add_test(tc, ascii_is_answered);
	tcase_add_test(tc, ascii_frames_may_not_pause_for_long);
	tcase_add_test(tc, of_two_ascii_requests_the_last_is_answered);
	tcase_add_test(tc, the_ascii_delimiter_is_what_it_was_set_to);
	LOOP(a_serial_pipe_may_carry_mbap, 2);
	return fx_report(s);
}
