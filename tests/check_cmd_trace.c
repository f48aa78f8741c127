/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.read: frames of workers' segments as they are told, whatever lies
 * there, and positions that go on where the last answer ended.
 */

#include "shm/clock.h"
#include "shm/ring.h"
#include "shm/trace.h"
#include "tests/lib/control_fixture.h"

static struct seg seg;
static struct shm_ring *ring;

static void
setup(void)
{
	cf_open();
	ck_assert_int_eq(
	    seg_create_worker(&seg, cf.store.name, "tcp1", 0, 0, 4, 2, 16384),
	    0);
	ring = seg_trace(seg_worker(&seg));
}

static void
teardown(void)
{
	seg_unmap(&seg);
	cf_close();
}

/* A frame of connection 17 and unit 9, from 10.0.0.7:4021 or to it. */
static uint64_t
put_at(struct shm_ring *to, uint64_t us, uint8_t flags, int framer,
    const void *adu, size_t len)
{
	static const uint8_t host[] = { 10, 0, 0, 7 };
	struct trace_head h = {
		.unix_us = us,
		.conn = 17,
		.flags = flags,
		.framer = (uint8_t)framer,
		.unit = 9,
		.port = 4021,
		.peer_len = 4,
		.len = (uint16_t)len,
	};

	return trace_put(to, &h, host, adu);
}

static uint64_t
lay(const void *adu, size_t len)
{
	return put_at(ring, 1, 0, TRACE_SOCKET, adu, len);
}

/* The result of trace.read with params, to be freed. */
static json_t *
ask(const char *params)
{
	char text[512];
	json_t *json, *result;

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"trace.read\",\"params\":%s,"
	    "\"id\":1}",
	    params);
	json = json_loads(cf_ask(text), 0, NULL);
	result = json_object_get(json, "result");
	ck_assert_msg(result != NULL, "%s", cf.answer[cf.nanswers - 1]);
	json_incref(result);
	json_decref(json);
	return result;
}

/* ---- a frame, as each framer has it ---- */

#define FRAME(text) text, sizeof(text) - 1
#define NONE "null,\"name\":null"
#define READ "3,\"name\":\"read_holding_registers\""

static const struct {
	int framer;
	const char *adu;
	size_t len;
	uint8_t flags;
	const char *function, *exception, *tid, *addr, *count, *values, *text;
} frames[] = {
	{ TRACE_SOCKET, FRAME("\0\1\0\0\0\6\1\3\0\4\0\1"), 0, READ, "null", "1",
	    "4", "1", "null", "read holding register 4" },
	{ TRACE_SOCKET, FRAME("\0\2\0\0\0\3\1\x83\2"), TRACE_SENT, READ, "2",
	    "2", "null", "null", "null", "exception 2, illegal data address" },
	{ TRACE_SOCKET, FRAME("\0\1\0\0\0\5\1\3\2\0\7"), TRACE_SENT, READ,
	    "null", "1", "null", "null", "[7]", "holding registers: 7" },
	{ TRACE_SOCKET, FRAME("\0\1\0\0\0\2\1\x63"), 0, "99,\"name\":null",
	    "null", "1", "null", "null", "null", "function 99:" },
	{ TRACE_SOCKET, FRAME("GET / HTTP/1.1\r\n"), TRACE_STRAY, NONE, "null",
	    "null", "null", "null", "null", "16 bytes that are no frame" },
	{ TRACE_SOCKET, FRAME(""), TRACE_STRAY, NONE, "null", "null", "null",
	    "null", "null", "0 bytes that are no frame" },
	{ TRACE_TLS, FRAME("\0\1\0\0\0\6\1\3\0\0\0\2"), 0, READ, "null", "1",
	    "0", "2", "null", "read 2 holding registers from 0" },
	{ TRACE_RTU, FRAME("\1\3\0\0\0\1\x84\x0a"), 0, READ, "null", "null",
	    "0", "1", "null", "read holding register 0" },
	{ TRACE_RTU, FRAME("\1\3\0\0\0\1\x84\x0b"), TRACE_STRAY, NONE, "null",
	    "null", "null", "null", "null", "8 bytes that are no frame" },
	{ TRACE_RTU, FRAME("\1\x83\2\xc0\xf1"), TRACE_SENT, READ, "2", "null",
	    "null", "null", "null", "exception 2, illegal data address" },
	{ TRACE_RTU, FRAME("\1\x83\2\xc0\xf1"), TRACE_STRAY, READ, "2", "null",
	    "null", "null", "null",
	    "not for us: exception 2, illegal data address" },
	{ TRACE_ASCII, FRAME(":010300000001FB\r\n"), 0, READ, "null", "null",
	    "0", "1", "null", "read holding register 0" },
	{ TRACE_ASCII, FRAME(":0183027A\r\n"), TRACE_SENT, READ, "2", "null",
	    "null", "null", "null", "exception 2, illegal data address" },
	{ TRACE_ASCII, FRAME(":01xy027A\r\n"), TRACE_SENT, NONE, "null", "null",
	    "null", "null", "null", "11 bytes that are no frame" },
	{ TRACE_OWN, FRAME("\1\2"), 0, NONE, "null", "null", "null", "null",
	    "null", "2 bytes" },
	{ 77, FRAME("\1\2"), 0, NONE, "null", "null", "null", "null", "null",
	    "2 bytes" },
};

