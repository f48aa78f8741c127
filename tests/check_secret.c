/* SPDX-License-Identifier: Apache-2.0 */
/* Which child knows which secret, and files that only the parent may read. */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/secret.h"
#include "supervisor/super.h"
#include "tests/suite.h"

enum { TRANSPORTS = 3, TLS = 1 };

static struct conf_transport transports[TRANSPORTS];
static struct conf conf = { .transports = transports,
	.ntransports = TRANSPORTS };
static struct service services[TRANSPORTS];
static struct super super;
static char key[40], word[40], none[] = "/nonexistent/key";
static char *keys[] = { key, none };

static void
put(char path[40], const char *text, size_t len)
{
	int fd;

	strcpy(path, "/tmp/check-secret-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static void
setup(void)
{
	put(key, "the \0 key", 9);
	put(word, "sesame\n", 7);
	memset(transports, 0, sizeof(transports));
	transports[TLS].type = CONF_TLS;
	transports[TLS].tls.key.at = keys;
	transports[TLS].tls.key.n = 2;
	transports[TLS].tls.password_file = word;
	for (int i = 0; i < TRANSPORTS; i++) {
		services[i].conf = &transports[i];
		services[i].next = i > 0 ? &services[i - 1] : NULL;
	}
	super.services = &services[TRANSPORTS - 1];
}

static void
teardown(void)
{
	unlink(key);
	unlink(word);
}

static bool
wiped(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != 0)
			return false;
	return true;
}

START_TEST(ticket_keys_are_fresh)
{
	uint8_t k[TRANSPORTS][PROC_TICKET_BYTES] = { 0 };

	for (int i = 0; i < TRANSPORTS; i++) {
		ck_assert_int_eq(secret_ticket(k[i]), 0);
		ck_assert(!wiped(k[i], PROC_TICKET_BYTES / 4));
		for (int j = 0; j < i; j++)
			ck_assert_mem_ne(k[i], k[j], PROC_TICKET_BYTES / 4);
	}
}
END_TEST

START_TEST(messages_tell_the_key_of_a_transport_of_tls_alone)
{
	for (int i = 0; i < TRANSPORTS; i++) {
		struct ipc_msg m = { .rc = 0 };
		uint8_t key_of[PROC_TICKET_BYTES], took[PROC_TICKET_BYTES];

		memset(took, 0, sizeof(took));
		ck_assert_int_eq(secret_ticket(key_of), 0);
		secret_put(&m, &transports[i], key_of);
		secret_take(took, &m);
		if (i == TLS)
			ck_assert_mem_eq(took, key_of, sizeof(took));
		else
			ck_assert(wiped(took, sizeof(took)) &&
			    wiped((uint8_t *)m.text, sizeof(m.text)));
	}
}
END_TEST

START_TEST(a_child_keeps_its_own_ticket_key_alone)
{
	for (int i = -1; i < TRANSPORTS; i++) {
		struct proc p = { .conf = &conf };
		uint8_t own[PROC_TICKET_BYTES];

		for (int k = 0; k < TRANSPORTS; k++)
			ck_assert_int_eq(secret_ticket(services[k].ticket), 0);
		memcpy(own, services[TLS].ticket, sizeof(own));
		if (i >= 0) {
			p.transport = &transports[i];
			p.transport_index = (unsigned)i;
		}
		ck_assert_int_eq(secret_share(&p, &super), 0);
		for (int k = 0; k < TRANSPORTS; k++)
			ck_assert(wiped(
			    services[k].ticket, sizeof(services[k].ticket)));
		if (i == TLS)
			ck_assert_mem_eq(p.ticket_key, own, sizeof(own));
		else
			ck_assert(wiped(p.ticket_key, sizeof(p.ticket_key)));
		ck_assert_int_eq(p.nfiles, i == TLS ? 3 : 0);
		proc_files_wipe(&p);
	}
}
END_TEST

START_TEST(a_password_stays_with_the_workers_of_its_transport)
{
	for (int i = -1; i < TRANSPORTS; i++) {
		char word_of[2][8] = { "sesame", "barley" };
		struct proc p = { .conf = &conf };

		transports[TLS].tls.password = word_of[0];
		transports[TLS + 1].tls.password = word_of[1];
		if (i >= 0) {
			p.transport = &transports[i];
			p.transport_index = (unsigned)i;
		}
		ck_assert_int_eq(secret_share(&p, &super), 0);
		if (i == TLS)
			ck_assert_str_eq(word_of[0], "sesame");
		else
			ck_assert(wiped((uint8_t *)word_of[0], 6));
		if (i == TLS + 1)
			ck_assert_str_eq(word_of[1], "barley");
		else
			ck_assert(wiped((uint8_t *)word_of[1], 6));
		proc_files_wipe(&p);
	}
}
END_TEST

START_TEST(files_are_kept_as_they_are_until_they_are_wiped)
{
	struct proc p = { .conf = &conf,
		.transport = &transports[TLS],
		.transport_index = TLS };
	const uint8_t *at;
	size_t len;

	ck_assert_int_eq(secret_share(&p, &super), 0);
	at = proc_file(&p, key, &len);
	ck_assert_ptr_nonnull(at);
	ck_assert_uint_eq(len, 9);
	ck_assert_mem_eq(at, "the \0 key", 9);
	at = proc_file(&p, word, &len);
	ck_assert_ptr_nonnull(at);
	ck_assert_uint_eq(len, 7);
	/* what could not be read says why, and what was not asked for */
	ck_assert_ptr_null(proc_file(&p, none, &len));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(proc_file(&p, "/etc/passwd", &len));
	ck_assert_int_eq(errno, ENOENT);
	proc_files_wipe(&p);
	ck_assert_ptr_null(proc_file(&p, key, &len));
}
END_TEST

START_TEST(what_is_no_key_at_all_is_not_read)
{
	struct proc p = { .conf = &conf,
		.transport = &transports[TLS],
		.transport_index = TLS };
	char zeros[] = "/dev/zero", dir[] = "/tmp";
	char *wrong[] = { zeros, dir, word, key };
	const int err[] = { EINVAL, EISDIR, EINVAL, EFBIG };
	size_t len;

	/* nobody will ever write there */
	unlink(word);
	ck_assert_int_eq(mkfifo(word, 0600), 0);
	ck_assert_int_eq(truncate(key, (1 << 20) + 1), 0);
	transports[TLS].tls.key.at = wrong;
	transports[TLS].tls.key.n = 4;
	ck_assert_int_eq(secret_share(&p, &super), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_ptr_null(proc_file(&p, wrong[i], &len));
		ck_assert_int_eq(errno, err[i]);
	}
	proc_files_wipe(&p);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("secret");
	TCase *tc = tcase_create("secret");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ticket_keys_are_fresh);
	tcase_add_test(tc, messages_tell_the_key_of_a_transport_of_tls_alone);
	tcase_add_test(tc, a_child_keeps_its_own_ticket_key_alone);
	tcase_add_test(tc, a_password_stays_with_the_workers_of_its_transport);
	tcase_add_test(tc, files_are_kept_as_they_are_until_they_are_wiped);
	tcase_add_test(tc, what_is_no_key_at_all_is_not_read);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(make_suite());
}
