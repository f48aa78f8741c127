/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial transport from inside: a pseudo-terminal whose other end is the
 * bus, a loop that is turned by hand, and counters looked at beside it. Units
 * 1 and 2 are ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "shm/clock.h"
#include "tests/worker_fixture.h"
#include "workers/serial.h"
#include "workers/transport.h"

enum { LONG_MS = 5000, ROOM = 1024 };

static struct fx fx;
static int master = -1;
static char dir[] = "/tmp/t-serial-XXXXXX", path[64];

/* ---- a port with RTS that pretends to be a wire ---- */

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

/* ---- the line ---- */

/* Lays a new line at the path. */
static void
lay(void)
{
	char name[64];

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	ck_assert_int_eq(ptsname_r(master, name, sizeof(name)), 0);
	unlink(path);
	ck_assert_int_eq(symlink(name, path), 0);
}

/* Takes it away. */
static void
cut(void)
{
	unlink(path);
	close(master);
	master = -1;
}

static struct serial *
line(void)
{
	return fx.worker.state;
}

static struct shm_stats *
stats(void)
{
	return &fx.worker.shm->stats;
}

static uint64_t
value(const _Atomic uint64_t *counter)
{
	return atomic_load(counter);
}

/* A counter of the diagnosis of unit 1. */
static unsigned
count(enum mb_counter c)
{
	return mb_diag_get(fx.worker.bind.by_unit[1]->unit.diag, c);
}

/* One turn of the loop, which waits for an event or a millisecond. */
static void
turn(void)
{
	struct pollfd p[2] = {
		{ .fd = master, .events = POLLIN },
		{ .fd = line()->timer_fd, .events = POLLIN },
	};

	fx.worker.turned = false;
	event_base_loop(fx.worker.base, EVLOOP_NONBLOCK);
	poll(p, 2, 1);
}

static void
pass(unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * 1000000ull;

	while (clock_mono_ns() < end)
		turn();
}

static void
until(enum serial_state state)
{
	uint64_t end = clock_mono_ns() + LONG_MS * 1000000ull;

	while (line()->state != state) {
		ck_assert_msg(clock_mono_ns() < end, "state is %d, not %d",
		    line()->state, state);
		turn();
	}
}

static void
setup(void)
{
	static char framer[] = "rtu";

	fx_init(&fx);
	memset(&port, 0, sizeof(port));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/tty", dir);
	lay();
	fx.transport.type = CONF_SERIAL;
	fx.transport.framer = framer;
	fx.transport.silent_units = true;
	fx.transport.serial_functions = true;
	fx.transport.max_connections = 1;
	fx.transport.restart.max_backoff_ms = 40;
	fx.transport.serial = (struct conf_serial){ .port = path,
		.baudrate = 19200,
		.bytesize = 8,
		.parity = 1,
		.stopbits = 1,
		.ascii_timeout_ms = 40 };
	ck_assert_ptr_nonnull(fx.worker.base = event_base_new());
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
}

static void
serve(void)
{
	worker_tick(&fx.worker);
	fx.worker.ops = transport_find(&fx.worker);
	ck_assert_int_eq(fx.worker.ops->start(&fx.worker), 0);
}

static void
start(void)
{
	serve();
	until(SERIAL_IDLE);
}

static void
start_as(const char *framer)
{
	static char name[8];

	snprintf(name, sizeof(name), "%s", framer);
	fx.transport.framer = name;
	start();
}

static void
teardown(void)
{
	fx.worker.ops->stop(&fx.worker);
	bind_fini(&fx.worker.bind);
	event_base_free(fx.worker.base);
	if (master != -1)
		close(master);
	unlink(path);
	rmdir(dir);
	fx_fini(&fx);
}

/* ---- what is said on it ---- */

struct bytes {
	uint8_t at[ROOM];
	size_t len;
};

static struct bytes
message(uint8_t unit, const char *pdu, size_t n)
{
	struct bytes b = { .at = { unit }, .len = 1 + n };
	uint16_t crc;

	memcpy(b.at + 1, pdu, n);
	crc = frame_crc16(b.at, b.len);
	b.at[b.len++] = (uint8_t)crc;
	b.at[b.len++] = (uint8_t)(crc >> 8);
	return b;
}

/* Values are addresses: registers 5 and 6. */
static struct bytes
read_two(uint8_t unit)
{
	return message(unit, "\3\0\5\0\2", 5);
}

static struct bytes
write_one(uint8_t unit, uint8_t addr, uint8_t v)
{
	const char pdu[5] = { 6, 0, (char)addr, 0, (char)v };

	return message(unit, pdu, 5);
}

static void
send_part(const struct bytes *b, size_t from, size_t n)
{
	ck_assert_int_eq(write(master, b->at + from, n), (ssize_t)n);
}

static void
say(struct bytes b)
{
	send_part(&b, 0, b.len);
}

/* Reads what is said within so many ms, up to n bytes. */
static struct bytes
hear(size_t n, unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * 1000000ull;
	struct bytes b = { .len = 0 };

	while (b.len < n && clock_mono_ns() < end) {
		ssize_t k = read(master, b.at + b.len, n - b.len);

		if (k > 0)
			b.len += (size_t)k;
		turn();
	}
	return b;
}

static void
hears(struct bytes want)
{
	struct bytes got = hear(want.len, LONG_MS);

	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.at, want.at, want.len);
}

static void
hears_text(const char *text)
{
	struct bytes b = { .len = strlen(text) };

	memcpy(b.at, text, b.len);
	hears(b);
}

static void
say_text(const char *text)
{
	ck_assert_int_eq(
	    write(master, text, strlen(text)), (ssize_t)strlen(text));
}

