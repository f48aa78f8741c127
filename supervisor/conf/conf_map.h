/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_MAP_H
#define SUPERVISOR_CONF_MAP_H

/*
 * Maps: ranges of a device as lines of a CSV file. Each line becomes what a
 * range in the configuration is, with the places of its fields, so that both
 * are read, and refused, alike.
 */

#include "supervisor/conf/conf_read.h"

/* A line: an object with the keys of conf_range, and its table. */
typedef void conf_map_fn(
    struct conf_ctx *, const struct jsonc_node *, enum store_table, void *arg);

/*
 * Tells each line of the map in the file path, whose descriptor fd it closes.
 * The nodes live as long as ctx. 0 after mistakes, too, which are noted; -1
 * with errno if it cannot be read.
 */
int conf_map_each(
    struct conf_ctx *, int fd, const char *path, conf_map_fn *, void *arg);

/* The names of the columns, in the order in which they are written. */
extern const char *const conf_map_columns[];

#endif