START_TEST(a_frame_is_told_with_its_fields_if_it_is_one)
{
	static const char *const names[] = { "own", "socket", "tls", "rtu",
		"ascii" };
	char want[1024], hex[128] = "";
	int framer = frames[_i].framer;
	json_t *result;
	char *got;

	for (size_t i = 0; i < frames[_i].len; i++)
		sprintf(hex + 2 * i, "%02x", (uint8_t)frames[_i].adu[i]);
	cf.transport[0].framer = (char *)(uintptr_t) "own";
	cf.transport[0].type_name = (char *)(uintptr_t) "tcp";
	put_at(ring, 1500000, frames[_i].flags, framer, frames[_i].adu,
	    frames[_i].len);
	result = ask("{}");
	got = json_dumps(json_object_get(result, "frames"), JSON_COMPACT);
	snprintf(want, sizeof(want),
	    "[{\"at\":1.5,\"transport\":\"tcp1\",\"type\":\"tcp\",\"framer\":"
	    "\"%s\",\"connection\":\"tcp1.0.17\",\"peer\":\"10.0.0.7:4021\","
	    "\"direction\":\"%s\",\"unit\":9,\"function\":%s,\"exception\":%s,"
	    "\"transaction\":%s,\"addr\":%s,\"count\":%s,\"values\":%s,"
	    "\"text\":\"%s\",\"us\":%s,\"fault\":false,\"adu\":\"%s\"}]",
	    framer < 5 ? names[framer] : "own",
	    (frames[_i].flags & TRACE_SENT) != 0 ? "out" : "in",
	    frames[_i].function, frames[_i].exception, frames[_i].tid,
	    frames[_i].addr, frames[_i].count, frames[_i].values,
	    frames[_i].text,
	    (frames[_i].flags & TRACE_SENT) != 0 ? "0" : "null", hex);
	ck_assert_str_eq(got, want);
	ck_assert(json_is_false(json_object_get(result, "lost")));
	free(got);
	json_decref(result);
}
END_TEST

/* The texts of the frames of an answer, each ended by a semicolon. */
static const char *
texts(const char *params)
{
	static char all[512];
	json_t *result = ask(params), *frame;
	size_t i;

	all[0] = '\0';
	json_array_foreach (json_object_get(result, "frames"), i, frame)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s;",
		    json_string_value(json_object_get(frame, "text")));
	json_decref(result);
	return all;
}

