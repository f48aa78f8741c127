/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the trace decoded, see traced.h. A reply is decoded with its
 * request, which its record points back to. Runs in the control process.
 */

#include "control/traced.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "control/jtext.h"
#include "shm/notice.h"

enum {
	WORD = 8,
	TEXT_MAX = 512,
	MBAP = 6, /* to the length, and with it */
	PACK = TRACED_FRAMES,
};

#define POS_MAX (UINT64_C(1) << 47)

_Static_assert(BATCH_IN / (MBAP + 2) <= PACK, "all have numbers");

static const struct framer *const framers[] = {
	[TRACE_SOCKET] = &frame_mbap,
	[TRACE_TLS] = &frame_tls,
	[TRACE_RTU] = &frame_rtu,
	[TRACE_ASCII] = &frame_ascii,
};

enum { NFRAMERS = sizeof(framers) / sizeof(framers[0]) };

/* NULL: nobody here knows it. */
static const struct framer *
framer_of(const struct trace_head *h)
{
	return h->framer < NFRAMERS ? framers[h->framer] : NULL;
}

static const struct mb_fcs *
functions(void)
{
	static struct mb_fcs fcs;

	if (fcs.row[1] == NULL)
		mb_fcs_init(&fcs);
	return &fcs;
}

static void
format_peer(const struct trace_frame *f, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	text[0] = '\0';
	if (f->head.peer_len == 4) {
		inet_ntop(AF_INET, f->peer, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, f->head.port);
	} else if (f->head.peer_len == 16) {
		inet_ntop(AF_INET6, f->peer, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, f->head.port);
	} else {
		snprintf(text, size, "%.*s", (int)f->head.peer_len,
		    (const char *)f->peer);
	}
}

/* ---- records ---- */

/* Finds the frames of a record that holds several; what is cut, or is no frame,
 * ends it. */
static void
split(struct traced_record *r)
{
	size_t off = 0, end = r->f.head.len, len;
	const uint8_t *p;

	for (r->n = 0; r->n < TRACED_FRAMES && end - off > MBAP + 1; r->n++) {
		p = r->f.adu + off;
		len = MBAP + ((size_t)p[4] << 8 | p[5]);
		if ((p[2] | p[3]) != 0 || len <= MBAP + 1 || len > end - off)
			break;
		off += len;
		r->off[r->n + 1] = (uint16_t)off;
	}
}

/* 1, and 0 or -1 as trace_next() has them. */
static int
read_record(struct traced_record *r, const struct view *v, uint64_t pos)
{
	int rc;

	if (r->view == v && r->pos == pos)
		return 1;
	r->view = NULL;
	r->end = pos;
	rc = trace_next(seg_trace(seg_worker(&v->seg)), &r->end, &r->f);
	if (rc != 1)
		return rc;
	r->view = v;
	r->pos = pos;
	r->off[0] = 0;
	r->off[1] = r->f.head.len;
	r->n = 1;
	if ((r->f.head.flags & TRACE_MANY) != 0)
		split(r);
	return 1;
}

/* Frame i of a record: how long; 0: there is none. */
static size_t
frame_of(const struct traced_record *r, unsigned i, const uint8_t **bytes)
{
	*bytes = r->f.adu;
	if (i >= r->n)
		return 0;
	*bytes += r->off[i];
	return (size_t)(r->off[i + 1] - r->off[i]);
}

uint64_t
traced_pack(const struct traced_at *at)
{
	/* a worker that has scribbled on its ring says anything; a number of
	 * JSON holds what all others ever get to */
	return at->pos < POS_MAX ? at->pos / WORD * PACK + at->index : 0;
}

struct traced_at
traced_unpack(uint64_t n)
{
	return (struct traced_at){
		.pos = n / PACK * WORD,
		.index = (unsigned)(n % PACK),
	};
}

/* ---- what they say ---- */

/* Finds the request that the record of reply i points back to. If what lies
 * there is not what t could be the reply to, there is no telling. */
