/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of fault rules. Control processes put rules in force and end them,
 * workers read and count. Runs in both; locks nothing, waits for nobody,
 * allocates nothing.
 */

#include "shm/fault.h"

#include <errno.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "shm/notice.h"
#include "shm/store.h"

#define HITS_BITS 40
#define HITS_MASK ((1ull << HITS_BITS) - 1)
#define TAG(id) ((id) << HITS_BITS)

/* ---- what is a rule ---- */

static const char *
why_not_effects(const struct fault_rule *r)
{
	uint32_t e = r->effects;

	if (e == 0 || (e & ~(uint32_t)FAULT_EFFECTS) != 0)
		return "a rule needs something to do";
	if ((e & FAULT_EXCEPTION) != 0 &&
	    (r->exception == 0 || r->exception > 255))
		return "an exception is a code of 1..255";
	if ((e & FAULT_DELAY) != 0 &&
	    (r->delay_ms == 0 || r->delay_ms > FAULT_WAIT_MAX_MS))
		return "a delay is 1..600000 ms";
	if ((e & FAULT_SPLIT) != 0 &&
	    (r->split_ms == 0 || r->split_ms > FAULT_WAIT_MAX_MS))
		return "a split is 1..600000 ms";
	if ((e & FAULT_JUNK) != 0 &&
	    (r->junk_bytes == 0 || r->junk_bytes > FAULT_JUNK_MAX))
		return "junk is 1..512 bytes";
	if ((e & FAULT_CHANGE) != 0 &&
	    (r->change == 0 || r->change > FAULT_MILLION))
		return "a share is above 0 and at most 100 %";
	if (r->change_rate > FAULT_MILLION ||
	    (r->change_rate != 0 && (e & FAULT_CHANGE) == 0))
		return "change_rate_pct is of replies that change_pct changes";
	if ((e & FAULT_DROP) != 0 && (e & ~(FAULT_DROP | FAULT_EXCEPTION)) != 0)
		return "drop leaves no reply for anything else to change";
	if ((e & FAULT_JUNK) != 0 &&
	    (e & (FAULT_CHANGE | FAULT_UNIT_WRONG | FAULT_CRC)) != 0)
		return "junk leaves no reply for anything else to change";
	if ((e & FAULT_EXCEPTION) != 0 && (e & FAULT_CHANGE) != 0)
		return "an exception has no values to change";
	return NULL;
}

const char *
fault_why_not(const struct fault_rule *r)
{
	if (memchr(r->transport, 0, sizeof(r->transport)) == NULL ||
	    memchr(r->note, 0, sizeof(r->note)) == NULL ||
	    memchr(r->by, 0, sizeof(r->by)) == NULL)
		return "a name is too long";
	if (r->given > (FAULT_TABLE | (FAULT_TABLE - 1)))
		return "no such condition";
	if (r->unit > 255 || r->rate > FAULT_MILLION || r->count > HITS_MASK)
		return "a condition is out of range";
	if (r->first > r->last || r->last >= FAULT_ADDRS || r->table > STORE_IR)
		return "the range is none";
	return why_not_effects(r);
}

/* ---- rows ---- */

static struct shm_fault *
row_of(struct shm_control *c, unsigned row)
{
	return &c->faults.row[row % SHM_FAULTS];
}

void
fault_touch(struct shm_control *c)
{
	atomic_fetch_add_explicit(&c->faults.version, 1, memory_order_release);
}

/* The words of a row as they are; whole only if its id stays the same. */
static void
copy_out(struct shm_fault *f, struct fault_rule *r)
{
	uint64_t word[SHM_FAULT_WORDS];

	for (unsigned i = 0; i < SHM_FAULT_WORDS; i++)
		word[i] =
		    atomic_load_explicit(&f->word[i], memory_order_relaxed);
	memcpy(r, word, sizeof(*r));
}

static void
copy_in(struct shm_fault *f, const struct fault_rule *r)
{
	uint64_t word[SHM_FAULT_WORDS];

	memcpy(word, r, sizeof(*r));
	/* whoever sees one of these sees that the row has no id */
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < SHM_FAULT_WORDS; i++)
		atomic_store_explicit(
		    &f->word[i], word[i], memory_order_relaxed);
}

enum look { LOOK_NONE, LOOK_RULE, LOOK_RUBBISH };

static enum look
look(struct shm_control *c, unsigned row, struct fault_live *out)
{
	struct shm_fault *f = row_of(c, row);
	uint64_t taken;

	out->row = row % SHM_FAULTS;
	out->id = atomic_load_explicit(&f->id, memory_order_acquire);
	if (out->id == 0)
		return LOOK_NONE;
	copy_out(f, &out->rule);
	taken = atomic_load_explicit(&f->taken, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&f->id, memory_order_relaxed) != out->id)
		return LOOK_NONE;
	out->hits =
	    TAG(out->id) == (taken & ~HITS_MASK) ? taken & HITS_MASK : 0;
	return fault_why_not(&out->rule) == NULL ? LOOK_RULE : LOOK_RUBBISH;
}

bool
fault_get(struct shm_control *c, unsigned row, struct fault_live *out)
{
	return look(c, row, out) == LOOK_RULE;
}

