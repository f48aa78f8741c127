/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check sums of the serial line. The CRC takes four bytes a step: table k
 * holds, for each byte, what is left of it after k more bytes. A CRC is
 * linear, so an entry is the XOR of the entries of its bits, and the compiler
 * makes the tables from eight words each. Runs in the workers.
 */

#include "workers/proto/frame.h"

/* clang-format off */
#define BIT(n, i, word) ((n) >> (i) & 1 ? (word) : 0)
#define ENTRY(n, a, b, c, d, e, f, g, h) \
	(BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ \
	 BIT(n, 4, e) ^ BIT(n, 5, f) ^ BIT(n, 6, g) ^ BIT(n, 7, h))
#define ROW4(n, ...) \
	ENTRY(n, __VA_ARGS__), ENTRY((n) + 1, __VA_ARGS__), \
	ENTRY((n) + 2, __VA_ARGS__), ENTRY((n) + 3, __VA_ARGS__)
#define ROW16(n, ...) \
	ROW4(n, __VA_ARGS__), ROW4((n) + 4, __VA_ARGS__), \
	ROW4((n) + 8, __VA_ARGS__), ROW4((n) + 12, __VA_ARGS__)
#define ROW64(n, ...) \
	ROW16(n, __VA_ARGS__), ROW16((n) + 16, __VA_ARGS__), \
	ROW16((n) + 32, __VA_ARGS__), ROW16((n) + 48, __VA_ARGS__)
#define TABLE(...) \
	{ ROW64(0, __VA_ARGS__), ROW64(64, __VA_ARGS__), \
	  ROW64(128, __VA_ARGS__), ROW64(192, __VA_ARGS__) }
/* clang-format on */

static const uint16_t table[4][256] = {
	TABLE(0xc0c1, 0xc181, 0xc301, 0xc601, 0xcc01, 0xd801, 0xf001, 0xa001),
	TABLE(0x9001, 0x6001, 0xc002, 0xc007, 0xc00d, 0xc019, 0xc031, 0xc061),
	TABLE(0xc051, 0xc0a1, 0xc141, 0xc281, 0xc501, 0xca01, 0xd401, 0xe801),
	TABLE(0xfc01, 0xb801, 0x3001, 0x6002, 0xc004, 0xc00b, 0xc015, 0xc029),
};

uint16_t
frame_crc16(const uint8_t *p, size_t len)
{
	unsigned crc = 0xffff;

	for (; len >= 4; len -= 4, p += 4)
		crc = table[3][(crc ^ p[0]) & 0xff] ^
		    table[2][(crc >> 8) ^ p[1]] ^ table[1][p[2]] ^
		    table[0][p[3]];
	for (; len > 0; len--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return (uint16_t)crc;
}

uint8_t
frame_lrc(const uint8_t *p, size_t len)
{
	unsigned sum = 0;

	for (; len > 0; len--, p++)
		sum += *p;
	return (uint8_t)-sum;
}
