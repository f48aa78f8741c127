/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial device: a pseudo-terminal where its kernel part is enough, and
 * one that pretends to be a port where it is not: what it is asked for and what
 * it says of itself go through here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asm/ioctls.h>
#include <asm/termbits.h>

#include "tests/suite.h"
#include "workers/serial/line.h"

enum { RTS = 0x004, CALLS = 64 };

static int master;
static char path[64];
static struct conf_serial conf;
static struct line line;

/* ---- a port that pretends ---- */

static struct {
	bool on; /* it is no pseudo-terminal */
	unsigned speed; /* what it does instead of what it is told, 0 not */
	tcflag_t flags; /* what it has in any case */
	bool rs485, modem, lsr;
	struct serial_rs485 set;
	bool rts; /* now */
	char moves[CALLS]; /* R and r: RTS goes on and off */
	int left, empty; /* TIOCOUTQ, the transmitter */
	unsigned overrun;
	bool alone, low_latency, hupcl;
} port;

static int
no(void)
{
	errno = ENOTTY;
	return -1;
}

static void
move(bool on)
{
	port.rts = on;
	strcat(port.moves, on ? "R" : "r");
}

static void
settings(unsigned long what, struct termios2 *t)
{
	if (what == TCSETS2)
		port.hupcl = (t->c_cflag & HUPCL) != 0;
	if (what != TCGETS2)
		return;
	if (port.speed != 0)
		t->c_ospeed = t->c_ispeed = port.speed;
	t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CMSPAR);
	t->c_cflag |= port.flags;
}

static int
pretend(unsigned long what, void *arg)
{
	struct serial_icounter_struct *c = arg;

	switch (what) {
	case TIOCSRS485:
		memcpy(&port.set, arg, sizeof(port.set));
		return port.rs485 ? 0 : no();
	case TIOCGRS485:
		memcpy(arg, &port.set, sizeof(port.set));
		return 0;
	case TIOCMGET:
		return port.modem ? 0 : no();
	case TIOCMBIS:
	case TIOCMBIC:
		ck_assert_int_eq(*(int *)arg, RTS);
		move(what == TIOCMBIS);
		return 0;
	case TIOCOUTQ:
		*(int *)arg = port.left;
		return 0;
	case TIOCSERGETLSR:
		*(int *)arg = port.empty;
		return port.lsr ? 0 : no();
	case TIOCGICOUNT:
		memset(c, 0, sizeof(*c));
		c->overrun = (int)port.overrun;
		return 0;
	case TIOCEXCL:
		port.alone = true;
		return 0;
	case TIOCGSERIAL:
		memset(arg, 0, sizeof(struct serial_struct));
		return 0;
	default: /* TIOCSSERIAL */
		port.low_latency = (((struct serial_struct *)arg)->flags &
				       ASYNC_LOW_LATENCY) != 0;
		return 0;
	}
}

/* In place of the library's, for the daemon's own code. */
int
ioctl(int fd, unsigned long what, ...)
{
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!port.on)
		return (int)syscall(SYS_ioctl, fd, what, arg);
	if (what != TCGETS2 && what != TCSETS2 && what != TCFLSH)
		return pretend(what, arg);
	rc = (int)syscall(SYS_ioctl, fd, what, arg);
	if (what != TCFLSH)
		settings(what, arg);
	return rc;
}

int
fstat(int fd, struct stat *st)
{
	int rc = (int)syscall(SYS_fstat, fd, st);

	if (port.on)
		st->st_rdev = makedev(4, 65);
	return rc;
}

/* ---- */

static void
setup(void)
{
	static const struct conf_serial usual = { .port = path,
		.baudrate = 19200,
		.bytesize = 8,
		.parity = CONF_PARITY_EVEN,
		.stopbits = 1 };

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	ck_assert_int_eq(ptsname_r(master, path, sizeof(path)), 0);
	conf = usual;
	memset(&port, 0, sizeof(port));
	port.flags = CS8 | PARENB;
	log_set_level(LOG_ERROR);
	line_init(&line, &conf);
}

