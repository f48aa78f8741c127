/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_BUF_H
#define PROTO_BUF_H

/*
 * Cursors over bytes. Whatever came from outside is read through a struct
 * rbuf and whatever goes outside is written through a struct wbuf; neither can
 * leave its bounds. All fields of Modbus are big-endian (Modbus Application
 * Protocol V1.1b3, 4.2), so are these.
 *
 * A read past the end yields 0 and sets `bad` for good; a write past the end
 * writes nothing and sets `bad` for good. Ask once, before anything changes:
 *
 *	addr = rbuf_u16(in);
 *	value = rbuf_u16(in);
 *	if (!rbuf_done(in))
 *		return MB_EX_VALUE;
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rbuf {
	const uint8_t *p; /* next byte; borrowed, never freed */
	size_t left; /* bytes left */
	bool bad; /* something was read that was not there */
};

struct wbuf {
	uint8_t *base; /* borrowed */
	size_t len; /* bytes written */
	size_t cap; /* bytes there is room for */
	bool bad; /* something did not fit */
};

/* Starts reading the len bytes at p, which must outlive the cursor. */
static inline void
rbuf_init(struct rbuf *b, const uint8_t *p, size_t len)
{
	b->p = p;
	b->left = len;
	b->bad = false;
}

/* The next n bytes, or NULL (and bad) when there are fewer. */
static inline const uint8_t *
rbuf_take(struct rbuf *b, size_t n)
{
	const uint8_t *p = b->p;

	if (b->bad || n > b->left) {
		b->bad = true;
		return NULL;
	}
	b->p += n;
	b->left -= n;
	return p;
}

/* The next byte, 0 when there is none. */
static inline uint8_t
rbuf_u8(struct rbuf *b)
{
	const uint8_t *p = rbuf_take(b, 1);

	return p == NULL ? 0 : p[0];
}

/* The next two bytes, high byte first; 0 when they are not there. */
static inline uint16_t
rbuf_u16(struct rbuf *b)
{
	const uint8_t *p = rbuf_take(b, 2);

	return p == NULL ? 0 : (uint16_t)(p[0] << 8 | p[1]);
}

/* True if nothing was missing so far. */
static inline bool
rbuf_ok(const struct rbuf *b)
{
	return !b->bad;
}

/* True if nothing was missing and nothing is left over. */
static inline bool
rbuf_done(const struct rbuf *b)
{
	return !b->bad && b->left == 0;
}

/* Starts writing at p, with room for cap bytes. */
static inline void
wbuf_init(struct wbuf *b, uint8_t *p, size_t cap)
{
	b->base = p;
	b->len = 0;
	b->cap = cap;
	b->bad = false;
}

/* Room for n bytes, counted as written, for the caller to fill; or NULL. */
static inline uint8_t *
wbuf_room(struct wbuf *b, size_t n)
{
	uint8_t *p = b->base + b->len;

	if (b->bad || n > b->cap - b->len) {
		b->bad = true;
		return NULL;
	}
	b->len += n;
	return p;
}

/* Appends one byte. */
static inline void
wbuf_u8(struct wbuf *b, uint8_t v)
{
	uint8_t *p = wbuf_room(b, 1);

	if (p != NULL)
		p[0] = v;
}

/* Appends two bytes, high byte first. */
static inline void
wbuf_u16(struct wbuf *b, uint16_t v)
{
	uint8_t *p = wbuf_room(b, 2);

	if (p != NULL) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

/* Appends n bytes from p. */
void wbuf_put(struct wbuf *, const uint8_t *p, size_t n);

/* Drops what was appended behind the first len bytes, which must be there. */
void wbuf_cut(struct wbuf *, size_t len);

#endif
