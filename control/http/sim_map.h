/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_MAP_H
#define HTTP_SIM_MAP_H

/*
 * A device as pymodbus's simulator sees one: an array of registers. Where the
 * four tables are apart they lie in it one behind the other as in setup files,
 * coils, discrete inputs, holding registers, input registers; 16 bits of the
 * first two are a register. Made anew from registers.describe for each request.
 */

#include "control/http/sim.h"
#include "shm/typed.h"

enum sim_type { /* the first seven as pymodbus numbers them */
	SIM_INVALID,
	SIM_BITS,
	SIM_UINT16,
	SIM_UINT32,
	SIM_FLOAT32,
	SIM_STRING,
	SIM_NEXT, /* what a value takes behind its first register */
	SIM_INT16,
	SIM_INT32,
	SIM_UINT64,
	SIM_INT64,
	SIM_FLOAT64,
	SIM_TYPES
};
extern const char *const sim_type_names[SIM_TYPES];

enum { SIM_BLOCKS = 4, SIM_BLOCK_REGS = 65536, SIM_REG_BITS = 16 };

/* A range of the configuration. */
struct sim_run {
	uint32_t first, n; /* registers */
	unsigned block; /* 0..3, in the order of the array */
	uint32_t addr, count; /* in its table */
	enum sim_type type;
	enum typed_type typed;
	enum typed_order order;
	uint32_t span; /* registers of a value */
	bool writable;
	const json_t *row; /* as described */
};

struct sim_block {
	const char *table;
	bool bits;
	uint32_t first, n; /* registers */
};

struct sim_map {
	const char *device; /* in `devices` */
	size_t index;
	json_t *devices, *ranges; /* owned */
	struct sim_run *run; /* owned */
	size_t nruns;
	uint32_t *owner; /* of each register: its run + 1, or 0; owned */
	uint32_t n; /* registers */
	bool shared;
	struct sim_block block[SIM_BLOCKS];
};

/* One register of it. */
struct sim_cell {
	const struct sim_run *run; /* NULL: there is none */
	enum sim_type type;
	uint32_t span; /* of a value: its registers; else 1 */
};

/* The device that the request names, or the first. False after a failure;
 * either way sim_map_fini() it. */
bool sim_map_init(struct sim_call *, struct sim_map *);
void sim_map_fini(struct sim_map *);

struct sim_cell sim_map_cell(const struct sim_map *, uint32_t i);

/* False after the request has failed: there is no such register. */
bool sim_map_has(struct sim_call *, const struct sim_map *, int64_t i);

/* The name of a register's action, NULL if it has none; *parameters is what
 * else there is of it, an object or NULL. */
const char *sim_map_action(const struct sim_cell *, const json_t **parameters);

/* {"null": 0, "increment": 1, ...}: pymodbus's, and the device's own behind
 * them. New. */
json_t *sim_map_actions(const struct sim_map *);

/* {"bits": 1, ...}: pymodbus's, and those that only we have and this device
 * uses. New. */
json_t *sim_map_types(const struct sim_map *);

/* What is read of some registers in a row. */
struct sim_words {
	uint32_t first, n;
	uint16_t *word; /* owned */
	int64_t *reads, *writes; /* owned */
};

/* False after a failure, and then nothing is held. */
bool sim_words_init(struct sim_call *, const struct sim_map *, uint32_t first,
    uint32_t n, struct sim_words *);
void sim_words_fini(struct sim_words *);

#endif
