/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another configuration comes into force in control: what is asked before it,
 * what waits meanwhile, and what those who listen hear of it.
 */

#include "control/events.h"
#include "control/take.h"
#include "control/work.h"
#include "shm/notice.h"
#include "shm/seg_next.h"
#include "shm/store_next.h"
#include "supervisor/reload/sealed.h"
#include "tests/lib/control_fixture.h"

static struct events ev;
static struct {
	char topic[64], json[256];
	uint64_t seq;
} sent[64];
static unsigned nsent;
static uint32_t tag;

static void
publish(
    void *arg, const char *topic, const char *json, size_t len, uint64_t seq)
{
	(void)arg;
	(void)len;
	ck_assert_uint_lt(nsent, 64);
	snprintf(sent[nsent].topic, sizeof(sent[0].topic), "%s", topic);
	snprintf(sent[nsent].json, sizeof(sent[0].json), "%s", json);
	sent[nsent++].seq = seq;
}

static void
setup(void)
{
	cf_open();
	cf.proc.device_segs = &cf.store.device;
	cf.conf.path = (char *)"/nowhere/holdfast.json";
	for (unsigned i = 0; i < 2; i++)
		snprintf(seg_transport(cf.control.shm, i)->name, SHM_NAME_MAX,
		    "tcp%u", i + 1);
	ck_assert_int_eq(events_init(&ev, &cf.control), 0);
	ev.send = publish;
	nsent = 0;
}

static void
teardown(void)
{
	events_fini(&ev);
	cf_close();
}

/* A configuration of the fixture's store with those devices and transports. */
static int
conf_of(const char *devices, const char *transports)
{
	char *text, name[64];
	struct conf *c;
	int fd = sealed_new();

	ck_assert_int_gt(asprintf(&text,
			     "{\"store\":{\"name\":\"%s\"},\"devices\":{%s},"
			     "\"transports\":{%s}}",
			     cf.store.name, devices, transports),
	    0);
	snprintf(name, sizeof(name), "/nowhere/%s.json", cf.store.name);
	c = conf_load_text(name, NULL, text, stderr);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(sealed_put(fd, c, false), 0);
	conf_free(c);
	free(text);
	return fd;
}

#define PLC "\"plc\":{\"holding_registers\":[{\"addr\":0,\"count\":100}]}"
#define OTHER "\"other\":{\"holding_registers\":[{\"addr\":0,\"count\":9}]}"
#define TCP(n)                                                       \
	"\"tcp" n "\":{\"type\":\"tcp\",\"listen\":\"127.0.0.1:0\"," \
	"\"units\":{\"1\":\"plc\"}}"

static void
order(enum ipc_conf step, int fd)
{
	struct ipc_msg m = { .kind = IPC_CONF, .arg = step, .tag = ++tag };

	ck_assert_int_eq(ipc_send_fd(cf.parent, &m, fd), 0);
	if (fd >= 0)
		close(fd);
	ck_assert(rpc_orders(&cf.control));
}

static struct ipc_msg
answer(void)
{
	struct ipc_msg m = cf_order();

	ck_assert_int_eq(m.kind, IPC_TAKEN);
	ck_assert_uint_eq(m.tag, tag);
	return m;
}

static void
force(const char *devices, const char *transports)
{
	struct ipc_msg m;

	order(IPC_CONF_FORCE, conf_of(devices, transports));
	m = answer();
	ck_assert_msg(m.rc == 0, "%s", m.text);
}

static void
want(const char *prefix)
{
	events_subscribe(&ev, prefix, strlen(prefix), true);
}

static void
write_to(struct store *st, uint32_t addr, uint16_t value)
{
	uint8_t wire[2] = { (uint8_t)(value >> 8), (uint8_t)value };
	struct store_step step = {
		.op = STORE_WRITE,
		.table = STORE_HR,
		.addr = addr,
		.count = 1,
		.in = wire,
	};

	ck_assert_int_eq(
	    control_apply(&cf.control, st, &step, 1, NULL), STORE_OK);
}

static void
heard(unsigned i, const char *topic, const char *part)
{
	ck_assert_uint_lt(i, nsent);
	ck_assert_str_eq(sent[i].topic, topic);
	ck_assert_msg(strstr(sent[i].json, part) != NULL, "%s", sent[i].json);
}

