/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of hooks that need no process: which tables are refused, how
 * sub-functions change a function code, how what they write is numbered, what
 * becomes of framers that lie, of actions that others disturb, and of the
 * counts that a successor goes by.
 */
#include "workers/hooks/hooks.h"

#include <sysexits.h>

#include "tests/suite.h"
#include "tests/lib/worker_fixture.h"
#include "workers/action/action.h"
#include "workers/bind_durable.h"
#include "workers/hooks/bind_hook.h"
#include "workers/conns.h"
#include "workers/link.h"
#include "workers/hooks/plugin.h"
#include "workers/proto/fc.h"

static struct fx fx;
static struct conns cs;
static struct link link_;
static struct hf_hooks table;

static struct {
	unsigned writes; /* that the function code makes */
	uint16_t value; /* what it writes */
	unsigned runs; /* of whatever was called */
	unsigned disturbed; /* how often somebody writes meanwhile */
	struct hf_frame found; /* what the framer says */
	enum hf_found rc;
	size_t kept; /* what a trace returns */
	enum hf_exception refusal;
	unsigned refused[4], replies; /* that a trace was told of */
} will;

static enum hf_exception
write_some(void *arg, struct hf_call *c)
{
	enum hf_exception ex = HF_EX_NONE;

	(void)arg;
	will.runs++;
	for (unsigned i = 0; i < will.writes && ex == HF_EX_NONE; i++)
		ex = c->write(c, HF_HR, i, 1, &will.value);
	return ex;
}

static struct hf_function writer = {
	.size = sizeof(writer),
	.name = "writer",
	.fc = 0x41,
	.run = write_some,
};
static const struct hf_function *functions[] = { &writer, NULL, NULL };

static enum hf_exception
plus_one(void *arg, struct hf_cell *c)
{
	uint16_t other = (uint16_t)(100 * ++will.runs);

	(void)arg;
	if (will.disturbed > 0) {
		will.disturbed--;
		c->write(c, c->table, c->addr, 1, &other);
	}
	c->values[0]++;
	return HF_EX_NONE;
}

static struct hf_action plus = { sizeof(plus), "plus", plus_one };
static const struct hf_action *actions[] = { &plus, NULL };

static enum hf_found
find(void *arg, int datagram, const uint8_t *in, size_t len, struct hf_frame *f)
{
	(void)arg;
	(void)datagram;
	(void)len;
	*f = will.found;
	if (f->pdu != NULL) /* an offset, where it is not in scratch */
		f->pdu = (uintptr_t)f->pdu < 4096
		    ? in + (uintptr_t)f->pdu - 1
		    : f->scratch + ((uintptr_t)f->pdu - 4096);
	return will.rc;
}

static size_t
seal(void *arg, const struct hf_frame *f, uint8_t *adu, size_t len)
{
	(void)arg;
	adu[0] = f->unit;
	return len + 1;
}

static struct hf_framer liar = { sizeof(liar), "liar", 1, 300, find, seal };
static const struct hf_framer *framers[] = { &liar, NULL };

static size_t
keep(void *arg, const struct hf_traced *t, uint8_t *p, size_t len, size_t room)
{
	(void)arg;
	(void)p;
	(void)room;
	will.runs++;
	return t->sending ? len : will.kept;
}

/* Refuses the second request. */
static enum hf_exception
refuse(void *arg, const struct hf_traced *t, const uint8_t *pdu, size_t len)
{
	(void)arg;
	ck_assert_uint_eq(t->unit, 1);
	ck_assert_uint_eq(t->transaction, 5);
	ck_assert(len == 5 && pdu[0] == 3);
	return ++will.runs == 2 ? will.refusal : HF_EX_NONE;
}

static size_t
see_refused(
    void *arg, const struct hf_traced *t, uint8_t *p, size_t len, size_t room)
{
	(void)arg;
	(void)p;
	(void)room;
	if (t->sending)
		will.refused[will.replies++ % 4] = t->refused;
	else
		ck_assert_uint_eq(t->refused, 0);
	return len;
}

static void
setup(void)
{
	fx_init(&fx);
	memset(&will, 0, sizeof(will));
	memset(&table, 0, sizeof(table));
	table.size = sizeof(table);
	writer = (struct hf_function){ .size = sizeof(writer),
		.name = "writer",
		.fc = 0x41,
		.run = write_some };
	liar.size = sizeof(liar);
	liar.adu_max = 300;
	plus.size = sizeof(plus);
	functions[1] = NULL;
	fx.proc.hooks = &table;
}