static bool
find_request(const struct view *v, unsigned i, struct traced *t)
{
	const struct trace_head *asked = &t->asked_record.f.head;
	struct mb_adu *adu = &t->asked_adu;
	uint64_t pos = t->record.pos;
	uint64_t back = (uint64_t)t->head->back * WORD;
	const uint8_t *bytes;
	size_t len;

	if (back == 0 || back >= pos ||
	    read_record(&t->asked_record, v, pos - back) != 1 ||
	    (asked->flags & TRACE_SENT) != 0 || asked->conn != t->head->conn)
		return false;
	len = frame_of(&t->asked_record, t->head->first + i, &bytes);
	if (len == 0 || !mb_adu_open(framer_of(t->head), bytes, len, adu) ||
	    adu->tid != t->adu.tid || adu->unit != t->adu.unit ||
	    adu->pdu[0] != (t->adu.pdu[0] & 0x7f))
		return false;
	mb_decode_request(adu->pdu, adu->pdu_len, &t->asked_d);
	return true;
}

/* Bytes that are not for us may be another station's reply. */
static void
decode_stray(struct traced *t)
{
	struct mb_decoded reply;

	mb_decode_request(t->adu.pdu, t->adu.pdu_len, &t->d);
	mb_decode_reply(NULL, t->adu.pdu, t->adu.pdu_len, &reply);
	if ((!t->d.whole && reply.whole) || reply.exception != -1)
		t->d = reply;
}

static void
decode(const struct view *v, unsigned i, struct traced *t)
{
	const uint8_t *pdu;
	size_t len;
	bool asked;

	t->name = NULL;
	t->is_frame =
	    mb_adu_open(framer_of(t->head), t->bytes, t->len, &t->adu);
	if (!t->is_frame)
		return;
	pdu = t->adu.pdu;
	len = t->adu.pdu_len;
	if ((t->head->flags & TRACE_STRAY) != 0) {
		decode_stray(t);
	} else if ((t->head->flags & TRACE_SENT) == 0) {
		mb_decode_request(pdu, len, &t->d);
	} else {
		asked = find_request(v, i, t);
		mb_decode_reply(asked ? &t->asked_d : NULL, pdu, len, &t->d);
	}
	t->name = mb_fc_name(functions(), t->d.fc);
}

int
traced_read(struct control *c, const struct view *v, struct traced_at *at,
    struct traced *t)
{
	const uint8_t *behind;
	unsigned i;
	int rc = read_record(&t->record, v, at->pos);

	if (rc != 1)
		return rc;
	t->head = &t->record.f.head;
	t->len = frame_of(&t->record, at->index, &t->bytes);
	if (t->len == 0 && (at->index > 0 || t->head->len > 0)) {
		*at = (struct traced_at){ .pos = t->record.end };
		return 0;
	}
	i = at->index++;
	t->more = frame_of(&t->record, at->index, &behind) != 0;
	if (!t->more)
		*at = (struct traced_at){ .pos = t->record.end };
	t->unit = t->head->unit;
	if ((t->head->flags & TRACE_MANY) != 0 && t->len > MBAP)
		t->unit = t->bytes[MBAP];
	t->conf = &c->proc->conf->transports[v->transport];
	view_format_id(c, v->transport, v->worker,
	    CONN_ID_SERIAL(t->head->conn), t->connection,
	    sizeof(t->connection));
	format_peer(&t->record.f, t->peer, sizeof(t->peer));
	decode(v, i, t);
	return 1;
}

/* ---- fields ---- */

static unsigned
value(const void *arg, unsigned i)
{
	return mb_decoded_value(arg, i);
}

static const char *
direction(const struct traced *t)
{
	return (t->head->flags & TRACE_SENT) != 0 ? "out" : "in";
}

static const char *
framer_name(const struct traced *t)
{
	const struct framer *f = framer_of(t->head);

	if (f != NULL)
		return f->name;
	return t->conf->framer != NULL ? t->conf->framer : "";
}

/* Replies alone have it. */
static int64_t
us(const struct traced *t)
{
	return (t->head->flags & TRACE_SENT) != 0 ? (int64_t)t->head->us : -1;
}

