/* SPDX-License-Identifier: Apache-2.0 */
/* What addresses and forms hold, and the file of tokens. */

#include "control/http/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/http/tokens.h"
#include "tests/suite.h"

static const struct {
	const char *target, *path, *query;
} targets[] = {
	{ "/", "/", NULL },
	{ "/a/b.c", "/a/b.c", NULL },
	{ "/%41%2fb?x=%41", "/A/b", "x=%41" },
	{ "/a+b?", "/a+b", "" },
	{ "/a#b?c", "/a", "c" },
	{ "/..a/b../...", "/..a/b../...", NULL },
	{ "/..", NULL, NULL },
	{ "/../x", NULL, NULL },
	{ "/x/./y", NULL, NULL },
	{ "/x/.", NULL, NULL },
	{ "/x/..", NULL, NULL },
	{ "/x/%2e%2E/y", NULL, NULL },
	{ "/x%2f..%2fy", NULL, NULL },
	{ "/x\\..\\y", NULL, NULL },
	{ "", NULL, NULL },
	{ "#", NULL, NULL },
	{ "/%00", NULL, NULL },
	{ "/%", NULL, NULL },
	{ "/%4", NULL, NULL },
	{ "/%4g", NULL, NULL },
};

enum { NTARGETS = sizeof(targets) / sizeof(targets[0]) };

START_TEST(a_path_is_decoded_and_leads_nowhere_else)
{
	char text[100], *path, *query;
	bool taken;

	strcpy(text, targets[_i].target);
	taken = form_target(text, &path, &query);
	ck_assert_msg(
	    taken == (targets[_i].path != NULL), "%s", targets[_i].target);
	if (!taken)
		return;
	ck_assert_str_eq(path, targets[_i].path);
	ck_assert_pstr_eq(query, targets[_i].query);
}
END_TEST

static const struct {
	const char *text, *fields; /* "name=value;" each; NULL: refused */
} forms[] = {
	{ "", "" },
	{ "a=b", "a=b;" },
	{ "a=b&c=d&a=e", "a=b;c=d;a=e;" },
	{ "a&b=", "a=;b=;" },
	{ "&&a=b&", "a=b;" },
	{ "a=b=c", "a=b=c;" },
	{ "=x", "=x;" },
	{ "a+b=%2B+%26", "a b=+ &;" },
	{ "%", NULL },
	{ "a=%0", NULL },
	{ "a=%00", NULL },
};

enum { NFORMS = sizeof(forms) / sizeof(forms[0]) };

START_TEST(a_form_is_taken_apart)
{
	struct http_call *call = calloc(1, sizeof(*call));
	char text[100], got[200] = "";

	strcpy(text, forms[_i].text);
	if (!form_take(call, text, true)) {
		ck_assert_ptr_null(forms[_i].fields);
		free(call);
		return;
	}
	for (unsigned i = 0; i < call->nfields; i++) {
		strcat(got, call->field[i].name);
		strcat(got, "=");
		strcat(got, call->field[i].value);
		strcat(got, ";");
		ck_assert(call->field[i].of_form);
	}
	ck_assert_str_eq(got, forms[_i].fields);
	free(call);
}
END_TEST

START_TEST(a_form_with_too_many_fields_is_refused)
{
	struct http_call *call = calloc(1, sizeof(*call));
	char text[3 * HTTP_FIELDS_MAX + 10] = "";

	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		strcat(text, "a&");
	ck_assert(form_take(call, strdupa(text), false));
	ck_assert_uint_eq(call->nfields, HTTP_FIELDS_MAX);
	call->nfields = 0;
	strcat(text, "b");
	ck_assert(!form_take(call, text, false));
	free(call);
}
END_TEST

/* ---- tokens ---- */

