/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request over HTTP: what is taken, what is refused and how. */

#include "control/http/head.h"

#include <stdio.h>
#include <string.h>

#include "tests/suite.h"

#define HOST "Host: a\r\n"

static const struct {
	const char *text;
	int status;
} heads[] = {
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", 0 },
	{ "GET / HTTP/1.0\r\n\r\n", 0 },
	{ "GET http://b:80/x?y HTTP/1.1\r\n" HOST "\r\n", 0 },
	{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0 },
	{ "GET /%41?b=c#d HTTP/1.1\r\n" HOST "\r\n", 0 },
	{ "GET / HTTP/1.1\r\n" HOST "A:\r\nB:\t x \r\n\r\n", 0 },
	{ "POST / HTTP/1.1\r\n" HOST "content-LENGTH: 12\r\n\r\n", 0 },
	{ "GET / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", 0 },
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "A: b\rC: d\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "A b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "A: \001\r\n\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
	{ " / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET\r\n\r\n", 400 },
	{ "GET /\r\n\r\n", 400 },
	{ "\r\n\r\n", 400 },
	{ "GET x HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http://b HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /\x80 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "G@T / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.2\r\n" HOST "\r\n", 505 },
	{ "GET / HTTP/11.1\r\n" HOST "\r\n", 505 },
	{ "GET / HTP/1.1\r\n" HOST "\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" HOST
	  "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
	    400 },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 9999999999999999999\r\n"
	  "\r\n",
	    400 },
	{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
	    411 },
	{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501 },
	{ "POST / HTTP/1.1\r\n" HOST
	  "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
	    400 },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", 417 },
};

enum { NHEADS = sizeof(heads) / sizeof(heads[0]) };

static int
parse(const char *text, char *copy, struct head *h)
{
	const char *why = NULL;
	size_t len = strlen(text);
	int status;

	memcpy(copy, text, len + 1);
	status = head_parse(copy, len, h, &why);
	ck_assert(status == 0 || (why != NULL && strchr(why, '.') != NULL));
	return status;
}

START_TEST(a_head_is_taken_or_refused_with_its_status)
{
	char copy[512];
	struct head h;

	ck_assert_msg(parse(heads[_i].text, copy, &h) == heads[_i].status,
	    "%d for %s", parse(heads[_i].text, copy, &h), heads[_i].text);
}
END_TEST

/* However few bytes come at a time, and nothing of what follows it. */
START_TEST(a_head_ends_at_its_empty_line)
{
	const char *text = heads[_i].text;
	size_t len = strlen(text), seen = 0, n;
	char more[600];

	for (n = 0; n < len; n++)
		ck_assert_uint_eq(head_end(text, n, &seen), 0);
	ck_assert_uint_eq(head_end(text, len, &seen), len);
	snprintf(more, sizeof(more), "%sGET /x HTTP/1.1\r\n\r\n", text);
	seen = 0;
	ck_assert_uint_eq(head_end(more, strlen(more), &seen), len);
}
END_TEST

START_TEST(a_head_cut_short_or_with_nul_is_refused)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
	const char *why;
	char copy[64];
	struct head h;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		memcpy(copy, text, sizeof(text));
		ck_assert_int_ne(head_parse(copy, n, &h, &why), 0);
		memcpy(copy, text, sizeof(text));
		copy[n] = '\0';
		ck_assert_int_ne(
		    head_parse(copy, sizeof(text) - 1, &h, &why), 0);
	}
}
END_TEST

START_TEST(what_a_head_says_is_found)
{
	char copy[512];
	struct head h;

	ck_assert_int_eq(parse("POST http://x.y:8/p?q=1 HTTP/1.1\r\nHost: a\r\n"
			       "content-length: 0012\r\nX-Y: \t one two \t\r\n"
			       "Connection: Upgrade, CLOSE\r\n\r\n",
			     copy, &h),
	    0);
	ck_assert_str_eq(h.method, "POST");
	ck_assert_str_eq(h.target, "/p?q=1");
	ck_assert_str_eq(h.host, "x.y:8");
	ck_assert(h.has_length && h.length == 12 && !h.keep && !h.expects);
	ck_assert_str_eq(head_find(&h, "x-y"), "one two");
	ck_assert_ptr_null(head_find(&h, "x"));
	ck_assert_int_eq(parse("GET / HTTP/1.1\r\nhost: b\r\n"
			       "Expect: 100-continue\r\n\r\n",
			     copy, &h),
	    0);
	ck_assert(h.keep && h.expects && !h.has_length);
	ck_assert_str_eq(h.host, "b");
	ck_assert_int_eq(parse("GET / HTTP/1.0\r\n\r\n", copy, &h), 0);
	ck_assert(!h.keep && h.host[0] == '\0');
	ck_assert_int_eq(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
			       "Expect: 100-continue\r\n\r\n",
			     copy, &h),
	    0);
	ck_assert(h.keep && !h.expects);
}
END_TEST

START_TEST(too_much_is_refused)
{
	static char text[HEAD_MAX + 100];
	const char *why;
	struct head h;
	size_t n;

	n = (size_t)sprintf(text, "GET /");
	memset(text + n, 'a', HEAD_TARGET_MAX);
	n += HEAD_TARGET_MAX;
	n += (size_t)sprintf(text + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
	ck_assert_int_eq(head_parse(text, n, &h, &why), 414);
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < HEAD_HEADERS_MAX; i++)
		n += (size_t)sprintf(text + n, "A: b\r\n");
	strcpy(text + n, "\r\n");
	ck_assert_int_eq(head_parse(text, n + 2, &h, &why), 0);
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < HEAD_HEADERS_MAX; i++)
		n += (size_t)sprintf(text + n, "A: b\r\n");
	strcpy(text + n, "\r\n");
	ck_assert_int_eq(head_parse(text, n + 2, &h, &why), 431);
}
END_TEST

START_TEST(lists_hold_words)
{
	ck_assert(head_lists("gzip", "gzip"));
	ck_assert(head_lists(" br ;q=1 , GZIP;q=0.5", "gzip"));
	ck_assert(head_lists(",,close,", "close"));
	ck_assert(!head_lists("xgzip, gzipx", "gzip"));
	ck_assert(!head_lists("", "gzip"));
	ck_assert(!head_lists(NULL, "gzip"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("head");
	TCase *tc = tcase_create("head");

	tcase_add_loop_test(
	    tc, a_head_is_taken_or_refused_with_its_status, 0, NHEADS);
	/* but for those that end in the middle on purpose */
	tcase_add_loop_test(tc, a_head_ends_at_its_empty_line, 0, 9);
	tcase_add_test(tc, a_head_cut_short_or_with_nul_is_refused);
	tcase_add_test(tc, what_a_head_says_is_found);
	tcase_add_test(tc, too_much_is_refused);
	tcase_add_test(tc, lists_hold_words);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
