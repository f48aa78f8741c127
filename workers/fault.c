/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which fault rules a request meets, and which of them have their way. Runs in
 * the workers. Allocates once, when there is the first rule; locks nothing;
 * what is in the table was checked when it was copied.
 */
#include "workers/fault.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shm/notice.h"
#include "workers/fault_reply.h"

/* xorshift64*: as good as dice need to be. */
static uint32_t
dice(struct faults *f)
{
	uint64_t x = f->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	f->random = x;
	return (uint32_t)(x * 2685821657736338717ull >> 32);
}

uint32_t
faults_below(struct faults *f, uint32_t n)
{
	return (uint32_t)((uint64_t)dice(f) * n >> 32);
}

/* ---- the copy ---- */

static bool
can_hit(const struct worker *w, const struct fault_rule *r)
{
	const struct proc *p = w->proc;

	if (r->transport[0] != '\0' && strcmp(r->transport, w->conf->name) != 0)
		return false;
	return (r->given & FAULT_CONNECTION) == 0 ||
	    (CONN_ID_TRANSPORT(r->connection) == p->transport_index &&
		CONN_ID_WORKER(r->connection) == p->worker);
}

static bool
make_room(struct faults *f)
{
	if (f->rule != NULL)
		return true;
	f->rule = calloc(SHM_FAULTS, sizeof(*f->rule));
	if (f->rule == NULL) {
		log_warn("fault rules are not carried out");
		return false;
	}
	if (getrandom(&f->random, sizeof(f->random), GRND_NONBLOCK) == -1 ||
	    f->random == 0)
		f->random = 88172645463325252ull;
	return true;
}

/* Keeps them in the order in which they were added. */
static void
insert(struct faults *f, const struct fault_live *one)
{
	unsigned at = f->n++;

	for (; at > 0 && f->rule[at - 1].id > one->id; at--)
		f->rule[at] = f->rule[at - 1];
	f->rule[at] = *one;
}

bool
faults_load(struct faults *f, struct worker *w)
{
	const struct slot_env *env = &w->proc->env;
	uint64_t due_ns;
	struct fault_live one;

	/* what comes into force from here on changes the version again */
	f->version = atomic_load_explicit(
	    &env->control->faults.version, memory_order_acquire);
	f->n = 0;
	f->due_ns = 0;
	if (fault_sweep(env, w->now_ns, &due_ns) == 0 || !make_room(f))
		return false;
	for (unsigned i = 0; i < SHM_FAULTS; i++)
		if (fault_get(env->control, i, &one) && can_hit(w, &one.rule))
			insert(f, &one);
	if (f->n > 0)
		f->due_ns = due_ns;
	return f->n > 0;
}

void
faults_fini(struct faults *f)
{
	free(f->rule);
	*f = (struct faults){ 0 };
}

/* ---- conditions ---- */

/* What addresses a request is about; {0} for those that are about none. */
static const struct extent {
	uint8_t table;
	uint8_t addr_at, count_at; /* in the PDU; count_at 0: one address */
	uint8_t addr2_at, count2_at; /* of a second range */
} extents[32] = {
	[1] = { STORE_CO, 1, 3, 0, 0 },
	[2] = { STORE_DI, 1, 3, 0, 0 },
	[3] = { STORE_HR, 1, 3, 0, 0 },
	[4] = { STORE_IR, 1, 3, 0, 0 },
	[5] = { STORE_CO, 1, 0, 0, 0 },
	[6] = { STORE_HR, 1, 0, 0, 0 },
	[15] = { STORE_CO, 1, 3, 0, 0 },
	[16] = { STORE_HR, 1, 3, 0, 0 },
	[22] = { STORE_HR, 1, 0, 0, 0 },
	[23] = { STORE_HR, 1, 3, 5, 7 },
	[24] = { STORE_HR, 1, 0, 0, 0 },
};

static uint32_t
be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static bool
touches(const struct fault_rule *r, const uint8_t *pdu, size_t len,
    unsigned addr_at, unsigned count_at)
{
	uint32_t addr, n = 1;

	if (addr_at == 0 || len < addr_at + 2u ||
	    (count_at != 0 && len < count_at + 2u))
		return false;
	addr = be16(pdu + addr_at);
	if (count_at != 0)
		n = be16(pdu + count_at);
	return n > 0 && addr <= r->last && addr + n > r->first;
}

static bool
in_range(const struct fault_rule *r, const uint8_t *pdu, size_t len)
{
	const struct extent *e;

	if (pdu[0] >= sizeof(extents) / sizeof(extents[0]))
		return false;
	e = &extents[pdu[0]];
	if ((r->given & FAULT_TABLE) != 0 && e->table != r->table)
		return false;
	return touches(r, pdu, len, e->addr_at, e->count_at) ||
	    touches(r, pdu, len, e->addr2_at, e->count2_at);
}

static bool
fits(const struct fault_rule *r, uint64_t serial, uint8_t unit,
    const uint8_t *pdu, size_t len)
{
	uint64_t any = r->fc[0] | r->fc[1] | r->fc[2] | r->fc[3];

	if ((r->given & FAULT_CONNECTION) != 0 &&
	    CONN_ID_SERIAL(r->connection) != CONN_ID_SERIAL(serial))
		return false;
	if ((r->given & FAULT_UNIT) != 0 && r->unit != unit)
		return false;
	if (any != 0 && (r->fc[pdu[0] / 64] >> pdu[0] % 64 & 1) == 0)
		return false;
	return (r->given & FAULT_RANGE) == 0 || in_range(r, pdu, len);
}

