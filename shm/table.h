/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_TABLE_H
#define SHM_TABLE_H

/*
 * What the tables of a device are called, in the configuration, over the
 * control sockets and on the command line.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shm/store.h"

/* Coils, inputs and registers, as against files and FIFO queues: those have
 * addresses of their own, and short names. */
enum { TABLE_PLAIN = STORE_IR + 1, TABLE_WORDS = SHM_TABLES + TABLE_PLAIN };

/* "holding_registers" */
const char *table_name(enum store_table);

/* "hr"; NULL for files and FIFO queues, which have none. */
const char *table_short(enum store_table);

/* The table of either name, -1 if there is none. */
int table_find(const char *name);

/* All names of the first n tables, for a hint; returns how many. */
size_t table_words(const char *words[TABLE_WORDS], unsigned n);

#endif
