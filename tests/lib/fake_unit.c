/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit over plain arrays that the suites of the protocol serve from. Runs
 * in tests; as slow and simple as can be.
 */
#include "tests/lib/fake_unit.h"

#include <string.h>

static const struct mb_object objects[] = {
	{ 0, 4, "Acme" },
	{ 1, 2, "A1" },
	{ 2, 3, "1.0" },
};

uint16_t
fake_get(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

void
fake_put(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t *
register_of(struct fake *f, const struct mb_step *s, unsigned i)
{
	uint32_t addr = s->addr + i;

	if (s->table == MB_FILE)
		return &f->file[(s->addr >> 16) - 1][(s->addr & 0xffff) + i];
	return &f->regs[s->table - MB_HR][addr];
}

static bool
has(const struct fake *f, const struct mb_step *s)
{
	uint32_t file = s->addr >> 16, record = s->addr & 0xffff;

	if (s->table == MB_FIFO)
		return s->addr < f->fifos;
	if (s->table == MB_FILE)
		return file >= 1 && file <= f->files &&
		    record + s->count <= f->records;
	return s->addr + s->count <= f->size[s->table];
}

static void
do_fifo(struct fake *f, struct mb_step *s)
{
	unsigned i;

	s->count = f->fifo_count[s->addr];
	fake_put(s->out, s->count);
	for (i = 0; i < s->count && i < MB_FIFO_MAX; i++)
		fake_put(s->out + 2 + 2 * i, f->fifo[s->addr][i]);
}

static void
do_bits(struct fake *f, struct mb_step *s)
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

static void
do_one(struct fake *f, struct mb_step *s)
{
	uint16_t *r;
	unsigned i;

	f->writes += s->op != MB_READ;
	if (s->table == MB_FIFO) {
		do_fifo(f, s);
		return;
	}
	if (s->table == MB_CO || s->table == MB_DI) {
		do_bits(f, s);
		return;
	}
	for (i = 0; i < s->count; i++) {
		r = register_of(f, s, i);
		if (s->op == MB_READ)
			fake_put(s->out + 2 * i, *r);
		else if (s->op == MB_WRITE)
			*r = fake_get(s->in + 2 * i);
		else
			*r = (uint16_t)((*r & s->and_mask) |
			    (s->or_mask & ~s->and_mask));
	}
}

static enum mb_ex
step(void *arg, struct mb_step *s, unsigned n)
{
	struct fake *f = arg;
	unsigned i;

	f->calls++;
	f->steps = n;
	if (f->fail != MB_EX_NONE)
		return f->fail;
	for (i = 0; i < n; i++)
		if (!has(f, &s[i]))
			return MB_EX_ADDRESS;
	for (i = 0; i < n; i++)
		do_one(f, &s[i]);
	return MB_EX_NONE;
}

void
fake_init(struct fake *f)
{
	unsigned i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < 4; i++)
		f->size[i] = 65536;
	f->files = FAKE_FILES;
	f->fifos = FAKE_FIFOS;
	f->records = MB_FILE_RECORDS;
	f->identity.obj = objects;
	f->identity.n = sizeof(objects) / sizeof(objects[0]);
	f->unit.step = step;
	f->unit.arg = f;
	f->unit.identity = &f->identity;
	f->unit.diag = &f->diag;
}
