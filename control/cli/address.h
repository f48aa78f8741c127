/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_ADDRESS_H
#define CONTROL_CLI_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/store.h"
#include "shm/typed.h"

/*
 * What is read, written or watched, as it is typed:
 *
 *	[device/]table:addr[+count][:type[:order]]
 *
 * table is co, di, hr, ir or its long name; addr counts from 0, in decimal or
 * 0x; count is in values of the type; type may be "declared".
 */
struct address {
	char device[SHM_NAME_MAX]; /* "" if left out */
	enum store_table table;
	uint32_t addr;
	uint32_t count; /* 1 if left out */
	bool has_count;
	char type[16]; /* "" if left out */
	char order[8];
};

enum { ADDRESS_WHY_MAX = 200 };

/* Parses one address. 0, or -1 with a sentence in why. */
int address_parse(
    const char *text, struct address *, char why[ADDRESS_WHY_MAX]);

/* True if the word can only be [device/]table: no colon is in it. */
bool address_is_table(const char *text);

/* Parses that; addr and count are left alone. 0, or -1 with a sentence. */
int address_parse_table(
    const char *text, struct address *, char why[ADDRESS_WHY_MAX]);

/* Registers, or bits, that one value takes; 0 for "declared". */
unsigned address_step(const struct address *);

#endif