void
faults_meet(struct faults *f, const struct shm_conn *c, uint8_t unit,
    const uint8_t *pdu, size_t len)
{
	uint64_t serial =
	    atomic_load_explicit(&c->serial, memory_order_relaxed);

	f->met = 0;
	f->got = 0;
	f->late = (struct late){ 0 };
	for (unsigned i = 0; i < f->n; i++) {
		const struct fault_rule *r = &f->rule[i].rule;

		if (!fits(r, serial, unit, pdu, len))
			continue;
		if (r->rate == FAULT_MILLION ||
		    faults_below(f, FAULT_MILLION) < r->rate)
			f->met |= 1ull << i;
	}
}

/* ---- having one's way ---- */

/* Takes over what a rule says in the kinds of effect that are still free. */
static void
merge(struct faults *f, const struct fault_rule *r, uint32_t fresh)
{
	f->got |= fresh;
	if ((fresh & FAULT_EXCEPTION) != 0)
		f->now.exception = r->exception;
	if ((fresh & FAULT_DELAY) != 0)
		f->now.delay_ms = r->delay_ms;
	if ((fresh & FAULT_JUNK) != 0)
		f->now.junk_bytes = r->junk_bytes;
	if ((fresh & FAULT_SPLIT) != 0)
		f->now.split_ms = r->split_ms;
	if ((fresh & FAULT_CHANGE) != 0)
		f->now.change = r->change;
}

/* Rule i is to hit: counted, and ended with the last one. False if it had
 * ended before. */
static bool
hit(struct faults *f, struct worker *w, unsigned i, uint32_t fresh)
{
	const struct fault_live *one = &f->rule[i];
	uint64_t left;

	f->met &= ~(1ull << i);
	if (!fault_take(w->proc->env.control, one, &left))
		return false;
	if (f->got == 0)
		worker_count(&w->shm->stats.faults, 1);
	merge(f, &one->rule, fresh);
	if (left == 0)
		fault_end(&w->proc->env, one, FAULT_SPENT);
	return true;
}

unsigned
faults_exception(struct faults *f, struct worker *w)
{
	for (unsigned i = 0; i < f->n; i++) {
		uint32_t e = f->rule[i].rule.effects;

		if ((f->met >> i & 1) != 0 && (e & FAULT_EXCEPTION) != 0 &&
		    hit(f, w, i, e))
			return f->now.exception;
	}
	return 0;
}

/* Whether rule i changes the values of this reply. */
static bool
changes(struct faults *f, unsigned i)
{
	uint32_t rate = f->rule[i].rule.change_rate;

	return rate == 0 || rate == FAULT_MILLION ||
	    faults_below(f, FAULT_MILLION) < rate;
}

void
faults_pdu(struct faults *f, struct worker *w, struct frame *req, uint8_t *pdu,
    size_t len)
{
	struct fault_data data;
	/* an exception in place of a request that was carried out would lie */
	uint32_t taken = FAULT_EXCEPTION;

	if (!fault_data_find(&data, req->pdu, req->pdu_len, pdu, len))
		taken |= FAULT_CHANGE;
	for (unsigned i = 0; i < f->n; i++) {
		uint32_t fresh = f->rule[i].rule.effects & ~(f->got | taken);

		/* what an earlier one leaves no reply for does not hit */
		if ((f->got & FAULT_DROP) != 0)
			fresh = 0;
		else if ((f->got & FAULT_JUNK) != 0)
			fresh &= FAULT_DELAY | FAULT_SPLIT | FAULT_DROP;
		if ((fresh & FAULT_CHANGE) != 0 && !changes(f, i))
			fresh &= ~(uint32_t)FAULT_CHANGE;
		if ((f->met >> i & 1) != 0 && fresh != 0)
			hit(f, w, i, fresh);
	}
	if ((f->got & FAULT_CHANGE) != 0)
		fault_data_change(f, &data, f->now.change);
	if ((f->got & FAULT_UNIT_WRONG) != 0)
		req->unit = (uint8_t)(req->unit % 247 + 1);
}

size_t
faults_adu(
    struct faults *f, const struct framer *framer, uint8_t *adu, size_t len)
{
	if ((f->got & FAULT_DROP) != 0)
		return 0;
	if ((f->got & FAULT_JUNK) != 0) {
		for (len = 0; len < f->now.junk_bytes; len++)
			adu[len] = (uint8_t)dice(f);
		return len;
	}
	if ((f->got & FAULT_CRC) != 0)
		fault_spoil_check(framer, adu, len);
	return len;
}

bool
faults_late(struct faults *f, size_t len)
{
	if ((f->got & FAULT_DELAY) != 0)
		f->late.delay_ms = f->now.delay_ms;
	if ((f->got & FAULT_SPLIT) != 0 && len > 1) {
		f->late.split_ms = f->now.split_ms;
		f->late.first = (unsigned)len / 2;
	}
	return f->late.delay_ms != 0 || f->late.split_ms != 0;
}