static void
teardown(void)
{
	line_close(&line);
	close(master);
}

static void
opens(void)
{
	if (line_open(&line) == -1)
		ck_abort_msg("%s", line.why);
}

static void
refuses(const char *words)
{
	ck_assert_int_eq(line_open(&line), -1);
	ck_assert_int_eq(line.fd, -1);
	if (strstr(line.why, words) == NULL)
		ck_abort_msg("\"%s\" is not in \"%s\"", words, line.why);
}

static void
readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
}

/* ---- settings ---- */

static const struct {
	unsigned baud, size, parity, stop;
	unsigned t15_us, t35_us;
} times[] = {
	/* SL 2.5.1.1, characters of 11 bits */
	{ 9600, 8, 1, 1, 1718, 4010 },
	{ 19200, 8, 1, 1, 859, 2005 },
	{ 19200, 8, 0, 2, 859, 2005 },
	{ 19201, 8, 1, 1, 750, 1750 },
	{ 115200, 8, 0, 1, 750, 1750 },
	{ 12000000, 8, 0, 1, 750, 1750 },
	{ 300, 8, 1, 1, 54999, 128333 },
	/* ten bits */
	{ 9600, 8, 0, 1, 1562, 3645 },
	{ 9600, 7, 1, 1, 1562, 3645 },
};

START_TEST(pauses_are_what_the_standard_says)
{
	conf.baudrate = times[_i].baud;
	conf.bytesize = times[_i].size;
	conf.parity = times[_i].parity;
	conf.stopbits = times[_i].stop;
	ck_assert_uint_eq(line_t15_ns(&conf) / 1000, times[_i].t15_us);
	ck_assert_uint_eq(line_t35_ns(&conf) / 1000, times[_i].t35_us);
}
END_TEST

START_TEST(any_speed_is_set)
{
	static const unsigned speeds[] = { 50, 1200, 9600, 12345, 115200,
		250000, 12000000 };
	struct termios2 t;

	conf.baudrate = speeds[_i];
	conf.stopbits = 2;
	opens();
	ck_assert_int_eq(ioctl(master, TCGETS2, &t), 0);
	ck_assert_uint_eq(t.c_ospeed, speeds[_i]);
	ck_assert_uint_eq(t.c_ispeed, speeds[_i]);
	ck_assert_uint_ne(t.c_cflag & CSTOPB, 0);
	ck_assert_uint_ne(t.c_cflag & CLOCAL, 0);
	ck_assert(!line.wire);
}
END_TEST

static const struct {
	unsigned size;
	enum conf_parity parity;
	tcflag_t flags;
} formats[] = {
	{ 8, CONF_PARITY_NONE, CS8 },
	{ 8, CONF_PARITY_EVEN, CS8 | PARENB },
	{ 8, CONF_PARITY_ODD, CS8 | PARENB | PARODD },
	{ 8, CONF_PARITY_MARK, CS8 | PARENB | PARODD | CMSPAR },
	{ 8, CONF_PARITY_SPACE, CS8 | PARENB | CMSPAR },
	{ 7, CONF_PARITY_EVEN, CS7 | PARENB },
	{ 6, CONF_PARITY_NONE, CS6 },
	{ 5, CONF_PARITY_ODD, CS5 | PARENB | PARODD },
};

START_TEST(size_and_parity_are_compared)
{
	size_t n = sizeof(formats) / sizeof(formats[0]);

	port.on = true;
	conf.bytesize = formats[_i].size;
	conf.parity = formats[_i].parity;
	for (size_t i = 0; i < n; i++) {
		port.flags = formats[i].flags;
		if (i == (size_t)_i) {
			opens();
			line_close(&line);
		} else {
			refuses("the device cannot do 19200 ");
		}
	}
}
END_TEST

START_TEST(what_is_refused_is_said_in_full)
{
	port.on = true;
	conf.bytesize = 7;
	conf.stopbits = 2;
	port.flags = CS8 | PARENB | PARODD;
	port.speed = 9600;
	refuses("the device cannot do 19200 7E2: it came out as 9600 8O2");
}
END_TEST