START_TEST(a_reply_is_told_with_what_its_request_asked_for)
{
	uint64_t asked = lay(FRAME("\0\1\0\0\0\6\1\1\0\x0a\0\3"));
	struct trace_head h = {
		.unix_us = 2,
		.conn = 17,
		.us = 250,
		.flags = TRACE_SENT,
		.framer = TRACE_SOCKET,
		.len = 10,
		.back = (uint32_t)(ring_end(ring) - asked) / 8 & 0xffff,
	};

	trace_put(ring, &h, NULL, (const uint8_t *)"\0\1\0\0\0\4\1\1\1\5");
	ck_assert_str_eq(texts("{}"),
	    "read 3 coils from 10;"
	    "3 coils from 10: 1 0 1;");
	ck_assert_str_eq(texts("{\"filter\":\"us == 250 && addr == 10\"}"),
	    "3 coils from 10: 1 0 1;");
	/* somebody else's is none, nor is what only looks like one */
	h.conn = 18;
	h.back = (uint32_t)(ring_end(ring) - asked) / 8 & 0xffff;
	trace_put(ring, &h, NULL, (const uint8_t *)"\0\1\0\0\0\4\1\1\1\5");
	h.conn = 17;
	h.back++;
	trace_put(ring, &h, NULL, (const uint8_t *)"\0\1\0\0\0\4\1\1\1\5");
	ck_assert_str_eq(texts("{\"newest\":true,\"limit\":2}"),
	    "coils: 1 0 1 0 0 0 0 0;coils: 1 0 1 0 0 0 0 0;");
}
END_TEST

/* Frames that were read at once, and the replies to all but one of them; what
 * is cut, or is no frame, ends a record. */
START_TEST(frames_that_are_one_record_are_told_one_by_one)
{
	static const char in[] = "\0\1\0\0\0\6\1\1\0\x0a\0\3"
				 "\0\1\0\0\0\6\2\1\0\x14\0\3"
				 "\0\1\0\0\0\6\1\1\0\x1e\0\3"
				 "\0\1\0\0\0\6\1\1\0",
			  out[] = "\0\1\0\0\0\4\1\1\1\5"
				  "\0\1\0\0\0\4\2\1\1\3"
				  "\0\1\0\1\0\4\1\1\1\1";
	uint64_t asked =
	    put_at(ring, 1, TRACE_MANY, TRACE_SOCKET, in, sizeof(in) - 1);
	struct trace_head h = {
		.unix_us = 2,
		.conn = 17,
		.flags = TRACE_SENT | TRACE_MANY,
		.framer = TRACE_SOCKET,
		.len = sizeof(out) - 1,
		.back = (uint32_t)(ring_end(ring) - asked) / 8 & 0xffff,
	};
	char params[64] = "{\"limit\":1}", all[512] = "";

	trace_put(ring, &h, NULL, (const uint8_t *)out);
#define ALL                                                               \
	"read 3 coils from 10;read 3 coils from 20;read 3 coils from 30;" \
	"3 coils from 10: 1 0 1;3 coils from 20: 1 1 0;"
	ck_assert_str_eq(texts("{}"), ALL);
	ck_assert_str_eq(texts("{\"newest\":true}"), ALL);
	ck_assert_str_eq(
	    texts("{\"newest\":true,\"limit\":1}"), "3 coils from 20: 1 1 0;");
	ck_assert_str_eq(texts("{\"filter\":\"unit == 2\"}"),
	    "read 3 coils from 20;3 coils from 20: 1 1 0;");
	/* one by one, from where the last answer ended */
	for (int i = 0; i < 6; i++) {
		json_t *result = ask(params);
		json_t *frame =
		    json_array_get(json_object_get(result, "frames"), 0);

		ck_assert(json_is_false(json_object_get(result, "lost")));
		if (frame != NULL)
			sprintf(all + strlen(all), "%s;",
			    json_string_value(json_object_get(frame, "text")));
		snprintf(params, sizeof(params),
		    "{\"limit\":1,\"since\":{\"tcp1.0\":%lld}}",
		    json_integer_value(json_object_get(
			json_object_get(result, "next"), "tcp1.0")));
		json_decref(result);
	}
	ck_assert_str_eq(all, ALL);
#undef ALL
}
END_TEST

/* A client may give all its requests the same number: each reply is told with
 * the one that it is to, or where there is no telling, with none. */
