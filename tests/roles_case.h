/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ROLES_CASE_H
#define TESTS_ROLES_CASE_H

/*
 * Loads a file of roles that a test has as a string, as a tls transport over
 * the devices "plc1" and "plc2" names it. The mistakes are in case_told, a line
 * each; those of the file of roles begin with "ROLES:".
 */

#include "tests/lib/conf_case.h"

#define ROLES_TLS                                                   \
	"\"type\":\"tls\",\"listen\":\"127.0.0.1:0\",\"cert\":"     \
	"\"/dev/null\",\"key\":\"/dev/null\",\"ca\":\"/dev/null\"," \
	"\"units\":{\"1\":\"plc1\"}"

static char roles_path[32]; /* while case_roles() runs */

/* Puts "ROLES" for each of the paths. */
static inline void
roles_cut(void)
{
	size_t len = strlen(roles_path);
	char *from, *to;

	for (from = to = case_told; *from != '\0';)
		if (strncmp(from, roles_path, len) == 0 && from[len] == ':') {
			to = stpcpy(to, "ROLES");
			from += len;
		} else {
			*to++ = *from++;
		}
	*to = '\0';
}

/* The configuration, or NULL. more: further transports, "" for none. */
static inline struct conf *
case_roles_with(const char *text, const char *more)
{
	char main[1000];
	struct conf *conf;
	size_t len = strlen(text);
	int saved, fd = memfd_create("roles", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	snprintf(roles_path, sizeof(roles_path), "/proc/self/fd/%d", fd);
	snprintf(main, sizeof(main),
	    "{\"devices\":{\"plc1\":{},\"plc2\":{}},\"transports\":{\n"
	    "\"t\":{" ROLES_TLS ",\"roles\":\"%s\"}%s}}",
	    roles_path, more);
	conf = case_load(main);
	saved = errno;
	close(fd);
	roles_cut();
	errno = saved;
	return conf;
}

static inline struct conf *
case_roles(const char *text)
{
	return case_roles_with(text, "");
}

#endif