static void
hears_nothing(unsigned ms)
{
	ck_assert_uint_eq(hear(1, ms).len, 0);
}

static const char two[] = "\3\4\0\5\0\6";

/* Asks something that is always answered, in RTU. */
static void
is_served(void)
{
	say(read_two(1));
	hears(message(1, two, 6));
}

static unsigned
reg(unsigned addr)
{
	uint8_t v[2];

	ck_assert_int_eq(
	    store_read(&fx.stores[0], STORE_HR, addr, 1, v, NULL), 0);
	return (unsigned)(v[0] << 8 | v[1]);
}

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
	int t15;
	unsigned pause_ms;
	bool answered;
	unsigned errors;
} pauses[] = {
	{ 0, 40, true, 0 },
	{ 1, 40, true, 1 },
	{ 2, 40, false, 1 },
	{ 0, 90, true, 0 },
	{ 2, 90, false, 2 },
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
	struct bytes b = write_one(1, 9, 77), reply = message(1, two, 6);

	/* until it is known, only t3.5 tells an echo from a request */
	fx.transport.serial.baudrate = 300;
	start();
	for (int i = 0; i < 4; i++) {
		say(_i ? b : read_two(1));
		hears(_i ? b : reply);
		echo(_i ? &b : &reply, 100);
		hears_nothing(150);
	}
	ck_assert_int_eq(line()->echoes, ECHO_THERE);
	ck_assert_uint_eq(value(&stats()->requests[_i ? 6 : 3]), 4);
	ck_assert_uint_eq(value(&stats()->frames_bad), 0);
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
	enum { N = 30 };
	struct bytes b;

	start_as(_i ? "tls" : "socket");
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(write(master, MBAP_ASK, 12), 12);
	b = hear(N * 13, LONG_MS);
	ck_assert_uint_eq(b.len, N * 13);
	for (int i = 0; i < N; i++)
		ck_assert_mem_eq(b.at + 13 * i, MBAP_ANSWER, 13);
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
	uint64_t began;
	uint8_t byte;

	port.on = true;
	fx.transport.serial.parity = 0; /* the kernel's part is a pty */
	fx.transport.serial.rs485.mode = CONF_RS485_RTS;
	fx.transport.serial.rs485.before_us = 3000;
	fx.transport.serial.rs485.after_us = 5000;
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
		/* our own voice, which the receiver would not have heard */
		say(message(1, two, 6));
		until(SERIAL_STAYS);
		ck_assert_int_eq(port.left, 0);
		until(SERIAL_IDLE);
		ck_assert(!port.rts);
		ck_assert_uint_eq(port.moves, 2 * i);
		ck_assert_uint_ge(port.went_ns - began,
		    line()->t35_ns + 8000000 + 9 * line()->char_ns);
		hears(message(1, two, 6));
	}
	ck_assert_uint_eq(value(&stats()->requests[3]), 3);
	ck_assert_uint_eq(value(&stats()->frames_bad), 0);
}
END_TEST

#define LOOP(test, n) tcase_add_loop_test(tc, test, 0, (n))

int
main(void)
{
	Suite *s = suite_create("t_serial");
	TCase *tc = tcase_create("t_serial");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, a_reply_comes_when_the_line_has_been_silent);
	tcase_add_test(tc, turnaround_is_waited_for_after_it);
	tcase_add_test(tc, who_asks_again_gets_no_stale_reply);
	tcase_add_test(tc, who_is_ready_answers_the_first_request);
	tcase_add_test(tc, what_is_under_way_at_the_opening_is_left_alone);
	LOOP(a_pause_within_a_request_does_what_t15_says,
	    sizeof(pauses) / sizeof(pauses[0]));
	tcase_add_test(tc, an_unfinished_request_is_given_up);
	tcase_add_test(tc, other_stations_are_not_answered_for);
	tcase_add_test(tc, a_request_in_anothers_reply_is_none);
	tcase_add_test(tc, a_missing_unit_is_answered_where_it_is_asked_for);
	tcase_add_test(tc, broadcasts_are_carried_out_and_not_answered);
	tcase_add_test(tc, noise_is_counted_and_survived);
	tcase_add_test(tc, operation_numbers_are_spent_before_they_are_used);
	LOOP(an_echo_is_taken_out, 3);
	tcase_add_test(tc, an_echo_that_does_not_come_is_not_waited_for);
	LOOP(an_echo_that_nobody_has_told_of_is_found, 2);
	tcase_add_test(
	    tc, the_same_write_again_is_a_write_where_nothing_echoes);
	tcase_add_test(tc, an_echo_that_comes_up_later_is_no_request);
	tcase_add_test(tc, ascii_is_answered);
	tcase_add_test(tc, ascii_frames_may_not_pause_for_long);
	tcase_add_test(tc, of_two_ascii_requests_the_last_is_answered);
	tcase_add_test(tc, the_ascii_delimiter_is_what_it_was_set_to);
	LOOP(a_serial_pipe_may_carry_mbap, 2);
	tcase_add_test(tc, a_lost_line_is_opened_again);
	tcase_add_test(tc, a_line_that_is_lost_in_a_reply_is_none_the_worse);
	tcase_add_test(tc, a_line_that_is_absent_is_served_when_it_comes);
	tcase_add_test(tc, looking_for_a_lost_line_costs_little);
	tcase_add_test(tc, a_peer_that_takes_nothing_loses_replies_only);
	tcase_add_test(tc, a_kick_drops_what_is_under_way);
	LOOP(a_drain_ends_at_once_when_nothing_is_under_way, 2);
	LOOP(a_drain_waits_for_the_reply_that_is_owed, 2);
	tcase_add_test(tc, rts_is_on_while_a_reply_is_sent);
	return fx_report(s);
}
