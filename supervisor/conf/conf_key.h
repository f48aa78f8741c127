/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_KEY_H
#define SUPERVISOR_CONF_KEY_H

/*
 * The configuration's keys as tables: what the reader takes, the dump prints,
 * the manual lists and a mistyped key is compared with are the same rows.
 */

#include "supervisor/conf.h"
#include "supervisor/conf/jsonc.h"

struct conf_ctx;
struct conf_key;
struct conf_out;

enum conf_kind {
	CONF_BOOL, /* bool */
	CONF_UINT, /* 32 bits, min..max */
	CONF_NUMBER, /* double */
	CONF_TEXT, /* char *, at most max bytes; NULL when left out */
	CONF_NAME, /* char *, letters, digits, '_' and '-' */
	CONF_PATH, /* char *, relative to the file; must exist */
	CONF_WORD, /* enum: index in words */
	CONF_CHOICE, /* char *: one of words */
	CONF_SWITCH, /* bool: index in words */
	CONF_SECTION, /* an object with keys of its own, in the same struct */
	CONF_KEEP, /* const struct jsonc_node *, to be looked at later */
	CONF_OWN, /* read by a function of its own */
};

enum {
	CONF_REQUIRED = 1,
	CONF_PRESET = 4, /* the default was set by who reads the section */
	CONF_NOT_BITS = 8, /* ranges: for registers only */
	CONF_NOT_TCP = 16, /* transports: not of this type; in the order of */
	CONF_NOT_TLS = 32, /* enum conf_type */
	CONF_NOT_UDP = 64,
	CONF_NOT_SERIAL = 128,
	CONF_NOT_SHM = 256,
	CONF_NOT_PLUGIN = 512,
	CONF_NOT_SOCKET = 1024, /* serial, where "port" is "socket://..." */
	CONF_FILE = 2048, /* paths: no directory */
	CONF_TLS_ONLY = CONF_NOT_TCP | CONF_NOT_UDP | CONF_NOT_SERIAL |
	    CONF_NOT_SHM | CONF_NOT_PLUGIN | CONF_NOT_SOCKET,
	CONF_SERIAL_ONLY = CONF_NOT_TCP | CONF_NOT_TLS | CONF_NOT_UDP |
	    CONF_NOT_SHM | CONF_NOT_PLUGIN,
	CONF_SHM_ONLY = CONF_NOT_TCP | CONF_NOT_TLS | CONF_NOT_UDP |
	    CONF_NOT_SERIAL | CONF_NOT_PLUGIN | CONF_NOT_SOCKET,
	CONF_LINE_ONLY = CONF_SERIAL_ONLY | CONF_NOT_SOCKET,
};

typedef void conf_read_fn(struct conf_ctx *, const struct jsonc_node *,
    const struct conf_key *, void *obj);
/* Prints the member with its key, or nothing if it is as if left out. */
typedef void conf_dump_fn(
    struct conf_out *, const struct conf_key *, const void *obj);

struct conf_key {
	const char *name;
	enum conf_kind kind;
	unsigned flags;
	size_t off; /* in the struct that the section fills in */
	uint32_t min, max, def;
	const char *text; /* the default in words, where def cannot say it;
			   * CONF_TEXT, CONF_NAME: the default itself */
	const char *takes; /* what it takes in words, where kind cannot say
			    * it */
	const char *const *words; /* ends with NULL */
	const struct conf_section *section;
	const char *instead; /* the key for where this one does not apply */
	const char *also; /* what others call it, between spaces; a hint */
	conf_read_fn *read; /* CONF_OWN; never for what is left out */
	conf_dump_fn *dump; /* instead of what kind does */
	const char *help; /* a sentence without its full stop */
};

enum { CONF_KEYS_MAX = 64 };

struct conf_section {
	const char *path; /* "transports.NAME": in the manual */
	const char *what; /* "a transport" */
	const struct conf_key *keys; /* ends with a name of NULL */
	const char *const *kinds; /* what the flags from CONF_NOT_TCP on say
				   * no to, in words; ends with NULL */
};

/* Section conf_NAME, of the keys in NAME_keys. */
#define CONF_SECTION_OF(name, path, what)                                  \
	const struct conf_section conf_##name = { path, what, name##_keys, \
		NULL }

extern const struct conf_section conf_top, conf_store, conf_snapshot,
    conf_control, conf_curve, conf_actions, conf_http, conf_device, conf_range,
    conf_file, conf_fifo, conf_identity, conf_transport, conf_restart,
    conf_rs485, conf_counts, conf_rule;

/* Every section, in the manual's order; ends with NULL. */
extern const struct conf_section *const conf_sections[];

#endif
