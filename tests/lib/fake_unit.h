/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_FAKE_UNIT_H
#define TESTS_LIB_FAKE_UNIT_H

/*
 * A unit over plain arrays, for tests of the protocol alone. It carries out
 * steps as struct mb_unit promises (all or nothing, writes before the reads
 * that follow them) and counts how often and with how many steps it is asked.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "workers/proto/mb.h"

enum { FAKE_FILES = 3, FAKE_FIFOS = 4 };

struct fake {
	struct mb_unit unit;
	struct mb_diag diag;
	struct mb_identity identity;
	uint8_t bits[2][65536]; /* MB_CO, MB_DI: one byte each */
	uint16_t regs[2][65536]; /* MB_HR, MB_IR */
	uint32_t size[4]; /* of each table; addresses from 0 on */
	uint16_t file[FAKE_FILES][MB_FILE_RECORDS]; /* numbers 1.. */
	uint32_t files, records; /* numbers 1..files, records of each */
	uint32_t fifos; /* pointers 0.. */
	uint16_t fifo_count[FAKE_FIFOS];
	uint16_t fifo[FAKE_FIFOS][MB_FIFO_MAX];
	enum mb_ex fail; /* answered in place of any work */
	unsigned calls; /* of step() */
	unsigned steps; /* of the last call */
	unsigned writes; /* steps that changed something, in all */
};

/* A register as it is on the wire. */
uint16_t fake_get(const uint8_t *p);
void fake_put(uint8_t *p, uint16_t v);

/* Every address of every table is there and 0; three basic objects. */
void fake_init(struct fake *f);

#endif
