/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_H
#define SUPERVISOR_CONF_H

/*
 * The configuration as the processes use it: plain structs, read once before
 * the first fork and never changed. What a configuration owns lives until
 * conf_free(). How it is written: holdfast.json(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shm/log.h"
#include "shm/store.h"
#include "shm/typed.h"

enum { CONF_UNITS = 256, CONF_NO_DEVICE = -1 };

struct conf_range {
	enum store_table table;
	uint32_t addr, count; /* registers or bits; files: records, addr as
			       * STORE_FILE has it; fifos: 32, STORE_FIFO */
	bool read_only;
	enum typed_type type;
	enum typed_order order;
	double scale;
	char *name; /* or NULL */
	char *unit; /* or NULL */
	uint8_t *init; /* store_bytes(table, count) bytes in wire form, or
			* NULL for zeros */
};

struct conf_object {
	uint8_t id;
	char *text;
};

struct conf_device {
	char *name;
	bool shared_blocks;
	struct conf_range *ranges;
	size_t nranges;
	struct conf_object *identity; /* ascending by id; 0..2 always there */
	size_t nidentity;
};

struct conf_cidr {
	int family; /* AF_INET, AF_INET6 */
	uint8_t addr[16];
	unsigned bits;
};

struct conf_cidrs {
	struct conf_cidr *at;
	size_t n;
};

/* Grows with workers/transport.c. CONF_CUSTOM: a plugin's. */
enum conf_type {
	CONF_TCP,
	CONF_TLS,
	CONF_UDP,
	CONF_SERIAL,
	CONF_CUSTOM,
	CONF_TYPES
};

struct conf_paths {
	char **at;
	size_t n;
};

/* What one rule of a role allows: a request that is within all of it. */
struct conf_rule {
	uint64_t fcs[2]; /* a bit for each function code */
	uint8_t *devices; /* a byte for each device, not 0: is allowed */
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

enum conf_rs485 {
	CONF_RS485_OFF,
	CONF_RS485_AUTO,
	CONF_RS485_IOCTL,
	CONF_RS485_RTS
};

struct conf_serial {
	char *port; /* a device; NULL: "socket://", in listen */
	unsigned baudrate;
	unsigned bytesize; /* 5..8 */
	int parity; /* 0 none, 1 even, 2 odd, 3 mark, 4 space */
	unsigned stopbits; /* 1, 2 */
	struct {
		enum conf_rs485 mode;
		bool rts_low; /* while sending */
		unsigned before_us, after_us; /* sending */
		bool rx_during_tx;
	} rs485;
	bool local_echo;
	int t15; /* 0 off, 1 count, 2 strict */
	unsigned turnaround_ms;
	unsigned ascii_timeout_ms;
};

/* What a plugin is told, as it stands in the configuration. */
struct conf_option {
	char *name, *value;
};

struct conf_transport {
	char *name;
	enum conf_type type;
	char *type_name; /* "tcp", or what a plugin calls it */
	char *listen; /* "127.0.0.1:502", "[::1]:502"; serial: NULL, unless the
		       * port is a socket; custom: anything, or NULL */
	struct conf_tls tls;
	struct conf_serial serial;
	struct conf_paths plugins;
	struct conf_option *options; /* for the plugins */
	size_t noptions;
	unsigned max_transactions; /* 0: no limit */
	char *framer; /* a name that framer_find() knows */
	int units[CONF_UNITS]; /* index into devices, CONF_NO_DEVICE */
	bool silent_units; /* missing_unit: silent rather than 0B */
	bool broadcast;
	bool read_only; /* access: read-only */
	struct conf_cidrs allow, deny, priority;
	unsigned max_connections;
	unsigned max_connections_per_peer; /* 0: no limit */
	unsigned idle_timeout_s; /* 0: never */
	unsigned frame_timeout_ms; /* 0: never */
	unsigned workers;
	bool autostart;
	bool serial_functions; /* 7, 8, 11, 12, 17 are served */
	bool trace;
	struct {
		unsigned min_backoff_ms, max_backoff_ms;
		unsigned max_in_window; /* 0: never give up */
		unsigned window_s;
	} restart;
	char *user; /* or NULL: stay who we are */
};

struct conf {
	char *path; /* of the main file */
	char *store; /* store.name */
	struct conf_device *devices;
	size_t ndevices;
	struct conf_transport *transports;
	size_t ntransports;
	char **control_listen; /* tcp:// endpoints */
	size_t ncontrol_listen;
	char *curve_secret_key; /* files, or NULL */
	char *curve_authorized;
	unsigned drain_timeout_s;
	unsigned hang_timeout_ms;
};

/*
 * Reads path and what it includes. Every mistake found is printed to err as
 *
 *	FILE:LINE:COL: what; did you mean "x"?
 *
 * Returns NULL if there was any (errno EINVAL), or if the main file cannot be
 * read (errno of the open, after a line on err).
 */
struct conf *conf_load(const char *path, FILE *err);

/* Prints the configuration in force, defaults included, as JSON. */
void conf_dump(const struct conf *, FILE *out);

void conf_free(struct conf *);

/* Prints every key of this version, a line each: its path, what it takes, its
 * default and its help, separated by tabs. */
void conf_keys(FILE *out);

/* Where a transport is to be found: its address or port; "-" if a plugin
 * alone knows. */
const char *conf_where(const struct conf_transport *);

/* Words for the enumeration. */
const char *conf_table_name(enum store_table); /* "holding_registers" */

#endif