START_TEST(a_speed_may_be_off_by_two_percent)
{
	static const struct {
		unsigned speed;
		bool good;
	} cases[] = { { 19200, true }, { 19584, true }, { 19585, false },
		{ 18816, true }, { 18815, false }, { 9600, false } };

	port.on = true;
	port.speed = cases[_i].speed;
	if (cases[_i].good)
		opens();
	else
		refuses("it came out as");
}
END_TEST

/* ---- one's own ---- */

START_TEST(a_device_is_for_one)
{
	struct line other;

	opens();
	line_init(&other, &conf);
	ck_assert_int_eq(line_open(&other), -1);
	ck_assert_ptr_nonnull(strstr(other.why, "another program"));
	line_close(&line);
	ck_assert_int_eq(line_open(&other), 0);
	line_close(&other);
}
END_TEST

START_TEST(death_sets_a_device_free)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (line_open(&line) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	opens();
}
END_TEST

START_TEST(a_port_is_marked_exclusive_and_a_pty_is_not)
{
	int fd;

	opens(); /* the mark would outlive us, and keep our successor out */
	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	close(fd);
	line_close(&line);
	port.on = true;
	opens();
	ck_assert(port.alone && port.low_latency && line.wire);
}
END_TEST

START_TEST(what_is_no_device_is_said_to_be_none)
{
	char file[] = "/tmp/line-XXXXXX";
	int fd = mkstemp(file);

	conf.port = file;
	refuses("no serial device");
	unlink(file);
	close(fd);
	refuses("cannot be opened: No such file or directory");
	conf.port = (char[]){ "/dev/null" };
	refuses("no serial device");
}
END_TEST

/* ---- bytes ---- */

START_TEST(every_byte_passes_as_it_is)
{
	uint8_t all[512], buf[700];
	struct line_got got;
	size_t n = 0;

	for (unsigned i = 0; i < 512; i++)
		all[i] = (uint8_t)(i < 256 ? i : 255 - i / 3);
	opens();
	ck_assert_int_eq(write(master, all, sizeof(all)), sizeof(all));
	while (n < sizeof(all)) {
		readable(line.fd);
		/* small reads cut the doubled FF in two */
		ck_assert_int_eq(line_read(&line, buf + n, 5, &got), 1);
		ck_assert(!got.bad);
		n += got.n;
	}
	ck_assert_mem_eq(buf, all, sizeof(all));
	ck_assert_int_eq(line_read(&line, buf, sizeof(buf), &got), 0);
	ck_assert_int_eq(
	    line_write(&line, all, sizeof(all)), (ssize_t)sizeof(all));
	for (n = 0; n < sizeof(all);) {
		ssize_t k;

		readable(master);
		k = read(master, buf + n, sizeof(buf) - n);
		ck_assert_int_gt(k, 0);
		n += (size_t)k;
	}
	ck_assert_mem_eq(buf, all, sizeof(all));
}
END_TEST

/* What a driver that marks damage would have us read. */
static const struct {
	const char *in;
	unsigned len;
	const char *out;
	unsigned n;
	bool bad;
} marks[] = {
	{ "abc", 3, "abc", 3, false },
	{ "a\377\377b", 4, "a\377b", 3, false },
	{ "a\377\0xb", 5, "b", 1, true },
	{ "a\377\0x", 4, "", 0, true },
	{ "\377\0\0abc", 6, "abc", 3, true }, /* a break */
	{ "\377\0\377\377\0\377z", 7, "z", 1, true },
	{ "\377\377\377\0\377", 5, "", 0, true },
	{ "\377\0x\377\377\0", 6, "\377\0", 2, true },
};

