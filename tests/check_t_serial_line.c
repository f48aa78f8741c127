/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a serial line: its device goes and comes, what is sent comes
 * back, its direction is turned, its worker is given orders. */
#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "shm/clock.h"
#include "tests/lib/serial_fixture.h"
#include "workers/transport.h"

/* ---- echoes ---- */

/* Answers n bytes that are said with the same, in pieces. */
static void
echo(const struct sf_bytes *b, size_t piece)
{
	for (size_t at = 0; at < b->len; at += piece) {
		sf_send_part(b, at, piece < b->len - at ? piece : b->len - at);
		sf_turn();
	}
}

START_TEST(an_echo_is_taken_out)
{
	static const size_t pieces[] = { 100, 1, 3 };
	struct sf_bytes b = sf_write_one(1, 9, 77),
			reply = sf_message(1, sf_two, 6);

	sf.fx.transport.serial.local_echo = true;
	sf_start();
	for (int i = 0; i < 3; i++) {
		sf_say(b);
		sf_hears(b);
		echo(&b, pieces[_i]);
		sf_hears_nothing(8);
		sf_say(sf_read_two(1));
		sf_hears(reply);
		echo(&reply, pieces[_i]);
		sf_hears_nothing(8);
	}
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[6]), 3);
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[3]), 3);
	ck_assert_uint_eq(sf_value(&sf_stats()->frames_bad), 0);
}
END_TEST

START_TEST(an_echo_that_does_not_come_is_not_waited_for)
{
	sf.fx.transport.serial.local_echo = true;
	sf_start();
	for (int i = 0; i < 4; i++)
		sf_is_served(); /* at once, and after a while */
	sf_pass(1050);
	sf_is_served();
	ck_assert(sf_line()->told_echo);
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[3]), 5);
}
END_TEST

START_TEST(an_echo_that_nobody_has_told_of_is_found)
{
	struct sf_bytes reply = sf_message(1, sf_two, 6);

	/* until it is known, only t3.5 tells an echo from a request */
	sf.fx.transport.serial.baudrate = 300;
	sf_start();
	for (int i = 0; i < 4; i++) {
		sf_say(sf_read_two(1));
		sf_hears(reply);
		echo(&reply, 100);
		sf_hears_nothing(150);
	}
	ck_assert_int_eq(sf_line()->echoes, ECHO_THERE);
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[3]), 4);
	ck_assert_uint_eq(sf_value(&sf_stats()->frames_bad), 0);
}
END_TEST

/* A write whose echo cannot be told from it goes round, but not for ever. */
START_TEST(the_echo_of_a_write_ends)
{
	struct sf_bytes b = sf_write_one(1, 9, 77),
			busy = sf_message(1, "\x86\6", 2);
	struct sf_bytes got;
	unsigned n = 0;

	sf_start();
	for (;;) {
		sf_say(b);
		n++;
		got = sf_hear(5, SF_LONG_MS);
		ck_assert_uint_eq(got.len, 5);
		if (got.at[1] == 0x86)
			break;
		ck_assert_uint_eq(sf_hear(3, SF_LONG_MS).len, 3);
		/* it counts anew where this process is kept waiting */
		ck_assert_uint_le(n, 8 * SERIAL_REPEATS);
	}
	ck_assert_uint_gt(n, SERIAL_REPEATS);
	sf_pass(_i * 30); /* even if it comes late */
	sf_say(busy);
	sf_hears_nothing(20);
	ck_assert_int_eq(sf_line()->echoes, ECHO_THERE);
	for (int i = 0; i < 3; i++) {
		sf_say(b);
		sf_hears(b);
		sf_say(b);
		sf_hears_nothing(10);
	}
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[6]), n + 3);
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
	struct sf_bytes b = sf_message(1, again[_i].pdu, 5);

	sf_start();
	for (int i = 0; i < 20; i++) {
		sf_say(b);
		sf_hears(b);
		sf_pass(again[_i].pause_ms);
	}
	ck_assert_uint_eq(
	    sf_value(&sf_stats()->requests[(uint8_t)again[_i].pdu[0]]), 20);
	ck_assert_int_ne(sf_line()->echoes, ECHO_THERE);
	ck_assert(!sf_line()->told_echo);
}
END_TEST

START_TEST(and_in_ascii)
{
	static const char write[] = ":01060009004DA3\r\n";

	sf_start_as("ascii");
	for (int i = 0; i < 20; i++) {
		sf_say_text(write);
		sf_hears_text(write);
	}
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[6]), 20);
	ck_assert(!sf_line()->told_echo);
}
END_TEST