static void
load(void)
{
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_msg(
	    hooks_load(&fx.worker) == 0, "refused: %s", fx.worker.why);
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_int_eq(hooks_actions(&fx.worker), 0);
	ck_assert_int_eq(conns_init(&cs, &fx.worker), 0);
	ck_assert_int_eq(link_init(&link_, &fx.worker), 0);
}

static void
teardown(void)
{
	conns_fini(&cs);
	bind_fini(&fx.worker.bind);
	hooks_free(&fx.worker);
	plugins_free(&fx.worker);
	fx_fini(&fx);
}

static uint16_t
hr(unsigned addr)
{
	uint8_t v[2];

	ck_assert_int_eq(
	    store_read(&fx.stores[0], STORE_HR, addr, 1, v, NULL), STORE_OK);
	return (uint16_t)(v[0] << 8 | v[1]);
}

/* ---- tables ---- */

START_TEST(without_hooks_there_is_nothing)
{
	fx.proc.hooks = NULL;
	load();
	ck_assert_ptr_null(fx.worker.plugins);
	ck_assert_ptr_null(fx.worker.hooks);
	ck_assert_uint_eq(fx.worker.traced, 0);
	ck_assert_uint_eq(link_.ops_max, 1);
	ck_assert_uint_eq(link_.in_max, BATCH_IN);
	ck_assert_ptr_eq(hooks_framer(&fx.worker, "liar"), NULL);
}
END_TEST

START_TEST(a_programs_hooks_are_as_a_plugins)
{
	table.functions = functions;
	table.actions = actions;
	table.framers = framers;
	table.trace_pdu = keep;
	load();
	ck_assert_uint_eq(fx.worker.traced, HOOK_PDU);
	ck_assert_str_eq(mb_fc_name(&link_.fcs, 0x41), "writer");
	ck_assert_ptr_nonnull(hooks_framer(&fx.worker, "liar"));
	ck_assert_uint_gt(link_.ops_max, 1);
}
END_TEST

static const struct {
	struct hf_function f;
	const char *words;
} wrong[] = {
	{ { .size = 3 }, "is 3 bytes and not the" },
	{ { .run = write_some, .fc = 1 }, "a function of it has no name" },
	{ { .name = "", .run = write_some, .fc = 1 }, "has no name" },
	{ { .name = "x", .fc = 1 }, "a function of it has no run" },
	{ { .name = "x", .run = write_some }, "is not 1 to 127" },
	{ { .name = "x", .run = write_some, .fc = 128 }, "is not 1 to 127" },
	{ { .name = "x", .run = write_some, .fc = 8, .sub_len = 3 },
	    "more than 2 bytes" },
	{ { .name = "x", .run = write_some, .fc = 8, .sub_len = 1, .sub = 256 },
	    "does not fit into sub_len" },
	{ { .name = "x", .run = write_some, .fc = 8, .flags = 4 },
	    "a flag that is not known" },
	{ { .name = "x",
	      .run = write_some,
	      .fc = 8,
	      .request = { .fixed = 253 } },
	    "beyond the 253 bytes" },
	{ { .name = "x",
	      .run = write_some,
	      .fc = 8,
	      .reply = { .fixed = 1, .count_at = 2 } },
	    "count_at lies behind" },
	{ { .name = "x", .run = write_some, .fc = 0x41 }, "is brought twice" },
};

START_TEST(functions_that_cannot_be_are_refused)
{
	struct hf_function f = wrong[_i].f;

	if (f.size == 0)
		f.size = sizeof(f);
	table.functions = functions;
	functions[1] = &f;
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_int_eq(hooks_load(&fx.worker), -1);
	ck_assert_int_eq(fx.worker.code, EX_CONFIG);
	ck_assert_msg(strstr(fx.worker.why, wrong[_i].words) != NULL, "%s",
	    fx.worker.why);
}
END_TEST

