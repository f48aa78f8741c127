/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_PARTS_H
#define SUPERVISOR_CONF_PARTS_H

/*
 * What struct conf is made of. Included through supervisor/conf.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/conf_parts_device.h"
#include "supervisor/conf/conf_types.h"

enum { CONF_UNITS = 256, CONF_NO_DEVICE = -1 };

struct conf_cidr {
	int family; /* AF_INET, AF_INET6 */
	uint8_t addr[16];
	unsigned bits;
};

struct conf_cidrs {
	struct conf_cidr *at;
	size_t n;
};

/* Grows with workers/transport.c. CONF_PLUGIN: a plugin's. */
enum conf_type {
	CONF_TCP,
	CONF_TLS,
	CONF_UDP,
	CONF_SERIAL,
	CONF_SHM,
	CONF_PLUGIN,
	CONF_TYPES
};

struct conf_paths {
	char **at;
	size_t n;
};

enum { CONF_ROLE_MAX = 64, CONF_ADDR_MAX = 65535 };

/* What one rule of a role allows: a request that is within all of it. */
struct conf_rule {
	bool every_fc; /* the rule names no function codes */
	uint64_t fcs[2]; /* else a bit for each */
	uint8_t *devices; /* a byte for each device, not 0: is allowed; or
			   * NULL: every device */
	unsigned tables; /* a bit for each store_table */
	uint32_t first, last; /* addresses of those tables */
};

/* Somebody's rights: what any of the rules allows. */
struct conf_role {
	char *name; /* "" is the NULL role, of who has none */
	struct conf_rule *rules;
	size_t nrules;
};

struct conf_roles {
	char *path; /* NULL: everybody may do everything */
	struct conf_role *at;
	size_t n;
};

enum conf_client_cert { CONF_CERT_REQUIRE, CONF_CERT_REQUEST, CONF_CERT_NONE };

struct conf_tls {
	struct conf_paths cert, key; /* as many of the one as of the other */
	char *password; /* of the keys, or NULL */
	char *password_file;
	char *ca; /* files, or NULL */
	char *crl;
	struct conf_paths ocsp; /* answers to staple, one for each cert */
	enum conf_client_cert client_cert;
	char *ciphers; /* as a GnuTLS priority string has them, or NULL */
	struct conf_roles roles;
};

/* The page and what stands beside it. */
struct conf_http {
	char *listen; /* "127.0.0.1:8080"; NULL: there is none */
	char *token_file; /* or NULL */
	char *web_root; /* served instead of the page inside, or NULL */
	struct conf_paths hosts; /* names, "NAME" or "NAME:PORT" */
	unsigned local, anonymous; /* enum conf_http_role */
	unsigned max_connections, max_streams;
};

/* What somebody without a token may do. */
enum conf_http_role {
	CONF_HTTP_NONE,
	CONF_HTTP_READ,
	CONF_HTTP_OPERATE,
	CONF_HTTP_ADMIN
};

/* The Python module whose functions are actions. */
struct conf_actions {
	char *module; /* a file, or a name to import; NULL: there is none */
	char *folder; /* where that is looked for first */
	char *python; /* a path, or a name to be found in $PATH; NULL:
		       * /usr/bin/python3 */
	char *user; /* or NULL: stay who we are */
	bool needed; /* there is no service without it */
	unsigned timeout_ms; /* that a request waits for it, all in all */
};

/* Where the daemon saves the registers by itself: see shm/snap_pair.h. */
struct conf_snapshot {
	char *path; /* NULL: nowhere */
	char *place; /* where that stands, "FILE:LINE:COL"; or NULL */
	unsigned interval_ms;
	unsigned durable_ms; /* what is written to durable ranges waits so long
			      * for the disk */
	bool required; /* no start with configured values if what was saved
			* cannot be read */
	char *user; /* or NULL: stay who we are */
};

/* Whether there are ranges that are saved before a write to them is
 * answered. */
struct conf;
bool conf_durable(const struct conf *);

/* What a program wants of a setup file of pymodbus' simulator. */
struct conf_pick {
	const char *server; /* of "server_list"; "all": every one; NULL:
			     * "server", or the only one */
	const char *device; /* of "device_list"; NULL: what the server says,
			     * else "device", or the only one */
	const char *store; /* what the store is called */
	const char *http; /* where the page is, or NULL: nowhere */
	const char *module, *folder; /* of actions, or NULL */
};

/* Two texts, each of which may be missing, are the same. */
bool conf_same_text(const char *, const char *);

#endif
