/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads comma-separated values, a line at a time. Fields are decoded where
 * they lie: what comes out of quotes is never longer than what went in. Knows
 * no column's meaning, opens no file, allocates nothing.
 */
#include "supervisor/conf/csv.h"

#include <string.h>

/* What separates the fields of the first line that is no comment. Its words
 * are plain ones, so the first that could separate does. */
static char
find_separator(const char *text)
{
	while (*text != '\0' && strchr("# \r\n", *text) != NULL) {
		if (*text == '#')
			text += strcspn(text, "\n");
		text += *text != '\0';
	}
	text += strcspn(text, ",;\t\n");
	return *text != '\0' && *text != '\n' ? *text : ',';
}

void
csv_init(struct csv *c, char *text, size_t len)
{
	*c = (struct csv){ .text = text, .len = len, .line = 1, .col = 1 };
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		c->at = 3;
	c->separator = find_separator(text + c->at);
}

static char
here(const struct csv *c)
{
	return c->at < c->len ? c->text[c->at] : '\0';
}

/* Passes one character of n bytes. */
static void
pass(struct csv *c, size_t n)
{
	if (c->text[c->at] == '\n') {
		c->line++;
		c->col = 1;
	} else {
		c->col++;
	}
	c->at += n;
}

static int
fail(struct csv *c, uint32_t line, uint32_t col, const char *why)
{
	c->why = why;
	c->why_line = line;
	c->why_col = col;
	c->at = c->len;
	return -1;
}

/* CR belongs to the end of a line only before LF, or where the text ends. */
static bool
at_end_of_line(const struct csv *c)
{
	char now = here(c);

	return c->at == c->len || now == '\n' ||
	    (now == '\r' &&
		(c->at + 1 == c->len || c->text[c->at + 1] == '\n'));
}

static void
skip_blanks(struct csv *c)
{
	while ((here(c) == ' ' || here(c) == '\t') && here(c) != c->separator)
		pass(c, 1);
}

/* How many bytes one character of UTF-8 takes; 0: it is none. */
static size_t
character(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0x80, 0, 0 }, { 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t n = 0; n < 4; n++) {
		uint32_t code = s[0] & (uint8_t)~forms[n].mask;

		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		if (len <= n)
			return 0;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[i] & 0x3f);
		}
		return code >= forms[n].least && code <= 0x10ffff &&
			(code & 0xfffff800) != 0xd800
		    ? n + 1
		    : 0;
	}
	return 0;
}

/* Bytes of the character here; 0: it is no text. */
static size_t
text_here(const struct csv *c)
{
	return here(c) == '\0'
	    ? 0
	    : character((const unsigned char *)c->text + c->at, c->len - c->at);
}

static int
no_text(struct csv *c)
{
	return fail(c, c->line, c->col,
	    here(c) == '\0' ? "a NUL byte: this is no text file"
			    : "this is no UTF-8; save the file as UTF-8");
}

/* What is between quotes, to out, decoded. */
static int
read_quoted(struct csv *c, const struct csv_field *f, char *out)
{
	size_t n;

	pass(c, 1);
	for (;;) {
		if (c->at == c->len)
			return fail(
			    c, f->line, f->col, "this quote is never closed");
		n = text_here(c);
		if (n == 0)
			return no_text(c);
		if (here(c) == '"') {
			pass(c, 1);
			if (here(c) != '"')
				break;
		}
		memmove(out, c->text + c->at, n);
		out += n;
		pass(c, n);
	}
	skip_blanks(c);
	if (here(c) != c->separator && !at_end_of_line(c))
		return fail(c, c->line, c->col,
		    "a separator is wanted behind the closing quote; a quote "
		    "within quotes is written twice");
	*out = '\0';
	return 0;
}

static int
read_plain(struct csv *c, char **end)
{
	size_t n;
	char now;

	*end = c->text + c->at;
	while (!at_end_of_line(c) && here(c) != c->separator) {
		n = text_here(c);
		if (n == 0)
			return no_text(c);
		now = here(c);
		if (now == '"')
			return fail(c, c->line, c->col,
			    "a quote in the middle of a field; put the whole "
			    "field in quotes and write this one twice");
		pass(c, n);
		if (now != ' ' && now != '\t')
			*end = c->text + c->at;
	}
	return 0;
}

/* One field. What ends it is not yet overwritten: it has to be looked at. */
static int
read_field(struct csv *c, struct csv_field *f, char **end)
{
	skip_blanks(c);
	*f = (struct csv_field){ .text = c->text + c->at,
		.line = c->line,
		.col = c->col,
		.quoted = here(c) == '"' };
	*end = NULL;
	if (!f->quoted)
		return read_plain(c, end);
	return read_quoted(c, f, c->text + c->at);
}

/* Passes the end of a line. */
static void
end_line(struct csv *c)
{
	if (here(c) == '\r')
		pass(c, 1);
	if (here(c) == '\n')
		pass(c, 1);
}

/* A line with nothing but separators. */
static bool
is_empty(const struct csv_field *field, int n)
{
	for (int i = 0; i < n; i++)
		if (field[i].text[0] != '\0' || field[i].quoted)
			return false;
	return true;
}

/* A comment may hold whatever is text. */
static int
skip_comment(struct csv *c)
{
	size_t n;

	while (!at_end_of_line(c)) {
		n = text_here(c);
		if (n == 0)
			return no_text(c);
		pass(c, n);
	}
	end_line(c);
	return 0;
}

static int
read_line(struct csv *c, struct csv_field *field)
{
	bool more = true;
	int n = 0;
	char *end;

	while (more) {
		if (n == CSV_FIELDS_MAX)
			return fail(c, c->line, c->col, "too many fields");
		if (read_field(c, &field[n++], &end) == -1)
			return -1;
		more = !at_end_of_line(c);
		if (more)
			pass(c, 1);
		else
			end_line(c);
		/* the byte behind a field has been passed, if it is not the
		 * NUL behind the text */
		if (end != NULL)
			*end = '\0';
	}
	return n;
}

int
csv_next(struct csv *c, struct csv_field field[CSV_FIELDS_MAX])
{
	int n;

	while (c->at < c->len) {
		skip_blanks(c);
		if (here(c) == '#') {
			if (skip_comment(c) == -1)
				return -1;
			continue;
		}
		n = read_line(c, field);
		if (n == -1 || !is_empty(field, n))
			return n;
	}
	return c->why != NULL ? -1 : 0;
}
