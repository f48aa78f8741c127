/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may connect: networks, their edges, and which list wins.
 */
#include "workers/acl.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct acl_peer
peer(const char *text)
{
	struct acl_peer p = { .family = AF_INET };

	if (strchr(text, ':') != NULL)
		p.family = AF_INET6;
	ck_assert_int_eq(inet_pton(p.family, text, p.addr), 1);
	return p;
}

static struct conf_cidr
cidr(const char *text)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	struct conf_cidr c = { .family = AF_INET };

	ck_assert_ptr_nonnull(slash);
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (strchr(host, ':') != NULL)
		c.family = AF_INET6;
	ck_assert_int_eq(inet_pton(c.family, host, c.addr), 1);
	c.bits = (unsigned)atoi(slash + 1);
	return c;
}

static const struct {
	const char *cidr, *peer;
	bool covered;
} covers[] = {
	{ "10.0.0.7/32", "10.0.0.7", true },
	{ "10.0.0.7/32", "10.0.0.6", false },
	{ "10.0.0.0/8", "10.255.255.255", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "192.168.4.0/22", "192.168.7.255", true },
	{ "192.168.4.0/22", "192.168.8.0", false },
	{ "192.168.4.0/22", "192.168.3.255", false },
	{ "128.0.0.0/1", "128.0.0.0", true },
	{ "128.0.0.0/1", "127.255.255.255", false },
	{ "10.0.0.6/31", "10.0.0.7", true },
	{ "10.0.0.6/31", "10.0.0.8", false },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "::1", false },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "10.0.0.1", false },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "::1/128", "::1", true },
	{ "::1/128", "::2", false },
};

START_TEST(a_network_covers_its_addresses_and_no_other)
{
	struct conf_cidr c = cidr(covers[_i].cidr);
	struct conf_cidrs list = { .at = &c, .n = 1 };
	struct acl_peer p = peer(covers[_i].peer);

	ck_assert_msg(acl_match(&list, &p) == covers[_i].covered, "%s in %s",
	    covers[_i].peer, covers[_i].cidr);
}
END_TEST

START_TEST(an_empty_list_covers_nobody)
{
	struct conf_cidrs list = { .n = 0 };
	struct acl_peer p = peer("10.0.0.1");

	ck_assert(!acl_match(&list, &p));
}
END_TEST

static const struct {
	const char *allow, *deny, *peer;
	bool allowed;
} rules[] = {
	{ NULL, NULL, "10.0.0.1", true },
	{ "10.0.0.0/8", NULL, "10.0.0.1", true },
	{ "10.0.0.0/8", NULL, "192.168.0.1", false },
	{ "10.0.0.0/8", NULL, "::1", false },
	{ NULL, "10.0.0.0/8", "10.0.0.1", false },
	{ NULL, "10.0.0.0/8", "192.168.0.1", true },
	{ "10.0.0.0/8", "10.0.0.1/32", "10.0.0.1", false },
	{ "10.0.0.0/8", "10.0.0.1/32", "10.0.0.2", true },
	{ "10.0.0.1/32", "10.0.0.0/8", "10.0.0.1", false },
};

START_TEST(deny_wins_and_a_list_of_allowed_shuts_out_the_rest)
{
	struct conf_transport t = { .name = NULL };
	struct acl_peer p = peer(rules[_i].peer);
	struct conf_cidr allow, deny;

	if (rules[_i].allow != NULL) {
		allow = cidr(rules[_i].allow);
		t.allow = (struct conf_cidrs){ .at = &allow, .n = 1 };
	}
	if (rules[_i].deny != NULL) {
		deny = cidr(rules[_i].deny);
		t.deny = (struct conf_cidrs){ .at = &deny, .n = 1 };
	}
	ck_assert_int_eq(acl_allows(&t, &p), rules[_i].allowed);
}
END_TEST

START_TEST(any_entry_of_a_list_may_cover)
{
	struct conf_cidr c[] = { cidr("10.0.0.0/24"), cidr("fe80::/10"),
		cidr("192.168.1.1/32") };
	struct conf_cidrs list = { .at = c, .n = 3 };
	struct acl_peer a = peer("192.168.1.1"), b = peer("fe80::5"),
			d = peer("192.168.1.2");

	ck_assert(acl_match(&list, &a));
	ck_assert(acl_match(&list, &b));
	ck_assert(!acl_match(&list, &d));
}
END_TEST

START_TEST(ipv4_through_an_ipv6_socket_is_ipv4)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(4021) };
	struct sockaddr_storage ss;
	struct acl_peer p, want = peer("10.0.0.7");
	char text[ACL_TEXT_MAX];

	ck_assert_int_eq(
	    inet_pton(AF_INET6, "::ffff:10.0.0.7", &in6.sin6_addr), 1);
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, &in6, sizeof(in6));
	acl_peer_set(&p, &ss);
	ck_assert(acl_same_host(&p, &want));
	ck_assert_str_eq(acl_peer_text(&p, text), "10.0.0.7:4021");
}
END_TEST

START_TEST(a_peer_is_written_as_address_and_port)
{
	struct acl_peer p = peer("2001:db8::1");
	char text[ACL_TEXT_MAX];

	p.port = 502;
	ck_assert_str_eq(acl_peer_text(&p, text), "[2001:db8::1]:502");
}
END_TEST

START_TEST(a_socket_of_another_family_matches_nothing)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNIX };
	struct conf_cidr c[] = { cidr("0.0.0.0/0"), cidr("::/0") };
	struct conf_cidrs list = { .at = c, .n = 2 };
	struct acl_peer p;

	char text[ACL_TEXT_MAX];

	acl_peer_set(&p, &ss);
	ck_assert(!acl_match(&list, &p));
	ck_assert_str_eq(acl_peer_text(&p, text), "?");
	p.text = "uid:7/pid:8";
	ck_assert_str_eq(acl_peer_text(&p, text), "uid:7/pid:8");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("acl");
	TCase *tc = tcase_create("acl");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, a_network_covers_its_addresses_and_no_other, 0,
	    sizeof(covers) / sizeof(covers[0]));
	tcase_add_test(tc, an_empty_list_covers_nobody);
	tcase_add_loop_test(tc,
	    deny_wins_and_a_list_of_allowed_shuts_out_the_rest, 0,
	    sizeof(rules) / sizeof(rules[0]));
	tcase_add_test(tc, any_entry_of_a_list_may_cover);
	tcase_add_test(tc, ipv4_through_an_ipv6_socket_is_ipv4);
	tcase_add_test(tc, a_peer_is_written_as_address_and_port);
	tcase_add_test(tc, a_socket_of_another_family_matches_nothing);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
