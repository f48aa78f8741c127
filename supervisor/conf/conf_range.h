/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_RANGE_H
#define SUPERVISOR_CONF_RANGE_H

/*
 * Ranges of registers, bits, file records and queue entries, with the values
 * that they start with.
 */

#include "supervisor/conf/conf_read.h"

/* What the sections conf_range, conf_file and conf_fifo fill in. */
struct conf_range_in {
	struct conf_range r; /* first, so that the dump can use the rows */
	uint32_t number, records; /* files */
	const struct jsonc_node *value, *values;
};

/*
 * Read one range of a table, one file, one FIFO queue into out. False if
 * addr and count are of no use for comparing it with others.
 */
bool conf_range_read(struct conf_ctx *, const struct jsonc_node *,
    enum store_table, struct conf_range *out);
bool conf_file_read(
    struct conf_ctx *, const struct jsonc_node *, struct conf_range *out);
bool conf_fifo_read(
    struct conf_ctx *, const struct jsonc_node *, struct conf_range *out);

void conf_range_free(struct conf_range *);

/* Sets element i of a range to a value: a register or more, a bit, a record.
 * False after noting a mistake. */
bool conf_value_put(struct conf_ctx *, const struct jsonc_node *,
    const struct conf_range *, uint32_t i, uint8_t *wire);

/* Sets a range of type string. */
bool conf_string_put(struct conf_ctx *, const struct jsonc_node *,
    const struct conf_range *, uint8_t *wire);

/* Elements that a range holds, and the registers or bits of each. */
uint32_t conf_range_elements(const struct conf_range *);
uint32_t conf_range_step(const struct conf_range *);

/* True for coils and discrete inputs. */
bool conf_table_bits(enum store_table);

/* conf_dump_fn of "value" and "values". */
void conf_dump_values(
    struct conf_out *, const struct conf_key *, const void *range);

#endif