static void
make_device(const char *name, bool next, struct seg *seg, struct store *st)
{
	struct seg_range range = fix_range(STORE_HR, 0, 9);

	ck_assert_int_eq(next
		? seg_create_next(seg, cf.store.name, name, 0, &range, 1, 0)
		: seg_create_device(seg, cf.store.name, name, 0, &range, 1, 0),
	    0);
	ck_assert_int_eq(
	    store_open(st, seg->at, seg->size, true, &cf.store.env), 0);
}

START_TEST(transports_are_found_where_they_are_whatever_their_order)
{
	force(PLC, TCP("2") "," TCP("1"));
	ck_assert_uint_eq(take_place(&cf.control, 0), 1);
	ck_assert_uint_eq(take_place(&cf.control, 1), 0);
	ck_assert_int_eq(take_transport(&cf.control, 1), 0);
	ck_assert_int_eq(take_transport(&cf.control, 7), -1);
	ck_assert_ptr_null(
	    cf_ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"transports."
		   "start\",\"params\":{\"name\":\"tcp2\"}}"));
	ck_assert_uint_eq(cf_order().transport, 1);
}
END_TEST

START_TEST(a_transport_that_has_gone_is_no_more_to_be_asked_for)
{
	force(PLC, TCP("2"));
	ck_assert_int_eq(take_transport(&cf.control, 0), -1);
	ck_assert_ptr_nonnull(strstr(
	    cf_ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		   "\"transports.stop\",\"params\":{\"name\":\"tcp1\"}}"),
	    "no_transport"));
}
END_TEST

START_TEST(what_is_listened_to_goes_on_with_its_numbers)
{
	want("registers.plc.holding_registers");
	write_to(cf.proc.stores, 7, 70);
	force(PLC, TCP("1"));
	write_to(cf.proc.stores, 8, 80);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 2);
	heard(0, "registers.plc.holding_registers", "\"new\":[70]");
	heard(1, "registers.plc.holding_registers", "\"new\":[80]");
	ck_assert_uint_eq(sent[1].seq, sent[0].seq + 1);
	events_subscribe(&ev, "registers.plc.holding_registers", 31, false);
	write_to(cf.proc.stores, 8, 81);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 2);
}
END_TEST

START_TEST(what_was_asked_for_before_it_was_there_is_heard_then)
{
	struct seg seg;
	struct store st;

	want("registers.other");
	make_device("other", false, &seg, &st);
	force(PLC "," OTHER, TCP("1"));
	write_to(&cf.proc.stores[1], 3, 33);
	events_pump(&ev);
	heard(0, "registers.other.holding_registers", "\"new\":[33]");
	force(PLC, TCP("1"));
	ck_assert_uint_eq(cf.proc.conf->ndevices, 1);
	write_to(cf.proc.stores, 3, 34);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 1);
	seg_unmap(&seg);
}
END_TEST

START_TEST(a_device_with_another_segment_is_heard_to_its_end_and_from_its_start)
{
	struct seg seg;
	struct store next;

	want("registers.plc.");
	write_to(cf.proc.stores, 7, 70);
	make_device("plc", true, &seg, &next);
	ck_assert_int_eq(store_supersede(cf.proc.stores, &next, 1000000000), 0);
	write_to(&next, 8, 80);
	force(PLC, TCP("1"));
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 2);
	heard(0, "registers.plc.holding_registers", "\"new\":[70]");
	heard(1, "registers.plc.holding_registers", "\"new\":[80]");
	write_to(cf.proc.stores, 8, 81);
	events_pump(&ev);
	heard(2, "registers.plc.holding_registers", "\"new\":[81]");
	seg_unmap(&seg);
}
END_TEST

static void
notice(unsigned place, const char *why)
{
	notice_post(
	    &cf.store.env, NOTICE_TRANSPORT, place, SHM_STOPPED, SHM_UP, why);
}

START_TEST(what_happens_to_a_transport_before_it_is_known_is_heard_then)
{
	force(PLC, TCP("1"));
	want("transports.");
	notice(1, "first");
	notice(0, "second");
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 0);
	force(PLC, TCP("1") "," TCP("2"));
	notice(1, "third");
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 3);
	heard(0, "transports.tcp2", "first");
	heard(1, "transports.tcp1", "second");
	heard(2, "transports.tcp2", "third");
	/* one that never comes is not waited for */
	force(PLC, TCP("1"));
	notice(1, "fourth");
	notice(0, "fifth");
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 3);
	cf.control.now_ns += 1000000001;
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 4);
	heard(3, "transports.tcp1", "fifth");
}
END_TEST

