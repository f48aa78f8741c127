/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a reload would change.
 */

#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include "supervisor/reload/differ.h"
#include "supervisor/reload/sealed.h"
#include "tests/lib/conf_case.h"

#define CONF(value, transport, more)                                      \
	"{\"devices\":{\"d\":{\"input_registers\":[{\"addr\":0,\"type\":" \
	"\"uint64\",\"value\":" value                                     \
	"}]}},\"transports\":{\"t\":{" TCP transport "}}" more "}"
#define PLAIN CONF("18446744073709551615", "", "")

static const struct {
	const char *now;
	int rc;
	const char *told;
} cases[] = {
	{ PLAIN, 0, "" },
	/* a default that is spelt out, another order, comments */
	{ "// the same\n" CONF("18446744073709551615", ",\"workers\":1", ""), 0,
	    "" },
	{ CONF("18446744073709551615", "", ",\"drain_timeout_s\":5"), 0, "" },
	/* the last bit of 64 counts */
	{ CONF("18446744073709551614", "", ""), DIFFER_CHANGED,
	    "device d: changed\n" },
	{ CONF("18446744073709551615", ",\"workers\":2", ""), DIFFER_CHANGED,
	    "transport t: changed\n" },
	{ CONF("18446744073709551615", "},\"u\":{" TCP, ""), DIFFER_CHANGED,
	    "transport u: added\n" },
	{ "{\"devices\":{\"e\":{}},\"transports\":{}}", DIFFER_CHANGED,
	    "transport t: removed\ndevice e: added\ndevice d: removed\n" },
	{ CONF("18446744073709551615", "",
	      ",\"drain_timeout_s\":6,\"store\":{\"name\":\"x\"}"),
	    DIFFER_CHANGED,
	    "key store: changed\nkey drain_timeout_s: changed\n" },
	{ "{", EX_CONFIG,
	    "FILE:1:2: the file ends inside the object that begins at 1:1\n" },
};

static void
put(int fd, const char *text)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(
	    pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* What is left for the supervisor means the same, and stays so. */
static void
check_fresh(const struct conf *now, int fresh)
{
	struct conf *left = sealed_get(fresh, now->path, NULL);

	ck_assert_ptr_nonnull(left);
	ck_assert_int_eq(write(fresh, "", 1), -1);
	conf_free(left);
}

static int
report(const struct conf *now, FILE *out)
{
	/* the number of a file that has gone must stay free */
	int made = sealed_new(), fresh = fcntl(made, F_DUPFD_CLOEXEC, 100);
	const struct differ_job job = {
		.sheet = -1, .fresh = fresh, .out = out
	};
	int rc;

	close(made);
	rc = differ_report(now, &job);

	if (rc == DIFFER_CHANGED)
		check_fresh(now, fresh);
	else
		ck_assert_int_eq(lseek(fresh, 0, SEEK_END), 0);
	close(fresh);
	return rc;
}

START_TEST(what_a_reload_would_change_is_told)
{
	char path[40], *told = NULL, want[300];
	const char *rest = cases[_i].told;
	size_t size;
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct conf *conf;
	FILE *out = open_memstream(&told, &size);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	put(fd, PLAIN);
	conf = case_load_file(path, path);
	ck_assert_msg(conf != NULL, "%s", case_told);
	put(fd, cases[_i].now);
	ck_assert_int_eq(report(conf, out), cases[_i].rc);
	fclose(out);
	snprintf(want, sizeof(want), "%s%s",
	    strncmp(rest, "FILE", 4) == 0 ? path : "",
	    strncmp(rest, "FILE", 4) == 0 ? rest + 4 : rest);
	ck_assert_str_eq(told, want);
	conf_free(conf);
	free(told);
	close(fd);
}
END_TEST

START_TEST(a_file_that_has_gone_is_told)
{
	char path[40], *told = NULL;
	size_t size;
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct conf *conf;
	FILE *out = open_memstream(&told, &size);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	put(fd, PLAIN);
	conf = case_load_file(path, path);
	ck_assert_ptr_nonnull(conf);
	close(fd);
	ck_assert_int_eq(report(conf, out), EX_NOINPUT);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(told, "No such file or directory"));
	conf_free(conf);
	free(told);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("differ");
	TCase *tc = tcase_create("differ");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, what_a_reload_would_change_is_told, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, a_file_that_has_gone_is_told);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