START_TEST(tables_of_other_sizes_are_refused)
{
	table.size = 16;
	ck_assert_int_eq(plugins_load(&fx.worker), -1);
	ck_assert_int_eq(fx.worker.code, EX_CONFIG);
	plugins_free(&fx.worker);
	table.size = sizeof(table);
	table.actions = actions;
	plus.size = 8;
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_int_eq(hooks_load(&fx.worker), -1);
	hooks_free(&fx.worker);
	plugins_free(&fx.worker);
	table.actions = NULL;
	table.framers = framers;
	liar.adu_max = 253; /* no room for its head */
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_int_eq(hooks_load(&fx.worker), -1);
}
END_TEST

/* ---- function codes ---- */

START_TEST(a_sub_function_has_a_length_of_its_own)
{
	static const uint8_t mine[] = { 8, 1, 2, 3, 4, 5 };
	static const uint8_t other[] = { 8, 0, 0, 3, 4, 5 };

	fx.transport.serial_functions = true;
	writer.fc = 8;
	writer.sub_len = 2;
	writer.sub = 0x0102;
	writer.request.fixed = 3;
	writer.reply.fixed = 1;
	table.functions = functions;
	load();
	for (size_t n = 1; n < 3; n++)
		ck_assert_int_eq(mb_request_len(&link_.fcs, mine, n), 0);
	ck_assert_int_eq(mb_request_len(&link_.fcs, mine, 3), 6);
	ck_assert_int_eq(mb_reply_len(&link_.fcs, mine, 3), 4);
	ck_assert_int_eq(mb_request_len(&link_.fcs, other, 3), 5);
	ck_assert_int_eq(mb_request_len(&link_.fcs, other, 2), 0);
}
END_TEST

START_TEST(a_code_with_nothing_but_sub_functions_has_no_others)
{
	static const uint8_t other[] = { 100, 2 };
	uint8_t out[MB_PDU_MAX];

	writer.fc = 100;
	writer.sub_len = 1;
	writer.sub = 1;
	table.functions = functions;
	load();
	ck_assert_int_eq(mb_request_len(&link_.fcs, other, 2), -1);
	ck_assert_uint_eq(mb_serve(&link_.fcs, &fx.worker.bind.device[0].unit,
			      false, other, 2, out),
	    2);
	ck_assert_uint_eq(out[0], 0xe4);
	ck_assert_uint_eq(out[1], MB_EX_FUNCTION);
	ck_assert_uint_eq(mb_serve(&link_.fcs, &fx.worker.bind.device[0].unit,
			      false, other, 1, out),
	    2);
}
END_TEST

static uint8_t
ask(uint64_t op)
{
	static const uint8_t pdu[] = { 0x41 };
	struct bind *b = &fx.worker.bind;
	uint8_t out[MB_PDU_MAX];
	size_t len;

	b->who.author = FX_AUTHOR;
	b->who.op = op;
	len = mb_serve(&link_.fcs, &b->device[0].unit, false, pdu, 1, out);
	ck_assert_uint_ge(len, 1);
	return len == 2 ? out[1] : 0;
}

START_TEST(each_writing_has_a_number)
{
	_Atomic uint64_t *done;

	table.functions = functions;
	load();
	done = seg_done(fx.proc.env.control, FX_AUTHOR);
	will.writes = 3;
	will.value = 7;
	ck_assert_uint_eq(ask(10), 0);
	ck_assert_uint_eq(fx.worker.bind.who.op, 12);
	ck_assert_uint_eq(atomic_load(done), 12);
	ck_assert_uint_eq(hr(0) + hr(1) + hr(2), 21);
	will.writes = fx.worker.bind.ops_max + 1;
	ck_assert_uint_eq(ask(13), MB_EX_FAILURE);
	ck_assert_uint_eq(
	    fx.worker.bind.who.op, 13 + fx.worker.bind.ops_max - 1);
}
END_TEST

START_TEST(what_a_predecessor_has_written_still_waits_for_the_disk)
{
	static struct conf_range range = {
		.table = STORE_HR, .addr = 1, .count = 1, .durable = true
	};
	static char path[] = "/nowhere";
	struct bind *b = &fx.worker.bind;

	table.functions = functions;
	load();
	fx.conf.snapshot.path = path;
	fx.devices[0].ranges = &range;
	fx.devices[0].nranges = 1;
	ck_assert_int_eq(bind_durable_init(&b->device[0]), 0);
	fx.conf.snapshot.path = NULL;
	fx.devices[0].ranges = NULL;
	fx.devices[0].nranges = 0;
	will.value = 7;
	will.writes = 2 - (unsigned)_i;
	ck_assert_uint_eq(ask(10), 0);
	b->wrote = b->saving = false;
	b->resumed = true;
	ck_assert_uint_eq(ask(10), 0);
	ck_assert(b->wrote);
	ck_assert_int_eq(b->saving, _i == 0);
}
END_TEST

