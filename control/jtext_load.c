/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text in. Runs in the control process and in the command line, on bytes
 * that anybody may have sent: a first pass bounds them before the parser
 * allocates anything.
 */

#include "control/jtext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	const char *at, *end;
	unsigned depth;
	size_t items;
	size_t bigs;
	char *out; /* where the text goes with big integers quoted, or NULL */
};

static void
put(struct scan *s, const char *from, size_t len)
{
	if (s->out != NULL) {
		memcpy(s->out, from, len);
		s->out += len;
	}
}

static void
scan_string(struct scan *s)
{
	const char *from = s->at++;

	while (s->at < s->end && *s->at != '"')
		s->at += *s->at == '\\' && s->at + 1 < s->end ? 2 : 1;
	if (s->at < s->end)
		s->at++;
	put(s, from, (size_t)(s->at - from));
}

/* True if the token is an integer that 64 signed bits do not hold. */
static bool
is_big(const char *from, size_t len)
{
	char digits[24];
	size_t sign = from[0] == '-';

	if (strspn(from + sign, "0123456789") + sign < len || len - sign < 19 ||
	    from[sign] == '0')
		return false;
	if (len - sign > 19)
		return true;
	memcpy(digits, from, len);
	digits[len] = '\0';
	errno = 0;
	(void)strtoll(digits, NULL, 10);
	return errno == ERANGE;
}

static void
scan_number(struct scan *s)
{
	static const char mark[] = "\"\\u0001";
	const char *from = s->at;
	size_t len;

	while (s->at < s->end && strchr("+-.0123456789eE", *s->at) != NULL &&
	    *s->at != '\0')
		s->at++;
	len = (size_t)(s->at - from);
	if (!is_big(from, len)) {
		put(s, from, len);
		return;
	}
	s->bigs++;
	put(s, mark, sizeof(mark) - 1);
	put(s, from, len);
	put(s, "\"", 1);
}

static const char *
scan(struct scan *s)
{
	while (s->at < s->end) {
		char c = *s->at;

		if (c == '"') {
			scan_string(s);
			continue;
		}
		if (c == '-' || (c >= '0' && c <= '9')) {
			scan_number(s);
			continue;
		}
		if ((c == '[' || c == '{') && ++s->depth > JTEXT_DEPTH_MAX)
			return "nested too deeply";
		if ((c == ']' || c == '}') && s->depth > 0)
			s->depth--;
		if ((c == ',' || c == '[' || c == '{') &&
		    ++s->items > JTEXT_ITEMS_MAX)
			return "too many values";
		put(s, s->at++, 1);
	}
	return NULL;
}

/* The text with its big integers quoted; a copy that ends with a NUL. */
static char *
quoted(const char *text, size_t len, size_t bigs, size_t *out_len)
{
	char *copy = malloc(len + bigs * 8 + 1);
	struct scan s = { .at = text, .end = text + len, .out = copy };

	if (copy == NULL)
		return NULL;
	(void)scan(&s);
	*out_len = (size_t)(s.out - copy);
	return copy;
}

json_t *
jtext_load(const char *text, size_t len, char *why)
{
	/* strspn() and its like need an end */
	char *copy = malloc(len + 1), *big = NULL;
	struct scan s = { .at = copy, .end = copy + len };
	json_error_t error;
	const char *problem = "out of memory";
	json_t *json = NULL;

	if (copy == NULL)
		goto out;
	memcpy(copy, text, len);
	copy[len] = '\0';
	problem = scan(&s);
	if (problem != NULL)
		goto out;
	if (s.bigs > 0) {
		big = quoted(copy, len, s.bigs, &len);
		if (big == NULL) {
			problem = "out of memory";
			goto out;
		}
	}
	json = json_loadb(big != NULL ? big : copy, len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (json == NULL)
		snprintf(why, JTEXT_WHY_MAX, "%d:%d: %s", error.line,
		    error.column, error.text);
out:
	if (problem != NULL)
		snprintf(why, JTEXT_WHY_MAX, "%s", problem);
	free(big);
	free(copy);
	return json;
}
