/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_CELLS_H
#define HTTP_SIM_CELLS_H

/* Registers as rows, in the words that pymodbus's simulator has for them, and
 * what is set in them. */

#include "control/http/sim_map.h"

/*
 * A row for each of n registers, ascending: index, type, access, action, value,
 * count_read and count_write, all of them strings. To show: what is behind the
 * first register of a value has none of its own, and rows have name and unit.
 * NULL after a failure.
 */
json_t *sim_cells_rows(struct sim_call *, const struct sim_map *,
    const uint32_t *index, size_t n, bool to_show);

/* Sets a register, or the value that begins there, to what the field "value"
 * says. False after a failure. */
bool sim_cells_set(struct sim_call *, const struct sim_map *, uint32_t i);

#endif
