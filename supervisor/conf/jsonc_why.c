/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a text is no JSON, for the person who wrote it. jansson says at which
 * byte it gave up and what it would have liked; this finds the token that was
 * at fault and the bracket that is open there, and says it in our words.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/conf/jsonc.h"

enum { DEPTH = 2048 }; /* jansson goes no deeper either */

struct place {
	size_t start, end; /* the token at fault; start == len: the end */
	size_t open; /* where the innermost open bracket is */
	bool is_open; /* there is one */
};

/* What jansson says, by its beginning, and what we say. */
static const struct {
	const char *theirs;
	const char *ours;
} reasons[] = {
	{ "'}' expected", "\",\" or \"}\" is missing" },
	{ "']' expected", "\",\" or \"]\" is missing" },
	{ "':' expected", "\":\" is missing after the key" },
	{ "string or '}' expected", "a key in double quotes is missing" },
	{ "unexpected newline", "the string is not closed on its line" },
	{ "invalid escape", "no escape that JSON knows in the string" },
	{ "invalid Unicode", "no escape that JSON knows in the string" },
	{ "\\u0000", "\\u0000 cannot stand in a string" },
	{ "control character",
	    "a control character in the string; write it "
	    "as an escape, a tab as \\t," },
	{ "unable to decode byte", "the text is not UTF-8" },
	{ "real number overflow", "the number is too large" },
	{ "too big", "the number is too large" },
	{ "maximum parsing depth", "brackets are nested too deeply" },
	{ "end of file expected", "more text after the end of the value" },
	{ "unexpected token", "a value is missing" },
	{ "invalid token", "no value that JSON knows" },
};

static size_t
token_end(const char *text, size_t len, size_t at)
{
	if (text[at] == '"')
		return jsonc_string_end(text, len, at);
	if (strchr("{}[],:", text[at]) != NULL)
		return at + 1;
	while (at < len && strchr(" \t\r\n{}[],:\"", text[at]) == NULL)
		at++;
	return at;
}

/* Finds the token that holds the byte before offset. */
static struct place
locate(const char *text, size_t len, size_t offset)
{
	struct place p = { 0 };
	size_t open[DEPTH];
	size_t depth = 0, at = 0;

	for (;;) {
		at += strspn(text + at, " \t\r\n");
		p.start = at;
		p.end = at < len ? token_end(text, len, at) : len;
		if (at >= len || p.end >= offset)
			break;
		if (strchr("{[", text[at]) != NULL && depth < DEPTH)
			open[depth++] = at;
		else if (strchr("}]", text[at]) != NULL && depth > 0)
			depth--;
		at = p.end;
	}
	if (depth > 0) {
		p.is_open = true;
		p.open = open[depth - 1];
	}
	return p;
}

static void
line_col(const char *text, size_t at, unsigned *line, unsigned *col)
{
	*line = *col = 1;
	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			(*line)++;
			*col = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			(*col)++;
		}
	}
}

static void
explain_end(const char *text, const struct place *p, char *why, size_t size)
{
	unsigned line, col;

	if (!p->is_open) {
		snprintf(why, size, "the file ends where a value is missing");
		return;
	}
	line_col(text, p->open, &line, &col);
	snprintf(why, size, "the file ends inside the %s that begins at %u:%u",
	    text[p->open] == '{' ? "object" : "list", line, col);
}

size_t
jsonc_explain(const char *text, size_t len, size_t offset, const char *reason,
    char *why, size_t size)
{
	bool at_end = strstr(reason, "near end of file") != NULL;
	struct place p = locate(text, len, at_end ? len + 1 : offset);
	const char *what = reason;
	int n = (int)(p.end - p.start < 40 ? p.end - p.start : 40);

	while (n > 0 && ((unsigned char)text[p.start + n] & 0xc0) == 0x80)
		n--;
	if (p.start >= len) {
		explain_end(text, &p, why, size);
		return p.start;
	}
	if (text[p.start] == '"' && strncmp(reason, "premature end", 13) == 0)
		what = "the string is not closed";
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strncmp(reason, reasons[i].theirs,
			strlen(reasons[i].theirs)) == 0) {
			what = reasons[i].ours;
			break;
		}
	if (text[p.start] == '\'')
		what = "strings and keys take double quotes";
	snprintf(why, size, "%s at %.*s", what, n, text + p.start);
	return p.start;
}