START_TEST(what_cannot_be_read_or_is_not_there_changes_nothing)
{
	const struct conf *was = cf.proc.conf;
	struct ipc_msg m;

	want("registers.plc.");
	order(IPC_CONF_FORCE, -1);
	ck_assert_int_ne(answer().rc, 0);
	order(IPC_CONF_FORCE, conf_of(PLC "," OTHER, TCP("1")));
	m = answer();
	ck_assert_int_ne(m.rc, 0);
	ck_assert_ptr_nonnull(strstr(m.text, "other"));
	ck_assert_ptr_eq(cf.proc.conf, was);
	write_to(cf.proc.stores, 7, 70);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 1);
}
END_TEST

static int
look(struct control *c, const struct conf *next, char *why, size_t size)
{
	ck_assert_ptr_ne(next, c->proc->conf);
	snprintf(why, size, "%zu are too few", next->ntransports);
	return next->ntransports == 1 ? -1 : 0;
}

START_TEST(who_is_asked_says_why_not)
{
	struct ipc_msg m;

	cf.control.take.look = look;
	order(IPC_CONF_LOOK, conf_of(PLC, TCP("1")));
	m = answer();
	ck_assert_int_ne(m.rc, 0);
	ck_assert_str_eq(m.text, "1 are too few");
	order(IPC_CONF_LOOK, conf_of(PLC, TCP("1") "," TCP("2")));
	ck_assert_int_eq(answer().rc, 0);
	ck_assert_ptr_eq(cf.proc.conf, &cf.conf);
}
END_TEST

START_TEST(nothing_is_written_from_the_answer_on_until_it_goes_on)
{
	struct ipc_msg m;

	/* a thread reads registers */
	pthread_mutex_lock(&cf.control.reading);
	order(IPC_CONF_HOLD, -1);
	ck_assert(cf.control.on_hold);
	ck_assert_int_eq(ipc_recv(cf.parent, &m), 0);
	pthread_mutex_unlock(&cf.control.reading);
	take_turn(&cf.control);
	ck_assert_int_eq(answer().rc, 0);
	/* and the next one has to wait */
	ck_assert_int_ne(pthread_mutex_trylock(&cf.control.reading), 0);
	order(IPC_CONF_ABANDON, -1);
	ck_assert_int_eq(answer().rc, 0);
	ck_assert(!cf.control.on_hold);
	ck_assert_int_eq(pthread_mutex_trylock(&cf.control.reading), 0);
	pthread_mutex_unlock(&cf.control.reading);
	order(IPC_CONF_HOLD, -1);
	answer();
	force(PLC, TCP("1"));
	ck_assert(!cf.control.on_hold);
}
END_TEST

static void
nothing(struct work *w)
{
	(void)w;
}

START_TEST(what_a_thread_may_read_stays_until_it_is_done)
{
	struct work w = { .drop = nothing };

	cf.control.works = &w;
	force(PLC, TCP("1"));
	force(PLC, TCP("2"));
	ck_assert_ptr_nonnull(cf.control.formers);
	cf.control.works = NULL;
	take_turn(&cf.control);
	ck_assert_ptr_null(cf.control.formers);
	ck_assert_str_eq(cf.proc.conf->transports[0].name, "tcp2");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("take");
	TCase *t = tcase_create("take");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(
	    t, transports_are_found_where_they_are_whatever_their_order);
	tcase_add_test(t, a_transport_that_has_gone_is_no_more_to_be_asked_for);
	tcase_add_test(t, what_is_listened_to_goes_on_with_its_numbers);
	tcase_add_test(t, what_was_asked_for_before_it_was_there_is_heard_then);
	tcase_add_test(t,
	    a_device_with_another_segment_is_heard_to_its_end_and_from_its_start);
	tcase_add_test(
	    t, what_happens_to_a_transport_before_it_is_known_is_heard_then);
	tcase_add_test(t, what_cannot_be_read_or_is_not_there_changes_nothing);
	tcase_add_test(t, who_is_asked_says_why_not);
	tcase_add_test(
	    t, nothing_is_written_from_the_answer_on_until_it_goes_on);
	tcase_add_test(t, what_a_thread_may_read_stays_until_it_is_done);
	suite_add_tcase(s, t);
	return fix_run(s);
}
