/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_UNIT_H
#define TESTS_FAKE_UNIT_H

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

static const struct mb_object fake_objects[] = {
	{ 0, 4, "Acme" },
	{ 1, 2, "A1" },
	{ 2, 3, "1.0" },
};

static inline uint16_t
fake_get(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void
fake_put(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint16_t *
fake_reg(struct fake *f, const struct mb_step *s, unsigned i)
{
	uint32_t addr = s->addr + i;

	if (s->table == MB_FILE)
		return &f->file[(s->addr >> 16) - 1][(s->addr & 0xffff) + i];
	return &f->regs[s->table - MB_HR][addr];
}

static inline bool
fake_has(const struct fake *f, const struct mb_step *s)
{
	uint32_t file = s->addr >> 16, record = s->addr & 0xffff;

	if (s->table == MB_FIFO)
		return s->addr < f->fifos;
	if (s->table == MB_FILE)
		return file >= 1 && file <= f->files &&
		    record + s->count <= f->records;
	return s->addr + s->count <= f->size[s->table];
}

static inline void
fake_fifo(struct fake *f, struct mb_step *s)
{
	unsigned i;

	s->count = f->fifo_count[s->addr];
	fake_put(s->out, s->count);
	for (i = 0; i < s->count && i < MB_FIFO_MAX; i++)
		fake_put(s->out + 2 + 2 * i, f->fifo[s->addr][i]);
}

static inline void
fake_bits(struct fake *f, struct mb_step *s)
{
	uint8_t *bit = &f->bits[s->table][s->addr];
	unsigned i;

	if (s->op == MB_READ)
		memset(s->out, 0, (s->count + 7u) / 8);
	for (i = 0; i < s->count; i++)
		if (s->op == MB_READ)
			s->out[i / 8] |= (uint8_t)(bit[i] << i % 8);
		else
			bit[i] = s->in[i / 8] >> i % 8 & 1;
}

static inline void
fake_one(struct fake *f, struct mb_step *s)
{
	uint16_t *r;
	unsigned i;

	f->writes += s->op != MB_READ;
	if (s->table == MB_FIFO) {
		fake_fifo(f, s);
		return;
	}
	if (s->table == MB_CO || s->table == MB_DI) {
		fake_bits(f, s);
		return;
	}
	for (i = 0; i < s->count; i++) {
		r = fake_reg(f, s, i);
		if (s->op == MB_READ)
			fake_put(s->out + 2 * i, *r);
		else if (s->op == MB_WRITE)
			*r = fake_get(s->in + 2 * i);
		else
			*r = (uint16_t)((*r & s->and_mask) |
			    (s->or_mask & ~s->and_mask));
	}
}

static inline enum mb_ex
fake_step(void *arg, struct mb_step *s, unsigned n)
{
	struct fake *f = arg;
	unsigned i;

	f->calls++;
	f->steps = n;
	if (f->fail != MB_EX_NONE)
		return f->fail;
	for (i = 0; i < n; i++)
		if (!fake_has(f, &s[i]))
			return MB_EX_ADDRESS;
	for (i = 0; i < n; i++)
		fake_one(f, &s[i]);
	return MB_EX_NONE;
}

/* Every address of every table is there and 0; three basic objects. */
static inline void
fake_init(struct fake *f)
{
	unsigned i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < 4; i++)
		f->size[i] = 65536;
	f->files = FAKE_FILES;
	f->fifos = FAKE_FIFOS;
	f->records = MB_FILE_RECORDS;
	f->identity.obj = fake_objects;
	f->identity.n = sizeof(fake_objects) / sizeof(fake_objects[0]);
	f->unit.step = fake_step;
	f->unit.arg = f;
	f->unit.identity = &f->identity;
	f->unit.diag = &f->diag;
}

#endif
