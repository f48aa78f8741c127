/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERIAL_FIXTURE_H
#define TESTS_SERIAL_FIXTURE_H

/*
 * The serial transport from inside: a pseudo-terminal whose other end is the
 * bus, a loop that is turned by hand, and counters looked at beside it. Units
 * 1 and 2 are ours. Upon request it is a port with RTS that pretends to be a
 * wire.
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
#include "tests/lib/worker_fixture.h"
#include "workers/serial/serial.h"
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

static inline int
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
static inline void
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
static inline void
cut(void)
{
	unlink(path);
	close(master);
	master = -1;
}

static inline struct serial *
line(void)
{
	return fx.worker.state;
}

static inline struct shm_stats *
stats(void)
{
	return &fx.worker.shm->stats;
}

static inline uint64_t
value(const _Atomic uint64_t *counter)
{
	return atomic_load(counter);
}

/* A counter of the diagnosis of unit 1. */
static inline unsigned
count(enum mb_counter c)
{
	return mb_diag_get(fx.worker.bind.by_unit[1]->unit.diag, c);
}

/* One turn of the loop, which waits for an event or a millisecond. */
static inline void
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

static inline void
pass(unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * 1000000ull;

	while (clock_mono_ns() < end)
		turn();
}

static inline void
until(enum serial_state state)
{
	uint64_t end = clock_mono_ns() + LONG_MS * 1000000ull;

	while (line()->state != state) {
		ck_assert_msg(clock_mono_ns() < end, "state is %d, not %d",
		    line()->state, state);
		turn();
	}
}

static inline void
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
		.parity = CONF_PARITY_EVEN,
		.stopbits = 1,
		.ascii_timeout_ms = 40 };
	ck_assert_ptr_nonnull(fx.worker.base = event_base_new());
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
}

static inline void
serve(void)
{
	worker_tick(&fx.worker);
	fx.worker.ops = transport_find(&fx.worker);
	ck_assert_int_eq(fx.worker.ops->start(&fx.worker), 0);
}

static inline void
start(void)
{
	serve();
	until(SERIAL_IDLE);
}

static inline void
start_as(const char *framer)
{
	static char name[8];

	snprintf(name, sizeof(name), "%s", framer);
	fx.transport.framer = name;
	start();
}

static inline void
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

static inline struct bytes
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
static inline struct bytes
read_two(uint8_t unit)
{
	return message(unit, "\3\0\5\0\2", 5);
}

static inline struct bytes
write_one(uint8_t unit, uint8_t addr, uint8_t v)
{
	const char pdu[5] = { 6, 0, (char)addr, 0, (char)v };

	return message(unit, pdu, 5);
}

static inline void
send_part(const struct bytes *b, size_t from, size_t n)
{
	ck_assert_int_eq(write(master, b->at + from, n), (ssize_t)n);
}

static inline void
say(struct bytes b)
{
	send_part(&b, 0, b.len);
}

/* Reads what is said within so many ms, up to n bytes. */
static inline struct bytes
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

static inline void
hears(struct bytes want)
{
	struct bytes got = hear(want.len, LONG_MS);

	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.at, want.at, want.len);
}

static inline void
hears_text(const char *text)
{
	struct bytes b = { .len = strlen(text) };

	memcpy(b.at, text, b.len);
	hears(b);
}

static inline void
say_text(const char *text)
{
	ck_assert_int_eq(
	    write(master, text, strlen(text)), (ssize_t)strlen(text));
}

static inline void
hears_nothing(unsigned ms)
{
	ck_assert_uint_eq(hear(1, ms).len, 0);
}

static const char two[7] = "\3\4\0\5\0\6";

/* Asks something that is always answered, in RTU. */
static inline void
is_served(void)
{
	say(read_two(1));
	hears(message(1, two, 6));
}

static inline unsigned
reg(unsigned addr)
{
	uint8_t v[2];

	ck_assert_int_eq(
	    store_read(&fx.stores[0], STORE_HR, addr, 1, v, NULL), 0);
	return (unsigned)(v[0] << 8 | v[1]);
}

/* The only case of a suite. */
static inline TCase *
serial_case(Suite *s)
{
	TCase *tc = tcase_create("serial");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}

#define LOOP(test, n) tcase_add_loop_test(tc, test, 0, (n))

#endif
