/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a serial line: its device goes and comes, what is sent comes
 * back, its direction is turned, its worker is given orders. */
#include "tests/serial_fixture.h"

/* ---- echoes ---- */

/* Answers n bytes that are said with the same, in pieces. */
static void
echo(const struct bytes *b, size_t piece)
{
	for (size_t at = 0; at < b->len; at += piece) {
		send_part(b, at, piece < b->len - at ? piece : b->len - at);
		turn();
	}
}

START_TEST(an_echo_is_taken_out)
{
	static const size_t pieces[] = { 100, 1, 3 };
	struct bytes b = write_one(1, 9, 77), reply = message(1, two, 6);

	fx.transport.serial.local_echo = true;
	start();
	for (int i = 0; i < 3; i++) {
		say(b);
		hears(b);
		echo(&b, pieces[_i]);
		hears_nothing(8);
		say(read_two(1));
		hears(reply);
		echo(&reply, pieces[_i]);
		hears_nothing(8);
	}
	ck_assert_uint_eq(value(&stats()->requests[6]), 3);
	ck_assert_uint_eq(value(&stats()->requests[3]), 3);
	ck_assert_uint_eq(value(&stats()->frames_bad), 0);
}
END_TEST

START_TEST(an_echo_that_does_not_come_is_not_waited_for)
{
	fx.transport.serial.local_echo = true;
	start();
	for (int i = 0; i < 4; i++)
		is_served(); /* at once, and after a while */
	pass(1050);
	is_served();
	ck_assert(line()->told_echo);
	ck_assert_uint_eq(value(&stats()->requests[3]), 5);
}
END_TEST

START_TEST(an_echo_that_nobody_has_told_of_is_found)
{
	struct bytes reply = message(1, two, 6);

	/* until it is known, only t3.5 tells an echo from a request */
	fx.transport.serial.baudrate = 300;
	start();
	for (int i = 0; i < 4; i++) {
		say(read_two(1));
		hears(reply);
		echo(&reply, 100);
		hears_nothing(150);
	}
	ck_assert_int_eq(line()->echoes, ECHO_THERE);
	ck_assert_uint_eq(value(&stats()->requests[3]), 4);
	ck_assert_uint_eq(value(&stats()->frames_bad), 0);
}
END_TEST

/* A write whose echo cannot be told from it goes round, but not for ever. */
START_TEST(the_echo_of_a_write_ends)
{
	struct bytes b = write_one(1, 9, 77), busy = message(1, "\x86\6", 2);
	struct bytes got;
	unsigned n = 0;

	start();
	for (;;) {
		say(b);
		n++;
		got = hear(5, LONG_MS);
		ck_assert_uint_eq(got.len, 5);
		if (got.at[1] == 0x86)
			break;
		ck_assert_uint_eq(hear(3, LONG_MS).len, 3);
		/* it counts anew where this process is kept waiting */
		ck_assert_uint_le(n, 8 * SERIAL_REPEATS);
	}
	ck_assert_uint_gt(n, SERIAL_REPEATS);
	pass(_i * 30); /* even if it comes late */
	say(busy);
	hears_nothing(20);
	ck_assert_int_eq(line()->echoes, ECHO_THERE);
	for (int i = 0; i < 3; i++) {
		say(b);
		hears(b);
		say(b);
		hears_nothing(10);
	}
	ck_assert_uint_eq(value(&stats()->requests[6]), n + 3);
}
END_TEST

/* What a request can be that is answered with the same. */
static const struct {
	const char *pdu;
	unsigned pause_ms;
} again[] = {
	{ "\6\0\x09\0\x4d", 0 },
	{ "\6\0\x09\0\x4d", 1 },
	{ "\6\0\x09\0\x4d", 5 },
	{ "\6\0\x09\0\x4d", 60 },
	{ "\5\0\1\xff\0", 0 },
	{ "\x08\0\0\xa5\x37", 0 },
};

