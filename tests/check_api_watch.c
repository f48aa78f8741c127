/* SPDX-License-Identifier: Apache-2.0 */

/* Watches: every change is told once, to whoever waits, from any process. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/holdfast.h"
#include "tests/suite.h"

static struct hf_store *store;
static struct hf_device *plc, *other;
static struct hf_watch *watch;
static struct hf_change ch;

static void
setup(void)
{
	const struct hf_range hr = { .table = HF_HR, .count = 40000 };
	const struct hf_range co = { .table = HF_CO, .addr = 8, .count = 40 };

	store = hf_store_new(NULL);
	ck_assert_ptr_nonnull(store);
	plc = hf_store_add_device(store, "plc", 1);
	other = hf_store_add_device(store, "other", 2);
	ck_assert_int_eq(hf_device_add_range(plc, &hr), 0);
	ck_assert_int_eq(hf_device_add_range(plc, &co), 0);
	ck_assert_int_eq(hf_device_add_range(other, &hr), 0);
	watch = hf_watch_new(store, NULL);
	ck_assert_msg(watch != NULL, "%s", hf_error());
}

static void
teardown(void)
{
	hf_watch_free(watch);
	hf_store_free(store);
}

static void
write_hr(struct hf_device *d, uint32_t addr, uint16_t value)
{
	ck_assert_int_eq(hf_set_values(d, 16, addr, 1, &value), 0);
}

/* 1: the descriptor tells of something within ms. */
static int
told(struct hf_watch *w, int ms)
{
	struct pollfd p = { .fd = hf_watch_fd(w), .events = POLLIN };

	return poll(&p, 1, ms);
}

/* Somebody else writes register 5; how it was killed does not matter. */
static pid_t
write_elsewhere(uint16_t value, int times)
{
	pid_t pid = fork();
	struct hf_store *mine;
	struct hf_device *d;

	ck_assert_int_ge(pid, 0);
	if (pid != 0)
		return pid;
	mine = hf_store_attach(hf_store_name(store));
	d = mine != NULL ? hf_store_device(mine, "plc") : NULL;
	for (int i = 0; d != NULL && i < times; i++, value++)
		if (hf_set_values(d, 6, 5, 1, &value) < 0)
			d = NULL;
	raise(d != NULL ? SIGKILL : SIGABRT);
	_exit(1);
}

static void
wait_for(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

START_TEST(a_change_tells_what_was_and_what_is)
{
	const uint16_t values[] = { 7, 8, 9 };

	ck_assert_int_eq(hf_watch_next(watch, &ch), 0);
	ck_assert_int_eq(hf_set_values(plc, 16, 100, 3, values), 0);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_ptr_eq(ch.device, plc);
	ck_assert_int_eq(ch.table, HF_HR);
	ck_assert_uint_eq(ch.addr, 100);
	ck_assert_uint_eq(ch.count, 3);
	ck_assert_mem_eq(ch.was, ((uint16_t[]){ 0, 0, 0 }), 6);
	ck_assert_mem_eq(ch.is, values, 6);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 0);
	write_hr(plc, 100, 7); /* which it is */
	ck_assert_int_eq(hf_watch_next(watch, &ch), 0);
}
END_TEST

START_TEST(bits_are_told_one_by_one)
{
	const uint16_t on[] = { 0, 1, 1, 0, 1, 0, 0, 0, 1, 1 };

	ck_assert_int_eq(hf_set_values(plc, 15, 11, 10, on), 0);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_int_eq(ch.table, HF_CO);
	ck_assert_uint_eq(ch.addr, 11);
	ck_assert_uint_eq(ch.count, 10);
	ck_assert_mem_eq(ch.is, on, sizeof(on));
}
END_TEST

START_TEST(a_transaction_has_one_number)
{
	uint16_t a = 1, b = 2;
	struct hf_step steps[] = {
		{ HF_WRITE, HF_HR, 0, 1, &a, 0, 0 },
		{ HF_WRITE, HF_HR, 9, 1, &b, 0, 0 },
	};
	uint64_t seq;

	ck_assert_int_eq(hf_transact(plc, steps, 2, &seq), 0);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_uint_eq(ch.seq, seq);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_uint_eq(ch.seq, seq);
	ck_assert_uint_eq(ch.addr, 9);
}
END_TEST

