/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_VALUES_H
#define CONTROL_VALUES_H

/*
 * Values as a command names them (table, addr, count, type, order) and the
 * same as the store has them: which registers or bits, and their wire form.
 */

#include "control/cmd/cmd.h"
#include "control/state.h"

struct values {
	struct store *store;
	unsigned device; /* index */
	enum store_table table;
	uint32_t addr;
	enum typed_type type;
	enum typed_order order;
	uint32_t count; /* values; registers of a TYPED_STRING */
	uint32_t units; /* registers or bits of the store */
};

/*
 * Where a unit of the store is for those outside: the record of a file, the
 * pointer of a FIFO queue; and the file it is in, NULL in other tables.
 */
uint32_t values_addr(enum store_table, uint32_t addr);
json_t *values_file(enum store_table, uint32_t addr);

/* Registers of the store for one FIFO queue: its count and its values. */
enum { VALUES_FIFO_UNITS = 32, VALUES_FIFO_SHIFT = 5 };

/* True for the tables whose units are bits. */
bool values_are_bits(enum store_table);

/*
 * Fills in everything but count and units from table, addr, type and order of
 * an object that cmd_check_args() passed. False after the call has failed.
 */
bool values_resolve(struct cmd_call *, const json_t *object, struct store *,
    unsigned device, struct values *);

/* Sets count, and units with it. False after the call has failed. */
bool values_set_count(struct cmd_call *, struct values *, int64_t count);

/* The count that an array of values calls for, before values_to_wire(). */
bool values_count_array(
    struct cmd_call *, struct values *, const json_t *array, int64_t asked);

/* Wire form of an array of values into wire (store_bytes of units, zeroed).
 * False after the call has failed. */
bool values_to_wire(struct cmd_call *, const struct values *,
    const json_t *array, uint8_t *wire);

/* The values as an array; NULL if memory is short. */
json_t *values_from_wire(const struct values *, const uint8_t *wire);

/* The raw form: each register, or bit, as 16 bits, low byte first. */
void values_wire_to_raw(
    const struct values *, const uint8_t *wire, uint8_t *raw);
bool values_raw_to_wire(struct cmd_call *, const struct values *,
    const uint8_t *raw, uint8_t *wire);

/* Registers as numbers, bits as 0 and 1: what events show. */
json_t *values_plain(enum store_table, uint32_t count, const uint8_t *wire);

/* Fails the call with what the store said about these addresses. */
void values_fail(struct cmd_call *, const struct values *, enum store_rc);

#endif
