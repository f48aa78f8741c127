/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SETUP_OWN_H
#define SUPERVISOR_SETUP_OWN_H

/*
 * Between the files that read a setup file: setup.c the whole, setup_server.c a
 * server, setup_device.c the sections of a device, setup_entry.c their entries,
 * which become cells, setup_range.c cells, which become ranges.
 */

#include <stdint.h>

#include "shm/log.h"
#include "supervisor/conf/jsonc.h"
#include "supervisor/conf/setup.h"

enum setup_type {
	SETUP_INVALID,
	SETUP_BITS,
	SETUP_INT16,
	SETUP_UINT16,
	SETUP_INT32,
	SETUP_UINT32,
	SETUP_INT64,
	SETUP_UINT64,
	SETUP_FLOAT32,
	SETUP_FLOAT64,
	SETUP_STRING,
	SETUP_NEXT, /* what a value takes behind its first cell */
};

/* A register. */
struct setup_cell {
	uint16_t value;
	uint8_t type;
	bool writable;
	const char *action; /* NULL; the same name is the same pointer */
	const char *parameters; /* NULL */
	const struct jsonc_node *at; /* the entry */
	const struct jsonc_node *barred; /* by an entry of "invalid"; NULL */
};

/* What a section with values says, and what its entries do not say. */
struct setup_kind {
	const char *name;
	enum setup_type type;
	uint32_t cells; /* of a value; 0: the whole entry is one */
	bool newer; /* than 3.8: need not be there */
	const struct jsonc_node *value; /* NULL: 0 */
	const char *action;
};

struct setup_block {
	enum hf_table table;
	uint32_t start, size; /* cells */
};

enum { SETUP_BLOCKS = 4, SETUP_CELLS = 65536 };

struct setup_ctx {
	struct setup *to;
	const struct setup_pick *pick;
	struct jsonc_doc *doc; /* of our own, or NULL */
	jsonc_fault_fn *tell; /* of mistakes */
	void *arg;
	struct setup_cell *cells;
	uint32_t ncells;
	struct setup_block blocks[SETUP_BLOCKS]; /* if they are not shared */
	char **texts; /* and values, owned */
	size_t ntexts;
	unsigned faults, notes;
	bool holes; /* what should be defined is not, and that has been told */
};

/* Notes a mistake at the place of a node. */
void setup_fault(struct setup_ctx *, const struct jsonc_node *, const char *fmt,
    ...) LOG_FMT(3, 4);

/* The same at the key of a member. */
void setup_fault_key(struct setup_ctx *, const struct jsonc_node *,
    const char *fmt, ...) LOG_FMT(3, 4);

/* Notes what is taken but does nothing, at the key of a member, or at the place
 * of what has none. */
void setup_note(struct setup_ctx *, const struct jsonc_node *, const char *fmt,
    ...) LOG_FMT(3, 4);

/* Notes a mistake at the key of each member of an object that is called none
 * of these; what has no member of that name is `what`. */
void setup_known(struct setup_ctx *, const struct jsonc_node *object,
    const char *what, const char *const *names, size_t n);

/* The member of an object, which must be there and of that type; NULL after a
 * mistake. */
const struct jsonc_node *setup_need(struct setup_ctx *,
    const struct jsonc_node *in, const char *key, enum jsonc_type);

/* A whole number from 0 to max; false after a mistake. */
bool setup_number(
    struct setup_ctx *, const struct jsonc_node *, uint64_t max, uint64_t *out);

/* Keeps what malloc() gave until setup_free(). */
const char *setup_keep(struct setup_ctx *, char *text);

/* n or [a, b], in the array; false after a mistake. */
bool setup_addresses(struct setup_ctx *, const struct jsonc_node *,
    uint32_t *first, uint32_t *last);

/* The name as the list of those there are has it, NULL for null or after a
 * mistake, which is false. */
bool setup_action(
    struct setup_ctx *, const struct jsonc_node *, const char **action);

/* n, [a, b], or an object that has one of these as "addr". */
void setup_entry(
    struct setup_ctx *, struct setup_kind *, const struct jsonc_node *);

void setup_server(struct setup_ctx *, const struct jsonc_node *server);
void setup_device(struct setup_ctx *, const struct jsonc_node *device);
void setup_ranges(struct setup_ctx *);

#endif