START_TEST(a_master_may_ask_the_same_again_from_the_first)
{
	struct bytes b = message(1, again[_i].pdu, 5);

	start();
	for (int i = 0; i < 20; i++) {
		say(b);
		hears(b);
		pass(again[_i].pause_ms);
	}
	ck_assert_uint_eq(
	    value(&stats()->requests[(uint8_t)again[_i].pdu[0]]), 20);
	ck_assert_int_ne(line()->echoes, ECHO_THERE);
	ck_assert(!line()->told_echo);
}
END_TEST

START_TEST(and_in_ascii)
{
	static const char write[] = ":01060009004DA3\r\n";

	start_as("ascii");
	for (int i = 0; i < 20; i++) {
		say_text(write);
		hears_text(write);
	}
	ck_assert_uint_eq(value(&stats()->requests[6]), 20);
	ck_assert(!line()->told_echo);
}
END_TEST

/* It is asked once who repeats, and nobody answers but a master. */
START_TEST(a_master_that_never_asks_anything_else_is_asked_to_repeat_once)
{
	struct bytes b = write_one(1, 9, 77);
	unsigned refused = 0;

	start();
	for (int i = 0; i < 3 * SERIAL_REPEATS; i++) {
		struct bytes got;

		say(b);
		got = hear(5, LONG_MS);
		if (got.at[1] == 0x86)
			refused++;
		else
			ck_assert_uint_eq(hear(3, LONG_MS).len, 3);
	}
	ck_assert_uint_le(refused, 1); /* none, where this process was slow */
	ck_assert_int_ne(line()->echoes, ECHO_THERE);
	ck_assert_uint_eq(value(&stats()->requests[6]), 3 * SERIAL_REPEATS);
}
END_TEST

START_TEST(a_request_that_begins_like_the_echo_is_served)
{
	struct bytes b = read_two(1);

	fx.transport.serial.local_echo = true;
	start();
	is_served();
	/* its first two bytes are those of the reply, and come in time */
	send_part(&b, 0, 2);
	pass(5);
	line()->echo.until_ns = clock_mono_ns();
	pass(2);
	send_part(&b, 2, b.len - 2);
	hears(message(1, two, 6));
}
END_TEST

START_TEST(noise_that_is_held_for_an_echo_spoils_no_request)
{
	struct bytes b = read_two(1);

	fx.transport.serial.local_echo = true;
	start();
	is_served();
	send_part(&b, 0, 1);
	pass(_i ? 150 : 20);
	is_served();
	is_served();
}
END_TEST

START_TEST(the_same_write_again_is_a_write_where_nothing_echoes)
{
	struct bytes b = write_one(1, 9, 77);

	start();
	is_served();
	say(b);
	hears(b);
	ck_assert_int_eq(line()->echoes, ECHO_ABSENT);
	for (int i = 0; i < 10; i++) {
		say(b);
		hears(b);
	}
	ck_assert_uint_eq(value(&stats()->requests[6]), 11);
}
END_TEST

START_TEST(an_echo_that_comes_up_later_is_no_request)
{
	struct bytes reply = message(1, two, 6);

	start();
	is_served();
	is_served();
	ck_assert_int_eq(line()->echoes, ECHO_ABSENT);
	say(reply);
	hears_nothing(10);
	ck_assert_int_eq(line()->echoes, ECHO_THERE);
	is_served();
	say(reply);
	hears_nothing(10);
	ck_assert_uint_eq(value(&stats()->requests[3]), 3);
}
END_TEST

/* ---- the device goes and comes ---- */

START_TEST(a_lost_line_is_opened_again)
{
	uint64_t serial;

	start();
	for (int i = 0; i < 3; i++) {
		is_served();
		serial = atomic_load(&line()->conn->rec.shm->serial);
		say(write_one(1, 9, 77));
		cut();
		until(SERIAL_LOST);
		ck_assert_uint_eq(value(&stats()->conns_open), 0);
		ck_assert_ptr_null(line()->conn);
		ck_assert(line()->told);
		pass(30);
		lay();
		until(SERIAL_IDLE);
		ck_assert(!line()->told);
		ck_assert_uint_eq(value(&stats()->conns_open), 1);
		ck_assert_uint_gt(
		    atomic_load(&line()->conn->rec.shm->serial), serial);
		hears_nothing(10); /* that was asked before */
	}
	is_served();
}
END_TEST

