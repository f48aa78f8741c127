/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a snapshot. Checksums are set right first, as somebody who means
 * harm would: what is taken then must lie within the file, block by block.
 *
 * Needs: shm/[a-z]*.c
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/crc32c.h"
#include "shm/snap.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
put(uint8_t *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t
get(const uint8_t *at)
{
	uint64_t value = 0;

	for (int i = 8; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

/* Magic words, lengths and checksums as they must be; the rest as it is. */
static void
make_right(uint8_t *data, size_t len)
{
	bool old = len > 8 && data[8] == 1;
	size_t at = old ? SNAP_HEAD : SNAP_FILE_HEAD;

	if (len < at)
		return;
	memcpy(data, "HOLDSNAP", 8);
	put(data + 8, old ? 1 : 2, 4);
	put(data + 16, len, 8);
	put(data + 76, crc32c(0, data, 76), 4);
	if (!old)
		put(data + 108, crc32c(0, data, 108), 4);
	while (len - at >= SNAP_HEAD) {
		uint64_t of = get(data + at + 8);

		memcpy(data + at, "DEVI", 4);
		if (of > len - at - SNAP_HEAD)
			of = len - at - SNAP_HEAD;
		put(data + at + 8, of, 8);
		put(data + at + 72,
		    crc32c(0, data + at + SNAP_HEAD, (size_t)of), 4);
		put(data + at + 76, crc32c(0, data + at, 76), 4);
		at += SNAP_HEAD + (size_t)of;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct snap s = { .data = malloc(len + 1), .len = len };
	volatile uint8_t sum = 0;
	struct snap_device d;
	struct snap_block b;
	char why[SNAP_WHY] = "";
	size_t at = 0;

	memcpy(s.data, data, len);
	/* the first run is of what it is */
	for (int turn = 0; turn < 2; turn++) {
		if (turn == 1)
			make_right(s.data, len);
		if (snap_check(&s, why) == -1) {
			if (strstr(why, "at byte") == NULL)
				abort();
			continue;
		}
		for (at = 0; snap_next_device(&s, &at, &d);)
			while (snap_next_block(&s, &d, &b))
				for (size_t i = 0;
				     i < store_bytes(b.table, b.count); i++)
					sum ^= b.values[i];
	}
	free(s.data);
	return 0;
}