START_TEST(replies_that_look_alike_are_told_with_their_own_requests)
{
	uint8_t in[100 * 12], out[100 * 11];
	struct trace_head h = {
		.unix_us = 2,
		.conn = 17,
		.flags = TRACE_SENT | TRACE_MANY,
		.framer = TRACE_SOCKET,
	};
	uint64_t asked;
	json_t *result;

	for (uint8_t i = 0; i < 100; i++) {
		memcpy(in + 12 * i, "\0\1\0\0\0\6\1\3\0\0\0\1", 12);
		in[12 * i + 9] = i;
		memcpy(out + 11 * i, "\0\1\0\0\0\5\1\3\2\0\0", 11);
	}
	asked = put_at(ring, 1, TRACE_MANY, TRACE_SOCKET, in, sizeof(in));
	/* all but request 30, in records of their own */
	for (unsigned first = 0; first < 100; first += h.len / 11) {
		first += first == 30;
		h.first = first & 511;
		h.len = (uint16_t)((first < 30 ? 10 : 23) * 11);
		h.back = (uint32_t)(ring_end(ring) - asked) / 8 & 0xffff;
		trace_put(ring, &h, NULL, out);
	}
	result = ask("{\"filter\":\"direction == out\"}");
	for (unsigned i = 0, n = 0; i < 100; i++) {
		json_t *all = json_object_get(result, "frames");

		if (i == 30)
			continue;
		ck_assert_int_eq(json_integer_value(json_object_get(
				     json_array_get(all, n++), "addr")),
		    i);
	}
	json_decref(result);
	/* none there, and none like it */
	h.len = 11;
	h.first = 100;
	h.back = (uint32_t)(ring_end(ring) - asked) / 8 & 0xffff;
	trace_put(ring, &h, NULL, out);
	out[1]++;
	h.first = 99;
	h.back = (uint32_t)(ring_end(ring) - asked) / 8 & 0xffff;
	trace_put(ring, &h, NULL, out);
	ck_assert_str_eq(texts("{\"newest\":true,\"limit\":2}"),
	    "holding registers: 0;holding registers: 0;");
}
END_TEST

/* ---- choosing ---- */

START_TEST(frames_of_several_workers_are_told_by_time)
{
	static struct seg two;
	uint8_t adu[] = { 0, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1 };
	struct shm_ring *other;

	ck_assert_int_eq(
	    seg_create_worker(&two, cf.store.name, "tcp2", 1, 0, 4, 2, 16384),
	    0);
	other = seg_trace(seg_worker(&two));
	for (unsigned i = 1; i <= 9; i++) {
		adu[11] = (uint8_t)(i + 1);
		put_at(i % 3 == 0 ? other : ring, i * 1000000, 0, TRACE_SOCKET,
		    adu, sizeof(adu));
	}
#define N(n) "read " n " holding registers from 0;"
	ck_assert_str_eq(texts("{\"limit\":4}"), N("2") N("3") N("4") N("5"));
	ck_assert_str_eq(texts("{\"limit\":4,\"newest\":true}"),
	    N("7") N("8") N("9") N("10"));
	ck_assert_str_eq(texts("{\"after\":8.5}"), N("10"));
	ck_assert_str_eq(texts("{\"filter\":\"transport == tcp2\",\"limit\":2,"
			       "\"newest\":true}"),
	    N("7") N("10"));
	ck_assert_str_eq(texts("{\"transport\":\"tcp2\",\"filter\":"
			       "\"count > 4 && peer == 10.0.0.7\"}"),
	    N("7") N("10"));
	ck_assert_str_eq(texts("{\"filter\":\"exception\"}"), "");
#undef N
	seg_unmap(&two);
}
END_TEST

START_TEST(a_filter_that_is_none_is_refused_with_its_column)
{
	const char *answer = cf_ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
				    "\"trace.read\",\"params\":{\"filter\":"
				    "\"unit == 1 && fd == 3\"}}");

	ck_assert_ptr_nonnull(strstr(
	    answer, "filter: column 14: no field \\\"fd\\\"; did you mean"));
	ck_assert_ptr_nonnull(strstr(answer, "\"bad_filter\""));
}
END_TEST

