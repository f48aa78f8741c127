/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoded PDU as one line for a person, see decode.h. Only looks at what has
 * been decoded.
 */

#include "workers/proto/decode.h"

#include <stdarg.h>
#include <stdio.h>

#include "workers/proto/buf.h"

enum { SHOWN_MAX = 16, IDENTIFICATION = 0x0e };

struct text {
	char *buf;
	size_t size, len;
};

static void add(struct text *, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

static void
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < t->size - t->len ? (size_t)n
						       : t->size - t->len - 1;
}

/* Bytes as they are if they are printable. */
static void
add_bytes(struct text *t, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] >= ' ' && p[i] <= '~')
			add(t, "%c", p[i]);
		else
			add(t, "\\x%02x", p[i]);
}

static void
add_hex(struct text *t, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len && i < SHOWN_MAX; i++)
		add(t, " %02x", p[i]);
	if (len > SHOWN_MAX)
		add(t, " and %zu more", len - SHOWN_MAX);
}

static void
add_values(struct text *t, const struct mb_decoded *d, const char *before)
{
	if (d->kind == MB_NO_VALUES || d->nvalues == 0)
		return;
	add(t, "%s", before);
	for (unsigned i = 0; i < d->nvalues && i < SHOWN_MAX; i++)
		add(t, " %u", mb_decoded_value(d, i));
	if (d->nvalues > SHOWN_MAX)
		add(t, " and %u more", d->nvalues - SHOWN_MAX);
}

/* "3 coils from 10", "coil 10". */
static void
add_range(struct text *t, int count, int addr, const char *one)
{
	if (addr == -1)
		add(t, "%ss", one);
	else if (count == 1)
		add(t, "%s %d", one, addr);
	else if (count == -1)
		add(t, "%ss from %d", one, addr);
	else
		add(t, "%d %ss from %d", count, one, addr);
}

static const char *
things(uint8_t fc)
{
	static const char *const words[] = {
		[1] = "coil",
		[2] = "discrete input",
		[3] = "holding register",
		[4] = "input register",
		[5] = "coil",
		[15] = "coil",
	};

	return fc < sizeof(words) / sizeof(words[0]) && words[fc] != NULL
	    ? words[fc]
	    : "holding register";
}

static void
reading(struct text *t, const struct mb_decoded *d)
{
	if (!d->reply)
		add(t, "read ");
	add_range(t, d->count, d->addr, things(d->fc));
	add_values(t, d, ":");
}

static void
writing(struct text *t, const struct mb_decoded *d)
{
	if (!d->reply)
		add(t, "write ");
	add_range(t, d->count, d->addr, things(d->fc));
	if (d->reply)
		add(t, " written");
	add_values(t, d, ":");
}

static void
masking(struct text *t, const struct mb_decoded *d)
{
	add(t,
	    d->reply ? "holding register %d masked: and %04x or %04x"
		     : "mask holding register %d: and %04x or %04x",
	    d->addr, (unsigned)d->and_mask & 0xffff,
	    (unsigned)d->or_mask & 0xffff);
}

static void
reading_writing(struct text *t, const struct mb_decoded *d)
{
	if (d->reply) {
		reading(t, d);
		return;
	}
	add(t, "write ");
	add_range(t, d->write_count, d->write_addr, "holding register");
	add_values(t, d, ":");
	add(t, ", then read ");
	add_range(t, d->count, d->addr, "holding register");
}

static void
queue(struct text *t, const struct mb_decoded *d)
{
	if (!d->reply) {
		add(t, "read FIFO queue %d", d->addr);
		return;
	}
	add(t, "FIFO queue");
	if (d->addr != -1)
		add(t, " %d", d->addr);
	add(t, " holds %d", d->count);
	add_values(t, d, ":");
}

static void
status(struct text *t, const struct mb_decoded *d)
{
	struct rbuf in;
	unsigned word;

	rbuf_init(&in, d->rest, d->rest_len);
	if (!d->reply) {
		add(t,
		    d->fc == 7        ? "read exception status"
			: d->fc == 11 ? "read event counter"
			: d->fc == 12 ? "read event log"
				      : "read server id");
		return;
	}
	if (d->fc == 7) {
		add(t, "exception status %02x", rbuf_u8(&in));
		return;
	}
	if (d->fc == 12)
		rbuf_u8(&in); /* bytes that follow */
	word = rbuf_u16(&in);
	add(t, "%s, %u events", word != 0 ? "busy" : "ready", rbuf_u16(&in));
	if (d->fc == 12)
		add(t, ", %u messages:", rbuf_u16(&in));
	if (d->fc == 12 && rbuf_ok(&in))
		add_hex(t, in.p, in.left);
}

