/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes values and commits them, many in one step. Runs in the clock process;
 * allocates nothing. No function of an action runs while a device is owned.
 */
#include "workers/action/set.h"

#include <string.h>

#include "shm/clock.h"
#include "shm/table.h"
#include "workers/hooks/bind_hook.h"

static bool
is_bits(const struct conf_range *r)
{
	return r->table == STORE_CO || r->table == STORE_DI;
}

/* ---- making ---- */

static void
tell_failing(struct set_range *r, unsigned code)
{
	if (!r->said)
		log_warnx("%s %s %u: the action \"%s\" cannot set it code=%02u",
		    r->a.device, table_name(r->a.conf->table), r->a.conf->addr,
		    r->a.conf->action, code);
	r->said = true;
}

/* Runs the action of each value of a piece; what it was for what fails. */
static void
make(
    struct set *s, const struct set_piece *p, const uint16_t *was, uint16_t *is)
{
	struct set_range *r = p->r;
	struct action_run run = { r->d, &r->a };
	uint32_t step = r->a.step;
	enum hf_exception ex;
	struct hf_cell c;

	memcpy(is, was, p->count * sizeof(is[0]));
	for (uint32_t i = 0; i < p->count; i += step) {
		action_cell(&c, &run, p->addr + i, is + i);
		ex = action_run(&r->a, s->proc, p->now_ns, &c);
		if (ex == HF_EX_NONE)
			continue;
		memcpy(is + i, was + i, step * sizeof(is[0]));
		tell_failing(r, (unsigned)ex);
	}
}

/* ---- gathering ---- */

/* Puts values behind those that have gathered, as the store takes them: where
 * they are. The caller has seen to the room. */
static uint8_t *
put(uint8_t *bytes, size_t *len, const struct conf_range *r,
    const uint16_t *values, uint32_t n)
{
	uint8_t *at = bytes + *len;
	size_t size = store_bytes(r->table, n);

	if (is_bits(r)) {
		memset(at, 0, size);
		for (uint32_t i = 0; i < n; i++)
			at[i / 8] |= (uint8_t)((values[i] != 0) << i % 8);
	} else {
		memcpy(at, values, size);
	}
	*len += size;
	return at;
}

/* Adds to the last step if it goes on there: the bytes already do. */
static void
add_step(struct store_step *steps, unsigned *n, enum store_op op,
    const struct set_piece *p, const uint8_t *in)
{
	const struct conf_range *r = p->r->a.conf;
	struct store_step *last = *n > 0 ? &steps[*n - 1] : NULL;

	if (last != NULL && last->table == r->table &&
	    last->addr + last->count == p->addr && !is_bits(r) &&
	    last->in + 2 * last->count == in) {
		last->count += p->count;
		return;
	}
	steps[(*n)++] = (struct store_step){ .op = op,
		.table = r->table,
		.addr = p->addr,
		.count = p->count,
		.in = in };
}

/* An even number of bytes, so that registers are where they may be. */
static void
pad(size_t *len)
{
	*len += *len % 2;
}

static bool
full(const struct set *s, size_t more)
{
	return s->npieces == SET_PIECES || s->nwrites == SET_STEPS ||
	    s->nchecks == SET_STEPS || s->to_len + more > sizeof(s->to) ||
	    s->was_len + more > sizeof(s->was);
}

static void
forget(struct set *s)
{
	s->npieces = s->nwrites = s->nchecks = 0;
	s->to_len = s->was_len = 0;
}

/* Makes a piece and takes it in. False if nothing changes. */
static bool
gather(struct set *s, const struct set_piece *p)
{
	static uint16_t was[SET_PIECE], is[SET_PIECE];
	const struct conf_range *r = p->r->a.conf;
	enum mb_ex ex;

	/* before the values are made: what is left of them may be made anew */
	if (full(s, store_bytes(r->table, p->count) + 1))
		set_flush(s);
	ex =
	    bind_read(p->r->d, (enum mb_table)r->table, p->addr, p->count, was);
	if (ex != MB_EX_NONE) {
		tell_failing(p->r, (unsigned)ex);
		return false;
	}
	make(s, p, was, is);
	if (memcmp(was, is, p->count * sizeof(is[0])) == 0)
		return false;
	s->d = p->r->d;
	s->piece[s->npieces++] = *p;
	if (p->r->goes_on) {
		add_step(s->check, &s->nchecks, STORE_CHECK, p,
		    put(s->was, &s->was_len, r, was, p->count));
		pad(&s->was_len);
	}
	add_step(s->write, &s->nwrites, STORE_WRITE, p,
	    put(s->to, &s->to_len, r, is, p->count));
	pad(&s->to_len);
	return true;
}

/* ---- committing ---- */

static enum store_rc
commit(struct set *s)
{
	struct store_step step[2 * SET_STEPS];
	struct bind *b = s->d->bind;
	struct store_who who;
	enum store_rc rc;

	memcpy(step, s->check, s->nchecks * sizeof(step[0]));
	memcpy(step + s->nchecks, s->write, s->nwrites * sizeof(step[0]));
	b->self.op++;
	who = b->self;
	who.host = true;
	rc = bind_commit(s->d, &who, step, s->nchecks + s->nwrites);
	if (rc != STORE_OK && rc != STORE_MISMATCH && !s->said)
		log_warnx("%s: values are not set why=\"%s\"; said once",
		    s->piece[0].r->a.device,
		    rc == STORE_BUSY ? "the device is held" : "refused");
	s->said |= rc != STORE_OK && rc != STORE_MISMATCH;
	return rc;
}

/* Somebody has written what these went on from: each by itself, on what is
 * there now. */
static void
one_by_one(struct set *s)
{
	static struct set_piece piece[SET_PIECES];
	unsigned n = s->npieces;

	memcpy(piece, s->piece, n * sizeof(piece[0]));
	for (unsigned i = 0; i < n; i++)
		for (int tries = 0; tries < SET_TRIES; tries++) {
			forget(s);
			if (!gather(s, &piece[i]) ||
			    commit(s) != STORE_MISMATCH)
				break;
		}
	forget(s);
}

void
set_flush(struct set *s)
{
	if (s->npieces > 0 && commit(s) == STORE_MISMATCH)
		one_by_one(s);
	forget(s);
	s->d = NULL;
	proc_beat(s->proc, clock_mono_ns());
}

void
set_range(struct set *s, struct set_range *r, uint64_t now_ns)
{
	const struct conf_range *c = r->a.conf;
	uint32_t step = r->a.step;
	uint32_t most = step < SET_PIECE ? SET_PIECE / step * step : step;

	if (s->d != NULL && s->d != r->d)
		set_flush(s);
	for (uint32_t done = 0; done < c->count; done += most) {
		struct set_piece p = { r, c->addr + done, c->count - done,
			now_ns };

		if (p.count > most)
			p.count = most;
		gather(s, &p);
		proc_beat(s->proc, clock_mono_ns());
	}
}