/* It is asked once who repeats, and nobody answers but a master. */
START_TEST(a_master_that_never_asks_anything_else_is_asked_to_repeat_once)
{
	struct sf_bytes b = sf_write_one(1, 9, 77);
	unsigned refused = 0;

	sf_start();
	for (int i = 0; i < 3 * SERIAL_REPEATS; i++) {
		struct sf_bytes got;

		sf_say(b);
		got = sf_hear(5, SF_LONG_MS);
		if (got.at[1] == 0x86)
			refused++;
		else
			ck_assert_uint_eq(sf_hear(3, SF_LONG_MS).len, 3);
	}
	ck_assert_uint_le(refused, 1); /* none, where this process was slow */
	ck_assert_int_ne(sf_line()->echoes, ECHO_THERE);
	ck_assert_uint_eq(
	    sf_value(&sf_stats()->requests[6]), 3 * SERIAL_REPEATS);
}
END_TEST

START_TEST(a_request_that_begins_like_the_echo_is_served)
{
	struct sf_bytes b = sf_read_two(1);

	sf.fx.transport.serial.local_echo = true;
	sf_start();
	sf_is_served();
	/* its first two bytes are those of the reply, and come in time */
	sf_send_part(&b, 0, 2);
	sf_pass(5);
	sf_line()->echo.until_ns = clock_mono_ns();
	sf_pass(2);
	sf_send_part(&b, 2, b.len - 2);
	sf_hears(sf_message(1, sf_two, 6));
}
END_TEST

START_TEST(noise_that_is_held_for_an_echo_spoils_no_request)
{
	struct sf_bytes b = sf_read_two(1);

	sf.fx.transport.serial.local_echo = true;
	sf_start();
	sf_is_served();
	sf_send_part(&b, 0, 1);
	sf_pass(_i ? 150 : 20);
	sf_is_served();
	sf_is_served();
}
END_TEST

START_TEST(the_same_write_again_is_a_write_where_nothing_echoes)
{
	struct sf_bytes b = sf_write_one(1, 9, 77);

	sf_start();
	sf_is_served();
	sf_say(b);
	sf_hears(b);
	ck_assert_int_eq(sf_line()->echoes, ECHO_ABSENT);
	for (int i = 0; i < 10; i++) {
		sf_say(b);
		sf_hears(b);
	}
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[6]), 11);
}
END_TEST

START_TEST(an_echo_that_comes_up_later_is_no_request)
{
	struct sf_bytes reply = sf_message(1, sf_two, 6);

	sf_start();
	sf_is_served();
	sf_is_served();
	ck_assert_int_eq(sf_line()->echoes, ECHO_ABSENT);
	sf_say(reply);
	sf_hears_nothing(10);
	ck_assert_int_eq(sf_line()->echoes, ECHO_THERE);
	sf_is_served();
	sf_say(reply);
	sf_hears_nothing(10);
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[3]), 3);
}
END_TEST

/* ---- the device goes and comes ---- */

START_TEST(a_lost_line_is_opened_again)
{
	uint64_t serial;

	sf_start();
	for (int i = 0; i < 3; i++) {
		sf_is_served();
		serial = atomic_load(&sf_line()->conn->rec.shm->serial);
		sf_say(sf_write_one(1, 9, 77));
		sf_cut();
		sf_until(SERIAL_LOST);
		ck_assert_uint_eq(sf_value(&sf_stats()->conns_open), 0);
		ck_assert_ptr_null(sf_line()->conn);
		ck_assert(sf_line()->told);
		sf_pass(30);
		sf_lay();
		sf_until(SERIAL_IDLE);
		ck_assert(!sf_line()->told);
		ck_assert_uint_eq(sf_value(&sf_stats()->conns_open), 1);
		ck_assert_uint_gt(
		    atomic_load(&sf_line()->conn->rec.shm->serial), serial);
		sf_hears_nothing(10); /* that was asked before */
	}
	sf_is_served();
}
END_TEST

START_TEST(a_line_that_is_lost_in_a_reply_is_none_the_worse)
{
	sf.fx.transport.serial.turnaround_ms = 100;
	sf_start();
	sf_say(sf_read_two(1));
	sf_until(SERIAL_PAUSES);
	sf_cut();
	sf_until(SERIAL_LOST);
	sf_lay();
	sf_until(SERIAL_IDLE);
	sf_hears_nothing(120);
	sf_is_served();
}
END_TEST

