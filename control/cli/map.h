/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_MAP_H
#define CONTROL_CLI_MAP_H

/*
 * Maps as export and import have them in common: rows of registers.describe as
 * lines of a CSV file, see Maps in holdfast.json(5).
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "control/cli/cli.h"
#include "shm/store.h"

#define MAP_HEADER "table,addr,type,order,value,name,unit,scale,access,action"

enum map_column {
	MAP_TABLE,
	MAP_ADDR,
	MAP_TYPE,
	MAP_ORDER,
	MAP_VALUE,
	MAP_NAME,
	MAP_UNIT,
	MAP_SCALE,
	MAP_ACCESS,
	MAP_ACTION,
	MAP_COLUMNS,
};

/* Pieces that one transaction may have. */
enum { MAP_STEP_OPS = STORE_STEPS_MAX - 2 };

/* The device that is meant: the named one, or the only one. An exit code. */
int map_device(struct cli *, const char *named, char device[SHM_NAME_MAX]);

/* True for "-" and what has a slash or a dot in it: no device is called so. */
bool map_is_file(const char *word);

/* Of a row of registers.describe: its table, -1 if that has no place in a map;
 * "uint16"; how many values (registers of a string); the address of the i-th;
 * and bytes that so many units take in a step. */
int map_table(const json_t *range);
const char *map_type(const json_t *range);
uint32_t map_values(const json_t *range);
uint32_t map_addr(const json_t *range, size_t i);
size_t map_bytes(int table, uint32_t units);

/* n of a row's "values" from the i-th on, between blanks; and an action as a
 * field has it. free() them. */
char *map_format_values(const json_t *range, size_t i, size_t n);
char *map_format_action(const json_t *action);

void map_write_line(FILE *, const char *const cells[MAP_COLUMNS]);

#endif
