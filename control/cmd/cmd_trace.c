/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.read: the frames that workers have kept in their segments, where they
 * outlive a worker that dies. What lies there is taken as bytes from outside.
 * Runs in the control process.
 */

#include <stdio.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/view.h"
#include "shm/notice.h"
#include "shm/ring.h"
#include "shm/trace.h"
#include "workers/proto/frame.h"

enum {
	FRAMES_MAX = 1000, /* in one answer */
	EXCEPTION = 0x80, /* added to the function code of a reply */
	ASCII_PDU = 3, /* after a colon and the unit's two digits */
	NAME_BYTES = SHM_NAME_MAX + 32,
};

/* An answer as it is put together. */
struct reading {
	struct mb_fcs fcs;
	const json_t *since; /* NULL: from the oldest */
	json_t *frames, *next;
	size_t left; /* frames that may still be added */
	bool lost;
};

static json_t *
hex(const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * BATCH_IN];

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return json_stringn(text, 2 * len);
}

static int
unhex(const uint8_t *two)
{
	unsigned byte;
	const char text[] = { (char)two[0], (char)two[1], '\0' };

	return sscanf(text, "%2x", &byte) == 1 ? (int)byte : -1;
}

/* The first two bytes of the PDU, -1 for what there is not: the bytes may be
 * anything, since a worker also keeps what it closed a connection for. */
static void
find_pdu(const struct reading *r, const struct framer *framer,
    const struct trace_frame *f, int pdu[2])
{
	uint8_t delimiter = f->len > 0 ? f->adu[f->len - 1] : 0;
	struct frame frame;

	pdu[0] = pdu[1] = -1;
	if (f->sent == 0) {
		if (framer->stream(
			&r->fcs, delimiter, f->adu, f->len, &frame) == FRAME_OK)
			pdu[0] = frame.pdu[0];
	} else if (framer == &frame_ascii) {
		if (f->len >= ASCII_PDU + 4) {
			pdu[0] = unhex(f->adu + ASCII_PDU);
			pdu[1] = unhex(f->adu + ASCII_PDU + 2);
		}
	} else if (f->len >= framer->head + 2) {
		pdu[0] = f->adu[framer->head];
		pdu[1] = f->adu[framer->head + 1];
	}
}

static void
add_function(const struct reading *r, const struct framer *framer,
    const struct trace_frame *f, json_t *json)
{
	const char *name = NULL;
	int pdu[2], code;

	find_pdu(r, framer, f, pdu);
	code = pdu[0] == -1 || f->sent == 0 ? pdu[0] : pdu[0] & ~EXCEPTION;
	if (code != -1)
		name = mb_fc_name(&r->fcs, (uint8_t)code);
	json_object_set_new(
	    json, "function", code != -1 ? json_integer(code) : json_null());
	json_object_set_new(
	    json, "name", name != NULL ? json_string(name) : json_null());
	if (code != -1 && pdu[1] != -1 && (pdu[0] & EXCEPTION) != 0)
		json_object_set_new(json, "exception", json_integer(pdu[1]));
}

static void
add_frame(struct control *c, const struct view *v, struct reading *r,
    const struct trace_frame *f)
{
	const struct conf_transport *t =
	    &c->proc->conf->transports[v->transport];
	const struct framer *framer =
	    framer_find(t->framer != NULL ? t->framer : "socket");
	char id[NAME_BYTES];
	json_t *json;

	view_format_id(c, v->transport, v->worker, CONN_ID_SERIAL(f->conn), id,
	    sizeof(id));
	json = json_pack("{s:o, s:s, s:s, s:s, s:i}", "at",
	    jtext_float64((double)f->unix_us / 1e6), "transport", t->name,
	    "connection", id, "direction", f->sent != 0 ? "out" : "in", "unit",
	    (int)f->unit);
	if (framer != NULL)
		add_function(r, framer, f, json);
	json_object_set_new(json, "adu", hex(f->adu, f->len));
	json_array_append_new(r->frames, json);
}

/* The frames of one worker that are left from where the asker was. */
static void
read_worker(struct control *c, const struct view *v, struct reading *r)
{
	const struct shm_ring *ring = seg_trace(seg_worker(&v->seg));
	static struct trace_frame f;
	char name[NAME_BYTES];
	uint64_t pos;
	int rc = 1;

	snprintf(name, sizeof(name), "%s.%u",
	    c->proc->conf->transports[v->transport].name, v->worker);
	pos = (uint64_t)json_integer_value(json_object_get(r->since, name));
	/* a position of an earlier daemon: its frames are gone */
	if (pos > ring_end(ring)) {
		r->lost = true;
		pos = 0;
	}
	while (r->left > 0 && rc != 0) {
		rc = trace_next(ring, &pos, &f);
		r->left -= rc != 0;
		if (rc == -1)
			r->lost = true;
		else if (rc == 1)
			add_frame(c, v, r, &f);
	}
	json_object_set_new(r->next, name, jtext_uint(pos));
}

/* False after the call has failed. */
static bool
check_since(struct cmd_call *call, const json_t *since)
{
	const char *name;
	json_t *pos;

	json_object_foreach ((json_t *)(uintptr_t)since, name, pos) {
		if (json_is_integer(pos) && json_integer_value(pos) >= 0)
			continue;
		cmd_fail(call, CMD_PARAMS, "bad_type",
		    "since holds positions as next gave them; %.40s is none",
		    name);
		return false;
	}
	return true;
}

void
cmd_trace_read(struct cmd_call *call)
{
	struct control *c = call->control;
	const char *name = cmd_string(call, "transport");
	int transport = name != NULL ? control_transport(call, name) : -1;
	struct reading r = {
		.since = json_object_get(call->params, "since"),
		.left = FRAMES_MAX,
	};

	if (call->error != CMD_OK || !check_since(call, r.since))
		return;
	mb_fcs_init(&r.fcs);
	r.frames = json_array();
	r.next = json_object();
	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if ((transport == -1 || v->transport == (unsigned)transport) &&
		    view_attach(c, v))
			read_worker(c, v, &r);
	}
	call->result = json_pack("{s:o, s:o, s:b}", "frames", r.frames, "next",
	    r.next, "lost", (int)r.lost);
}
