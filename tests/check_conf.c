/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configurations that are right: what becomes of them, what is in force where
 * nothing was said, how they are printed, how several files become one.
 */

#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>

#include "shm/table.h"
#include "supervisor/conf/conf_key.h"
#include "tests/lib/conf_case.h"
#include "tests/suite.h"

/* ---- defaults ---- */

START_TEST(a_transport_of_two_keys_gets_sane_defaults)
{
	struct conf *c = case_right(IN_TRANSPORTS("\"t1\": { " TCP " }"));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_uint_eq(c->ntransports, 1);
	ck_assert_str_eq(t->name, "t1");
	ck_assert_int_eq(t->type, CONF_TCP);
	ck_assert_str_eq(t->type_name, "tcp");
	ck_assert_str_eq(t->listen, "127.0.0.1:0");
	ck_assert_str_eq(t->framer, "socket");
	for (int unit = 0; unit < CONF_UNITS; unit++)
		ck_assert_int_eq(t->units[unit], 0); /* the only device */
	ck_assert(!t->silent_units && !t->broadcast && !t->read_only);
	ck_assert_uint_eq(t->allow.n + t->deny.n + t->priority.n, 0);
	ck_assert_uint_eq(t->max_connections, 256);
	ck_assert_uint_eq(t->max_connections_per_peer, 0);
	ck_assert_uint_eq(t->idle_timeout_s, 0);
	ck_assert_uint_eq(t->frame_timeout_ms, 10000);
	ck_assert_uint_eq(t->workers, 1);
	ck_assert(t->autostart);
	ck_assert(t->trace && t->serial_functions);
	ck_assert_uint_eq(t->trace_kib, 256);
	ck_assert_uint_eq(t->restart.min_backoff_ms, 10);
	ck_assert_uint_eq(t->restart.max_backoff_ms, 5000);
	ck_assert_uint_eq(t->restart.max_in_window, 0);
	ck_assert_uint_eq(t->restart.window_s, 60);
	ck_assert_ptr_null(t->user);
	conf_free(c);
}
END_TEST

START_TEST(the_top_level_has_defaults)
{
	struct conf *c = case_right(IN_TOP(""));

	ck_assert_str_eq(c->store, "holdfast");
	ck_assert_uint_eq(c->drain_timeout_s, 5);
	ck_assert_uint_eq(c->hang_timeout_ms, 2000);
	ck_assert_uint_eq(c->ncontrol_listen, 0);
	ck_assert_ptr_null(c->curve_secret_key);
	ck_assert_ptr_null(c->curve_authorized);
	conf_free(c);
}
END_TEST

START_TEST(a_device_names_its_maker_and_itself_unless_told_otherwise)
{
	struct conf *c = case_right(IN_DEVICE(""));
	const struct conf_device *d = &c->devices[0];

	ck_assert_uint_eq(d->nidentity, 3);
	ck_assert_uint_eq(d->identity[0].id, 0);
	ck_assert_str_eq(d->identity[0].text, "Holdfast");
	ck_assert_uint_eq(d->identity[1].id, 1);
	ck_assert_str_eq(d->identity[1].text, "HF");
	ck_assert_uint_eq(d->identity[2].id, 2);
	ck_assert_str_eq(d->identity[2].text, HOLDFAST_VERSION);
	conf_free(c);
}
END_TEST

START_TEST(identity_objects_come_in_ascending_order_and_empty_ones_are_left_out)
{
	struct conf *c = case_right(
	    IN_DEVICE("\"identity\": { \"objects\": { \"200\": \"z\", "
		      "\"128\": \"a\", \"199\": \"y\", \"129\": \"\" },"
		      "\"ModelName\": \"m\", \"VendorUrl\": \"\", "
		      "\"VendorName\": \"\" }"));
	static const struct {
		unsigned id;
		const char *text;
	} want[] = { { 0, "" }, { 1, "HF" }, { 2, HOLDFAST_VERSION },
		{ 5, "m" }, { 128, "a" }, { 199, "y" }, { 200, "z" } };

	ck_assert_uint_eq(
	    c->devices[0].nidentity, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ck_assert_uint_eq(c->devices[0].identity[i].id, want[i].id);
		ck_assert_str_eq(c->devices[0].identity[i].text, want[i].text);
	}
	conf_free(c);
}
END_TEST

/* ---- ranges and their values ---- */