START_TEST(recording_is_switched_while_a_worker_runs)
{
	static const char set[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"trace.set\","
	    "\"params\":{\"on\":%s}}";
	char text[128];

	for (int on = 1; on >= 0; on--) {
		snprintf(text, sizeof(text), set, on ? "true" : "false");
		ck_assert_ptr_nonnull(strstr(
		    cf_ask(text), on ? "{\"on\":[\"tcp1\"]}" : "{\"on\":[]}"));
		ck_assert_uint_eq(
		    atomic_load(&seg_worker(&seg)->trace_on), (unsigned)on);
	}
	ck_assert_ptr_nonnull(
	    strstr(cf_ask_as(CMD_READ, text, NULL, 0), "-32002"));
}
END_TEST

/* ---- going on ---- */

START_TEST(each_answer_goes_on_where_the_last_one_ended)
{
	uint8_t adu[] = { 0, 0, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1 };
	char params[256] = "{}", *next;
	unsigned put = 0, got = 0;

	for (int round = 0; round < 200; round++) {
		json_t *result, *frame;
		size_t i;

		for (int n = 0; n < round % 7; n++, put++) {
			adu[0] = (uint8_t)(put >> 8);
			adu[1] = (uint8_t)put;
			lay(adu, sizeof(adu));
		}
		result = ask(params);
		ck_assert(json_is_false(json_object_get(result, "lost")));
		json_array_foreach (
		    json_object_get(result, "frames"), i, frame) {
			char head[8];

			snprintf(head, sizeof(head), "%04x", got++);
			ck_assert_int_eq(
			    strncmp(json_string_value(
					json_object_get(frame, "adu")),
				head, 4),
			    0);
		}
		ck_assert_uint_eq(got, put);
		next = json_dumps(json_object_get(result, "next"), 0);
		snprintf(params, sizeof(params),
		    "{\"transport\":\"tcp1\",\"since\":%s}", next);
		free(next);
		json_decref(result);
		free(cf.answer[0]);
		cf.nanswers = 0;
	}
}
END_TEST

START_TEST(frames_that_were_overwritten_are_told_as_lost)
{
	uint8_t adu[200] = { 0 };
	json_t *first, *result;
	char params[128];

	lay(adu, sizeof(adu));
	first = ask("{}");
	for (int i = 0; i < 200; i++)
		lay(adu, sizeof(adu));
	snprintf(params, sizeof(params), "{\"since\":{\"tcp1.0\":%lld}}",
	    json_integer_value(
		json_object_get(json_object_get(first, "next"), "tcp1.0")));
	result = ask(params);
	ck_assert(json_is_true(json_object_get(result, "lost")));
	ck_assert_uint_gt(
	    json_array_size(json_object_get(result, "frames")), 10);
	json_decref(first);
	json_decref(result);
}
END_TEST

START_TEST(a_position_of_an_earlier_daemon_begins_anew)
{
	uint8_t adu[12] = { 0 };
	json_t *result;

	lay(adu, sizeof(adu));
	result = ask("{\"since\":{\"tcp1.0\":9007199254740992,\"x.9\":8}}");
	ck_assert(json_is_true(json_object_get(result, "lost")));
	ck_assert_uint_eq(
	    json_array_size(json_object_get(result, "frames")), 1);
	json_decref(result);
}
END_TEST

START_TEST(one_answer_holds_a_thousand_frames_and_the_next_one_the_rest)
{
	static struct seg big;
	uint8_t adu[12] = { 0 };
	json_t *result;

	ck_assert_int_eq(
	    seg_create_worker(&big, cf.store.name, "tcp2", 1, 0, 4, 2, 1 << 18),
	    0);
	for (int i = 0; i < 1500; i++) {
		put_at(seg_trace(seg_worker(&big)), 1, 0, TRACE_SOCKET, adu,
		    sizeof(adu));
	}
	for (size_t want = 1000; want >= 500; want -= 500) {
		static char params[128] = "{}";
		char *next;

		result = ask(params);
		ck_assert_uint_eq(
		    json_array_size(json_object_get(result, "frames")), want);
		next = json_dumps(json_object_get(result, "next"), 0);
		snprintf(params, sizeof(params), "{\"since\":%s}", next);
		free(next);
		json_decref(result);
	}
	seg_unmap(&big);
}
END_TEST

/* Asks for what is rare in a large ring until all has been looked at; how many
 * frames there were. */
static unsigned
ask_on(unsigned *answers)
{
	static char params[160] = "{\"filter\":\"unit == 8\"}";
	unsigned got = 0;
	bool more = true;

	for (*answers = 0; more; ++*answers) {
		json_t *result = ask(params);
		char *next = json_dumps(json_object_get(result, "next"), 0);

		got += json_array_size(json_object_get(result, "frames"));
		more = json_is_true(json_object_get(result, "more"));
		snprintf(params, sizeof(params),
		    "{\"filter\":\"unit == 8\",\"since\":%s}", next);
		free(next);
		json_decref(result);
	}
	return got;
}

START_TEST(a_search_that_takes_long_is_left_and_gone_on_with)
{
	static struct seg big;
	uint8_t in[512 * 8];
	uint64_t began, took, shortest = UINT64_MAX;
	unsigned answers;
	json_t *result;

	ck_assert_int_eq(
	    seg_create_worker(&big, cf.store.name, "tcp2", 1, 0, 4, 2, 1 << 23),
	    0);
	for (unsigned i = 0; i < 512; i++)
		memcpy(in + 8 * i, "\0\0\0\0\0\2\x9\x63", 8);
	for (unsigned i = 0; i < 2000; i++) {
		in[6] = i % 900 == 899 ? 8 : 9;
		put_at(seg_trace(seg_worker(&big)), i, TRACE_MANY, TRACE_SOCKET,
		    in, sizeof(in));
	}
	/* the last ones are at hand, whatever lies before them */
	for (int i = 0; i < 10 && shortest >= 600000000; i++) {
		began = clock_mono_ns();
		result = ask("{\"newest\":true,\"limit\":250}");
		took = clock_mono_ns() - began;
		if (took < shortest)
			shortest = took;
		ck_assert(json_is_false(json_object_get(result, "more")));
		ck_assert_uint_eq(
		    json_array_size(json_object_get(result, "frames")), 250);
		json_decref(result);
	}
	ck_assert_uint_lt(shortest, 600000000);
	/* what goes through all of it in time need not be left */
	began = clock_mono_ns();
	result = ask("{\"newest\":true,\"filter\":\"unit == 7\"}");
	took = clock_mono_ns() - began;
	ck_assert(
	    json_is_true(json_object_get(result, "more")) || took < 500000000);
	json_decref(result);
	began = clock_mono_ns();
	ck_assert_uint_eq(ask_on(&answers), 2);
	took = clock_mono_ns() - began;
	ck_assert(answers > 1 || took < 500000000);
	ck_assert_uint_lt(took / answers, 10000000000);
	seg_unmap(&big);
}
END_TEST

/* ---- a worker that has scribbled on its segment ---- */

START_TEST(whatever_lies_in_a_ring_is_answered)
{
	uint64_t *words = (uint64_t *)ring;
	uint8_t adu[12] = { 0 };
	unsigned seed = (unsigned)_i + 1;
	json_t *result;

	for (int i = 0; i < 100; i++)
		lay(adu, sizeof(adu));
	for (int i = 0; i < 400; i++) {
		size_t at = (size_t)rand_r(&seed) % (i % 2 != 0 ? 3 : 1500);

		words[at] = (uint64_t)rand_r(&seed)
		    << (rand_r(&seed) % 40 - 8 < 0 ? 0 : rand_r(&seed) % 33);
	}
	result = ask("{}");
	ck_assert_uint_le(
	    json_array_size(json_object_get(result, "frames")), 1000);
	json_decref(result);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd_trace");
	TCase *tc = tcase_create("trace");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_reply_is_told_with_what_its_request_asked_for);
	tcase_add_test(tc, frames_that_are_one_record_are_told_one_by_one);
	tcase_add_test(
	    tc, replies_that_look_alike_are_told_with_their_own_requests);
	tcase_add_test(tc, frames_of_several_workers_are_told_by_time);
	tcase_add_test(tc, a_filter_that_is_none_is_refused_with_its_column);
	tcase_add_test(tc, recording_is_switched_while_a_worker_runs);
	tcase_add_loop_test(tc, a_frame_is_told_with_its_fields_if_it_is_one, 0,
	    sizeof(frames) / sizeof(frames[0]));
	tcase_add_test(tc, each_answer_goes_on_where_the_last_one_ended);
	tcase_add_test(tc, frames_that_were_overwritten_are_told_as_lost);
	tcase_add_test(tc, a_position_of_an_earlier_daemon_begins_anew);
	tcase_add_test(
	    tc, one_answer_holds_a_thousand_frames_and_the_next_one_the_rest);
	tcase_add_test(tc, a_search_that_takes_long_is_left_and_gone_on_with);
	tcase_add_loop_test(tc, whatever_lies_in_a_ring_is_answered, 0, 50);
	suite_add_tcase(s, tc);
	return fix_run(s);
}