START_TEST(what_was_unfinished_before_a_loss_stays_so)
{
	struct sf_bytes b = sf_write_one(1, 9, 77);

	sf_start();
	sf_send_part(&b, 0, 4);
	sf_until(SERIAL_UNSURE);
	sf_cut();
	sf_until(SERIAL_LOST);
	sf_lay();
	sf_until(SERIAL_DEAF);
	while (sf_line()->state == SERIAL_DEAF)
		sf_turn();
	sf_send_part(&b, 4, 4);
	sf_hears_nothing(20);
	ck_assert_uint_eq(sf_reg(9), 9);
	sf_is_served();
}
END_TEST

START_TEST(a_line_that_is_absent_is_served_when_it_comes)
{
	sf_cut();
	sf_serve();
	ck_assert_int_eq(sf_line()->state, SERIAL_LOST);
	ck_assert(sf_line()->told);
	sf_lay();
	sf_until(SERIAL_IDLE);
	sf_is_served();
}
END_TEST

START_TEST(looking_for_a_lost_line_costs_little)
{
	unsigned turns = 0;
	uint64_t end;

	sf_start();
	sf_cut();
	sf_until(SERIAL_LOST);
	end = clock_mono_ns() + 400000000;
	while (clock_mono_ns() < end || sf_line()->backoff_ms < 40) {
		struct timeval tv = { .tv_usec = 400000 };

		event_base_loopexit(sf.fx.worker.base, &tv);
		event_base_loop(sf.fx.worker.base, EVLOOP_ONCE);
		turns++;
	}
	/* 10, 20, 40, 40 ... ms */
	ck_assert_uint_le(turns, 16);
	ck_assert_uint_eq(sf_line()->backoff_ms, 40);
}
END_TEST