#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static const struct {
	const char *table, *range;
	uint32_t addr, count;
	bool read_only;
	enum typed_type type;
	uint8_t wire[32];
	size_t len; /* 0: init is NULL */
} ranges[] = {
	{ "holding_registers", "{\"addr\":0}", 0, 1, false, TYPED_UINT16, { 0 },
	    0 },
	{ "holding_registers", "{\"addr\":65535,\"value\":48879}", 65535, 1,
	    false, TYPED_UINT16, BYTES(0xbe, 0xef) },
	{ "holding_registers", "{\"addr\":0,\"count\":3,\"value\":258}", 0, 3,
	    false, TYPED_UINT16, BYTES(1, 2, 1, 2, 1, 2) },
	{ "holding_registers", "{\"addr\":0,\"count\":3,\"values\":[1,2]}", 0,
	    3, false, TYPED_UINT16, BYTES(0, 1, 0, 2, 0, 0) },
	{ "holding_registers", "{\"addr\":0,\"values\":[1,2,3]}", 0, 3, false,
	    TYPED_UINT16, BYTES(0, 1, 0, 2, 0, 3) },
	{ "holding_registers", "{\"addr\":0,\"access\":\"ro\"}", 0, 1, true,
	    TYPED_UINT16, { 0 }, 0 },
	{ "input_registers", "{\"addr\":0}", 0, 1, true, TYPED_UINT16, { 0 },
	    0 },
	{ "input_registers", "{\"addr\":0,\"access\":\"rw\"}", 0, 1, false,
	    TYPED_UINT16, { 0 }, 0 },
	{ "coils", "{\"addr\":7}", 7, 1, false, TYPED_BITS, { 0 }, 0 },
	{ "discrete_inputs",
	    "{\"addr\":0,\"count\":10,\"values\":[1,0,true,false,0,0,0,0,1]}",
	    0, 10, true, TYPED_BITS, BYTES(0x05, 0x01) },
	{ "coils", "{\"addr\":0,\"count\":9,\"value\":true}", 0, 9, false,
	    TYPED_BITS, BYTES(0xff, 0x01) },
	{ "coils", "{\"addr\":0,\"count\":9,\"value\":0,\"type\":\"bits\"}", 0,
	    9, false, TYPED_BITS, BYTES(0x00, 0x00) },
	{ "coils", "{\"addr\":0,\"values\":[0,1]}", 0, 2, false, TYPED_BITS,
	    BYTES(0x02) },
	{ "input_registers", "{\"addr\":0,\"type\":\"bits\",\"value\":32769}",
	    0, 1, true, TYPED_BITS, BYTES(0x80, 0x01) },
	{ "input_registers", "{\"addr\":0,\"type\":\"int16\",\"value\":-2}", 0,
	    1, true, TYPED_INT16, BYTES(0xff, 0xfe) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"uint32\",\"value\":16909060}", 0, 2, true,
	    TYPED_UINT32, BYTES(1, 2, 3, 4) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"uint32\",\"value\":16909060,"
	    "\"order\":\"badc\"}",
	    0, 2, true, TYPED_UINT32, BYTES(2, 1, 4, 3) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"uint32\",\"value\":16909060,"
	    "\"order\":\"cdab\"}",
	    0, 2, true, TYPED_UINT32, BYTES(3, 4, 1, 2) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"uint32\",\"value\":16909060,"
	    "\"order\":\"dcba\"}",
	    0, 2, true, TYPED_UINT32, BYTES(4, 3, 2, 1) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"int32\",\"values\":[-1,2147483647]}", 0, 4,
	    true, TYPED_INT32,
	    BYTES(0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"uint64\",\"value\":18446744073709551615}",
	    0, 4, true, TYPED_UINT64,
	    BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"int64\",\"value\":-9223372036854775808}", 0,
	    4, true, TYPED_INT64, BYTES(0x80, 0, 0, 0, 0, 0, 0, 0) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"float32\",\"value\":404.17}", 0, 2, true,
	    TYPED_FLOAT32, BYTES(0x43, 0xca, 0x15, 0xc3) },
	{ "input_registers", "{\"addr\":0,\"type\":\"float32\",\"value\":3}", 0,
	    2, true, TYPED_FLOAT32, BYTES(0x40, 0x40, 0, 0) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"float32\",\"value\":\"-Infinity\"}", 0, 2,
	    true, TYPED_FLOAT32, BYTES(0xff, 0x80, 0, 0) },
	{ "input_registers",
	    "{\"addr\":0,\"count\":8,\"type\":\"float64\",\"value\":-1.5}", 0,
	    8, true, TYPED_FLOAT64,
	    BYTES(0xbf, 0xf8, 0, 0, 0, 0, 0, 0, 0xbf, 0xf8, 0, 0, 0, 0, 0, 0) },
	{ "input_registers", "{\"addr\":0,\"value\":1e3}", 0, 1, true,
	    TYPED_UINT16, BYTES(0x03, 0xe8) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"string\",\"value\":\"abc\"}", 0, 2, true,
	    TYPED_STRING, BYTES('a', 'b', 'c', 0) },
	{ "input_registers",
	    "{\"addr\":0,\"type\":\"string\",\"value\":\"abc\","
	    "\"order\":\"badc\",\"count\":3}",
	    0, 3, true, TYPED_STRING, BYTES('b', 'a', 0, 'c', 0, 0) },
	{ "input_registers", "{\"addr\":0,\"type\":\"string\",\"value\":\"\"}",
	    0, 1, true, TYPED_STRING, BYTES(0, 0) },
	{ "files", "{\"number\":3,\"records\":4,\"values\":[1,2]}", 3 << 16, 4,
	    false, TYPED_UINT16, BYTES(0, 1, 0, 2, 0, 0, 0, 0) },
	{ "files", "{\"number\":65535,\"records\":2,\"value\":5}", 65535u << 16,
	    2, false, TYPED_UINT16, BYTES(0, 5, 0, 5) },
	{ "files", "{\"number\":1,\"records\":10000}", 1 << 16, 10000, false,
	    TYPED_UINT16, { 0 }, 0 },
	{ "fifos", "{\"addr\":2000,\"values\":[1,2,770]}", 2000 << 5, 32, false,
	    TYPED_UINT16, BYTES(0, 3, 0, 1, 0, 2, 3, 2, 0, 0) },
	{ "fifos", "{\"addr\":65535}", 65535 << 5, 32, false, TYPED_UINT16,
	    { 0 }, 0 },
};

START_TEST(a_range_starts_with_what_was_written)
{
	char text[500];
	struct conf *c;
	const struct conf_range *r;

	snprintf(text, sizeof(text), IN_DEVICE("\"%s\": [ %s ]"),
	    ranges[_i].table, ranges[_i].range);
	c = case_right(text);
	ck_assert_uint_eq(c->devices[0].nranges, 1);
	r = &c->devices[0].ranges[0];
	ck_assert_str_eq(table_name(r->table), ranges[_i].table);
	ck_assert_uint_eq(r->addr, ranges[_i].addr);
	ck_assert_uint_eq(r->count, ranges[_i].count);
	ck_assert(r->read_only == ranges[_i].read_only);
	ck_assert_int_eq(r->type, ranges[_i].type);
	ck_assert(r->scale == 1);
	if (ranges[_i].len == 0)
		ck_assert_ptr_null(r->init);
	else
		ck_assert_mem_eq(r->init, ranges[_i].wire, ranges[_i].len);
	conf_free(c);
}
END_TEST

START_TEST(every_type_and_order_has_its_word)
{
	char text[200];
	struct conf *c;

	for (int t = 0; t < TYPED_TYPES; t++)
		for (int o = 0; o < TYPED_ORDERS; o++) {
			snprintf(text, sizeof(text),
			    IN_TABLE("input_registers",
				"{\"addr\":0,\"type\":\"%s\",\"order\":"
				"\"%s\"}"),
			    typed_type_name((enum typed_type)t),
			    typed_order_name((enum typed_order)o));
			c = case_right(text);
			ck_assert_int_eq(c->devices[0].ranges[0].type, t);
			ck_assert_int_eq(c->devices[0].ranges[0].order, o);
			ck_assert_uint_eq(c->devices[0].ranges[0].count,
			    typed_regs((enum typed_type)t));
			conf_free(c);
		}
}
END_TEST

START_TEST(nan_is_a_value_of_floats)
{
	struct conf *c = case_right(IN_TABLE("input_registers",
	    "{\"addr\":0,\"type\":\"float64\",\"value\":\"nan\"}"));
	struct typed_value v;

	typed_get(TYPED_FLOAT64, TYPED_ABCD, c->devices[0].ranges[0].init, &v);
	ck_assert(isnan(v.f));
	conf_free(c);
}
END_TEST

START_TEST(ranges_that_touch_do_not_overlap)
{
	struct conf *c = case_right(
	    IN_DEVICE("\"coils\": [ {\"addr\":10,\"count\":5}, "
		      "{\"addr\":0,\"count\":10}, {\"addr\":15} ],"
		      "\"discrete_inputs\": [ {\"addr\":0,\"count\":65536} ]"));

	ck_assert_uint_eq(c->devices[0].nranges, 4);
	conf_free(c);
}
END_TEST

/* ---- transports ---- */

START_TEST(units_name_devices_and_a_star_is_every_other)
{
	struct conf *c = case_right(
	    "{\"devices\":{\"a\":{},\"b\":{},\"c\":{}},\"transports\":{"
	    "\"t\":{" TCP ",\"units\":{\"1\":\"b\",\"*\":\"a\",\"0\":\"c\","
	    "\"255\":\"c\"}},"
	    "\"u\":{" TCP ",\"units\":{\"17\":\"c\"}}}}");
	const int *t = c->transports[0].units, *u = c->transports[1].units;

	for (int i = 0; i < CONF_UNITS; i++) {
		ck_assert_int_eq(
		    t[i], i == 0 || i == 255 ? 2 : (i == 1 ? 1 : 0));
		ck_assert_int_eq(
		    u[i], i == 17 || i == 0 || i == 255 ? 2 : CONF_NO_DEVICE);
	}
	conf_free(c);
}
END_TEST

static const struct {
	const char *transport;
	int u255, u0;
} direct[] = {
	{ TCP ",\"units\":{\"17\":\"b\"}", 1, 1 },
	{ TCP ",\"units\":{\"17\":\"b\",\"18\":\"b\"}", 1, 1 },
	{ TCP ",\"framer\":\"tls\",\"units\":{\"17\":\"b\"}", 1, 1 },
	/* 0 is for all devices then */
	{ TCP ",\"broadcast\":true,\"units\":{\"17\":\"b\"}", 1,
	    CONF_NO_DEVICE },
	/* several: which of them would it be? */
	{ TCP ",\"units\":{\"17\":\"b\",\"1\":\"a\"}", CONF_NO_DEVICE,
	    CONF_NO_DEVICE },
	{ TCP ",\"units\":{\"17\":\"b\",\"255\":\"a\"}", 0, CONF_NO_DEVICE },
	/* no header that the guide speaks of */
	{ TCP ",\"framer\":\"rtu\",\"units\":{\"17\":\"b\"}", CONF_NO_DEVICE,
	    CONF_NO_DEVICE },
	{ "\"type\":\"serial\",\"port\":\"/dev/null\","
	  "\"units\":{\"17\":\"b\"}",
	    CONF_NO_DEVICE, CONF_NO_DEVICE },
};

START_TEST(units_255_and_0_are_the_server_itself)
{
	char text[600];
	struct conf *c;

	snprintf(text, sizeof(text),
	    "{\"devices\":{\"a\":{},\"b\":{}},\"transports\":{\"t\":{%s}}}",
	    direct[_i].transport);
	c = case_right(text);
	ck_assert_int_eq(c->transports[0].units[255], direct[_i].u255);
	ck_assert_int_eq(c->transports[0].units[0], direct[_i].u0);
	ck_assert_int_eq(c->transports[0].units[17], 1);
	ck_assert_int_eq(c->transports[0].units[254], CONF_NO_DEVICE);
	conf_free(c);
}
END_TEST

static const struct {
	const char *written, *listen;
} addresses[] = {
	{ "127.0.0.1:502", "127.0.0.1:502" },
	{ "localhost:502", "127.0.0.1:502" },
	{ "0.0.0.0:0", "0.0.0.0:0" },
	{ "[::1]:65535", "[::1]:65535" },
	{ "[::]:502", "[::]:502" },
	{ "[2001:DB8:0:0:0:0:0:1]:502", "[2001:db8::1]:502" },
	{ "[::ffff:10.0.0.1]:502", "[::ffff:10.0.0.1]:502" },
};

START_TEST(an_address_to_listen_on_is_kept_in_one_spelling)
{
	char text[300];
	struct conf *c;

	snprintf(text, sizeof(text),
	    IN_TRANSPORTS("\"t\": {\"type\":\"tcp\",\"listen\":\"%s\"}"),
	    addresses[_i].written);
	c = case_right(text);
	ck_assert_str_eq(c->transports[0].listen, addresses[_i].listen);
	conf_free(c);
}
END_TEST

START_TEST(networks_of_both_families_are_read)
{
	struct conf *c = case_right(IN_TRANSPORTS(
	    "\"t\": {" TCP ", \"allow\": [\"10.0.0.0/8\", \"0.0.0.0/0\", "
	    "\"192.168.1.7\"], \"deny\": [\"2001:db8::/32\"], "
	    "\"priority\": [\"::1\"]}"));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_uint_eq(t->allow.n, 3);
	ck_assert_int_eq(t->allow.at[0].family, AF_INET);
	ck_assert_uint_eq(t->allow.at[0].bits, 8);
	ck_assert_uint_eq(t->allow.at[0].addr[0], 10);
	ck_assert_uint_eq(t->allow.at[1].bits, 0);
	ck_assert_uint_eq(t->allow.at[2].bits, 32);
	ck_assert_mem_eq(t->allow.at[2].addr, "\xc0\xa8\x01\x07", 4);
	ck_assert_uint_eq(t->deny.n, 1);
	ck_assert_int_eq(t->deny.at[0].family, AF_INET6);
	ck_assert_uint_eq(t->deny.at[0].bits, 32);
	ck_assert_mem_eq(t->deny.at[0].addr, "\x20\x01\x0d\xb8\0\0", 6);
	ck_assert_uint_eq(t->priority.at[0].bits, 128);
	conf_free(c);
}
END_TEST

START_TEST(two_transports_may_share_a_port_of_zero_or_another_address)
{
	struct conf *c = case_right(IN_TRANSPORTS(
	    "\"a\": {\"type\":\"tcp\",\"listen\":\"0.0.0.0:0\"},"
	    "\"b\": {\"type\":\"tcp\",\"listen\":\"0.0.0.0:0\"},"
	    "\"c\": {\"type\":\"tcp\","
	    "\"listen\":\"127.0.0.1:502\"},"
	    "\"d\": {\"type\":\"tcp\","
	    "\"listen\":\"127.0.0.2:502\"},"
	    "\"e\": {\"type\":\"tcp\",\"listen\":\"[::1]:502\"}"));

	ck_assert_uint_eq(c->ntransports, 5);
	conf_free(c);
}
END_TEST

START_TEST(everything_that_can_be_said_is_kept)
{
	struct conf *c = case_right(
	    "{\"store\":{\"name\":\"plant-1\"},\"drain_timeout_s\":0,"
	    "\"hang_timeout_ms\":100,\"control\":{\"listen\":"
	    "[\"tcp://127.0.0.1:5555\",\"tcp://[::1]:0\"]},"
	    "\"devices\":{\"d\":{\"shared_blocks\":true,"
	    "\"holding_registers\":[{\"addr\":0,\"name\":\"flow\",\"unit\":"
	    "\"m\u00b3/h\",\"scale\":0.1}]}},"
	    "\"transports\":{\"t\":{" TCP ",\"framer\":\"ascii\","
	    "\"missing_unit\":\"silent\",\"broadcast\":true,"
	    "\"access\":\"read-only\",\"max_connections\":7,"
	    "\"max_connections_per_peer\":2,\"idle_timeout_s\":3,"
	    "\"frame_timeout_ms\":0,\"workers\":4,\"autostart\":false,"
	    "\"serial_functions\":false,"
	    "\"trace\":false,\"trace_kib\":64,\"user\":\"root\",\"restart\":{"
	    "\"min_backoff_ms\":1,\"max_backoff_ms\":2,"
	    "\"max_in_window\":3,\"window_s\":4}}}}");
	const struct conf_transport *t = &c->transports[0];
	const struct conf_range *r = &c->devices[0].ranges[0];

	ck_assert_str_eq(c->store, "plant-1");
	ck_assert_uint_eq(c->drain_timeout_s, 0);
	ck_assert_uint_eq(c->hang_timeout_ms, 100);
	ck_assert_uint_eq(c->ncontrol_listen, 2);
	ck_assert_str_eq(c->control_listen[0], "tcp://127.0.0.1:5555");
	ck_assert_str_eq(c->control_listen[1], "tcp://[::1]:0");
	ck_assert(c->devices[0].shared_blocks);
	ck_assert_str_eq(r->name, "flow");
	ck_assert_str_eq(r->unit, "m\u00b3/h");
	ck_assert(r->scale == 0.1);
	ck_assert_str_eq(t->framer, "ascii");
	ck_assert(t->silent_units && t->broadcast && t->read_only);
	ck_assert_uint_eq(t->max_connections, 7);
	ck_assert_uint_eq(t->max_connections_per_peer, 2);
	ck_assert_uint_eq(t->idle_timeout_s, 3);
	ck_assert_uint_eq(t->frame_timeout_ms, 0);
	ck_assert_uint_eq(t->workers, 4);
	ck_assert(!t->autostart && !t->trace && !t->serial_functions);
	ck_assert_uint_eq(t->trace_kib, 64);
	ck_assert_str_eq(t->user, "root");
	ck_assert_uint_eq(t->restart.min_backoff_ms, 1);
	ck_assert_uint_eq(t->restart.max_backoff_ms, 2);
	ck_assert_uint_eq(t->restart.max_in_window, 3);
	ck_assert_uint_eq(t->restart.window_s, 4);
	conf_free(c);
}
END_TEST

/* ---- the dump ---- */

/* What a dump says is read again and says the same. */
static void
check_round(struct conf *c)
{
	char *once = case_dump(c, conf_dump), *twice;
	struct conf *again = case_right(once);

	twice = case_dump(again, conf_dump);
	ck_assert_str_eq(once, twice);
	ck_assert_uint_eq(c->ndevices, again->ndevices);
	ck_assert_uint_eq(c->ntransports, again->ntransports);
	for (size_t i = 0; i < c->ntransports; i++)
		ck_assert_mem_eq(c->transports[i].units,
		    again->transports[i].units, sizeof(c->transports[i].units));
	for (size_t i = 0; i < c->ndevices; i++) {
		const struct conf_device *a = &c->devices[i];
		const struct conf_device *b = &again->devices[i];

		ck_assert_uint_eq(a->nranges, b->nranges);
		ck_assert_uint_eq(a->nidentity, b->nidentity);
		for (size_t j = 0; j < a->nranges; j++) {
			const struct conf_range *x = &a->ranges[j];
			const struct conf_range *y = &b->ranges[j];

			ck_assert_uint_eq(x->addr, y->addr);
			ck_assert_uint_eq(x->count, y->count);
			ck_assert((x->init == NULL) == (y->init == NULL));
			if (x->init != NULL)
				ck_assert_mem_eq(x->init, y->init,
				    store_bytes(x->table, x->count));
		}
	}
	conf_free(c);
	conf_free(again);
	free(once);
	free(twice);
}

START_TEST(the_dump_of_any_range_loads_and_dumps_alike)
{
	char text[500];

	snprintf(text, sizeof(text), IN_DEVICE("\"%s\": [ %s ]"),
	    ranges[_i].table, ranges[_i].range);
	check_round(case_right(text));
}
END_TEST

static const char *const rounds[] = {
	IN_TOP(""),
	IN_TRANSPORTS("\"t\":{" TCP ",\"allow\":[\"10.0.0.0/8\",\"::1\"],"
		      "\"units\":{\"1\":\"d\",\"77\":\"d\"}}"),
	"{\"devices\":{\"a\":{},\"b\":{}},\"transports\":{\"t\":{" TCP
	",\"units\":{\"1\":\"b\",\"2\":\"b\",\"*\":\"a\"}}}}",
	IN_DEVICE("\"identity\":{\"VendorName\":\"\",\"ModelName\":\"\\\"q\\\\"
		  "\u00fc\",\"objects\":{\"128\":\"\\n\\u0001\"}}"),
	IN_TOP("\"store\":{\"snapshot\":{\"path\":\"a/b.snap\","
	       "\"interval_s\":0.25,\"required\":true}}"),
	"{\"store\":{\"snapshot\":{\"path\":\"a\"}},\"devices\":{\"d\":"
	"{\"coils\":[{\"addr\":7,\"durable\":true}]}},"
	"\"transports\":{\"t\":{" TCP "}}}",
	IN_TABLE("holding_registers",
	    "{\"addr\":0,\"retain\":false},{\"addr\":1,\"retain\":true}"),
	IN_TABLE("input_registers",
	    "{\"addr\":0,\"type\":\"float32\",\"values\":[0.1,\"nan\",\"inf\","
	    "-0.0,1e-40,3.4e38,16777217]},"
	    "{\"addr\":100,\"type\":\"float64\",\"values\":[0.1,1e300,5e-324]},"
	    "{\"addr\":200,\"values\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,"
	    "17,0,18],\"count\":40,\"scale\":0.001}"),
};

START_TEST(the_dump_loads_and_dumps_alike)
{
	check_round(case_right(rounds[_i]));
}
END_TEST

static const char *const samples[] = { "conf/demo.json", "conf/minimal.json",
	"conf/example.json", "conf/actions.json" };

START_TEST(the_samples_load_and_their_dumps_too)
{
	struct conf *c = case_load_file(samples[_i], "");

	ck_assert_msg(c != NULL, "%s", case_told);
	check_round(c);
}
END_TEST

/* ---- several files ---- */

START_TEST(included_files_are_merged_and_find_their_neighbours)
{
	struct conf *c;
	char want[200], cwd[100];

	case_put("main.json",
	    "{\"include\":[\"more/*.json\",\"none-*.json\"],"
	    "\"devices\":{\"a\":{}},\"transports\":{}}");
	case_put("more/1.json",
	    "{\"devices\":{\"b\":{}},\"drain_timeout_s\":9,"
	    "\"include\":[\"../main.json\", \"2.json\"]}");
	case_put("more/2.json",
	    "{\"transports\":{\"t\":{" TCP ",\"units\":{\"1\":\"b\"}}},"
	    "\"control\":{\"curve\":{\"secret_key\":\"s.key\","
	    "\"authorized\":\".\"}}}");
	case_put("more/s.key", "secret");
	c = case_load_main();
	ck_assert_msg(c != NULL, "%s", case_told);
	ck_assert_uint_eq(c->ndevices, 2);
	ck_assert_str_eq(c->devices[1].name, "b");
	ck_assert_int_eq(c->transports[0].units[1], 1);
	ck_assert_uint_eq(c->drain_timeout_s, 9);
	snprintf(want, sizeof(want), "%s/more/s.key", case_dir);
	ck_assert_str_eq(c->curve_secret_key, want);
	conf_free(c);

	/* a path that is kept does not depend on where we are */
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	ck_assert_int_eq(chdir(case_dir), 0);
	c = case_load_file("main.json", "");
	ck_assert_msg(c != NULL, "%s", case_told);
	ck_assert_str_eq(c->curve_secret_key, want);
	conf_free(c);
	ck_assert_int_eq(chdir(cwd), 0);
}
END_TEST

/* The main file is refused with these lines; @ is the directory. */
static void
expect(const char *lines)
{
	char want[1000], *to = want;

	for (; *lines != '\0'; lines++)
		if (*lines == '@')
			to = stpcpy(to, case_dir);
		else
			*to++ = *lines;
	*to = '\0';
	ck_assert_ptr_null(case_load_main());
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(case_told, want);
}

START_TEST(a_mistake_in_an_included_file_is_told_with_its_name)
{
	case_put("main.json",
	    "{\"include\":[\"more/1.json\"],\n"
	    "\"devices\":{\"a\":{}},\"transports\":{},\n"
	    "\"drain_timeout_s\":1,\"nonsense\":2}");
	case_put("more/1.json",
	    "{\"devices\":{\n\"a\":{},\"b\":{\"colis\":[]}"
	    "},\n\"drain_timeout_s\":2}");
	expect("@/main.json:3:21: unknown key \"nonsense\" in the top level\n"
	       "@/more/1.json:2:1: duplicate key \"a\"; it stands at "
	       "@/main.json:2:12 already\n"
	       "@/more/1.json:2:13: unknown key \"colis\" in device \"b\"; "
	       "did you mean \"coils\"?\n"
	       "@/more/1.json:3:1: duplicate key \"drain_timeout_s\"; it "
	       "stands at @/main.json:3:1 already");
}
END_TEST

START_TEST(an_included_file_that_is_not_there_is_told)
{
	case_put("main.json",
	    "{\"include\":[\n\"gone.json\", \"more\", 7],\n"
	    "\"devices\":{\"a\":{}},\"transports\":{}}");
	expect("@/main.json:2:1: cannot read @/gone.json: No such file or "
	       "directory\n"
	       "@/main.json:2:14: cannot read @/more: Is a directory\n"
	       "@/main.json:2:22: this value must be a path or a pattern, "
	       "not a whole number");
}
END_TEST

START_TEST(an_included_file_that_is_no_json_is_told)
{
	case_put("main.json",
	    "{\"include\":[\"more/*\"],"
	    "\"devices\":{\"a\":{}},\"transports\":{}}");
	case_put("more/1", "{\n\"devices\" {} }");
	case_put("more/2", "[]");
	expect("@/more/1:2:11: \":\" is missing after the key at {\n"
	       "@/more/2:1:1: a configuration must be an object, not a list");
}
END_TEST

START_TEST(what_a_broken_file_may_hold_is_not_missed)
{
	case_put("main.json",
	    "{\"include\":[\"more/1\"],\"transports\":{\"t\":{" TCP
	    ",\"units\":{\"1\":\"d\"}}}}");
	case_put("more/1", "{\"devices\":{\"d\":{},}");
	expect("@/more/1:1:21: the file ends inside the object that begins at "
	       "1:1");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_told_with_its_reason)
{
	ck_assert_ptr_null(case_load_file("/nowhere/holdfast.json", ""));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(case_told,
	    "/nowhere/holdfast.json: cannot read: No such file or directory");
	ck_assert_ptr_null(case_load_file("/", ""));
	ck_assert_int_eq(errno, EISDIR);
}
END_TEST

START_TEST(a_file_that_is_no_configuration_by_its_size_is_refused)
{
	char path[40];
	int fd = memfd_create("conf", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 70 << 20), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ck_assert_ptr_null(case_load_file(path, path));
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_str_eq(case_told, " cannot read: File too large");
	close(fd);
}
END_TEST

/* ---- the keys and the manual ---- */

/* True if text has the line ".It Cm KEY" at or behind from. */
static const char *
find_item(const char *from, const char *key, const char **end)
{
	char item[100];
	const char *at = from, *next;
	size_t len = (size_t)snprintf(item, sizeof(item), "\n.It Cm %s", key);

	while ((at = strstr(at, item)) != NULL) {
		if (at[len] == '\n' || at[len] == ' ') {
			next = strstr(at + 1, "\n.It Cm ");
			*end = next != NULL ? next : at + strlen(at);
			return at;
		}
		at += len;
	}
	return NULL;
}

static char *
read_text(const char *path)
{
	int fd = open(path, O_RDONLY);
	char *text = calloc(1, 1 << 18);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_gt(read(fd, text, (1 << 18) - 1), 0);
	close(fd);
	return text;
}

START_TEST(every_section_is_listed_once)
{
	for (size_t i = 0; conf_sections[i] != NULL; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_ptr_ne(conf_sections[i], conf_sections[k]);
}
END_TEST

START_TEST(every_key_stands_in_the_manual_with_its_default)
{
	char *manual = read_text("supervisor/holdfast.json.5");
	char *keys = NULL, *line, *field[4], *rest, section[100], *dot, *last;
	static char version[] = "version";
	const char *from, *item, *end = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&keys, &size);

	conf_keys(f);
	fclose(f);
	for (line = strtok_r(keys, "\n", &last); line != NULL;
	     line = strtok_r(NULL, "\n", &last), n++) {
		rest = line;
		for (int i = 0; i < 4; i++)
			field[i] = strsep(&rest, "\t");
		ck_assert_msg(rest == NULL && field[3] != NULL, "%s", field[0]);
		ck_assert_msg(strlen(field[3]) > 5, "%s: no help", field[0]);
		/* the section's heading, then the key in it */
		dot = strrchr(field[0], '.');
		from = manual;
		if (dot != NULL) {
			*dot = '\0';
			snprintf(section, sizeof(section),
			    "\n.\\\" keys of %s\n", field[0]);
			from = strstr(manual, section);
			ck_assert_msg(
			    from != NULL, "no section for %s", field[0]);
		}
		item = find_item(from, dot != NULL ? dot + 1 : field[0], &end);
		ck_assert_msg(item != NULL, "%s %s is not in the manual",
		    field[0], dot != NULL ? dot + 1 : "");
		if (strcmp(field[2], "none") == 0 ||
		    strcmp(field[2], "required") == 0)
			continue;
		/* the daemon's own version changes; the manual says so */
		if (strcmp(field[2], HOLDFAST_VERSION) == 0)
			field[2] = version;
		item = memmem(
		    item, (size_t)(end - item), field[2], strlen(field[2]));
		ck_assert_msg(item != NULL, "%s %s: default %s is not told",
		    field[0], dot != NULL ? dot + 1 : "", field[2]);
	}
	ck_assert_uint_gt(n, 50);
	free(keys);
	free(manual);
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, a_transport_of_two_keys_gets_sane_defaults);
	tcase_add_test(tc, the_top_level_has_defaults);
	tcase_add_test(
	    tc, a_device_names_its_maker_and_itself_unless_told_otherwise);
	tcase_add_test(tc,
	    identity_objects_come_in_ascending_order_and_empty_ones_are_left_out);
	tcase_add_loop_test(tc, a_range_starts_with_what_was_written, 0,
	    sizeof(ranges) / sizeof(ranges[0]));
	tcase_add_test(tc, every_type_and_order_has_its_word);
	tcase_add_test(tc, nan_is_a_value_of_floats);
	tcase_add_test(tc, ranges_that_touch_do_not_overlap);
	tcase_add_test(tc, units_name_devices_and_a_star_is_every_other);
	tcase_add_loop_test(tc, units_255_and_0_are_the_server_itself, 0,
	    sizeof(direct) / sizeof(direct[0]));
	tcase_add_loop_test(tc, an_address_to_listen_on_is_kept_in_one_spelling,
	    0, sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_test(tc, networks_of_both_families_are_read);
	tcase_add_test(
	    tc, two_transports_may_share_a_port_of_zero_or_another_address);
	tcase_add_test(tc, everything_that_can_be_said_is_kept);
	tcase_add_loop_test(tc, the_dump_of_any_range_loads_and_dumps_alike, 0,
	    sizeof(ranges) / sizeof(ranges[0]));
	tcase_add_loop_test(tc, the_dump_loads_and_dumps_alike, 0,
	    sizeof(rounds) / sizeof(rounds[0]));
	tcase_add_loop_test(tc, the_samples_load_and_their_dumps_too, 0,
	    sizeof(samples) / sizeof(samples[0]));
	tcase_add_test(tc, a_file_that_is_not_there_is_told_with_its_reason);
	tcase_add_test(
	    tc, a_file_that_is_no_configuration_by_its_size_is_refused);
	tcase_add_test(tc, every_section_is_listed_once);
	tcase_add_test(tc, every_key_stands_in_the_manual_with_its_default);
}

int
main(void)
{
	Suite *s = suite_create("conf");
	TCase *tc = tcase_create("conf"), *files = tcase_create("files");

	add_tests(tc);
	suite_add_tcase(s, tc);
	case_in_dir(files);
	tcase_add_test(
	    files, included_files_are_merged_and_find_their_neighbours);
	tcase_add_test(
	    files, a_mistake_in_an_included_file_is_told_with_its_name);
	tcase_add_test(files, an_included_file_that_is_not_there_is_told);
	tcase_add_test(files, an_included_file_that_is_no_json_is_told);
	tcase_add_test(files, what_a_broken_file_may_hold_is_not_missed);
	suite_add_tcase(s, files);
	return suite_run(s);
}