/* Makes this process the maker of a row that is free. */
static bool
claim(const struct slot_env *env, struct shm_fault *f)
{
	uint64_t was = atomic_load_explicit(&f->owner, memory_order_relaxed);

	if (atomic_load_explicit(&f->id, memory_order_acquire) != 0)
		return false;
	/* what died in the middle of making one has made none */
	if (was != 0 && was != env->me && !slot_probe(env, was))
		return false;
	if (!atomic_compare_exchange_strong_explicit(&f->owner, &was, env->me,
		memory_order_acq_rel, memory_order_relaxed))
		return false;
	if (atomic_load_explicit(&f->id, memory_order_acquire) == 0)
		return true;
	/* somebody has made one between the two looks */
	atomic_store_explicit(&f->owner, 0, memory_order_release);
	return false;
}

static uint64_t
next_id(struct shm_control *c)
{
	uint64_t id;

	do {
		id = atomic_fetch_add_explicit(
			 &c->faults.last_id, 1, memory_order_relaxed) +
		    1;
	} while (id == 0);
	return id;
}

/* What has become of a rule, for the log and for those who follow events. */
static void
tell(const struct slot_env *env, uint64_t id, const struct fault_rule *r,
    enum fault_event what)
{
	char text[FAULT_TEXT_MAX];

	fault_text(r, text);
	log_info("fault %s id=%llu %s", fault_event_name(what),
	    (unsigned long long)id, text);
	notice_post_bytes(env, NOTICE_FAULT, 0, id, what, r, sizeof(*r));
}

static struct shm_fault *
claim_any(const struct slot_env *env)
{
	for (unsigned i = 0; i < SHM_FAULTS; i++)
		if (claim(env, row_of(env->control, i)))
			return row_of(env->control, i);
	return NULL;
}

uint64_t
fault_add(const struct slot_env *env, const struct fault_rule *r)
{
	struct shm_control *c = env->control;
	struct shm_fault *f;
	uint64_t id, due_ns;

	errno = EINVAL;
	if (fault_why_not(r) != NULL)
		return 0;
	f = claim_any(env);
	if (f == NULL) {
		fault_sweep(env, clock_mono_ns(), &due_ns);
		f = claim_any(env);
	}
	if (f == NULL) {
		errno = ENOSPC;
		return 0;
	}
	id = next_id(c);
	copy_in(f, r);
	atomic_store_explicit(&f->taken, TAG(id), memory_order_relaxed);
	atomic_store_explicit(&f->id, id, memory_order_release);
	atomic_store_explicit(&f->owner, 0, memory_order_release);
	fault_touch(c);
	tell(env, id, r, FAULT_ADDED);
	return id;
}

bool
fault_end(const struct slot_env *env, const struct fault_live *f,
    enum fault_event why)
{
	uint64_t id = f->id;

	if (!atomic_compare_exchange_strong_explicit(
		&row_of(env->control, f->row)->id, &id, 0, memory_order_acq_rel,
		memory_order_relaxed))
		return false;
	fault_touch(env->control);
	tell(env, f->id, &f->rule, why);
	return true;
}

/* What somebody has written over is no rule, and nobody could end it: its row
 * is free again. The rule that it was has no notice, for it cannot be told. */
static void
end_rubbish(const struct slot_env *env, const struct fault_live *f)
{
	uint64_t id = f->id;

	if (!atomic_compare_exchange_strong_explicit(
		&row_of(env->control, f->row)->id, &id, 0, memory_order_acq_rel,
		memory_order_relaxed))
		return;
	fault_touch(env->control);
	log_warnx("fault lost id=%llu: something else was written over it",
	    (unsigned long long)f->id);
}

unsigned
fault_sweep(const struct slot_env *env, uint64_t now_ns, uint64_t *due_ns)
{
	struct fault_live f;
	unsigned n = 0;

	*due_ns = 0;
	for (unsigned i = 0; i < SHM_FAULTS; i++) {
		enum look found = look(env->control, i, &f);
		uint64_t end;

		if (found == LOOK_RUBBISH)
			end_rubbish(env, &f);
		if (found != LOOK_RULE)
			continue;
		end = f.rule.expires_ns;
		if (end != 0 && now_ns >= end) {
			fault_end(env, &f, FAULT_EXPIRED);
		} else if (f.rule.count != 0 && f.hits >= f.rule.count) {
			/* who took the last one has died */
			fault_end(env, &f, FAULT_SPENT);
		} else {
			n++;
			if (end != 0 && (*due_ns == 0 || end < *due_ns))
				*due_ns = end;
		}
	}
	return n;
}

bool
fault_take(struct shm_control *c, const struct fault_live *f, uint64_t *left)
{
	_Atomic uint64_t *taken = &row_of(c, f->row)->taken;
	uint64_t was = atomic_load_explicit(taken, memory_order_relaxed);
	uint64_t hits;

	do {
		hits = was & HITS_MASK;
		if ((was & ~HITS_MASK) != TAG(f->id) || hits == HITS_MASK ||
		    (f->rule.count != 0 && hits >= f->rule.count))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
	    taken, &was, was + 1, memory_order_relaxed, memory_order_relaxed));
	*left = f->rule.count != 0 ? f->rule.count - hits - 1 : UINT64_MAX;
	return true;
}