START_TEST(damaged_characters_void_what_came_before)
{
	uint8_t buf[64];
	struct line_got got;
	int fds[2];

	for (size_t step = 1; step <= marks[_i].len; step++) {
		bool bad = false;
		size_t n = 0, at = 0;

		ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
		line.fd = fds[0];
		while (at < marks[_i].len) {
			size_t k = marks[_i].len - at;

			k = k < step ? k : step;
			ck_assert_int_eq(
			    write(fds[1], marks[_i].in + at, k), (ssize_t)k);
			at += k;
			ck_assert_int_eq(
			    line_read(&line, buf + n, 32, &got), 1);
			if (got.bad)
				memmove(buf, buf + n, got.n);
			n = got.bad ? got.n : n + got.n;
			bad |= got.bad;
		}
		ck_assert_int_eq(bad, marks[_i].bad);
		ck_assert_uint_eq(n, marks[_i].n);
		ck_assert_mem_eq(buf, marks[_i].out, n);
		close(fds[0]);
		close(fds[1]);
	}
	line.fd = -1;
}
END_TEST

START_TEST(what_came_before_the_opening_is_thrown_away)
{
	struct line_got got;
	uint8_t buf[16];

	opens();
	ck_assert_int_eq(write(master, "old", 3), 3);
	readable(line.fd);
	line_close(&line);
	opens();
	ck_assert_int_eq(line_read(&line, buf, sizeof(buf), &got), 0);
}
END_TEST

START_TEST(a_device_that_has_gone_is_noticed)
{
	struct line_got got;
	uint8_t buf[16];

	opens();
	close(master);
	ck_assert_int_eq(line_read(&line, buf, sizeof(buf), &got), -1);
	ck_assert_str_ne(line.why, "");
	ck_assert_int_eq(line_write(&line, buf, 1), -1);
	master = open("/dev/null", O_RDWR | O_CLOEXEC);
}
END_TEST

START_TEST(a_peer_that_reads_nothing_blocks_nobody)
{
	static uint8_t big[1 << 16];
	unsigned n = 0;

	opens();
	while (line_write(&line, big, sizeof(big)) > 0)
		ck_assert_uint_lt(++n, 100);
	line_flush_out(&line);
	ck_assert_int_gt(line_write(&line, big, sizeof(big)), 0);
}
END_TEST

START_TEST(overruns_are_counted_from_the_opening_on)
{
	port.on = true;
	port.overrun = 7;
	opens();
	ck_assert_uint_eq(line_overruns(&line), 0);
	port.overrun = 9;
	ck_assert_uint_eq(line_overruns(&line), 2);
	ck_assert_uint_eq(line_overruns(&line), 0);
	line_close(&line);
	port.on = false;
	opens();
	ck_assert_uint_eq(line_overruns(&line), 0);
}
END_TEST

/* ---- direction ---- */

START_TEST(the_driver_turns_the_line_where_it_can)
{
	port.on = port.rs485 = port.modem = true;
	conf.rs485.mode = _i ? CONF_RS485_IOCTL : CONF_RS485_AUTO;
	conf.rs485.before_us = 1;
	conf.rs485.after_us = 2000;
	conf.rs485.rts_low = _i;
	conf.rs485.rx_during_tx = _i;
	opens();
	ck_assert(!line.rts);
	ck_assert_uint_ne(port.set.flags & SER_RS485_ENABLED, 0);
	ck_assert_uint_eq((port.set.flags & SER_RS485_RTS_ON_SEND) != 0, !_i);
	ck_assert_uint_eq((port.set.flags & SER_RS485_RTS_AFTER_SEND) != 0, _i);
	ck_assert_uint_eq((port.set.flags & SER_RS485_RX_DURING_TX) != 0, _i);
	ck_assert_uint_eq(port.set.delay_rts_before_send, 1);
	ck_assert_uint_eq(port.set.delay_rts_after_send, 2);
	line_drive(&line, true);
	ck_assert_str_eq(port.moves, "");
}
END_TEST

START_TEST(rts_turns_the_line_by_hand)
{
	port.on = port.modem = true;
	conf.rs485.mode = _i & 1 ? CONF_RS485_RTS : CONF_RS485_AUTO;
	conf.rs485.rts_low = _i & 2;
	port.rs485 = conf.rs485.mode == CONF_RS485_RTS; /* and is not asked */
	opens();
	ck_assert(line.rts);
	ck_assert_uint_eq(port.hupcl, !conf.rs485.rts_low);
	ck_assert_str_eq(port.moves, _i & 2 ? "R" : "r");
	line_drive(&line, true);
	line_drive(&line, false);
	line_drive(&line, true);
	line_close(&line);
	ck_assert_str_eq(port.moves, _i & 2 ? "RrRrR" : "rRrRr");
}
END_TEST

