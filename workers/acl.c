/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses against lists of networks. Runs in the workers, once for each
 * connection that comes in. Pure.
 */
#include "workers/acl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

void
acl_peer_set(struct acl_peer *p, const struct sockaddr_storage *ss)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memset(p, 0, sizeof(*p));
	p->family = AF_UNSPEC;
	switch (ss->ss_family) {
	case AF_INET:
		memcpy(&in, ss, sizeof(in));
		p->family = AF_INET;
		p->port = ntohs(in.sin_port);
		memcpy(p->addr, &in.sin_addr, 4);
		return;
	case AF_INET6:
		memcpy(&in6, ss, sizeof(in6));
		p->port = ntohs(in6.sin6_port);
		p->family = AF_INET6;
		if (memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) == 0) {
			p->family = AF_INET;
			memcpy(p->addr, in6.sin6_addr.s6_addr + 12, 4);
		} else {
			memcpy(p->addr, &in6.sin6_addr, 16);
		}
	}
}

const char *
acl_peer_text(const struct acl_peer *p, char buf[ACL_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (p->family == AF_UNSPEC) {
		snprintf(buf, ACL_TEXT_MAX, "%s", p->text ? p->text : "?");
		return buf;
	}
	inet_ntop(p->family, p->addr, host, sizeof(host));
	snprintf(buf, ACL_TEXT_MAX, p->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
	    host, p->port);
	return buf;
}

bool
acl_same_host(const struct acl_peer *a, const struct acl_peer *b)
{
	return a->family == b->family &&
	    memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static bool
covers(const struct conf_cidr *c, const struct acl_peer *p)
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	if (c->family != p->family || c->bits > 128)
		return false;
	if (memcmp(c->addr, p->addr, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	return ((c->addr[whole] ^ p->addr[whole]) >> (8 - rest)) == 0;
}

bool
acl_match(const struct conf_cidrs *list, const struct acl_peer *p)
{
	for (size_t i = 0; i < list->n; i++)
		if (covers(&list->at[i], p))
			return true;
	return false;
}

bool
acl_allows(const struct conf_transport *t, const struct acl_peer *p)
{
	if (acl_match(&t->deny, p))
		return false;
	return t->allow.n == 0 || acl_match(&t->allow, p);
}
