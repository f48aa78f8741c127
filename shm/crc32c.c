/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C, four bits at a time: the table is short enough to be read. For
 * files, not for the request path.
 */

#include "shm/crc32c.h"

uint32_t
crc32c(uint32_t before, const void *data, size_t len)
{
	/* the remainder of each nibble; polynomial 0x1EDC6F41, reflected */
	static const uint32_t nibble[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede,
		0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4,
		0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
	const uint8_t *at = data;
	uint32_t crc = ~before;

	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}
