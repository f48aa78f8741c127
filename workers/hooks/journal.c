/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of the function of a plugin that is running. Runs in the
 * workers, on the request path of such functions alone; allocates nothing.
 */
#include "workers/hooks/journal.h"

#include <string.h>

struct entry {
	uint8_t kind; /* enum journal_kind */
	uint8_t ex;
	uint16_t spare;
	uint32_t len; /* of what follows */
};

static struct shm_journal *
journal_of(const struct bind *b)
{
	return &seg_worker(&b->proc->worker_seg)->journal;
}

void
journal_begin(struct bind *b)
{
	struct shm_journal *j = journal_of(b);
	uint64_t who = (uint64_t)b->who.author << SHM_TAG_OP_BITS | b->who.op;
	uint32_t len = atomic_load_explicit(&j->len, memory_order_relaxed);

	b->journal.at = 0;
	b->journal.full = false;
	b->journal.known = 0;
	if (b->resumed &&
	    atomic_load_explicit(&j->who, memory_order_relaxed) == who) {
		b->journal.known = len <= SHM_JOURNAL_BYTES ? len : 0;
		return;
	}
	atomic_store_explicit(&j->len, 0, memory_order_release);
	atomic_store_explicit(&j->who, who, memory_order_release);
}

bool
journal_recall(struct bind *b, enum journal_kind kind, void *data, size_t len,
    enum mb_ex *ex)
{
	struct shm_journal *j = journal_of(b);
	unsigned at = b->journal.at, known = b->journal.known;
	struct entry e;

	if (at >= known)
		return false;
	b->journal.known = at; /* unless it is the same step */
	if (known - at < sizeof(e))
		return false;
	memcpy(&e, j->data + at, sizeof(e));
	if (e.kind != kind || e.len != len || known - at - sizeof(e) < len)
		return false;
	if (len != 0)
		memcpy(data, j->data + at + sizeof(e), len);
	*ex = (enum mb_ex)e.ex;
	b->journal.known = known;
	b->journal.at = at + (unsigned)(sizeof(e) + len);
	return true;
}

void
journal_note(struct bind *b, enum journal_kind kind, const void *data,
    size_t len, enum mb_ex ex)
{
	struct shm_journal *j = journal_of(b);
	unsigned at = b->journal.at;
	struct entry e = { .kind = (uint8_t)kind, .ex = (uint8_t)ex };

	if (len > SHM_JOURNAL_BYTES || at + sizeof(e) + len > SHM_JOURNAL_BYTES)
		b->journal.full = true;
	if (b->journal.full)
		return;
	e.len = (uint32_t)len;
	memcpy(j->data + at, &e, sizeof(e));
	if (len != 0)
		memcpy(j->data + at + sizeof(e), data, len);
	b->journal.at = at + (unsigned)(sizeof(e) + len);
	atomic_store_explicit(&j->len, b->journal.at, memory_order_release);
}
