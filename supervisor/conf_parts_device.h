/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_PARTS_DEVICE_H
#define SUPERVISOR_CONF_PARTS_DEVICE_H

/*
 * What the devices of struct conf are made of. Included through
 * supervisor/conf.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/store.h"
#include "shm/typed.h"

/* What a plugin or an action is told, as it stands in the configuration. */
struct conf_option {
	char *name, *value;
	bool bare; /* a number, true or false rather than a string */
	char *place; /* of the value, "FILE:LINE:COL"; NULL: nowhere */
};

struct conf_options {
	struct conf_option *at;
	size_t n;
};

/* Whether a start puts back what the range held when it was saved. */
enum conf_retain {
	CONF_RETAIN_AUTO, /* unless an action makes the values */
	CONF_RETAIN_YES,
	CONF_RETAIN_NO
};

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
	char *action; /* what clients' reading does, by name, or NULL */
	struct conf_options parameters; /* of it */
	enum conf_retain retain;
	bool durable; /* a client's write is answered once it is on the disk */
	uint8_t *init; /* store_bytes(table, count) bytes in wire form, or
			* NULL for zeros */
};

/* Whether a start puts back what a range held when it was saved. */
bool conf_range_retained(const struct conf_range *);

struct conf_object {
	uint8_t id;
	char *text;
};

struct conf_device {
	char *name;
	bool shared_blocks;
	bool type_exception; /* no part of a value is read or written */
	bool counters; /* accesses are counted */
	bool simulator; /* answers as pymodbus' simulator does */
	/* registers of each table that a setup file says there are, with those
	 * that no range has; 0: as the ranges have it. By enum store_table. */
	uint32_t sizes[4];
	struct conf_range *ranges;
	size_t nranges;
	struct conf_object *identity; /* ascending by id; 0..2 always there */
	size_t nidentity;
};

#endif
