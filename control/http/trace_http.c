/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /api/v1/trace.pcap: the frames of the traces as a file for Wireshark. Runs in
 * the http process; what it may hold is bounded.
 */
#include <stdlib.h>

#include "control/http/routes.h"
#include "control/pcap.h"
#include "control/state.h"

enum {
	BYTES_MAX = 32 << 20,
	BYTES_FIRST = 1 << 16,
	TIME_MS = 1200, /* others wait meanwhile */
};

#define PCAP_TYPE "application/vnd.tcpdump.pcap"

/* A file as it grows. */
struct file {
	uint8_t *bytes;
	size_t len, room;
};

/* Makes room for one more record. */
static bool
grow(struct file *f)
{
	size_t room = f->room != 0 ? 2 * f->room : BYTES_FIRST;
	uint8_t *bytes;

	if (f->room - f->len >= PCAP_RECORD_MAX)
		return true;
	if (room > BYTES_MAX)
		return false;
	bytes = realloc(f->bytes, room);
	if (bytes == NULL)
		return false;
	f->bytes = bytes;
	f->room = room;
	return true;
}

static json_t *
question(const struct http_call *call, json_t *since)
{
	static const char *const words[] = { "transport", "filter" };
	const char *after = http_field(call, "after");
	json_t *params = json_object();

	for (unsigned i = 0; i < 2; i++)
		if (http_field(call, words[i]) != NULL)
			json_object_set_new(params, words[i],
			    json_string(http_field(call, words[i])));
	if (after != NULL)
		json_object_set_new(
		    params, "after", json_real(strtod(after, NULL)));
	if (since != NULL)
		json_object_set_new(params, "since", since);
	return params;
}

/* Adds what one answer holds; false if there is no room. */
static bool
add(struct file *f, const json_t *result)
{
	const json_t *frames = json_object_get(result, "frames");

	for (size_t i = 0; i < json_array_size(frames); i++) {
		if (!grow(f))
			return false;
		f->len +=
		    pcap_record(json_array_get(frames, i), f->bytes + f->len);
	}
	return true;
}

/* Whether there is time to ask once more. Who supervises us hears of us. */
static bool
in_time(struct control *c, uint64_t began_ns)
{
	control_beat(c);
	return c->now_ns - began_ns < TIME_MS * UINT64_C(1000000);
}

void
trace_pcap(struct http_call *call)
{
	struct file f = { 0 };
	json_t *result, *since = NULL;
	uint64_t began_ns;
	bool more = true, room = true;

	control_beat(call->control);
	began_ns = call->control->now_ns;
	if (!grow(&f)) {
		http_fail(call, 500, "no_memory", "out of memory");
		return;
	}
	pcap_head(f.bytes);
	f.len = PCAP_HEAD;
	while (more && room && in_time(call->control, began_ns)) {
		result = http_ask(call, "trace.read", question(call, since));
		if (result == NULL) {
			http_fail_as_said(call);
			free(f.bytes);
			return;
		}
		room = add(&f, result);
		more = json_is_true(json_object_get(result, "more"));
		since = json_incref(json_object_get(result, "next"));
		json_decref(result);
	}
	json_decref(since);
	http_add(
	    call, "Content-Disposition", "attachment; filename=\"trace.pcap\"");
	if (more || !room)
		http_add(call, "Holdfast-More", "true");
	http_reply(call, 200, PCAP_TYPE, (const char *)f.bytes, f.len);
	free(f.bytes);
}
