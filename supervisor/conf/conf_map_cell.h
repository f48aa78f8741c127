/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_MAP_CELL_H
#define SUPERVISOR_CONF_MAP_CELL_H

/*
 * Fields of a map as nodes of a tree: numbers, lists of values, actions.
 */

#include "supervisor/conf/conf_read.h"
#include "supervisor/conf/csv.h"

/* A node at a field's place; as JSONC_STRING it holds its text. */
struct jsonc_node *conf_map_node(
    struct jsonc_doc *, const struct csv_field *, enum jsonc_type);

/* Makes a node the number that a word is: decimal or 0x, or with a point or an
 * exponent. False, and the node as it was, if it is none. */
bool conf_map_number(const char *word, struct jsonc_node *);

/* The value or values of a field: "5", "on", "1 2 3", "[1, 2, 3]". An array, or
 * one value; words that are none stay strings. NULL after noting a mistake. */
struct jsonc_node *conf_map_values(
    struct conf_ctx *, struct jsonc_doc *, const struct csv_field *);

/* An action: "NAME", "NAME(KEY=VALUE, ...)" or an object as in the
 * configuration. NULL after noting a mistake. */
struct jsonc_node *conf_map_action(
    struct conf_ctx *, struct jsonc_doc *, const struct csv_field *);

#endif
