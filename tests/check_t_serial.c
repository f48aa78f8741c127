/* SPDX-License-Identifier: Apache-2.0 */
/* What a serial line hears and answers: RTU by silence, other stations, and
 * the framers that read a stream. */
#include <poll.h>
#include <pthread.h>

#include "shm/clock.h"
#include "tests/lib/serial_fixture.h"

/* ---- silence ---- */

START_TEST(a_reply_comes_when_the_line_has_been_silent)
{
	uint64_t began, t35;

	sf.fx.transport.serial.baudrate = 1200;
	sf_start();
	t35 = line_t35_ns(&sf.fx.transport.serial);
	ck_assert_uint_eq(t35 / 1000, 32083);
	for (int i = 0; i < 3; i++) {
		began = clock_mono_ns();
		sf_is_served();
		ck_assert_uint_ge(clock_mono_ns() - began, t35);
	}
	ck_assert_uint_eq(sf_count(MB_CPT_UNIT_MESSAGES), 3);
	ck_assert_uint_eq(sf_count(MB_CPT_COMM_ERRORS), 0);
}
END_TEST

START_TEST(turnaround_is_waited_for_after_it)
{
	uint64_t began;

	sf.fx.transport.serial.turnaround_ms = 60;
	sf_start();
	began = clock_mono_ns();
	sf_is_served();
	ck_assert_uint_ge(
	    clock_mono_ns() - began, sf_line()->t35_ns + 60000000);
}
END_TEST

START_TEST(who_asks_again_gets_no_stale_reply)
{
	sf.fx.transport.serial.turnaround_ms = 1000;
	sf_start();
	sf_say(sf_write_one(1, 9, 77));
	sf_until(SERIAL_PAUSES);
	sf_say(sf_read_two(1));
	sf_hears(sf_message(1, sf_two, 6));
	sf_hears_nothing(150);
	ck_assert_uint_eq(sf_reg(9), 77); /* it was asked for */
	ck_assert_uint_eq(sf_count(MB_CPT_NO_REPLY), 1);
}
END_TEST

/* The master, which has waited long enough. */
static void *
ask_when_busy(void *arg)
{
	const struct shm_slot *s = seg_slot(sf.fx.proc.env.control, FX_SLOT);
	struct sf_bytes b = sf_read_two(1);

	(void)arg;
	while (atomic_load(&s->busy_ns) == 0)
		poll(NULL, 0, 1);
	sf_say(b);
	return NULL;
}

START_TEST(nor_who_asks_again_while_a_device_is_waited_for)
{
	struct shm_device *dev = sf.fx.device_seg[0].at;
	pthread_t thread;

	sf_start();
	/* in the name of one that lives: ourselves */
	atomic_store(&dev->owner, sf.fx.proc.env.me);
	ck_assert_int_eq(pthread_create(&thread, NULL, ask_when_busy, NULL), 0);
	sf_say(sf_write_one(1, 9, 77));
	sf_hears(sf_message(1, sf_two, 6));
	pthread_join(thread, NULL);
	sf_hears_nothing(10);
	ck_assert_uint_eq(sf_count(MB_CPT_NO_REPLY), 1);
	ck_assert_uint_eq(sf_value(&sf_stats()->exceptions[MB_EX_BUSY]), 1);
}
END_TEST

START_TEST(who_is_ready_answers_the_first_request)
{
	sf.fx.transport.serial.baudrate = 600;
	sf_serve();
	ck_assert_int_eq(sf_line()->state, SERIAL_IDLE);
	sf_is_served();
}
END_TEST

START_TEST(what_is_under_way_at_the_opening_is_left_alone)
{
	struct sf_bytes b = sf_write_one(1, 9, 77);

	sf.fx.transport.serial.baudrate = 300;
	sf_cut();
	sf_serve();
	sf_lay();
	sf_until(SERIAL_DEAF);
	sf_send_part(&b, 0, 4);
	sf_pass(20);
	sf_send_part(&b, 4, 4);
	sf_until(SERIAL_IDLE);
	sf_hears_nothing(150);
	ck_assert_uint_eq(sf_reg(9), 9);
	sf_is_served();
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
	struct sf_bytes b = sf_write_one(1, 9, 77);
	uint64_t from;
	bool told;

	sf.fx.transport.serial.baudrate = 600;
	sf.fx.transport.serial.t15 = pauses[_i].t15;
	sf_start();
	sf_send_part(&b, 0, 4);
	from = clock_mono_ns();
	sf_pass(pauses[_i].pause_ms);
	sf_send_part(&b, 4, 4);
	/* where this process was kept waiting, nothing can be said */
	told = clock_mono_ns() - from < (pauses[_i].pause_ms + 15) * 1000000ull;
	if (!told)
		sf_hear(b.len, 500);
	else if (pauses[_i].answered)
		sf_hears(b);
	else
		sf_hears_nothing(150);
	if (told) {
		ck_assert_uint_eq(
		    sf_count(MB_CPT_COMM_ERRORS), pauses[_i].errors);
		ck_assert_uint_eq(sf_reg(9), pauses[_i].answered ? 77 : 9);
	}
	sf_pass(10);
	sf_is_served();
}
END_TEST