START_TEST(what_a_predecessor_has_written_is_not_written_again)
{
	table.functions = functions;
	load();
	will.writes = 2;
	will.value = 7;
	ck_assert_uint_eq(ask(10), 0);
	/* it died before the third; somebody has changed the first since */
	will.value = 8;
	will.writes = 3;
	fx.worker.bind.resumed = true;
	ck_assert_uint_eq(ask(10), 0);
	ck_assert_uint_eq(hr(0), 7);
	ck_assert_uint_eq(hr(1), 7);
	ck_assert_uint_eq(hr(2), 8);
	/* in a batch of our own such a number is a failure */
	fx.worker.bind.resumed = false;
	ck_assert_uint_eq(ask(10), MB_EX_FAILURE);
}
END_TEST

START_TEST(numbers_of_a_batch_suffice)
{
	unsigned n;

	fx.transport.broadcast = true;
	table.functions = functions;
	load();
	n = BATCH_IN / 4;
	ck_assert_uint_eq(link_.ops_max, 2 * fx.worker.bind.ops_max);
	ck_assert_uint_le(link_.in_max / 4 * link_.ops_max, BATCH_OPS_MAX);
	ck_assert_uint_le(n * link_.ops_max, BATCH_OPS_MAX);
}
END_TEST

/* ---- actions ---- */

static enum mb_ex
read_hr(unsigned addr, unsigned n)
{
	uint8_t out[256];
	struct mb_step s = { .op = MB_READ,
		.table = MB_HR,
		.addr = addr,
		.count = (uint16_t)n,
		.out = out };
	struct mb_unit *u = &fx.worker.bind.device[0].unit;

	return u->step(u->arg, &s, 1);
}

static void
give_action(void)
{
	static char name[] = "plus";
	static struct conf_range r = {
		.table = STORE_HR, .addr = 4, .count = 2, .action = name
	};

	r.type = TYPED_UINT16;
	fx.devices[0].ranges = &r;
	fx.devices[0].nranges = 1;
	table.actions = actions;
	load();
}

/* A program's server has no process that would set values. */
START_TEST(what_runs_on_a_clock_is_refused_where_there_is_none)
{
	static char name[] = "sine";
	static struct conf_range range = {
		.table = STORE_HR, .addr = 4, .count = 1, .action = name
	};

	fx.proc.hooks = NULL;
	fx.proc.run_dir = NULL;
	fx.conf.devices[0].ranges = &range;
	fx.conf.devices[0].nranges = 1;
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_int_eq(hooks_actions(&fx.worker), -1);
	ck_assert_int_eq(fx.worker.code, EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(fx.worker.why,
	    "the action \"sine\" runs on a clock, which only holdfastd has"));
	fx.proc.run_dir = "/";
	free(fx.worker.bind.device[0].actions);
	ck_assert_int_eq(hooks_actions(&fx.worker), 0);
	ck_assert_uint_eq(fx.worker.bind.device[0].nactions, 0);
	link_init(&link_, &fx.worker);
	conns_init(&cs, &fx.worker);
}
END_TEST

START_TEST(an_action_runs_for_each_value_that_is_read)
{
	give_action();
	ck_assert_int_eq(read_hr(0, 10), MB_EX_NONE);
	ck_assert_uint_eq(will.runs, 2);
	ck_assert_uint_eq(hr(4), 5);
	ck_assert_uint_eq(hr(5), 6);
	ck_assert_int_eq(read_hr(5, 1), MB_EX_NONE);
	ck_assert_uint_eq(hr(5), 7);
	ck_assert_int_eq(read_hr(0, 4), MB_EX_NONE);
	ck_assert_int_eq(read_hr(6, 1), MB_EX_NONE);
	ck_assert_uint_eq(will.runs, 3);
}
END_TEST