START_TEST(a_line_that_is_lost_in_a_reply_is_none_the_worse)
{
	fx.transport.serial.turnaround_ms = 100;
	start();
	say(read_two(1));
	until(SERIAL_PAUSES);
	cut();
	until(SERIAL_LOST);
	lay();
	until(SERIAL_IDLE);
	hears_nothing(120);
	is_served();
}
END_TEST

START_TEST(what_was_unfinished_before_a_loss_stays_so)
{
	struct bytes b = write_one(1, 9, 77);

	start();
	send_part(&b, 0, 4);
	until(SERIAL_UNSURE);
	cut();
	until(SERIAL_LOST);
	lay();
	until(SERIAL_DEAF);
	while (line()->state == SERIAL_DEAF)
		turn();
	send_part(&b, 4, 4);
	hears_nothing(20);
	ck_assert_uint_eq(reg(9), 9);
	is_served();
}
END_TEST

START_TEST(a_line_that_is_absent_is_served_when_it_comes)
{
	cut();
	serve();
	ck_assert_int_eq(line()->state, SERIAL_LOST);
	ck_assert(line()->told);
	lay();
	until(SERIAL_IDLE);
	is_served();
}
END_TEST

START_TEST(looking_for_a_lost_line_costs_little)
{
	unsigned turns = 0;
	uint64_t end;

	start();
	cut();
	until(SERIAL_LOST);
	end = clock_mono_ns() + 400000000;
	while (clock_mono_ns() < end) {
		struct timeval tv = { .tv_usec = 400000 };

		event_base_loopexit(fx.worker.base, &tv);
		event_base_loop(fx.worker.base, EVLOOP_ONCE);
		turns++;
	}
	/* 10, 20, 40, 40 ... ms */
	ck_assert_uint_le(turns, 16);
	ck_assert_uint_eq(line()->backoff_ms, 40);
}
END_TEST