START_TEST(a_wrong_length_is_answered)
{
	sf_start();
	sf_say(sf_message(1, "\x10\0\0\0\2\4\1\2\3", 9));
	sf_hears(sf_message(1, "\x90\3", 2));
	sf_say(sf_message(1, "\x10\0\0\0\2\4\1\2\3\4\5", 11));
	sf_hears(sf_message(1, "\x90\3", 2));
}
END_TEST

START_TEST(an_unfinished_request_is_given_up)
{
	struct sf_bytes b = sf_write_one(1, 9, 77);

	sf_start();
	sf_send_part(&b, 0, 5);
	sf_until(SERIAL_UNSURE);
	sf_until(SERIAL_IDLE);
	ck_assert_uint_eq(sf_count(MB_CPT_COMM_ERRORS), 1);
	sf_send_part(&b, 5, 3);
	sf_hears_nothing(20);
	sf_is_served();
	ck_assert_uint_eq(sf_reg(9), 9);
}
END_TEST

/* ---- a bus ---- */

START_TEST(other_stations_are_not_answered_for)
{
	static const char yes[] = "\3\4\1\2\3\4";

	sf_start();
	for (int i = 0; i < 5; i++) {
		sf_say(sf_read_two(9));
		sf_hears_nothing(4);
		sf_say(sf_message(9, yes, 6));
		sf_hears_nothing(4);
		sf_say(sf_write_one(9, 3, 4));
		sf_hears_nothing(4);
		sf_say(sf_write_one(9, 3, 4));
		sf_hears_nothing(4);
		sf_is_served();
		sf_pass(4);
	}
	ck_assert_uint_eq(sf_count(MB_CPT_BUS_MESSAGES), 25);
	ck_assert_uint_eq(sf_count(MB_CPT_UNIT_MESSAGES), 5);
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[3]), 5);
	ck_assert_uint_eq(sf_value(&sf_stats()->unknown_units), 0);
	ck_assert_uint_eq(sf_value(&sf_stats()->frames_bad), 0);
	ck_assert_uint_eq(sf_reg(3), 3);
}
END_TEST

START_TEST(a_request_in_anothers_reply_is_none)
{
	struct sf_bytes in = sf_write_one(1, 9, 77);
	char pdu[14] = { 3, 12 };
	struct sf_bytes b;

	memcpy(pdu + 4, in.at, in.len);
	b = sf_message(9, pdu, sizeof(pdu));
	sf_start();
	sf_say(sf_read_two(9));
	sf_hears_nothing(4);
	for (size_t at = 1; at < b.len; at++) {
		sf_send_part(&b, 0, at);
		sf_hears_nothing(4);
		sf_send_part(&b, at, b.len - at);
		sf_hears_nothing(4);
	}
	ck_assert_uint_eq(sf_reg(9), 9);
	sf_is_served();
}
END_TEST

START_TEST(a_missing_unit_is_answered_where_it_is_asked_for)
{
	sf.fx.transport.silent_units = false;
	sf_start();
	sf_say(sf_read_two(9));
	sf_hears(sf_message(9, "\x83\x0b", 2));
}
END_TEST

START_TEST(broadcasts_are_carried_out_and_not_answered)
{
	sf.fx.transport.broadcast = true;
	sf_start();
	sf_say(sf_write_one(0, 9, 77));
	sf_hears_nothing(20);
	ck_assert_uint_eq(sf_reg(9), 77);
	sf_say(sf_message(0, "\3\0\1\0\1", 5)); /* prohibited */
	sf_hears_nothing(20);
	ck_assert_uint_eq(sf_count(MB_CPT_NO_REPLY), 2);
	ck_assert_uint_eq(sf_count(MB_CPT_EXCEPTIONS), 1);
	ck_assert_uint_eq(sf_value(&sf_stats()->broadcasts), 2);
	sf_is_served();
}
END_TEST

START_TEST(noise_is_counted_and_survived)
{
	struct sf_bytes b = sf_read_two(1), noise = { .len = 600 };

	sf.fx.transport.serial.baudrate = 600; /* what comes late is no pause */
	sf_start();
	b.at[6] ^= 1;
	sf_say(b);
	sf_until(SERIAL_HEARS);
	sf_until(SERIAL_IDLE);
	ck_assert_uint_eq(sf_count(MB_CPT_COMM_ERRORS), 1);
	sf_is_served();
	memset(noise.at, 0x99, noise.len);
	sf_say(noise);
	sf_until(SERIAL_HEARS);
	sf_until(SERIAL_IDLE);
	ck_assert_uint_eq(sf_count(MB_CPT_OVERRUNS), 1);
	sf_is_served();
	ck_assert_uint_eq(sf_value(&sf_stats()->frames_bad), 2);
}
END_TEST

