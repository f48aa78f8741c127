/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one list of what tables are called. Runs in every process; keeps no
 * state.
 */
#include "shm/table.h"

#include <string.h>

static const struct {
	const char *name, *brief;
} tables[] = {
	[STORE_CO] = { "coils", "co" },
	[STORE_DI] = { "discrete_inputs", "di" },
	[STORE_HR] = { "holding_registers", "hr" },
	[STORE_IR] = { "input_registers", "ir" },
	[STORE_FILE] = { "files", NULL },
	[STORE_FIFO] = { "fifos", NULL },
};

_Static_assert(sizeof(tables) / sizeof(tables[0]) == SHM_TABLES,
    "every table has its names");

const char *
table_name(enum store_table table)
{
	return tables[table].name;
}

const char *
table_short(enum store_table table)
{
	return tables[table].brief;
}

int
table_find(const char *name)
{
	for (int i = 0; i < SHM_TABLES; i++)
		if (strcmp(name, tables[i].name) == 0 ||
		    (tables[i].brief != NULL &&
			strcmp(name, tables[i].brief) == 0))
			return i;
	return -1;
}

size_t
table_words(const char *words[TABLE_WORDS], unsigned n)
{
	size_t got = 0;

	for (unsigned i = 0; i < n; i++) {
		words[got++] = tables[i].name;
		if (tables[i].brief != NULL)
			words[got++] = tables[i].brief;
	}
	return got;
}