void
traced_fields(const struct traced *t, struct filter_frame *fr)
{
	const struct mb_decoded *d = &t->d;

	memset(fr, 0, sizeof(*fr));
	for (int i = 0; i < FILTER_TRANSPORT; i++)
		fr->number[i] = -1;
	fr->number[FILTER_UNIT] = t->unit;
	fr->number[FILTER_US] = us(t);
	fr->string[FILTER_TRANSPORT] = t->conf->name;
	fr->string[FILTER_PEER] = t->peer[0] != '\0' ? t->peer : NULL;
	fr->string[FILTER_CONNECTION] = t->connection;
	fr->string[FILTER_DIRECTION] = direction(t);
	fr->string[FILTER_TYPE] = t->conf->type_name;
	fr->string[FILTER_FRAMER] = framer_name(t);
	if (!t->is_frame)
		return;
	fr->number[FILTER_FC] = d->fc;
	fr->number[FILTER_ADDR] = d->addr;
	fr->number[FILTER_COUNT] = d->count;
	fr->number[FILTER_EXCEPTION] = d->exception;
	fr->number[FILTER_TRANSACTION] = t->adu.tid;
	fr->string[FILTER_NAME] = t->name;
	fr->nvalues = d->kind == MB_NO_VALUES ? 0 : d->nvalues;
	fr->value = value;
	fr->arg = d;
}

/* ---- telling ---- */

static json_t *
number(int64_t n)
{
	return n == -1 ? json_null() : json_integer(n);
}

static json_t *
string(const char *s)
{
	return s == NULL || s[0] == '\0' ? json_null()
					 : jtext_bytes(s, strlen(s));
}

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

static json_t *
values(const struct traced *t)
{
	json_t *array;

	if (!t->is_frame || t->d.kind == MB_NO_VALUES)
		return json_null();
	array = json_array();
	for (unsigned i = 0; i < t->d.nvalues; i++)
		json_array_append_new(
		    array, json_integer(mb_decoded_value(&t->d, i)));
	return array;
}

static bool
spoiled(const struct traced *t)
{
	return (t->head->flags & TRACE_SPOILED) != 0;
}

static json_t *
text_of(const struct traced *t)
{
	char text[TEXT_MAX], what[TEXT_MAX - 48];
	bool stray = (t->head->flags & TRACE_STRAY) != 0;
	bool all = t->conf->broadcast && t->unit == 0;
	const char *by_rule = spoiled(t) ? ", by a fault rule" : "";

	if (spoiled(t) && t->len == 0)
		return json_string("no reply, by a fault rule");
	if (!t->is_frame) {
		snprintf(text, sizeof(text), "%zu bytes%s%s", t->len,
		    framer_of(t->head) != NULL ? " that are no frame" : "",
		    by_rule);
		return json_string(text);
	}
	mb_decode_text(&t->d, what, sizeof(what));
	snprintf(text, sizeof(text), "%s%s%s%s", stray ? "not for us: " : "",
	    all ? "to all: " : "", what, by_rule);
	return json_string(text);
}

json_t *
traced_json(const struct traced *t)
{
	bool f = t->is_frame;
	const struct mb_decoded *d = &t->d;
	json_t *json;

	json = json_pack("{s:o, s:s, s:o, s:o, s:s, s:o, s:s, s:i}", "at",
	    jtext_float64((double)t->head->unix_us / 1e6), "transport",
	    t->conf->name, "type", string(t->conf->type_name), "framer",
	    string(framer_name(t)), "connection", t->connection, "peer",
	    string(t->peer), "direction", direction(t), "unit", (int)t->unit);
	if (json == NULL)
		return NULL;
	json_object_set_new(json, "function", number(f ? d->fc : -1));
	json_object_set_new(json, "name", string(t->name));
	json_object_set_new(json, "exception", number(f ? d->exception : -1));
	json_object_set_new(json, "transaction", number(f ? t->adu.tid : -1));
	json_object_set_new(json, "addr", number(f ? d->addr : -1));
	json_object_set_new(json, "count", number(f ? d->count : -1));
	json_object_set_new(json, "values", values(t));
	json_object_set_new(json, "text", text_of(t));
	json_object_set_new(json, "us", number(us(t)));
	json_object_set_new(json, "fault", json_boolean(spoiled(t)));
	json_object_set_new(json, "adu", hex(t->bytes, t->len));
	return json;
}