START_TEST(a_watch_of_one_device_does_not_tell_of_another)
{
	struct hf_watch *w = hf_watch_new(store, other);

	write_hr(plc, 1, 1);
	write_hr(other, 2, 2);
	ck_assert_int_eq(hf_watch_next(w, &ch), 1);
	ck_assert_ptr_eq(ch.device, other);
	ck_assert_int_eq(hf_watch_next(w, &ch), 0);
	hf_watch_free(w);
}
END_TEST

START_TEST(devices_take_turns_however_busy_one_of_them_is)
{
	for (uint16_t i = 1; i <= 3; i++)
		write_hr(plc, 0, i);
	write_hr(other, 0, 1);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	if (ch.device == other)
		return;
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_ptr_eq(ch.device, other);
}
END_TEST

START_TEST(a_forked_child_cannot_take_the_parents_bell)
{
	struct hf_watch *second;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		hf_watch_free(watch);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	second = hf_watch_new(store, NULL); /* takes a row that is free */
	ck_assert_ptr_nonnull(second);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 0);
	hf_watch_free(second);
	write_hr(plc, 2, 2);
	ck_assert_int_eq(told(watch, 0), 1);
}
END_TEST

START_TEST(a_watch_of_addresses_tells_what_touches_them)
{
	const uint16_t values[] = { 1, 1, 1, 1, 1 };

	ck_assert_int_eq(hf_watch_only(watch, HF_HR, 10, 2), 0);
	ck_assert_int_eq(hf_watch_only(watch, HF_CO, 8, 1), 0);
	ck_assert_int_eq(hf_watch_only(watch, HF_CO, 8, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	write_hr(plc, 9, 1);
	write_hr(plc, 12, 1);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 0);
	ck_assert_int_eq(hf_set_values(plc, 16, 11, 5, values), 0);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_uint_eq(ch.addr, 11);
	ck_assert_int_eq(hf_set_values(plc, 15, 8, 1, values), 0);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_int_eq(ch.table, HF_CO);
}
END_TEST

START_TEST(what_cannot_be_watched_is_refused)
{
	struct hf_store *elsewhere = hf_store_new(NULL);
	struct hf_device *d = hf_store_add_device(elsewhere, "plc", 1);
	struct hf_watch *one = hf_watch_new(store, other);

	ck_assert_ptr_null(hf_watch_new(store, d));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_nonnull(strstr(hf_error(), "not of the store"));
	ck_assert_ptr_null(hf_watch_new(NULL, NULL));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(hf_watch_only(watch, HF_IR, 0, 65536), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	ck_assert_int_eq(hf_watch_only(watch, HF_HR, 60000, 10), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	/* some do */
	ck_assert_int_eq(hf_watch_only(watch, HF_HR, 0, 65536), 0);
	/* only the other device has coils */
	ck_assert_int_eq(hf_watch_only(one, HF_CO, 8, 1), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	hf_watch_free(one);
	hf_store_free(elsewhere);
}
END_TEST

START_TEST(the_descriptor_tells_until_all_were_taken)
{
	ck_assert_int_eq(hf_watch_next(watch, &ch), 0);
	write_hr(plc, 1, 1);
	write_hr(other, 1, 1);
	ck_assert_int_eq(told(watch, 0), 1);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_int_eq(told(watch, 0), 1);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	ck_assert_int_eq(hf_watch_next(watch, &ch), 0);
	ck_assert_int_eq(told(watch, 0), 0);
}
END_TEST

START_TEST(a_change_before_the_first_look_is_told_too)
{
	struct hf_watch *w = hf_watch_new(store, plc);

	write_hr(plc, 3, 3);
	ck_assert_int_eq(told(w, 0), 1);
	ck_assert_int_eq(hf_watch_next(w, &ch), 1);
	hf_watch_free(w);
}
END_TEST

START_TEST(another_process_is_told_of_and_its_death_takes_nothing_back)
{
	pid_t pid = write_elsewhere(77, 1);

	while (hf_watch_next(watch, &ch) == 0)
		ck_assert_int_eq(told(watch, 5000), 1);
	wait_for(pid);
	ck_assert_uint_eq(ch.addr, 5);
	ck_assert_uint_eq(ch.is[0], 77);
	ck_assert_str_ne(ch.who, "");
}
END_TEST

static void
add_up(void *arg, const struct hf_change *c)
{
	unsigned *sum = arg;

	*sum += (unsigned)(c->is[0] - c->was[0]);
}

START_TEST(every_one_of_many_is_told_once)
{
	enum { MANY = 1000 }; /* for which the ring has room */
	unsigned sum = 0;
	pid_t pid = write_elsewhere(1, MANY);
	int n = 0, rc;

	while (sum < MANY) {
		ck_assert_int_eq(told(watch, 5000), 1);
		rc = hf_watch_dispatch(watch, add_up, &sum);
		ck_assert_msg(rc >= 0, "%s", hf_error());
		n += rc;
	}
	wait_for(pid);
	ck_assert_int_eq(n, MANY);
	ck_assert_uint_eq(sum, MANY);
}
END_TEST

START_TEST(who_is_too_slow_is_told_and_goes_on)
{
	enum { N = 4000 };
	uint16_t *values = calloc(N, sizeof(*values));

	for (uint16_t i = 1; i < 200; i++) {
		for (int k = 0; k < N; k++)
			values[k] = i;
		ck_assert_int_eq(hf_set_values(plc, 16, 0, N, values), 0);
	}
	free(values);
	ck_assert_int_eq(hf_watch_next(watch, &ch), -1);
	ck_assert_int_eq(errno, EOVERFLOW);
	ck_assert_ptr_nonnull(strstr(hf_error(), "plc"));
	ck_assert_int_eq(hf_watch_next(watch, &ch), 1);
	while (hf_watch_next(watch, &ch) == 1)
		;
	ck_assert_uint_eq(ch.is[0], 199);
}
END_TEST

START_TEST(who_can_only_read_is_told_as_well)
{
	struct hf_store *s = hf_store_attach_readonly(hf_store_name(store));
	struct hf_watch *w = s != NULL ? hf_watch_new(s, NULL) : NULL;

	ck_assert_msg(w != NULL, "%s", hf_error());
	write_hr(other, 30, 3);
	ck_assert_int_eq(told(w, 5000), 1);
	ck_assert_int_eq(hf_watch_next(w, &ch), 1);
	ck_assert_str_eq(hf_device_name(ch.device), "other");
	hf_watch_free(w);
	hf_store_free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api_watch");
	TCase *t = tcase_create("api_watch");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_change_tells_what_was_and_what_is);
	tcase_add_test(t, bits_are_told_one_by_one);
	tcase_add_test(t, a_transaction_has_one_number);
	tcase_add_test(t, a_watch_of_one_device_does_not_tell_of_another);
	tcase_add_test(t, devices_take_turns_however_busy_one_of_them_is);
	tcase_add_test(t, a_forked_child_cannot_take_the_parents_bell);
	tcase_add_test(t, a_watch_of_addresses_tells_what_touches_them);
	tcase_add_test(t, what_cannot_be_watched_is_refused);
	tcase_add_test(t, the_descriptor_tells_until_all_were_taken);
	tcase_add_test(t, a_change_before_the_first_look_is_told_too);
	tcase_add_test(
	    t, another_process_is_told_of_and_its_death_takes_nothing_back);
	tcase_add_test(t, every_one_of_many_is_told_once);
	tcase_add_test(t, who_is_too_slow_is_told_and_goes_on);
	tcase_add_test(t, who_can_only_read_is_told_as_well);
	suite_add_tcase(s, t);
	return suite_run(s);
}
