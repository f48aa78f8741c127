/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_NET_H
#define SUPERVISOR_CONF_NET_H

/*
 * Addresses of the configuration: listeners, endpoints, networks. Numeric
 * only, so that nothing waits for a name server.
 */

#include "supervisor/conf/conf_read.h"

struct conf_addr {
	int family; /* AF_INET, AF_INET6 */
	uint8_t addr[16]; /* network order; 4 or 16 bytes of it */
	uint16_t port;
};

/*
 * Reads "127.0.0.1:502", "[::1]:502" or "localhost:502". 0, or -1 with words
 * for a person in why.
 */
int conf_addr_parse(
    const char *text, struct conf_addr *, char *why, size_t size);

/* The other way round. */
void conf_addr_text(const struct conf_addr *, char *buf, size_t size);

/* True for 0.0.0.0 and ::. */
bool conf_addr_any(const struct conf_addr *);

/* What must hold between the keys of "control", whose node may be NULL. */
void conf_control_check(struct conf_ctx *, const struct jsonc_node *);

/* The address that something listens on, as text has it, written as we write
 * them; malloc'd. NULL after noting a mistake at the node. */
char *conf_listen_text(
    struct conf_ctx *, const struct jsonc_node *, const char *text);

conf_read_fn conf_listen_read, conf_cidrs_read, conf_endpoints_read;
conf_dump_fn conf_cidrs_dump, conf_endpoints_dump;

#endif
