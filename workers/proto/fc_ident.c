/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the unit is: function codes 17 and 43/14, both from the same identity.
 * Runs in the workers.
 */

#include "workers/proto/fc_run.h"

enum {
	MEI_IDENTIFICATION = 0x0e,
	IDENT_LEN = 4, /* a request: function code, MEI, code, object */
	IDENT_HEAD = 7, /* a reply before its first object */
	OBJECT_MAX = MB_PDU_MAX - IDENT_HEAD - 2, /* longest that fits */
	INDIVIDUAL = 4, /* read device id code */
	INDIVIDUALLY_TOO = 0x80, /* in the conformity level */
	MORE_FOLLOWS = 0xff,
	RUNNING = 0xff,
	ID_MAX = 250, /* text of FC 17: count, text, run status fit a PDU */
};

/* The last object of each category, by read device id code (AP 6.21). */
static const uint8_t last_of[] = { [1] = 0x02, [2] = 0x7f, [3] = 0xff };

/* Index of the first object from id on, or n when there is none. */
static unsigned
from(const struct mb_identity *who, unsigned id)
{
	unsigned i;

	for (i = 0; i < who->n && who->obj[i].id < id; i++)
		continue;
	return i;
}

static const struct mb_object *
object(const struct mb_identity *who, uint8_t id)
{
	unsigned i = from(who, id);

	return i < who->n && who->obj[i].id == id ? &who->obj[i] : NULL;
}

/* The highest category that the unit has objects of, 1..3. */
static uint8_t
level(const struct mb_identity *who)
{
	uint8_t code;

	for (code = 1; code < 3; code++)
		if (from(who, last_of[code] + 1u) == who->n)
			break;
	return code;
}

static uint8_t
object_len(const struct mb_object *o)
{
	return o->len < OBJECT_MAX ? o->len : OBJECT_MAX;
}

static void
put_object(struct wbuf *out, const struct mb_object *o)
{
	size_t i;

	wbuf_u8(out, o->id);
	wbuf_u8(out, object_len(o));
	for (i = 0; i < object_len(o); i++)
		wbuf_u8(out, (uint8_t)o->text[i]);
}

/* Every object of the category from `first` on that fits, none split. */
static void
stream(struct mb_call *call, uint8_t code, unsigned first)
{
	const struct mb_identity *who = call->unit->identity;
	struct wbuf *out = &call->out;
	uint8_t *tail = wbuf_room(out, 3); /* more follows, next, number */
	unsigned i, end = from(who, last_of[code] + 1u);

	for (i = first; i < end; i++) {
		if (out->len + 2 + object_len(&who->obj[i]) > MB_PDU_MAX)
			break;
		put_object(out, &who->obj[i]);
	}
	tail[0] = i < end ? MORE_FOLLOWS : 0;
	tail[1] = i < end ? who->obj[i].id : 0;
	tail[2] = (uint8_t)(i - first);
}

static enum mb_ex
identification(struct mb_call *call)
{
	const struct mb_identity *who = call->unit->identity;
	uint8_t code = rbuf_u8(&call->in);
	uint8_t id = rbuf_u8(&call->in);
	const struct mb_object *o;

	if (!rbuf_done(&call->in) || code < 1 || code > INDIVIDUAL)
		return MB_EX_VALUE;
	o = object(who, id);
	if (code == INDIVIDUAL && o == NULL)
		return MB_EX_ADDRESS;
	wbuf_u8(&call->out, MEI_IDENTIFICATION);
	wbuf_u8(&call->out, code);
	wbuf_u8(&call->out, level(who) | INDIVIDUALLY_TOO);
	if (code == INDIVIDUAL) {
		wbuf_u16(&call->out, 0);
		wbuf_u8(&call->out, 1);
		put_object(&call->out, o);
	} else if (o == NULL || id > last_of[code]) {
		stream(call, code, 0);
	} else {
		stream(call, code, from(who, id));
	}
	return MB_EX_NONE;
}

enum mb_ex
fc_encapsulated(struct mb_call *call)
{
	uint8_t mei = rbuf_u8(&call->in);

	if (!rbuf_ok(&call->in))
		return MB_EX_VALUE;
	if (mei != MEI_IDENTIFICATION)
		return MB_EX_FUNCTION;
	return identification(call);
}

/* The basic objects that have a text, joined by '-', and the run status. */
enum mb_ex
fc_server_id(struct mb_call *call)
{
	const struct mb_identity *who = call->unit->identity;
	const struct mb_object *o;
	size_t i, len = 0;
	uint8_t *count, *text;
	uint8_t id;

	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	count = wbuf_room(&call->out, 1);
	text = wbuf_room(&call->out, ID_MAX);
	for (id = 0; id <= last_of[1]; id++) {
		o = object(who, id);
		if (o == NULL || o->len == 0)
			continue;
		if (len > 0 && len < ID_MAX)
			text[len++] = '-';
		for (i = 0; i < o->len && len < ID_MAX; i++)
			text[len++] = (uint8_t)o->text[i];
	}
	wbuf_cut(&call->out, 2 + len);
	wbuf_u8(&call->out, RUNNING);
	*count = (uint8_t)(len + 1);
	return MB_EX_NONE;
}

int
fc_encapsulated_len(const uint8_t *pdu, size_t len)
{
	if (len < 2)
		return 0;
	return pdu[1] == MEI_IDENTIFICATION ? IDENT_LEN : -1;
}

int
fc_encapsulated_reply_len(const uint8_t *pdu, size_t len)
{
	size_t end = IDENT_HEAD;
	unsigned i;

	if (len < 2)
		return 0;
	if (pdu[1] != MEI_IDENTIFICATION)
		return -1;
	if (len < IDENT_HEAD)
		return 0;
	for (i = 0; i < pdu[IDENT_HEAD - 1]; i++) {
		if (end + 2 > MB_PDU_MAX)
			return -1;
		if (len < end + 2)
			return 0;
		end += 2u + pdu[end + 1];
	}
	return (int)end;
}