START_TEST(a_peer_that_takes_nothing_loses_replies_only)
{
	unsigned n = 0;
	struct sf_bytes b;

	sf.fx.transport.serial.baudrate = 1000000;
	sf_start();
	while (sf_line()->state != SERIAL_SAYS) {
		sf_say(sf_message(1, "\3\0\0\0\x7d", 5));
		sf_pass(3);
		ck_assert_uint_lt(++n, 1000);
	}
	n = sf_count(MB_CPT_NO_REPLY);
	sf_until(SERIAL_IDLE); /* given up after half a second */
	ck_assert(sf_line()->told_stuck);
	ck_assert_uint_eq(sf_count(MB_CPT_NO_REPLY), n + 1);
	ck_assert_uint_eq(sf_value(&sf_stats()->replies_lost), 1);
	while (sf_hear(SF_ROOM, 20).len != 0)
		;
	sf_is_served();
	b = sf_hear(1, 5);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

/* ---- orders ---- */

START_TEST(a_kick_drops_what_is_under_way)
{
	struct sf_bytes b = sf_write_one(1, 9, 77);
	uint64_t serial;

	sf_start();
	serial = atomic_load(&sf_line()->conn->rec.shm->serial);
	ck_assert(!sf.fx.worker.ops->kick(&sf.fx.worker, serial + 1));
	sf_send_part(&b, 0, 4);
	sf_until(SERIAL_UNSURE);
	ck_assert(sf.fx.worker.ops->kick(&sf.fx.worker, serial));
	ck_assert_uint_gt(
	    atomic_load(&sf_line()->conn->rec.shm->serial), serial);
	ck_assert_uint_eq(sf_value(&sf_stats()->conns_kicked), 1);
	sf_send_part(&b, 4, 4);
	sf_until(SERIAL_IDLE);
	sf_hears_nothing(10);
	ck_assert_uint_eq(sf_reg(9), 9);
	sf_is_served();
}
END_TEST

static void
drain(void)
{
	sf.fx.worker.draining = true;
	sf.fx.worker.ops->drain(&sf.fx.worker);
}

START_TEST(a_drain_ends_at_once_when_nothing_is_under_way)
{
	if (_i)
		sf_cut();
	sf_serve();
	sf_until(_i ? SERIAL_LOST : SERIAL_IDLE);
	drain();
	ck_assert(sf.fx.worker.done);
}
END_TEST

START_TEST(a_drain_waits_for_the_reply_that_is_owed)
{
	sf.fx.transport.serial.turnaround_ms = 50;
	sf_start();
	sf_say(sf_read_two(1));
	sf_until(_i ? SERIAL_PAUSES : SERIAL_HEARS);
	drain();
	ck_assert(!sf.fx.worker.done);
	sf_hears(sf_message(1, sf_two, 6));
	ck_assert(sf.fx.worker.done);
}
END_TEST

/* ---- RS-485 by hand ---- */

/* A port with RTS that pretends to be a wire. */
static struct {
	bool on;
	bool rts;
	unsigned moves;
	int left; /* times that it says that something is still to be sent */
	uint64_t went_ns; /* RTS went off */
} port;

static int
pretend(unsigned long what, void *arg)
{
	switch (what) {
	case TIOCEXCL:
	case TIOCMGET:
		return 0;
	case TIOCMBIS:
	case TIOCMBIC:
		if (port.rts && what == TIOCMBIC)
			port.went_ns = clock_mono_ns();
		port.moves += port.rts != (what == TIOCMBIS);
		port.rts = what == TIOCMBIS;
		return 0;
	case TIOCOUTQ:
		*(int *)arg = port.left > 0 ? port.left-- : 0;
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

/* In place of the library's, for the daemon's own code. */
int
ioctl(int fd, unsigned long what, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (port.on && (what >> 8) == ('T') && (what & 0xff) >= 0x0c &&
	    what != FIONREAD && what != TIOCGPTN)
		return pretend(what, arg);
	return (int)syscall(SYS_ioctl, fd, what, arg);
}

int
fstat(int fd, struct stat *st)
{
	int rc = (int)syscall(SYS_fstat, fd, st);

	if (port.on && S_ISCHR(st->st_mode))
		st->st_rdev = makedev(4, 65);
	return rc;
}

START_TEST(rts_is_on_while_a_reply_is_sent)
{
	struct sf_bytes own = sf_message(1, sf_two, 6);
	size_t part = _i ? 4 : own.len;
	uint64_t began;
	uint8_t byte;

	port.on = true;
	sf.fx.transport.serial.parity =
	    CONF_PARITY_NONE; /* the kernel's part is a pty */
	sf.fx.transport.serial.rs485.mode = CONF_RS485_RTS;
	sf.fx.transport.serial.rs485.before_us = 3000;
	sf.fx.transport.serial.rs485.after_us = 5000;
	sf.fx.transport.serial.rs485.rx_during_tx = _i;
	sf_start();
	ck_assert(sf_line()->line.rts && !port.rts);
	for (unsigned i = 1; i < 4; i++) {
		port.left = 5;
		began = clock_mono_ns();
		sf_say(sf_read_two(1));
		sf_until(SERIAL_TURNS);
		ck_assert(port.rts);
		ck_assert_int_eq(read(sf.master, &byte, 1), -1);
		sf_until(SERIAL_ENDS);
		ck_assert(port.rts);
		/* our own voice, part of which an adapter may keep back */
		sf_send_part(&own, 0, part);
		sf_until(SERIAL_STAYS);
		ck_assert_int_eq(port.left, 0);
		sf_until(SERIAL_IDLE);
		if (part < own.len)
			sf_send_part(&own, part, own.len - part);
		ck_assert(!port.rts);
		ck_assert_uint_eq(port.moves, 2 * i);
		ck_assert_uint_ge(port.went_ns - began,
		    sf_line()->t35_ns + 8000000 + 9 * sf_line()->char_ns);
		sf_hears(own);
	}
	ck_assert_uint_eq(sf_value(&sf_stats()->requests[3]), 3);
	ck_assert_uint_eq(sf_value(&sf_stats()->frames_bad), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("t_serial_line");
	TCase *tc = sf_case(s);

	SF_LOOP(an_echo_is_taken_out, 3);
	tcase_add_test(tc, an_echo_that_does_not_come_is_not_waited_for);
	tcase_add_test(tc, an_echo_that_nobody_has_told_of_is_found);
	SF_LOOP(the_echo_of_a_write_ends, 2);
	SF_LOOP(a_master_may_ask_the_same_again_from_the_first,
	    sizeof(again) / sizeof(again[0]));
	tcase_add_test(tc, and_in_ascii);
	tcase_add_test(
	    tc, a_master_that_never_asks_anything_else_is_asked_to_repeat_once);
	tcase_add_test(tc, a_request_that_begins_like_the_echo_is_served);
	SF_LOOP(noise_that_is_held_for_an_echo_spoils_no_request, 2);
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
	SF_LOOP(a_drain_ends_at_once_when_nothing_is_under_way, 2);
	SF_LOOP(a_drain_waits_for_the_reply_that_is_owed, 2);
	SF_LOOP(rts_is_on_while_a_reply_is_sent, 2);
	return fx_report(s);
}
