/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of the kill harnesses, and what they do to an array of registers
 * and bits. Runs in tests. Knows nothing of the store.
 */
#include "tests/lib/torture_oracle.h"

#include <string.h>

const uint8_t oracle_fresh[80] = { 0x20, 0x01, 0x20, 0x02, 0x20, 0x03, 0x20,
	0x04, 0x20, 0x05, 0x20, 0x06, 0x20, 0x07, 0x20, 0x08, 0x20, 0x09, 0x20,
	0x0a, 0x20, 0x0b, 0x20, 0x0c, 0x20, 0x0d, 0x20, 0x0e, 0x20, 0x0f, 0x20,
	0x10, 0x20, 0x11, 0x20, 0x12, 0x20, 0x13, 0x20, 0x14, 0x20, 0x15, 0x20,
	0x16, 0x20, 0x17, 0x20, 0x18, 0x20, 0x19, 0x20, 0x1a, 0x20, 0x1b, 0x20,
	0x1c, 0x20, 0x1d, 0x20, 0x1e, 0x20, 0x1f, 0x20, 0x20 };
/* what world_prepare() puts there */
static const uint8_t stale[4] = { 0x10, 0x01, 0x10, 0x02 };

#define STEP(o, t, a, c) \
	.op = STORE_##o, .table = STORE_##t, .addr = a, .count = c
const struct request oracle_requests[] = {
	{ "regs", .n = 1,
	    .step = { { STEP(WRITE, HR, 3, 32), .in = oracle_fresh } } },
	{ "mask", .n = 1,
	    .step = { { STEP(MASK, HR, 5, 1), .and_mask = 0xf00f,
		.or_mask = 0x0ab0 } } },
	{ "rdwr", .n = 2,
	    .step = { { STEP(WRITE, HR, HIGH_AT, 9), .in = oracle_fresh },
		{ STEP(READ, HR, HIGH_AT + 1, 12) } } },
	{ "coils", .n = 1,
	    .step = { { STEP(WRITE, CO, 3, 75), .in = oracle_fresh } } },
	{ "transaction", .n = 4,
	    .step = { { STEP(CHECK, HR, 1, 2), .in = stale },
		{ STEP(WRITE, HR, 1, 6), .in = oracle_fresh },
		{ STEP(WRITE, CO, 60, 9), .in = oracle_fresh },
		{ STEP(READ, HR, 2, 2) } } },
	{ "overlap", .n = 3,
	    .step = { { STEP(WRITE, HR, 2, 9), .in = oracle_fresh },
		{ STEP(WRITE, HR, 7, 9), .in = oracle_fresh + 2 },
		{ STEP(WRITE, HR, 8, 4), .in = oracle_fresh + 6 } } },
	{ "refused", .n = 2,
	    .step = { { STEP(CHECK, HR, 0, 2), .in = stale },
		{ STEP(WRITE, HR, 1, 6), .in = oracle_fresh } } },
	{ "same", .n = 1, .step = { { STEP(WRITE, HR, 1, 2), .in = stale } } },
	{ "wrap", .n = 1, .wraps = true,
	    .step = { { STEP(WRITE, HR, 0, 18), .in = oracle_fresh } } },
};
#undef STEP

bool
oracle_names(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *at = list;

	while ((at = strstr(at, name))) {
		if ((at == list || at[-1] == ' ' || at[-1] == ',') &&
		    (at[len] == '\0' || at[len] == ' ' || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

static uint8_t *
oracle_reg(struct picture *p, uint32_t addr)
{
	uint32_t i = addr < LOW_N ? addr : addr - HIGH_AT + LOW_N;

	return p->hr + i * 2;
}

static bool
oracle_bit(const uint8_t *bits, uint32_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static void
oracle_set_bit(uint8_t *bits, uint32_t i, bool on)
{
	bits[i / 8] =
	    (uint8_t)((bits[i / 8] & ~(1u << i % 8)) | (unsigned)on << i % 8);
}

void
oracle_move(struct picture *p, enum store_table table, uint32_t addr,
    uint32_t count, uint8_t *out, const uint8_t *in)
{
	if (out)
		memset(out, 0, store_bytes(table, count));
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *r = oracle_reg(p, addr + i);

		if (table == STORE_CO && in)
			oracle_set_bit(p->co, addr + i, oracle_bit(in, i));
		else if (table == STORE_CO)
			oracle_set_bit(out, i, oracle_bit(p->co, addr + i));
		else if (in)
			memcpy(r, in + i * 2, 2);
		else
			memcpy(out + i * 2, r, 2);
	}
}

enum store_rc
oracle_apply(
    struct picture *p, const struct store_step *step, unsigned n, uint8_t *read)
{
	uint8_t has[256];

	for (unsigned i = 0; i < n; i++) {
		const struct store_step *s = &step[i];

		if (s->op != STORE_CHECK)
			continue;
		oracle_move(p, s->table, s->addr, s->count, has, NULL);
		if (memcmp(has, s->in, store_bytes(s->table, s->count)) != 0)
			return STORE_MISMATCH;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct store_step *s = &step[i];
		uint8_t *r = oracle_reg(p, s->addr);
		unsigned v = (unsigned)r[0] << 8 | r[1];

		if (s->op == STORE_READ) {
			oracle_move(p, s->table, s->addr, s->count, read, NULL);
		} else if (s->op == STORE_WRITE) {
			oracle_move(
			    p, s->table, s->addr, s->count, NULL, s->in);
		} else if (s->op == STORE_MASK) {
			v = (v & s->and_mask) | (s->or_mask & ~s->and_mask);
			r[0] = (uint8_t)(v >> 8);
			r[1] = (uint8_t)v;
		}
	}
	p->seq++;
	return STORE_OK;
}

void
oracle_peer_write(struct picture *p)
{
	memcpy(oracle_reg(p, PEER_AT), oracle_fresh, PEER_N * 2);
	p->seq++;
}

bool
oracle_same(const struct picture *a, const struct picture *b)
{
	return memcmp(a, b, offsetof(struct picture, seq)) == 0;
}
