/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_ACL_H
#define WORKERS_ACL_H

/*
 * Who may connect: addresses against the lists of the configuration
 * (Messaging on TCP/IP Guide V1.0b, 4.2.3).
 */

#include <netinet/in.h>
#include <sys/socket.h>

#include "shm/layout_worker.h"
#include "supervisor/conf.h"

/* The other end of a connection. An IPv4 address that came through an IPv6
 * socket is held as IPv4, so that one list covers both. */
struct acl_peer {
	int family; /* AF_INET, AF_INET6; AF_UNSPEC: only a plugin knows */
	uint16_t port;
	uint8_t addr[16]; /* network order; 4 or 16 bytes of it, the rest 0;
			   * AF_UNSPEC: the plugin's, to tell hosts apart */
	const char *text; /* AF_UNSPEC: in words; borrowed */
};

enum { ACL_TEXT_MAX = CONN_PEER_MAX };
_Static_assert(
    ACL_TEXT_MAX >= INET6_ADDRSTRLEN + sizeof("[]:65535"), "any address");

/* From what accept() gave; another family yields AF_UNSPEC without words. */
void acl_peer_set(struct acl_peer *, const struct sockaddr_storage *);

/* "10.0.0.7:4021", "[::1]:4021"; the words of who has no address, "?" without
 * any. Returns buf. */
const char *acl_peer_text(const struct acl_peer *, char buf[ACL_TEXT_MAX]);

bool acl_same_host(const struct acl_peer *, const struct acl_peer *);

/* True if one of the list covers the address. */
bool acl_match(const struct conf_cidrs *, const struct acl_peer *);

/* True if the peer may connect: no entry of deny covers it, and allow is
 * empty or one of its entries does. */
bool acl_allows(const struct conf_transport *, const struct acl_peer *);

#endif