START_TEST(a_peer_that_takes_nothing_loses_replies_only)
{
	unsigned n = 0;
	struct bytes b;

	fx.transport.serial.baudrate = 1000000;
	start();
	while (line()->state != SERIAL_SAYS) {
		say(message(1, "\3\0\0\0\x7d", 5));
		pass(3);
		ck_assert_uint_lt(++n, 1000);
	}
	n = count(MB_CPT_NO_REPLY);
	until(SERIAL_IDLE); /* given up after half a second */
	ck_assert(line()->told_stuck);
	ck_assert_uint_eq(count(MB_CPT_NO_REPLY), n + 1);
	ck_assert_uint_eq(value(&stats()->replies_lost), 1);
	while (hear(ROOM, 20).len != 0)
		;
	is_served();
	b = hear(1, 5);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

/* ---- orders ---- */

START_TEST(a_kick_drops_what_is_under_way)
{
	struct bytes b = write_one(1, 9, 77);
	uint64_t serial;

	start();
	serial = atomic_load(&line()->conn->rec.shm->serial);
	ck_assert(!fx.worker.ops->kick(&fx.worker, serial + 1));
	send_part(&b, 0, 4);
	until(SERIAL_UNSURE);
	ck_assert(fx.worker.ops->kick(&fx.worker, serial));
	ck_assert_uint_gt(atomic_load(&line()->conn->rec.shm->serial), serial);
	ck_assert_uint_eq(value(&stats()->conns_kicked), 1);
	send_part(&b, 4, 4);
	until(SERIAL_IDLE);
	hears_nothing(10);
	ck_assert_uint_eq(reg(9), 9);
	is_served();
}
END_TEST

static void
drain(void)
{
	fx.worker.draining = true;
	fx.worker.ops->drain(&fx.worker);
}

START_TEST(a_drain_ends_at_once_when_nothing_is_under_way)
{
	if (_i)
		cut();
	serve();
	until(_i ? SERIAL_LOST : SERIAL_IDLE);
	drain();
	ck_assert(fx.worker.done);
}
END_TEST

START_TEST(a_drain_waits_for_the_reply_that_is_owed)
{
	fx.transport.serial.turnaround_ms = 50;
	start();
	say(read_two(1));
	until(_i ? SERIAL_PAUSES : SERIAL_HEARS);
	drain();
	ck_assert(!fx.worker.done);
	hears(message(1, two, 6));
	ck_assert(fx.worker.done);
}
END_TEST

/* ---- RS-485 by hand ---- */

START_TEST(rts_is_on_while_a_reply_is_sent)
{
	struct bytes own = message(1, two, 6);
	size_t part = _i ? 4 : own.len;
	uint64_t began;
	uint8_t byte;

	port.on = true;
	fx.transport.serial.parity =
	    CONF_PARITY_NONE; /* the kernel's part is a pty */
	fx.transport.serial.rs485.mode = CONF_RS485_RTS;
	fx.transport.serial.rs485.before_us = 3000;
	fx.transport.serial.rs485.after_us = 5000;
	fx.transport.serial.rs485.rx_during_tx = _i;
	start();
	ck_assert(line()->line.rts && !port.rts);
	for (unsigned i = 1; i < 4; i++) {
		port.left = 5;
		began = clock_mono_ns();
		say(read_two(1));
		until(SERIAL_TURNS);
		ck_assert(port.rts);
		ck_assert_int_eq(read(master, &byte, 1), -1);
		until(SERIAL_ENDS);
		ck_assert(port.rts);
		/* our own voice, part of which an adapter may keep back */
		send_part(&own, 0, part);
		until(SERIAL_STAYS);
		ck_assert_int_eq(port.left, 0);
		until(SERIAL_IDLE);
		if (part < own.len)
			send_part(&own, part, own.len - part);
		ck_assert(!port.rts);
		ck_assert_uint_eq(port.moves, 2 * i);
		ck_assert_uint_ge(port.went_ns - began,
		    line()->t35_ns + 8000000 + 9 * line()->char_ns);
		hears(own);
	}
	ck_assert_uint_eq(value(&stats()->requests[3]), 3);
	ck_assert_uint_eq(value(&stats()->frames_bad), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("t_serial_line");
	TCase *tc = serial_case(s);

	LOOP(an_echo_is_taken_out, 3);
	tcase_add_test(tc, an_echo_that_does_not_come_is_not_waited_for);
	tcase_add_test(tc, an_echo_that_nobody_has_told_of_is_found);
	LOOP(the_echo_of_a_write_ends, 2);
	LOOP(a_master_may_ask_the_same_again_from_the_first,
	    sizeof(again) / sizeof(again[0]));
	tcase_add_test(tc, and_in_ascii);
	tcase_add_test(
	    tc, a_master_that_never_asks_anything_else_is_asked_to_repeat_once);
	tcase_add_test(tc, a_request_that_begins_like_the_echo_is_served);
	LOOP(noise_that_is_held_for_an_echo_spoils_no_request, 2);
	tcase_add_test(
	    tc, the_same_write_again_is_a_write_where_nothing_echoes);
	tcase_add_test(tc, an_echo_that_comes_up_later_is_no_request);
	tcase_add_test(tc, a_lost_line_is_opened_again);
	tcase_add_test(tc, a_line_that_is_lost_in_a_reply_is_none_the_worse);
	tcase_add_test(tc, what_was_unfinished_before_a_loss_stays_so);
	tcase_add_test(tc, a_line_that_is_absent_is_served_when_it_comes);
	tcase_add_test(tc, looking_for_a_lost_line_costs_little);
	tcase_add_test(tc, a_peer_that_takes_nothing_loses_replies_only);
	tcase_add_test(tc, a_kick_drops_what_is_under_way);
	LOOP(a_drain_ends_at_once_when_nothing_is_under_way, 2);
	LOOP(a_drain_waits_for_the_reply_that_is_owed, 2);
	LOOP(rts_is_on_while_a_reply_is_sent, 2);
	return fx_report(s);
}