START_TEST(nothing_runs_for_what_is_answered_02)
{
	give_action();
	ck_assert_int_eq(read_hr(4, 250), MB_EX_ADDRESS);
	ck_assert_uint_eq(will.runs, 0);
}
END_TEST

START_TEST(a_queue_is_read_beside_an_action)
{
	uint8_t out[2 + 2 * MB_FIFO_MAX];
	struct mb_step s = { .op = MB_READ,
		.table = MB_FIFO,
		.addr = 2000,
		.count = 1,
		.out = out };
	struct mb_unit *u;

	give_action();
	u = &fx.worker.bind.device[0].unit;
	ck_assert_int_eq(u->step(u->arg, &s, 1), MB_EX_NONE);
	ck_assert_uint_eq(s.count, 0);
	ck_assert_uint_eq(will.runs, 0);
	s.addr = 2001;
	ck_assert_int_eq(u->step(u->arg, &s, 1), MB_EX_ADDRESS);
}
END_TEST

START_TEST(a_disturbed_action_runs_on_what_is_there)
{
	give_action();
	will.disturbed = 2;
	ck_assert_int_eq(read_hr(4, 1), MB_EX_NONE);
	ck_assert_uint_eq(will.runs, 3);
	ck_assert_uint_eq(hr(4), 201); /* nobody's write is undone */
	will.disturbed = 1000;
	ck_assert_int_eq(read_hr(4, 1), MB_EX_BUSY);
}
END_TEST

START_TEST(what_is_refused_has_not_changed)
{
	const uint16_t was = 1, is = 2;
	struct bind_device *d;
	bool changed = true;

	give_action();
	d = &fx.worker.bind.device[0];
	ck_assert_int_eq(
	    bind_act(d, MB_HR, 0, 0, &was, &is, &changed), MB_EX_VALUE);
	ck_assert(!changed);
	changed = true;
	fx.stores[0].writable = false;
	ck_assert_int_eq(
	    bind_act(d, MB_HR, 0, 1, &was, &is, &changed), MB_EX_FAILURE);
	ck_assert(!changed);
	fx.stores[0].writable = true;
	ck_assert_int_eq(
	    bind_act(d, MB_HR, 0, 1, &was, &is, &changed), MB_EX_FAILURE);
	ck_assert(changed);
}
END_TEST

START_TEST(a_worker_numbers_its_own_writes_behind_its_predecessors)
{
	uint64_t was;

	give_action();
	was = fx.worker.bind.self.op;
	ck_assert_int_eq(read_hr(4, 1), MB_EX_NONE);
	bind_fini(&fx.worker.bind);
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_uint_gt(fx.worker.bind.self.op, was + 1);
	ck_assert_int_eq(hooks_actions(&fx.worker), 0);
	ck_assert_int_eq(read_hr(4, 1), MB_EX_NONE);
	ck_assert_uint_eq(hr(4), 6);
}
END_TEST

/* ---- framers ---- */

#define AT(n) ((const uint8_t *)(uintptr_t)((n) + 1)) /* in the input */
#define SCRATCH(n) ((const uint8_t *)(uintptr_t)(4096 + (n)))

static const struct {
	const char *title;
	enum hf_found rc;
	struct hf_frame f;
	enum frame_rc want;
} claims[] = {
	{ "a frame", HF_FRAME, { .pdu = AT(1), .pdu_len = 5, .used = 6 },
	    FRAME_OK },
	{ "in scratch", HF_FRAME,
	    { .pdu = SCRATCH(0), .pdu_len = 253, .used = 2 }, FRAME_OK },
	{ "to the last byte", HF_FRAME,
	    { .pdu = AT(0), .pdu_len = 10, .used = 10 }, FRAME_OK },
	{ "used too much", HF_FRAME, { .pdu = AT(1), .pdu_len = 5, .used = 11 },
	    FRAME_BAD },
	{ "used nothing", HF_FRAME, { .pdu = AT(1), .pdu_len = 5 }, FRAME_BAD },
	{ "used one byte", HF_FRAME, { .pdu = AT(0), .pdu_len = 1, .used = 1 },
	    FRAME_BAD },
	{ "no PDU", HF_FRAME, { .pdu_len = 5, .used = 6 }, FRAME_BAD },
	{ "no byte", HF_FRAME, { .pdu = AT(1), .used = 6 }, FRAME_BAD },
	{ "too long", HF_FRAME,
	    { .pdu = SCRATCH(0), .pdu_len = 254, .used = 6 }, FRAME_BAD },
	{ "longer than the input", HF_FRAME,
	    { .pdu = AT(0), .pdu_len = 200, .used = 10 }, FRAME_BAD },
	{ "behind the end", HF_FRAME,
	    { .pdu = AT(6), .pdu_len = 5, .used = 10 }, FRAME_BAD },
	{ "behind scratch", HF_FRAME,
	    { .pdu = SCRATCH(4), .pdu_len = 253, .used = 10 }, FRAME_BAD },
	{ "more", HF_FRAME_MORE, { .used = 10 }, FRAME_MORE },
	{ "more than came", HF_FRAME_MORE, { .used = 11 }, FRAME_BAD },
	{ "bad", HF_FRAME_BAD, { .used = 0 }, FRAME_BAD },
	{ "no result", (enum hf_found)9, { .used = 0 }, FRAME_BAD },
};

