/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and how HTML writes what was not meant as HTML. Pure. */

#include "control/http/sim_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 256 };

static bool
make_room(struct text *t, size_t len)
{
	size_t room = t->room > 0 ? t->room : FIRST;
	char *at;

	if (t->failed)
		return false;
	while (room - t->len <= len)
		room *= 2;
	if (room == t->room)
		return true;
	at = realloc(t->at, room);
	if (at == NULL) {
		t->failed = true;
		return false;
	}
	t->at = at;
	t->room = room;
	return true;
}

void
text_add(struct text *t, const char *s, size_t len)
{
	if (!make_room(t, len))
		return;
	memcpy(t->at + t->len, s, len);
	t->len += len;
	t->at[t->len] = '\0';
}

void
text_str(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || !make_room(t, (size_t)len))
		return;
	va_start(ap, fmt);
	vsnprintf(t->at + t->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)len;
}

void
text_html_n(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		switch (c) {
		case '&':
			text_str(t, "&amp;");
			break;
		case '<':
			text_str(t, "&lt;");
			break;
		case '>':
			text_str(t, "&gt;");
			break;
		case '"':
			text_str(t, "&quot;");
			break;
		case '\'':
			text_str(t, "&#39;");
			break;
		case '\t':
		case '\n':
			text_add(t, &s[i], 1);
			break;
		default:
			/* control characters have pictures */
			if (c < 0x20)
				text_printf(t, "&#x24%02x;", c);
			else if (c == 0x7f)
				text_str(t, "&#x2421;");
			else
				text_add(t, &s[i], 1);
		}
	}
}

void
text_html(struct text *t, const char *s)
{
	text_html_n(t, s, strlen(s));
}

void
text_free(struct text *t)
{
	free(t->at);
	*t = (struct text){ 0 };
}
