/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to devices that want more than their registers read and written.
 * Runs in the workers, on the request path; allocates nothing. What is to be
 * refused is refused before any action runs; counted is what was carried out, a
write whose action fails behind it, too.
 *
 * Actions run when a client reads: with function codes 1 to 4, before 22
 * changes what it reads, and after 23 has written. That 23 is one step as far
 * as the registers go; what its actions then do to what it reads is another.
 * As a simulator a device also answers 5 and 6 with what the action of the
 * value has made of it, and has 23 read only what clients may write, since that
 * is how pymodbus' simulator looks at rights. An action that fails after 5, 6
 * or 23 have written is the answer, as it is there; what was written stays.
 */
#include "workers/special.h"

#include "shm/store_client.h"
#include "workers/action/action.h"

bool
special_store(const struct store *st)
{
	return (st->flags & (SHM_WHOLE_VALUES | SHM_SIMULATOR)) != 0 ||
	    st->counts != NULL;
}

static bool
writes(const struct mb_step *s)
{
	return s->op != MB_READ;
}

static uint32_t
count_of(const struct mb_step *s)
{
	return s->op == MB_MASK ? 1 : s->count;
}

/* Files and queues have addresses of their own, and none of this. */
static bool
plain_table(const struct mb_step *s)
{
	return s->table <= MB_IR;
}

/* What a request may not do, whatever the values are. */
static enum mb_ex
check(const struct bind_device *d, const struct mb_step *s, unsigned n)
{
	const struct store *st = d->store;
	bool writing = false;

	for (unsigned i = 0; i < n; i++)
		writing |= writes(&s[i]);
	for (unsigned i = 0; i < n; i++) {
		enum store_table t = (enum store_table)s[i].table;
		uint32_t count = count_of(&s[i]);

		if (!plain_table(&s[i]))
			continue;
		if (!store_has(st, t, s[i].addr, count))
			return MB_EX_ADDRESS;
		if (st->flags & SHM_WHOLE_VALUES &&
		    !store_whole(st, t, s[i].addr, count))
			return MB_EX_ADDRESS;
		if ((writes(&s[i]) || (writing && st->flags & SHM_SIMULATOR)) &&
		    !store_writable(st, t, s[i].addr, count))
			return MB_EX_ADDRESS;
	}
	return MB_EX_NONE;
}

/* Runs the actions of what a step reads or has written. */
static enum mb_ex
act(struct bind_device *d, const struct mb_step *s)
{
	struct mb_step as_read = *s;

	if (d->nactions == 0 || !plain_table(s))
		return MB_EX_NONE;
	as_read.op = MB_READ;
	as_read.count = (uint16_t)count_of(s);
	return action_reads(d, &as_read);
}

/* Reads into the reply what there is after the actions. */
static enum mb_ex
act_and_read(struct bind_device *d, const struct mb_step *s)
{
	struct mb_step as_read = *s;
	enum mb_ex ex;

	if (d->nactions == 0 || !plain_table(s))
		return MB_EX_NONE;
	ex = act(d, s);
	as_read.op = MB_READ;
	return ex != MB_EX_NONE ? ex : bind_plain(d, &as_read, 1);
}

/* What follows a step that writes. */
static enum mb_ex
after(struct bind_device *d, const struct mb_step *s, unsigned n)
{
	enum mb_ex ex = MB_EX_NONE;

	for (unsigned i = 0; ex == MB_EX_NONE && i < n; i++) {
		bool echo = s[i].op == MB_WRITE && s[i].out != NULL &&
		    d->store->flags & SHM_SIMULATOR;

		if (echo ||
		    (s[i].op == MB_READ && d->nactions != 0 &&
			action_touches(d, &s[i])))
			ex = act_and_read(d, &s[i]);
	}
	return ex;
}

/* Counts what a request has read, or what it has written. */
static void
count(const struct bind_device *d, const struct mb_step *s, unsigned n,
    bool written)
{
	for (unsigned i = 0; d->store->counts != NULL && i < n; i++) {
		bool did = written ? writes(&s[i]) : s[i].op != MB_WRITE;

		if (did && plain_table(&s[i]))
			store_count(d->store, (enum store_table)s[i].table,
			    s[i].addr, count_of(&s[i]), written);
	}
}

enum mb_ex
special_step(struct bind_device *d, struct mb_step *s, unsigned n)
{
	bool only_reads = true, done = bind_done(d->bind);
	enum mb_ex ex = check(d, s, n);

	for (unsigned i = 0; i < n; i++)
		only_reads &= !writes(&s[i]);
	for (unsigned i = 0; ex == MB_EX_NONE && i < n; i++)
		if (only_reads || (s[i].op == MB_MASK && !done))
			ex = act(d, &s[i]);
	if (ex == MB_EX_NONE)
		ex = bind_plain(d, s, n);
	if (ex == MB_EX_NONE && !only_reads) {
		/* it has been written, whatever its actions come to */
		count(d, s, n, true);
		ex = after(d, s, n);
	}
	if (ex == MB_EX_NONE)
		count(d, s, n, false);
	return ex;
}
