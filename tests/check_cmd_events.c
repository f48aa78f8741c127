/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: what is published under which topic, to whom it costs anything, and
 * how a gap shows.
 */

#include "control/events.h"
#include "control/jtext.h"
#include "shm/log.h"
#include "shm/notice.h"
#include "tests/lib/control_fixture.h"

enum { SENT_MAX = 4096 };

static struct events ev;
static struct {
	char topic[128];
	char json[512];
	uint64_t seq;
} sent[SENT_MAX];
static unsigned nsent;

static void
take(void *arg, const char *topic, const char *json, size_t len, uint64_t seq)
{
	ck_assert_ptr_eq(arg, &ev);
	ck_assert_uint_eq(strlen(json), len);
	if (nsent < SENT_MAX) {
		snprintf(sent[nsent].topic, sizeof(sent[0].topic), "%s", topic);
		snprintf(sent[nsent].json, sizeof(sent[0].json), "%s", json);
		sent[nsent].seq = seq;
	}
	nsent++;
}

static void
setup(void)
{
	cf_open();
	snprintf(seg_slot(cf.control.shm, 1)->name, SHM_NAME_MAX, "tcp1");
	ck_assert_int_eq(events_init(&ev, &cf.control), 0);
	ev.send = take;
	ev.arg = &ev;
	nsent = 0;
}

static void
teardown(void)
{
	events_fini(&ev);
	cf_close();
}

static void
want(const char *prefix)
{
	events_subscribe(&ev, prefix, strlen(prefix), true);
}

static void
want_no_more(const char *prefix)
{
	events_subscribe(&ev, prefix, strlen(prefix), false);
}

static void
write_hr(uint32_t addr, uint16_t value)
{
	uint8_t wire[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	ck_assert_int_eq(
	    fix_write(&cf.store, STORE_HR, addr, 1, wire), STORE_OK);
}

/* Everything before the time, which nobody can know. */
static void
same_but_time(const char *got, const char *wanted)
{
	size_t len = strlen(wanted);

	ck_assert_msg(strncmp(got, wanted, len) == 0, "%s\n%s", got, wanted);
	ck_assert_msg(
	    strncmp(got + len, ",\"at\":", 6) == 0, "%s\n%s", got, wanted);
}

/* ---- registers ---- */

START_TEST(a_change_is_published_under_its_device_and_table)
{
	want("registers.plc.holding_registers");
	write_hr(7, 70);
	ck_assert(!events_pump(&ev));
	ck_assert_uint_eq(nsent, 1);
	ck_assert_str_eq(sent[0].topic, "registers.plc.holding_registers");
	same_but_time(sent[0].json,
	    "{\"who\":\"tcp1\",\"addr\":7,\"count\":1,\"old\":[7],\"new\":[70],"
	    "\"seq\":5");
}
END_TEST

START_TEST(bits_are_published_as_0_and_1)
{
	want("registers.");
	fix_write(&cf.store, STORE_CO, 0, 3, "\x06");
	events_pump(&ev);
	same_but_time(sent[0].json,
	    "{\"who\":\"tcp1\",\"addr\":0,\"count\":3,\"old\":[1,0,1],\"new\":[0,"
	    "1,1],\"seq\":5");
}
END_TEST

START_TEST(a_record_is_published_with_its_file)
{
	want("registers.");
	fix_write(&cf.store, STORE_FILE, 3 << 16 | 7, 1, "\0\5");
	events_pump(&ev);
	ck_assert_str_eq(sent[0].topic, "registers.plc.files");
	same_but_time(sent[0].json,
	    "{\"who\":\"tcp1\",\"file\":3,\"addr\":7,\"count\":1,\"old\":[0],"
	    "\"new\":[5],\"seq\":5");
}
END_TEST

START_TEST(a_queue_is_published_under_its_pointer)
{
	want("registers.");
	fix_write(&cf.store, STORE_FIFO, 2000 << 5, 2, "\0\1\0\5");
	fix_write(&cf.store, STORE_FIFO, (2000 << 5) + 1, 1, "\0\6");
	events_pump(&ev);
	ck_assert_str_eq(sent[0].topic, "registers.plc.fifos");
	same_but_time(sent[0].json,
	    "{\"who\":\"tcp1\",\"addr\":2000,\"offset\":0,\"count\":2,\"old\":"
	    "[0,0],\"new\":[1,5],\"seq\":5");
	same_but_time(sent[1].json,
	    "{\"who\":\"tcp1\",\"addr\":2000,\"offset\":1,\"count\":1,\"old\":"
	    "[5],\"new\":[6],\"seq\":6");
}
END_TEST

START_TEST(what_control_writes_is_published_with_its_name)
{
	snprintf(seg_slot(cf.control.shm, 1)->name, SHM_NAME_MAX, "control");
	want("");
	cf_ask("{\"jsonrpc\":\"2.0\",\"method\":\"registers.write\",\"params\":"
	       "{\"table\":\"hr\",\"addr\":0,\"values\":[5]},\"id\":1}");
	events_pump(&ev);
	same_but_time(sent[0].json,
	    "{\"who\":\"control\",\"addr\":0,\"count\":1,\"old\":[0],\"new\":["
	    "5],\"seq\":5");
}
END_TEST

START_TEST(a_write_that_changes_nothing_is_no_event)
{
	want("");
	write_hr(7, 7);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 0);
}
END_TEST

