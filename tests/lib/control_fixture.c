/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control process without its sockets that the suites of commands ask. Runs
 * in tests; keeps every answer, frees none.
 */
#include "tests/lib/control_fixture.h"

struct control_fixture cf;

static void
reply(struct control *c, void *to, const char *text, size_t len,
    const void *raw, size_t raw_len)
{
	(void)c;
	(void)to;
	ck_assert_uint_lt(cf.nanswers, CF_ANSWERS);
	ck_assert_uint_eq(strlen(text), len);
	cf.answer[cf.nanswers] = strdup(text);
	cf.raw_len[cf.nanswers] = raw_len;
	if (raw_len <= sizeof(cf.raw[0]) && raw_len > 0)
		memcpy(cf.raw[cf.nanswers], raw, raw_len);
	cf.nanswers++;
}

static void
drop(struct control *c, void *to)
{
	(void)c;
	(void)to;
	cf.ndropped++;
}

/* Registers 0..9 hold their address; see the ranges below. */
static void
fill(void)
{
	uint8_t wire[20] = { 0 };
	static const uint8_t flow[] = { 0x15, 0xc3, 0x43, 0xca };
	static const uint8_t name[] = "hello\0\0\0\0\0\0\0\0\0\0";
	static const uint8_t coils[] = { 0x05 };

	for (int i = 0; i < 10; i++)
		wire[2 * i + 1] = (uint8_t)i;
	ck_assert_int_eq(fix_write(&cf.store, STORE_HR, 0, 10, wire), 0);
	ck_assert_int_eq(fix_write(&cf.store, STORE_HR, 200, 2, flow), 0);
	ck_assert_int_eq(fix_write(&cf.store, STORE_HR, 300, 8, name), 0);
	ck_assert_int_eq(fix_write(&cf.store, STORE_CO, 0, 3, coils), 0);
}

static void
configure(void)
{
	static struct conf_range ranges[] = {
		{ .table = STORE_CO, .addr = 0, .count = 64, .scale = 1 },
		{ .table = STORE_HR, .addr = 0, .count = 100, .scale = 1 },
		{ .table = STORE_HR,
		    .addr = 200,
		    .count = 4,
		    .type = TYPED_FLOAT32,
		    .order = TYPED_CDAB,
		    .scale = 1,
		    .name = (char *)"flow",
		    .unit = (char *)"m3/h" },
		{ .table = STORE_HR,
		    .addr = 300,
		    .count = 8,
		    .type = TYPED_STRING,
		    .scale = 1 },
		{ .table = STORE_IR,
		    .addr = 0,
		    .count = 8,
		    .read_only = true,
		    .scale = 1 },
		{ .table = STORE_FILE,
		    .addr = 3 << 16,
		    .count = 10,
		    .scale = 1 },
		{ .table = STORE_FIFO,
		    .addr = 2000 << 5,
		    .count = 32,
		    .scale = 1 },
	};
	static const char *const names[] = { "tcp1", "tcp2" };

	cf.device = (struct conf_device){
		.name = (char *)"plc",
		.ranges = ranges,
		.nranges = sizeof(ranges) / sizeof(ranges[0]),
	};
	for (int i = 0; i < 2; i++) {
		cf.transport[i] = (struct conf_transport){
			.name = (char *)(uintptr_t)names[i],
			.type_name = (char *)"tcp",
			.listen = (char *)"127.0.0.1:502",
			.workers = 1,
			.max_connections = 4,
		};
	}
	cf.transport[1].units[1] = CONF_NO_DEVICE;
	cf.conf = (struct conf){
		.store = cf.store.name,
		.devices = &cf.device,
		.ndevices = 1,
		.transports = cf.transport,
		.ntransports = 2,
		.drain_timeout_s = 5,
	};
}

void
cf_open(void)
{
	struct seg_range ranges[8];
	int pair[2];

	memset(&cf, 0, sizeof(cf));
	configure();
	for (size_t i = 0; i < cf.device.nranges; i++) {
		const struct conf_range *r = &cf.device.ranges[i];

		ranges[i] = fix_range(r->table, r->addr, r->count);
		ranges[i].range.type = (uint8_t)r->type;
		ranges[i].range.order = (uint8_t)r->order;
		ranges[i].range.read_only = r->read_only;
	}
	fix_open(&cf.store, ranges, cf.device.nranges, false);
	cf.conf.store = cf.store.name;
	fill();
	ck_assert_int_eq(ipc_pair(pair), 0);
	cf.parent = pair[1];
	cf.proc = (struct proc){
		.conf = &cf.conf,
		.run_dir = "/tmp",
		.env = cf.store.env,
		.stores = &cf.store.store,
		.chan = pair[0],
		.bell_fd = -1,
	};
	ck_assert_int_eq(control_init(&cf.control, &cf.proc), 0);
	/* the fixture has written as the author that control is */
	cf.control.op = cf.store.op;
	cf.control.reply = reply;
	cf.control.drop = drop;
	control_beat(&cf.control);
}

void
cf_close(void)
{
	rpc_drop_all(&cf.control);
	control_fini(&cf.control);
	fix_close(&cf.store);
}

const char *
cf_ask_as(enum cmd_role role, const char *text, const void *raw, size_t len)
{
	unsigned before = cf.nanswers;

	rpc_serve(&cf.control, role, &cf, text, strlen(text), raw, len);
	ck_assert_uint_le(cf.nanswers, before + 1);
	return cf.nanswers > before ? cf.answer[before] : NULL;
}

const char *
cf_ask(const char *text)
{
	return cf_ask_as(CMD_ADMIN, text, NULL, 0);
}

struct ipc_msg
cf_order(void)
{
	struct ipc_msg msg;

	ck_assert_int_eq(ipc_recv(cf.parent, &msg), 1);
	return msg;
}

void
cf_done(uint32_t tag, int rc, uint64_t arg, const char *text)
{
	struct ipc_msg msg = {
		.kind = IPC_DONE, .tag = tag, .rc = rc, .arg = arg
	};

	snprintf(msg.text, sizeof(msg.text), "%s", text);
	rpc_done(&cf.control, &msg);
}