static void
server_id(struct text *t, const struct mb_decoded *d)
{
	if (!d->reply || d->rest_len < 2) {
		status(t, d);
		return;
	}
	add(t, "server id: ");
	add_bytes(t, d->rest + 1, d->rest_len - 1);
}

static void
diagnosing(struct text *t, const struct mb_decoded *d)
{
	static const char *const words[] = {
		[0] = "return query data",
		[1] = "restart communications",
		[2] = "return diagnostic register",
		[3] = "change ASCII delimiter",
		[4] = "force listen only mode",
		[10] = "clear counters",
		[11] = "bus messages",
		[12] = "bus communication errors",
		[13] = "bus exceptions",
		[14] = "server messages",
		[15] = "server messages without reply",
		[16] = "server NAKs",
		[17] = "server busy",
		[18] = "bus character overruns",
		[20] = "clear overrun counter",
	};

	if (d->sub >= 0 && (size_t)d->sub < sizeof(words) / sizeof(words[0]) &&
	    words[d->sub] != NULL)
		add(t, "diagnostics: %s", words[d->sub]);
	else
		add(t, "diagnostics %d", d->sub);
	if (d->rest_len > 2)
		add_hex(t, d->rest + 2, d->rest_len - 2);
}

static void
filing(struct text *t, const struct mb_decoded *d)
{
	const char *verb = d->fc == 20 ? "read" : "write";

	if (d->file == -1) {
		add(t, d->reply ? "records of a file" : "%s records of a file",
		    verb);
	} else if (d->reply) {
		add(t, "file %d: %d records from %d%s", d->file, d->count,
		    d->addr, d->fc == 21 ? " written" : "");
	} else {
		add(t, "%s file %d: %d records from %d", verb, d->file,
		    d->count, d->addr);
	}
	if (d->reply && d->fc == 20 && d->rest_len > 1) {
		add(t, ":");
		add_hex(t, d->rest + 1, d->rest_len - 1);
	}
	add_values(t, d, ":");
}

/* The objects of a reply, behind code, level, more, next and number. */
static void
add_objects(struct text *t, struct rbuf *in)
{
	while (in->left > 0) {
		unsigned id = rbuf_u8(in), len = rbuf_u8(in);
		const uint8_t *p = rbuf_take(in, len);

		if (p == NULL)
			return;
		add(t, " %u=\"", id);
		add_bytes(t, p, len);
		add(t, "\"");
	}
}

static void
identifying(struct text *t, const struct mb_decoded *d)
{
	static const char *const levels[] = { "0", "basic", "regular",
		"extended", "one object" };
	struct rbuf in;
	unsigned code;

	if (d->sub != IDENTIFICATION) {
		add(t, "encapsulated interface %d", d->sub);
		if (d->rest_len > 1)
			add_hex(t, d->rest + 1, d->rest_len - 1);
		return;
	}
	rbuf_init(&in, d->rest + 1, d->rest_len - 1);
	code = rbuf_u8(&in);
	add(t, "%sdevice identification, %s", d->reply ? "" : "read ",
	    code < 5 ? levels[code] : "unknown");
	if (!d->reply) {
		add(t, ", from object %u", rbuf_u8(&in));
		return;
	}
	rbuf_take(&in, 4);
	add(t, ":");
	add_objects(t, &in);
}

static void (*const rows[])(struct text *, const struct mb_decoded *) = {
	[1] = reading,
	[2] = reading,
	[3] = reading,
	[4] = reading,
	[5] = writing,
	[6] = writing,
	[7] = status,
	[8] = diagnosing,
	[11] = status,
	[12] = status,
	[15] = writing,
	[16] = writing,
	[17] = server_id,
	[20] = filing,
	[21] = filing,
	[22] = masking,
	[23] = reading_writing,
	[24] = queue,
	[43] = identifying,
};

static void
add_exception(struct text *t, const struct mb_decoded *d)
{
	add(t, "exception %d, %s", d->exception,
	    mb_ex_name((enum mb_ex)d->exception));
}

char *
mb_decode_text(const struct mb_decoded *d, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };

	buf[0] = '\0';
	if (d->reply &&
	    (d->exception != -1 || (d->rest_len == 0 && d->fc == 0)))
		add_exception(&t, d);
	else if (d->fc < sizeof(rows) / sizeof(rows[0]) && rows[d->fc] != NULL)
		rows[d->fc](&t, d);
	else {
		add(&t, "function %d:", d->fc);
		add_hex(&t, d->rest, d->rest_len);
	}
	if (!d->whole)
		add(&t, " (malformed)");
	return buf;
}