static const struct {
	const char *prefix;
	unsigned events;
} prefixes[] = {
	{ "", 2 },
	{ "reg", 2 },
	{ "registers.plc.", 2 },
	{ "registers.plc.co", 1 },
	{ "registers.plc.holding_registers", 1 },
	{ "registers.plc.holding_registersx", 0 },
	{ "registers.pld.", 0 },
	{ "registers.plc.input_registers", 0 },
	{ "transports.", 0 },
	{ "log", 0 },
};

START_TEST(only_what_begins_so_is_published)
{
	want(prefixes[_i].prefix);
	write_hr(0, 99);
	fix_write(&cf.store, STORE_CO, 0, 1, "");
	events_pump(&ev);
	ck_assert_uint_eq(nsent, prefixes[_i].events);
}
END_TEST

START_TEST(a_subscription_starts_with_what_comes_after_it)
{
	write_hr(0, 99);
	want("registers.");
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 0);
	write_hr(0, 98);
	want("registers.plc.holding"); /* one more takes nothing away */
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 1);
}
END_TEST

START_TEST(what_nobody_wants_any_more_is_not_published)
{
	want("registers.");
	want("registers.plc.holding_registers");
	want_no_more("registers.");
	write_hr(0, 98);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 1);
	want_no_more("registers.plc.holding_registers");
	want_no_more("registers.plc.holding_registers"); /* hostile: twice */
	write_hr(0, 97);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 1);
	want("registers.");
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 1);
}
END_TEST

START_TEST(each_topic_counts_by_ones_of_its_own)
{
	want("registers.");
	write_hr(0, 1);
	fix_write(&cf.store, STORE_CO, 0, 1, "");
	write_hr(0, 2);
	write_hr(0, 3);
	events_pump(&ev);
	ck_assert_uint_eq(nsent, 4);
	ck_assert_uint_eq(sent[2].seq, sent[0].seq + 1);
	ck_assert_uint_eq(sent[3].seq, sent[0].seq + 2);
	ck_assert_uint_eq(sent[1].seq, sent[0].seq);
}
END_TEST

START_TEST(a_later_process_counts_from_above)
{
	uint64_t first = ev.topics[0].seq;
	struct events next;

	want("registers.");
	for (uint16_t i = 1; i <= 400; i++)
		write_hr(0, i);
	while (events_pump(&ev))
		continue;
	do { /* no two processes are born in one millisecond */
		ck_assert_int_eq(events_init(&next, &cf.control), 0);
		if (next.topics[0].seq >> 12 != first >> 12)
			break;
		events_fini(&next);
	} while (true);
	ck_assert_uint_gt(next.topics[0].seq, sent[399].seq);
	events_fini(&next);
}
END_TEST

START_TEST(a_turn_publishes_a_bounded_number_and_then_goes_on)
{
	want("registers.");
	for (uint16_t i = 1; i <= EVENTS_BUDGET + 3; i++)
		write_hr(0, i);
	ck_assert(events_pump(&ev));
	ck_assert_uint_eq(nsent, EVENTS_BUDGET);
	ck_assert(!events_pump(&ev));
	ck_assert_uint_eq(nsent, EVENTS_BUDGET + 3);
}
END_TEST