START_TEST(what_a_framer_claims_is_looked_at)
{
	const struct framer *fr;
	uint8_t in[10] = { 0 };
	struct frame f;

	table.framers = framers;
	load();
	fr = hooks_framer(&fx.worker, "liar");
	f.arg = fr->arg;
	will.found = claims[_i].f;
	will.found.errors = 1000000;
	will.rc = claims[_i].rc;
	ck_assert_msg(
	    fr->stream(&link_.fcs, '\n', in, sizeof(in), &f) == claims[_i].want,
	    "%s", claims[_i].title);
	ck_assert_uint_le(f.used, sizeof(in));
	ck_assert_uint_le(f.errors, 255);
	if (claims[_i].want == FRAME_BAD)
		ck_assert_ptr_nonnull(f.why);
	if (claims[_i].want == FRAME_OK)
		ck_assert(
		    (f.pdu >= in && f.pdu + f.pdu_len <= in + sizeof(in)) ||
		    (f.pdu >= f.scratch &&
			f.pdu + f.pdu_len <= f.scratch + sizeof(f.scratch)));
	ck_assert_int_eq(fr->datagram(&link_.fcs, '\n', in, sizeof(in), &f),
	    claims[_i].want == FRAME_OK && claims[_i].f.used == sizeof(in)
		? FRAME_OK
		: FRAME_BAD);
}
END_TEST

/* ---- traces and batches ---- */

START_TEST(a_successor_counts_what_the_kernel_gave)
{
	struct acl_peer peer = { .family = AF_INET };
	struct shm_batch *b;
	struct conn *c;
	static const int grown[] = { 0, -4, -10, 30 };

	load();
	c = conns_open(&cs, fcntl(STDERR_FILENO, F_DUPFD, 0), &peer, false);
	b = seg_batch(fx.worker.shm, 0);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t rx = batch_half(c->rec.shm)->rx;
		unsigned pre = batch_begin(b, &c->rec);
		struct batch_prog p = { 0 };

		ck_assert_int_eq(b->grown, 0);
		b->grown = grown[i];
		p.done = pre + 10u + (unsigned)grown[i];
		atomic_store(&b->in_len, p.done);
		batch_prog_set(b, &p);
		ck_assert_uint_eq(batch_end(b, &c->rec), 0);
		ck_assert_uint_eq(batch_half(c->rec.shm)->rx, rx + 10);
	}
	conns_close(&cs, c, "test", NULL);
}
END_TEST

START_TEST(a_suppressed_request_is_done_with)
{
	struct acl_peer peer = { .family = AF_INET };
	const uint8_t write[] = { 0, 1, 0, 0, 0, 6, 1, 6, 0, 5, 0, 99 };
	struct shm_batch *b;
	struct batch_prog p;
	struct conn *c;
	const char *why;

	table.trace_pdu = keep;
	load();
	c = conns_open(&cs, fcntl(STDERR_FILENO, F_DUPFD, 0), &peer, false);
	b = seg_batch(fx.worker.shm, 0);
	batch_begin(b, &c->rec);
	memcpy(b->in, write, sizeof(write));
	memcpy(b->in + sizeof(write), write, sizeof(write));
	atomic_store(&b->in_len, 2 * sizeof(write));
	ck_assert_int_eq(
	    link_run(&link_, c->rec.shm, FX_AUTHOR, b, &why), LINK_MORE);
	p = batch_prog_get(b);
	ck_assert_uint_eq(p.done, 2 * sizeof(write));
	ck_assert_uint_eq(p.out, 0);
	ck_assert_uint_eq(p.ops, 2);
	ck_assert_uint_eq(will.runs, 2);
	ck_assert_uint_eq(hr(5), 5);
	/* and the input is what came */
	ck_assert_mem_eq(b->in, write, sizeof(write));
	conns_close(&cs, c, "test", NULL);
}
END_TEST

