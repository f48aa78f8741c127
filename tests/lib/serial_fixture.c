/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of check_t_serial*.c, the transport at its one end and the bus at
 * the other. Runs in tests.
 */
#include "tests/lib/serial_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "shm/clock.h"
#include "workers/transport.h"

struct serial_fixture sf = { .master = -1 };

static char dir[] = "/tmp/t-serial-XXXXXX", path[64];

void
sf_lay(void)
{
	char name[64];

	sf.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_ge(sf.master, 0);
	ck_assert_int_eq(grantpt(sf.master), 0);
	ck_assert_int_eq(unlockpt(sf.master), 0);
	ck_assert_int_eq(ptsname_r(sf.master, name, sizeof(name)), 0);
	unlink(path);
	ck_assert_int_eq(symlink(name, path), 0);
}

void
sf_cut(void)
{
	unlink(path);
	close(sf.master);
	sf.master = -1;
}

struct serial *
sf_line(void)
{
	return sf.fx.worker.state;
}

struct shm_stats *
sf_stats(void)
{
	return &sf.fx.worker.shm->stats;
}

uint64_t
sf_value(const _Atomic uint64_t *counter)
{
	return atomic_load(counter);
}

unsigned
sf_count(enum mb_counter c)
{
	return mb_diag_get(sf.fx.worker.bind.by_unit[1]->unit.diag, c);
}

void
sf_turn(void)
{
	struct pollfd p[2] = {
		{ .fd = sf.master, .events = POLLIN },
		{ .fd = sf_line()->timer_fd, .events = POLLIN },
	};

	sf.fx.worker.turned = false;
	event_base_loop(sf.fx.worker.base, EVLOOP_NONBLOCK);
	poll(p, 2, 1);
}

void
sf_pass(unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * 1000000ull;

	while (clock_mono_ns() < end)
		sf_turn();
}

void
sf_until(enum serial_state state)
{
	uint64_t end = clock_mono_ns() + SF_LONG_MS * 1000000ull;

	while (sf_line()->state != state) {
		ck_assert_msg(clock_mono_ns() < end, "state is %d, not %d",
		    sf_line()->state, state);
		sf_turn();
	}
}

static void
setup(void)
{
	static char framer[] = "rtu";

	fx_init(&sf.fx);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/tty", dir);
	sf_lay();
	sf.fx.transport.type = CONF_SERIAL;
	sf.fx.transport.framer = framer;
	sf.fx.transport.silent_units = true;
	sf.fx.transport.serial_functions = true;
	sf.fx.transport.max_connections = 1;
	sf.fx.transport.restart.max_backoff_ms = 40;
	sf.fx.transport.serial = (struct conf_serial){ .port = path,
		.baudrate = 19200,
		.bytesize = 8,
		.parity = CONF_PARITY_EVEN,
		.stopbits = 1,
		.ascii_timeout_ms = 40 };
	ck_assert_ptr_nonnull(sf.fx.worker.base = event_base_new());
	ck_assert_int_eq(bind_init(&sf.fx.worker.bind, &sf.fx.proc), 0);
}

void
sf_serve(void)
{
	worker_tick(&sf.fx.worker);
	sf.fx.worker.ops = transport_find(&sf.fx.worker);
	ck_assert_int_eq(sf.fx.worker.ops->start(&sf.fx.worker), 0);
}

void
sf_start(void)
{
	sf_serve();
	sf_until(SERIAL_IDLE);
}

void
sf_start_as(const char *framer)
{
	static char name[8];

	snprintf(name, sizeof(name), "%s", framer);
	sf.fx.transport.framer = name;
	sf_start();
}

static void
teardown(void)
{
	sf.fx.worker.ops->stop(&sf.fx.worker);
	bind_fini(&sf.fx.worker.bind);
	event_base_free(sf.fx.worker.base);
	if (sf.master != -1)
		close(sf.master);
	unlink(path);
	rmdir(dir);
	fx_fini(&sf.fx);
}

/* ---- what is said on it ---- */

struct sf_bytes
sf_message(uint8_t unit, const char *pdu, size_t n)
{
	struct sf_bytes b = { .at = { unit }, .len = 1 + n };
	uint16_t crc;

	memcpy(b.at + 1, pdu, n);
	crc = frame_crc16(b.at, b.len);
	b.at[b.len++] = (uint8_t)crc;
	b.at[b.len++] = (uint8_t)(crc >> 8);
	return b;
}

struct sf_bytes
sf_read_two(uint8_t unit)
{
	return sf_message(unit, "\3\0\5\0\2", 5);
}

struct sf_bytes
sf_write_one(uint8_t unit, uint8_t addr, uint8_t v)
{
	const char pdu[5] = { 6, 0, (char)addr, 0, (char)v };

	return sf_message(unit, pdu, 5);
}

void
sf_send_part(const struct sf_bytes *b, size_t from, size_t n)
{
	ck_assert_int_eq(write(sf.master, b->at + from, n), (ssize_t)n);
}

void
sf_say(struct sf_bytes b)
{
	sf_send_part(&b, 0, b.len);
}

struct sf_bytes
sf_hear(size_t n, unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * 1000000ull;
	struct sf_bytes b = { .len = 0 };

	while (b.len < n && clock_mono_ns() < end) {
		ssize_t k = read(sf.master, b.at + b.len, n - b.len);

		if (k > 0)
			b.len += (size_t)k;
		sf_turn();
	}
	return b;
}

void
sf_hears(struct sf_bytes want)
{
	struct sf_bytes got = sf_hear(want.len, SF_LONG_MS);

	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.at, want.at, want.len);
}

void
sf_hears_text(const char *text)
{
	struct sf_bytes b = { .len = strlen(text) };

	memcpy(b.at, text, b.len);
	sf_hears(b);
}

void
sf_say_text(const char *text)
{
	ck_assert_int_eq(
	    write(sf.master, text, strlen(text)), (ssize_t)strlen(text));
}

void
sf_hears_nothing(unsigned ms)
{
	ck_assert_uint_eq(sf_hear(1, ms).len, 0);
}

const char sf_two[7] = "\3\4\0\5\0\6";

void
sf_is_served(void)
{
	sf_say(sf_read_two(1));
	sf_hears(sf_message(1, sf_two, 6));
}

unsigned
sf_reg(unsigned addr)
{
	uint8_t v[2];

	ck_assert_int_eq(
	    store_read(&sf.fx.stores[0], STORE_HR, addr, 1, v, NULL), 0);
	return (unsigned)(v[0] << 8 | v[1]);
}

TCase *
sf_case(Suite *s)
{
	TCase *tc = tcase_create("serial");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}