static const struct {
	const char *text;
	int n; /* -1: refused */
} files[] = {
	{ "", 0 },
	{ "# nothing\n\n  \t\n", 0 },
	{ "read 0123456789abcdef\n", 1 },
	{ "read\t0123456789abcdef name # words\r\nadmin 0123456789abcdeg", 2 },
	{ "read 0123456789abcde\n", -1 },
	{ "reed 0123456789abcdef\n", -1 },
	{ "none 0123456789abcdef\n", -1 },
	{ "read\n", -1 },
	{ "read 0123456789abcdef a b\n", -1 },
	{ "read 0123456789abcdef "
	  "a123456789012345678901234567890123456789\n",
	    -1 },
};

enum { NFILES = sizeof(files) / sizeof(files[0]) };

static void
put(const char *path, const char *text, mode_t mode)
{
	char fresh[100];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	chmod(fresh, mode);
	ck_assert_int_eq(rename(fresh, path), 0);
}

START_TEST(a_file_of_tokens_is_read_or_refused)
{
	char path[] = "/tmp/hf-tokens-XXXXXX", why[200] = "";
	int fd = mkstemp(path);
	struct tokens *t;

	ck_assert_int_ge(fd, 0);
	close(fd);
	put(path, files[_i].text, 0600);
	t = tokens_open(path, why, sizeof(why));
	ck_assert_msg(
	    (t != NULL) == (files[_i].n >= 0), "%s: %s", files[_i].text, why);
	ck_assert(t != NULL || strstr(why, "line 1") != NULL);
	tokens_close(t);
	unlink(path);
}
END_TEST

START_TEST(a_token_is_found_by_all_of_it)
{
	char path[] = "/tmp/hf-tokens-XXXXXX", why[200], name[TOKEN_NAME];
	int fd = mkstemp(path);
	struct tokens *t;

	close(fd);
	put(path, "read 0123456789abcdef eye\nadmin 0123456789abcdefg\n", 0600);
	t = tokens_open(path, why, sizeof(why));
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(tokens_find(t, "0123456789abcdef", name), CMD_READ);
	ck_assert_str_eq(name, "eye");
	ck_assert_int_eq(tokens_find(t, "0123456789abcdefg", name), CMD_ADMIN);
	ck_assert_str_eq(name, "admin");
	ck_assert_int_eq(tokens_find(t, "0123456789abcde", name), CMD_NOBODY);
	ck_assert_int_eq(
	    tokens_find(t, "0123456789abcdefgh", name), CMD_NOBODY);
	ck_assert_int_eq(tokens_find(t, "", name), CMD_NOBODY);
	ck_assert_int_eq(tokens_find(t, "eye", name), CMD_NOBODY);
	/* mistakes change nothing, a file that has gone takes all with it */
	put(path, "nonsense\n", 0600);
	ck_assert_int_eq(tokens_find(t, "0123456789abcdef", name), CMD_READ);
	put(path, "admin 0123456789abcdef\n", 0604);
	ck_assert_int_eq(tokens_find(t, "0123456789abcdef", name), CMD_READ);
	put(path, "operate 0123456789abcdef\n", 0600);
	ck_assert_int_eq(tokens_find(t, "0123456789abcdef", name), CMD_OPERATE);
	ck_assert_int_eq(tokens_find(t, "0123456789abcdefg", name), CMD_NOBODY);
	unlink(path);
	ck_assert_int_eq(tokens_find(t, "0123456789abcdef", name), CMD_NOBODY);
	tokens_close(t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("form");
	TCase *tc = tcase_create("form");

	tcase_add_loop_test(
	    tc, a_path_is_decoded_and_leads_nowhere_else, 0, NTARGETS);
	tcase_add_loop_test(tc, a_form_is_taken_apart, 0, NFORMS);
	tcase_add_test(tc, a_form_with_too_many_fields_is_refused);
	tcase_add_loop_test(tc, a_file_of_tokens_is_read_or_refused, 0, NFILES);
	tcase_add_test(tc, a_token_is_found_by_all_of_it);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