START_TEST(an_overrun_ring_is_told_as_lost)
{
	bool more = true;
	unsigned i;

	want("registers.plc.holding_registers");
	for (unsigned n = 0; n < 200000; n++)
		write_hr(0, (uint16_t)(n + 1));
	while (more)
		more = events_pump(&ev);
	ck_assert_uint_gt(nsent, 1);
	ck_assert_ptr_nonnull(strstr(sent[0].json, "{\"lost\":true,"));
	ck_assert_str_eq(sent[0].topic, "registers.plc.holding_registers");
	for (i = 1; i < nsent && i < SENT_MAX; i++)
		ck_assert_uint_eq(sent[i].seq, sent[i - 1].seq + 1);
	ck_assert_uint_eq(cf.control.stats->events_lost, 1);
}
END_TEST

/* ---- notices ---- */

static const struct {
	const char *title;
	enum notice_kind kind;
	unsigned transport;
	uint64_t a, b;
	const char *text, *topic, *json;
} notices[] = {
	{ "a transport's change of state", NOTICE_TRANSPORT, 1, SHM_UP,
	    SHM_BACKOFF, "signal 9", "transports.tcp2",
	    "{\"name\":\"tcp2\",\"state\":\"backoff\",\"was\":\"up\",\"why\":"
	    "\"signal 9\"" },
	{ "a connection opens", NOTICE_CONN_OPEN, 0, CONN_ID(0, 0, 17), 0,
	    "10.0.0.7:4021", "connections.tcp1",
	    "{\"event\":\"open\",\"id\":\"tcp1.0.17\",\"peer\":\"10.0.0.7:"
	    "4021\"" },
	{ "a connection closes", NOTICE_CONN_CLOSE, 0, CONN_ID(0, 0, 17), 5,
	    "idle", "connections.tcp1",
	    "{\"event\":\"close\",\"id\":\"tcp1.0.17\",\"why\":\"idle\","
	    "\"requests\":5" },
	{ "a request is refused", NOTICE_REFUSED, 0, CONN_ID(0, 0, 17),
	    NOTICE_REFUSED_B(255, 16, 6), "viewer10.0.0.7:4021",
	    "connections.tcp1",
	    "{\"event\":\"refused\",\"id\":\"tcp1.0.17\",\"peer\":\"10.0.0.7:"
	    "4021\",\"role\":\"viewer\",\"unit\":255,\"fc\":16" },
	{ "a request of the NULL role is refused", NOTICE_REFUSED, 0,
	    CONN_ID(0, 0, 17), NOTICE_REFUSED_B(0, 3, 0), "10.0.0.7:4021",
	    "connections.tcp1",
	    "{\"event\":\"refused\",\"id\":\"tcp1.0.17\",\"peer\":\"10.0.0.7:"
	    "4021\",\"role\":\"\",\"unit\":0,\"fc\":3" },
	{ "a request of nobody knows whom is refused", NOTICE_REFUSED, 0,
	    CONN_ID(0, 0, 17), NOTICE_REFUSED_B(1, 3, -1), "?",
	    "connections.tcp1",
	    "{\"event\":\"refused\",\"id\":\"tcp1.0.17\",\"peer\":\"?\","
	    "\"role\":null,\"unit\":1,\"fc\":3" },
	{ "a worker dies of a request", NOTICE_POISON, 0, CONN_ID(0, 0, 17),
	    NOTICE_POISON_B(1, 65, 2, POISON_REFUSE, 13), "10.0.0.7:40210041ff",
	    "connections.tcp1",
	    "{\"event\":\"poison\",\"id\":\"tcp1.0.17\",\"peer\":\"10.0.0.7:4021"
	    "\",\"unit\":1,\"fc\":65,\"count\":2,\"then\":\"refused\",\"bytes\":"
	    "\"0041ff\"" },
	{ "a worker dies of a datagram", NOTICE_POISON, 0, CONN_ID(0, 0, 0),
	    NOTICE_POISON_B(1, 6, 2, POISON_SHUT, 13), "10.0.0.7:402106",
	    "connections.tcp1",
	    "{\"event\":\"poison\",\"id\":null,\"peer\":\"10.0.0.7:4021\","
	    "\"unit\":1,\"fc\":6,\"count\":2,\"then\":\"quarantined\","
	    "\"bytes\":\"06\"" },
	{ "of bytes that are no request", NOTICE_POISON, 0, CONN_ID(0, 0, 17),
	    NOTICE_POISON_B(0, 0, 3, 99, 1), "?", "connections.tcp1",
	    "{\"event\":\"poison\",\"id\":\"tcp1.0.17\",\"peer\":\"?\",\"unit\":"
	    "null,\"fc\":null,\"count\":3,\"then\":\"none\",\"bytes\":\"\"" },
	{ "a peer longer than its notice", NOTICE_POISON, 0, CONN_ID(0, 0, 17),
	    NOTICE_POISON_B(1, 3, 1, POISON_AGAIN, 9), "10.0.0.7", NULL, NULL },
	{ "a role longer than its notice", NOTICE_REFUSED, 0, CONN_ID(0, 0, 17),
	    NOTICE_REFUSED_B(1, 3, 9), "viewer??", NULL, NULL },
	{ "a line of the log", NOTICE_LOG, 0, LOG_WARN, 0, "a \"quoted\" line",
	    "log",
	    "{\"level\":\"warn\",\"who\":\"tcp1\",\"line\":\"a "
	    "\\\"quoted\\\" line\"" },
	{ "a line that is no text", NOTICE_LOG, 0, 77, 0, "\xff\x01", "log",
	    "{\"level\":\"unknown\",\"who\":\"tcp1\",\"line\":\"\u00ff\\u0001"
	    "\"" },
	{ "states that are none", NOTICE_TRANSPORT, 0, 77, UINT64_MAX, "",
	    "transports.tcp1",
	    "{\"name\":\"tcp1\",\"state\":\"unknown\",\"was\":\"unknown\","
	    "\"why\":\"\"" },
	{ "a transport that is none", NOTICE_TRANSPORT, 2, 0, 0, "", NULL,
	    NULL },
	{ "a kind that is none", (enum notice_kind)99, 0, 0, 0, "", NULL,
	    NULL },
};

