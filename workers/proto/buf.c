/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the cursors is not worth to be inlined. Runs everywhere, touches
 * nothing outside the cursor's bounds.
 */

#include "workers/proto/buf.h"

void
wbuf_put(struct wbuf *b, const uint8_t *p, size_t n)
{
	uint8_t *to = wbuf_room(b, n);

	/* a piece of no bytes may lie nowhere */
	if (to != NULL && n != 0)
		memcpy(to, p, n);
}

void
wbuf_cut(struct wbuf *b, size_t len)
{
	if (len > b->len)
		b->bad = true;
	else
		b->len = len;
}
