/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners: addresses, and what their connections inherit. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/listen.h"

static const char *const wrong[] = { "", ":", "127.0.0.1",
	"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
	"localhost:0", "::1:0", "[::1]", "[::1:0", "::1]:0", "[127.0.0.1]x:0",
	"300.0.0.1:0", "1.2.3.4.5:0", "[fe80::zz]:0",
	"0000000000000000000000000000000000000000000000000000000000000001:0" };

START_TEST(what_is_no_numeric_address_is_refused)
{
	char real[LISTEN_ADDR_MAX];

	ck_assert_int_eq(listen_open(wrong[_i], false, real, sizeof(real)), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static const struct {
	const char *text, *starts;
} right[] = {
	{ "127.0.0.1:0", "127.0.0.1:" },
	{ "[::1]:0", "[::1]:" },
};

static unsigned
port_of(const char *real)
{
	return (unsigned)strtoul(strrchr(real, ':') + 1, NULL, 10);
}

START_TEST(port_0_becomes_a_real_one_that_is_said)
{
	char real[LISTEN_ADDR_MAX];
	int fd = listen_open(right[_i].text, false, real, sizeof(real));

	if (fd < 0 && errno == EADDRNOTAVAIL)
		return; /* a machine without IPv6 */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	    strncmp(real, right[_i].starts, strlen(right[_i].starts)), 0);
	ck_assert_uint_gt(port_of(real), 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}
END_TEST

START_TEST(no_host_means_every_ipv4_address)
{
	char real[LISTEN_ADDR_MAX];
	int fd = listen_open(":0", false, real, sizeof(real));

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(strncmp(real, "0.0.0.0:", 8), 0);
	close(fd);
}
END_TEST

START_TEST(a_port_in_use_is_told_and_leaks_no_descriptor)
{
	char real[LISTEN_ADDR_MAX], again[LISTEN_ADDR_MAX];
	int fd = listen_open("127.0.0.1:0", false, real, sizeof(real)), next, i;

	next = dup(fd);
	close(next);
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(
		    listen_open(real, false, again, sizeof(again)), -1);
		ck_assert_int_eq(errno, EADDRINUSE);
	}
	ck_assert_int_eq(dup(fd), next);
}
END_TEST

START_TEST(a_port_that_was_just_closed_can_be_had_again)
{
	char real[LISTEN_ADDR_MAX], again[LISTEN_ADDR_MAX];
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = listen_open("127.0.0.1:0", false, real, sizeof(real)), c, a;

	sa.sin_port = htons((uint16_t)port_of(real));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(c, (struct sockaddr *)&sa, sizeof(sa)), 0);
	a = accept(fd, NULL, NULL);
	close(a); /* the server closes first: TIME_WAIT is on its side */
	close(c);
	close(fd);
	fd = listen_open(real, false, again, sizeof(again));
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(real, again);
}
END_TEST

static const struct {
	int level, name, value;
} inherited[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ SOL_SOCKET, SO_OOBINLINE, 1 },
	{ IPPROTO_TCP, TCP_NODELAY, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 60 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 10 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 6 },
};

START_TEST(connections_inherit_what_they_need)
{
	char real[LISTEN_ADDR_MAX];
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = listen_open("127.0.0.1:0", false, real, sizeof(real)), c, a;
	int value = -1;
	socklen_t len = sizeof(value);

	sa.sin_port = htons((uint16_t)port_of(real));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(c, (struct sockaddr *)&sa, sizeof(sa)), 0);
	a = accept(fd, NULL, NULL);
	ck_assert_int_ge(a, 0);
	ck_assert_int_eq(getsockopt(a, inherited[_i].level, inherited[_i].name,
			     &value, &len),
	    0);
	ck_assert_int_eq(value, inherited[_i].value);
}
END_TEST

static const struct {
	const char *text;
	int level, name, value;
} datagrams[] = {
	{ "0.0.0.0:0", IPPROTO_IP, IP_PKTINFO, 1 },
	{ "127.0.0.1:0", IPPROTO_IP, IP_PKTINFO, 0 },
	{ "[::]:0", IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
	{ "[::1]:0", IPPROTO_IPV6, IPV6_RECVPKTINFO, 0 },
};

/* Whether this user may have larger buffers than others. */
static bool
may_force(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 1 << 20;
	bool may = setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		       sizeof(bytes)) == 0;

	close(fd);
	return may;
}