START_TEST(notice_is_published)
{
	want("");
	notice_post(&cf.proc.env, notices[_i].kind, notices[_i].transport,
	    notices[_i].a, notices[_i].b, notices[_i].text);
	events_pump(&ev);
	if (notices[_i].topic == NULL) {
		ck_assert_uint_eq(nsent, 0);
		return;
	}
	ck_assert_uint_eq(nsent, 1);
	ck_assert_str_eq(sent[0].topic, notices[_i].topic);
	same_but_time(sent[0].json, notices[_i].json);
}
END_TEST

/* ---- sleeping ---- */

START_TEST(writers_are_asked_to_wake_us_only_when_somebody_listens)
{
	ck_assert_int_eq(events_arm(&ev), -1);
	ck_assert_uint_eq(atomic_load(&cf.control.shm->bells.armed), 0);
	want("log");
	ck_assert_int_gt(events_arm(&ev), 0);
	ck_assert_uint_eq(atomic_load(&cf.control.shm->bells.armed), 0);
	want("registers.");
	ck_assert_int_gt(events_arm(&ev), 0);
	ck_assert_uint_eq(atomic_load(&cf.control.shm->bells.armed), 1);
	ck_assert_uint_eq(atomic_load(&ev.bell.shm->armed), 1);
	events_disarm(&ev);
	ck_assert_uint_eq(atomic_load(&ev.bell.shm->armed), 0);
}
END_TEST

START_TEST(there_is_no_sleep_before_a_change_that_has_come)
{
	want("registers.");
	write_hr(0, 1);
	ck_assert_int_eq(events_arm(&ev), 0);
	events_pump(&ev);
	ck_assert_int_gt(events_arm(&ev), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd_events");
	TCase *tc = tcase_create("events");

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_change_is_published_under_its_device_and_table);
	tcase_add_test(tc, bits_are_published_as_0_and_1);
	tcase_add_test(tc, a_record_is_published_with_its_file);
	tcase_add_test(tc, a_queue_is_published_under_its_pointer);
	tcase_add_test(tc, what_control_writes_is_published_with_its_name);
	tcase_add_test(tc, a_write_that_changes_nothing_is_no_event);
	tcase_add_loop_test(
	    tc, only_what_begins_so_is_published, 0, N(prefixes));
	tcase_add_test(tc, a_subscription_starts_with_what_comes_after_it);
	tcase_add_test(tc, what_nobody_wants_any_more_is_not_published);
	tcase_add_test(tc, each_topic_counts_by_ones_of_its_own);
	tcase_add_test(tc, a_later_process_counts_from_above);
	tcase_add_test(tc, a_turn_publishes_a_bounded_number_and_then_goes_on);
	tcase_add_test(tc, an_overrun_ring_is_told_as_lost);
	tcase_add_loop_test(tc, notice_is_published, 0, N(notices));
	tcase_add_test(
	    tc, writers_are_asked_to_wake_us_only_when_somebody_listens);
	tcase_add_test(tc, there_is_no_sleep_before_a_change_that_has_come);
	suite_add_tcase(s, tc);
	return fix_run(s);
}