START_TEST(a_hook_refuses_and_is_told_what_others_refuse)
{
	struct acl_peer peer = { .family = AF_INET };
	const uint8_t ask[] = { 0, 5, 0, 0, 0, 6, 1, 3, 0, 5, 0, 1 };
	const uint8_t said[] = { 0, 5, 0, 0, 0, 5, 1, 3, 2, 0, 5, /**/
		0, 5, 0, 0, 0, 3, 1, 0x83, 200, /* the hook */
		0, 5, 0, 0, 0, 3, 1, 0x83, MB_EX_BUSY };
	struct shm_batch *b;
	struct conn *c;
	const char *why;

	fx.transport.max_transactions = 2;
	table.trace_pdu = see_refused;
	table.refuse = refuse;
	will.refusal = (enum hf_exception)200;
	load();
	c = conns_open(&cs, fcntl(STDERR_FILENO, F_DUPFD, 0), &peer, false);
	b = seg_batch(fx.worker.shm, 0);
	batch_begin(b, &c->rec);
	for (size_t i = 0; i < 3; i++)
		memcpy(b->in + i * sizeof(ask), ask, sizeof(ask));
	atomic_store(&b->in_len, 3 * sizeof(ask));
	ck_assert_int_eq(
	    link_run(&link_, c->rec.shm, FX_AUTHOR, b, &why), LINK_MORE);
	ck_assert_uint_eq(batch_prog_get(b).out, sizeof(said));
	ck_assert_mem_eq(b->out, said, sizeof(said));
	ck_assert_uint_eq(will.runs, 2); /* not who is busy */
	ck_assert_uint_eq(will.replies, 3);
	ck_assert_uint_eq(will.refused[0], 0);
	ck_assert_uint_eq(will.refused[1], 0);
	ck_assert_uint_eq(will.refused[2], MB_EX_BUSY);
	conns_close(&cs, c, "test", NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hooks");
	TCase *tc = tcase_create("hooks");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_hooks_there_is_nothing);
	tcase_add_test(tc, a_programs_hooks_are_as_a_plugins);
	tcase_add_loop_test(tc, functions_that_cannot_be_are_refused, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, tables_of_other_sizes_are_refused);
	tcase_add_test(tc, a_sub_function_has_a_length_of_its_own);
	tcase_add_test(tc, a_code_with_nothing_but_sub_functions_has_no_others);
	tcase_add_test(tc, each_writing_has_a_number);
	tcase_add_test(tc, what_a_predecessor_has_written_is_not_written_again);
	tcase_add_loop_test(
	    tc, what_a_predecessor_has_written_still_waits_for_the_disk, 0, 2);
	tcase_add_test(tc, numbers_of_a_batch_suffice);
	tcase_add_test(tc, an_action_runs_for_each_value_that_is_read);
	tcase_add_test(tc, what_runs_on_a_clock_is_refused_where_there_is_none);
	tcase_add_test(tc, nothing_runs_for_what_is_answered_02);
	tcase_add_test(tc, a_queue_is_read_beside_an_action);
	tcase_add_test(tc, a_disturbed_action_runs_on_what_is_there);
	tcase_add_test(tc, what_is_refused_has_not_changed);
	tcase_add_test(
	    tc, a_worker_numbers_its_own_writes_behind_its_predecessors);
	tcase_add_loop_test(tc, what_a_framer_claims_is_looked_at, 0,
	    (int)(sizeof(claims) / sizeof(claims[0])));
	tcase_add_test(tc, a_successor_counts_what_the_kernel_gave);
	tcase_add_test(tc, a_suppressed_request_is_done_with);
	tcase_add_test(tc, a_hook_refuses_and_is_told_what_others_refuse);
	suite_add_tcase(s, tc);
	return fx_report(s);
}