START_TEST(operation_numbers_are_spent_before_they_are_used)
{
	const struct shm_conn *c;
	uint64_t before;

	sf_start();
	c = sf_line()->conn->rec.shm;
	for (int i = 0; i < 5; i++) {
		before = sf_line()->peer.op;
		sf_say(sf_write_one(1, 9, (uint8_t)i));
		sf_hears(sf_write_one(1, 9, (uint8_t)i));
		ck_assert_uint_eq(sf_line()->peer.op, before + 1);
		ck_assert_uint_ge(
		    c->half[atomic_load(&c->seq) & 1].op, sf_line()->peer.op);
		sf_pass(6);
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
	sf_start_as("ascii");
	sf_say_text(ASK);
	sf_hears_text(ANSWER);
	sf_say_text(":0103000");
	sf_pass(10);
	sf_say_text("50002f5\r\n"); /* in lower case, and in two pieces */
	sf_hears_text(ANSWER);
	sf_say_text("noise" ASK);
	sf_hears_text(ANSWER);
	ck_assert_uint_eq(sf_count(MB_CPT_COMM_ERRORS), 1);
	sf_say_text(":0103" ASK);
	sf_hears_text(ANSWER);
	ck_assert_uint_eq(sf_count(MB_CPT_COMM_ERRORS), 2);
	sf_say_text(":010300050002F6\r\n"); /* LRC */
	sf_hears_nothing(10);
	ck_assert_uint_eq(sf_count(MB_CPT_COMM_ERRORS), 3);
	sf_say_text(":090300050002ED\r\n"); /* another's */
	sf_hears_nothing(10);
	ck_assert_uint_eq(sf_count(MB_CPT_BUS_MESSAGES), 5);
	sf_say_text(SHORT);
	ck_assert_uint_eq(sf_hear(17, SF_LONG_MS).len, 17);
}
END_TEST

START_TEST(ascii_frames_may_not_pause_for_long)
{
	sf_start_as("ascii");
	sf_say_text(":01030005");
	sf_until(SERIAL_HEARS);
	sf_until(SERIAL_IDLE);
	ck_assert_uint_eq(sf_count(MB_CPT_COMM_ERRORS), 1);
	sf_say_text("0002F5\r\n");
	sf_hears_nothing(20);
	sf_say_text(ASK);
	sf_hears_text(ANSWER);
}
END_TEST

START_TEST(of_two_ascii_requests_the_last_is_answered)
{
	sf_start_as("ascii");
	sf_say_text(SHORT ASK);
	sf_hears_text(ANSWER);
	sf_hears_nothing(10);
	ck_assert_uint_eq(sf_count(MB_CPT_NO_REPLY), 1);
}
END_TEST

START_TEST(the_ascii_delimiter_is_what_it_was_set_to)
{
	sf_start_as("ascii");
	sf_say_text(":010800032100D3\r\n"); /* 8/3: "!" */
	ck_assert_uint_eq(sf_hear(17, SF_LONG_MS).len, 17);
	sf_say_text(":010300050002F5\r!");
	sf_hears_text(":01030400050006ED\r!");
}
END_TEST

#define MBAP_ASK "\0\1\0\0\0\6\1\3\0\5\0\2"
#define MBAP_ANSWER "\0\1\0\0\0\7\1\3\4\0\5\0\6"

START_TEST(a_serial_pipe_may_carry_mbap)
{
	enum { N = 300 };
	struct sf_bytes b;

	sf_start_as(_i ? "tls" : "socket");
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(write(sf.master, MBAP_ASK, 12), 12);
	for (int i = 0; i < N; i++) {
		b = sf_hear(13, SF_LONG_MS);
		ck_assert_uint_eq(b.len, 13);
		ck_assert_mem_eq(b.at, MBAP_ANSWER, 13);
	}
	/* hopeless, and found again behind a silence */
	ck_assert_int_eq(write(sf.master, "\0\1\0\0\377\377xxxx", 10), 10);
	sf_until(SERIAL_DEAF);
	sf_until(SERIAL_IDLE);
	ck_assert_int_eq(write(sf.master, MBAP_ASK, 12), 12);
	ck_assert_uint_eq(sf_hear(13, SF_LONG_MS).len, 13);
	/* cut short */
	ck_assert_int_eq(write(sf.master, MBAP_ASK, 7), 7);
	sf_until(SERIAL_HEARS);
	sf_until(SERIAL_IDLE);
	ck_assert_int_eq(write(sf.master, MBAP_ASK, 12), 12);
	ck_assert_uint_eq(sf_hear(13, SF_LONG_MS).len, 13);
	ck_assert_uint_eq(sf_value(&sf_stats()->frames_bad), 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("t_serial");
	TCase *tc = sf_case(s);

	tcase_add_test(tc, a_reply_comes_when_the_line_has_been_silent);
	tcase_add_test(tc, turnaround_is_waited_for_after_it);
	tcase_add_test(tc, who_asks_again_gets_no_stale_reply);
	tcase_add_test(tc, nor_who_asks_again_while_a_device_is_waited_for);
	tcase_add_test(tc, who_is_ready_answers_the_first_request);
	tcase_add_test(tc, what_is_under_way_at_the_opening_is_left_alone);
	SF_LOOP(a_pause_within_a_request_does_what_t15_says,
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
	SF_LOOP(a_serial_pipe_may_carry_mbap, 2);
	return fx_report(s);
}