START_TEST(which_address_was_asked_is_told_where_there_are_several)
{
	char real[LISTEN_ADDR_MAX];
	int fd = listen_open(datagrams[_i].text, true, real, sizeof(real));
	int on = -1, bytes = 0;
	socklen_t len = sizeof(on);

	if (fd < 0 && errno == EADDRNOTAVAIL)
		return; /* a machine without IPv6 */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	    getsockopt(fd, datagrams[_i].level, datagrams[_i].name, &on, &len),
	    0);
	ck_assert_int_eq(on, datagrams[_i].value);
	/* and room for what comes while nobody reads */
	ck_assert_int_eq(
	    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len), 0);
	ck_assert_int_ge(bytes, may_force() ? 1 << 20 : 1 << 16);
	close(fd);
}
END_TEST

/* What somebody else has bound, to any port there; its address is in real. */
static int
somebodys(int type, const char *host, char *real, size_t size)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, type, 0);

	ck_assert_int_eq(inet_pton(AF_INET, host, &sa.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(real, size, "%s:%u", host, ntohs(sa.sin_port));
	return fd;
}

START_TEST(what_somebody_else_has_bound_becomes_a_listener_of_ours)
{
	char is[LISTEN_ADDR_MAX], real[LISTEN_ADDR_MAX];
	const char *const fits[] = { is, "127.0.0.1:0", NULL };
	int type = _i ? SOCK_DGRAM : SOCK_STREAM, on;
	int fd = somebodys(type, "127.0.0.1", is, sizeof(is));
	socklen_t len = sizeof(on);

	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		ck_assert_int_eq(
		    listen_adopt(fd, fits[i], _i, real, sizeof(real)), 0);
		ck_assert_str_eq(real, is);
	}
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len), 0);
	ck_assert_int_eq(on, !_i);
	if (!_i) {
		ck_assert_int_eq(
		    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
		ck_assert_int_ne(on, 0);
	}
	close(fd);
}
END_TEST

START_TEST(what_is_bound_elsewhere_or_of_another_kind_is_not_touched)
{
	static const char *const other[] = { "127.0.0.2:0", "127.0.0.1:1",
		"[::1]:0", "nonsense" };
	char is[LISTEN_ADDR_MAX], real[LISTEN_ADDR_MAX];
	int fd = somebodys(SOCK_STREAM, "127.0.0.1", is, sizeof(is)), un, on;
	socklen_t len = sizeof(on);

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		ck_assert_int_eq(
		    listen_adopt(fd, other[i], false, real, sizeof(real)), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(listen_adopt(fd, is, true, real, sizeof(real)), -1);
	ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	ck_assert_int_eq(
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len), 0);
	ck_assert_int_eq(on, 0);
	close(fd);
	un = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(listen_adopt(un, NULL, false, real, sizeof(real)), -1);
	close(un);
	un = open("/dev/null", O_RDWR);
	ck_assert_int_eq(listen_adopt(un, NULL, false, real, sizeof(real)), -1);
	close(un);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listen");
	TCase *t = tcase_create("listen");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, what_is_no_numeric_address_is_refused, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_loop_test(t, port_0_becomes_a_real_one_that_is_said, 0,
	    sizeof(right) / sizeof(right[0]));
	tcase_add_loop_test(t,
	    which_address_was_asked_is_told_where_there_are_several, 0,
	    sizeof(datagrams) / sizeof(datagrams[0]));
	tcase_add_test(t, no_host_means_every_ipv4_address);
	tcase_add_test(t, a_port_in_use_is_told_and_leaks_no_descriptor);
	tcase_add_test(t, a_port_that_was_just_closed_can_be_had_again);
	tcase_add_loop_test(t, connections_inherit_what_they_need, 0,
	    sizeof(inherited) / sizeof(inherited[0]));
	tcase_add_loop_test(
	    t, what_somebody_else_has_bound_becomes_a_listener_of_ours, 0, 2);
	tcase_add_test(
	    t, what_is_bound_elsewhere_or_of_another_kind_is_not_touched);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