START_TEST(a_driver_that_must_and_cannot_is_an_error)
{
	port.on = port.modem = true;
	conf.rs485.mode = CONF_RS485_IOCTL;
	refuses("rs485");
	port.on = false;
	refuses("rs485");
}
END_TEST

/* By others, or by an earlier configuration. */
START_TEST(a_mode_that_was_left_in_the_driver_is_switched_off)
{
	port.on = port.rs485 = port.modem = true;
	port.set.flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND;
	port.set.delay_rts_after_send = 3;
	conf.rs485.mode = _i ? CONF_RS485_RTS : CONF_RS485_OFF;
	opens();
	ck_assert_int_eq(line.rts, _i);
	ck_assert_uint_eq(port.set.flags, 0);
	ck_assert_uint_eq(port.set.delay_rts_after_send, 0);
	line_close(&line);
	/* no driver's business at all */
	port.rs485 = false;
	port.set.flags = SER_RS485_ENABLED;
	opens();
}
END_TEST

START_TEST(a_line_without_rts_is_used_as_it_is)
{
	conf.rs485.mode = _i ? CONF_RS485_RTS : CONF_RS485_AUTO;
	opens();
	ck_assert(!line.rts && line.untold);
	line_drive(&line, true);
}
END_TEST

START_TEST(the_end_of_sending_is_the_transmitters)
{
	port.on = true;
	opens();
	port.left = 3;
	ck_assert(!line_sent(&line));
	port.left = 0;
	ck_assert(line_sent(&line));
	port.lsr = true;
	ck_assert(!line_sent(&line));
	port.empty = TIOCSER_TEMT;
	ck_assert(line_sent(&line));
}
END_TEST

#define LOOP(test, array)    \
	tcase_add_loop_test( \
	    tc, test, 0, (int)(sizeof(array) / sizeof((array)[0])))

int
main(void)
{
	Suite *s = suite_create("line");
	TCase *tc = tcase_create("line");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	suite_add_tcase(s, tc);
	LOOP(pauses_are_what_the_standard_says, times);
	tcase_add_loop_test(tc, any_speed_is_set, 0, 7);
	LOOP(size_and_parity_are_compared, formats);
	tcase_add_test(tc, what_is_refused_is_said_in_full);
	tcase_add_loop_test(tc, a_speed_may_be_off_by_two_percent, 0, 6);
	tcase_add_test(tc, a_device_is_for_one);
	tcase_add_test(tc, death_sets_a_device_free);
	tcase_add_test(tc, a_port_is_marked_exclusive_and_a_pty_is_not);
	tcase_add_test(tc, what_is_no_device_is_said_to_be_none);
	tcase_add_test(tc, every_byte_passes_as_it_is);
	LOOP(damaged_characters_void_what_came_before, marks);
	tcase_add_test(tc, what_came_before_the_opening_is_thrown_away);
	tcase_add_test(tc, a_device_that_has_gone_is_noticed);
	tcase_add_test(tc, a_peer_that_reads_nothing_blocks_nobody);
	tcase_add_test(tc, overruns_are_counted_from_the_opening_on);
	tcase_add_loop_test(tc, the_driver_turns_the_line_where_it_can, 0, 2);
	tcase_add_loop_test(tc, rts_turns_the_line_by_hand, 0, 4);
	tcase_add_test(tc, a_driver_that_must_and_cannot_is_an_error);
	tcase_add_loop_test(
	    tc, a_mode_that_was_left_in_the_driver_is_switched_off, 0, 2);
	tcase_add_loop_test(tc, a_line_without_rts_is_used_as_it_is, 0, 2);
	tcase_add_test(tc, the_end_of_sending_is_the_transmitters);
	return suite_run(s);
}
