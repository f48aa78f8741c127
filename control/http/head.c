/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the head of a request: bytes that anybody may have made up. Each line
 * is ended with NUL where it lies, so nothing is copied. Runs in the http
 * process; it knows no socket.
 */
#include "control/http/head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

size_t
head_end(const char *text, size_t len, size_t *seen)
{
	/* the line feeds of an empty line may have been looked at */
	size_t i = *seen > 3 ? *seen - 3 : 0;

	for (; i < len; i++) {
		if (text[i] != '\n')
			continue;
		if (i + 1 < len && text[i + 1] == '\n')
			return i + 2; /* no proper one: told by the parser */
		if (i + 2 < len && text[i + 1] == '\r' && text[i + 2] == '\n')
			return i + 3;
	}
	*seen = len;
	return 0;
}

static bool
is_token(const char *s)
{
	static const char also[] = "!#$%&'*+-.^_`|~";

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isascii(*s) ||
		    (!isalnum((unsigned char)*s) && strchr(also, *s) == NULL))
			return false;
	return true;
}

static bool
is_visible(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

/* Ends the line that begins at *at with NUL and steps behind it. NULL if it
 * does not end as it must, or holds what no line may. */
static char *
take_line(char **at, const char *end)
{
	char *line = *at, *lf = memchr(line, '\n', (size_t)(end - line));

	if (lf == NULL || lf == line || lf[-1] != '\r')
		return NULL;
	lf[-1] = '\0';
	*at = lf + 1;
	if (strlen(line) != (size_t)(lf - 1 - line))
		return NULL; /* it holds NUL */
	for (const char *c = line; *c != '\0'; c++)
		if ((*c > 0 && *c < ' ' && *c != '\t') || *c == 0x7f)
			return NULL;
	return line;
}

/* "http://host/path": what is asked of a proxy, which we have to take. */
static bool
take_authority(struct head *h)
{
	char *slash;

	if (strncasecmp(h->target, "http://", 7) != 0)
		return h->target[0] == '/' || strcmp(h->target, "*") == 0;
	slash = strchr(h->target + 7, '/');
	if (slash == NULL)
		return false;
	/* the name moves to where the scheme was, so that both can end */
	memmove(h->target, h->target + 7, (size_t)(slash - h->target - 7));
	slash[-7] = '\0';
	h->host = h->target;
	h->target = slash;
	return true;
}

static int
first_line(char *line, struct head *h, const char **why)
{
	char *version = strrchr(line, ' '), *space = strchr(line, ' ');

	*why = "The first line of a request is \"METHOD /path HTTP/1.1\".";
	if (space == NULL || version == space)
		return 400;
	*space = *version = '\0';
	h->method = line;
	h->target = space + 1;
	if (!is_token(h->method) || !is_visible(h->target))
		return 400;
	if (strncmp(version + 1, "HTTP/", 5) != 0)
		return 400;
	if (strcmp(version + 6, "1.1") != 0 &&
	    strcmp(version + 6, "1.0") != 0) {
		*why = "This server speaks HTTP/1.1 and HTTP/1.0.";
		return 505;
	}
	h->minor = version[8] == '1';
	if (strlen(h->target) > HEAD_TARGET_MAX) {
		*why = "The address is too long.";
		return 414;
	}
	if (!take_authority(h)) {
		*why = "The address must begin with \"/\".";
		return 400;
	}
	return 0;
}

static int
header_line(char *line, struct head *h, const char **why)
{
	char *colon = strchr(line, ':'), *value, *end;

	*why = "A header is no \"Name: value\".";
	if (colon == NULL)
		return 400;
	*colon = '\0';
	if (!is_token(line)) /* a folded line, too */
		return 400;
	if (h->n == HEAD_HEADERS_MAX) {
		*why = "The request has too many headers.";
		return 431;
	}
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	h->header[h->n++] = (struct head_header){ line, value };
	return 0;
}

const char *
head_find(const struct head *h, const char *name)
{
	for (unsigned i = 0; i < h->n; i++)
		if (strcasecmp(h->header[i].name, name) == 0)
			return h->header[i].value;
	return NULL;
}

static unsigned
times(const struct head *h, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->n; i++)
		n += strcasecmp(h->header[i].name, name) == 0;
	return n;
}

bool
head_lists(const char *list, const char *word)
{
	size_t n, len = strlen(word);

	while (list != NULL && *list != '\0') {
		list += strspn(list, " \t,");
		n = strcspn(list, " \t,;");
		if (n == len && strncasecmp(list, word, n) == 0)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

/* Only digits, and no more than a length has. */
static bool
take_length(const char *text, struct head *h)
{
	size_t len = strlen(text);

	if (len == 0 || len > 18 || strspn(text, "0123456789") != len)
		return false;
	for (; *text != '\0'; text++)
		h->length = h->length * 10 + (uint64_t)(*text - '0');
	h->has_length = true;
	return true;
}

/* What says where the body ends, and so where the next request begins. */
static int
body_lines(struct head *h, const char **why)
{
	const char *length = head_find(h, "content-length");
	const char *coding = head_find(h, "transfer-encoding");

	if (coding != NULL) {
		*why = "A body needs a Content-Length; chunks are not taken.";
		return length != NULL || h->minor == 0   ? 400
		    : strcasecmp(coding, "chunked") == 0 ? 411
							 : 501;
	}
	*why = "Content-Length must be said once, in digits.";
	if (length != NULL &&
	    (times(h, "content-length") > 1 || !take_length(length, h)))
		return 400;
	return 0;
}

static int
other_lines(struct head *h, const char **why)
{
	const char *host = head_find(h, "host");
	const char *expect = head_find(h, "expect");
	const char *connection = head_find(h, "connection");

	*why = "A request of HTTP/1.1 has one header \"Host\".";
	if (times(h, "host") > 1 || (host == NULL && h->minor == 1))
		return 400;
	if (h->host == NULL)
		h->host = host != NULL ? host : "";
	h->keep = h->minor == 1 ? !head_lists(connection, "close")
				: head_lists(connection, "keep-alive");
	if (expect == NULL || h->minor == 0)
		return 0;
	*why = "Only \"Expect: 100-continue\" is known.";
	h->expects = strcasecmp(expect, "100-continue") == 0;
	return h->expects ? 0 : 417;
}

int
head_parse(char *text, size_t len, struct head *h, const char **why)
{
	char *at = text, *line;
	const char *end = text + len;
	int rc = 400;

	memset(h, 0, sizeof(*h));
	line = take_line(&at, end);
	*why = "A line of the request does not end as a line does.";
	if (line == NULL || (rc = first_line(line, h, why)) != 0)
		return rc;
	while ((line = take_line(&at, end)) != NULL && *line != '\0')
		if ((rc = header_line(line, h, why)) != 0)
			return rc;
	if (line == NULL || at != end) {
		*why = "A line of the request does not end as a line does.";
		return 400;
	}
	rc = body_lines(h, why);
	return rc != 0 ? rc : other_lines(h, why);
}
