/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of the clock process: sleeps until a range is due, sets what is due
 * together, and begins anew. It keeps nothing that its successor would need,
 * but what scripts keep. Never blocks but in its poll(), and no longer than a
 * request may for a device that somebody holds.
 */
#include "workers/action/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "shm/bell.h"
#include "shm/clock.h"
#include "shm/orphan.h"
#include "workers/action/pace.h"
#include "workers/action/set.h"

/* A range and when it is due. */
struct entry {
	struct pace_item when; /* first: pace.h hands it out */
	struct set_range r;
};

struct clock {
	struct proc *proc;
	struct bind bind;
	struct pace pace;
	struct entry *entry, **due;
	size_t nentries;
	struct set *set;
	bool ended;
	bool orphaned; /* the parent has gone */
	struct orphan orphan;
};

enum { ORPHAN_LOOK_MS = 10 }; /* for the next supervisor */

/* ---- what there is ---- */

static size_t
count(const struct conf *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->ndevices; i++)
		for (size_t k = 0; k < c->devices[i].nranges; k++)
			n += conf_action_period_ms(
				 c, &c->devices[i].ranges[k]) > 0;
	return n;
}

static bool
goes_on(const struct action_row *row)
{
	return row == &action_rows[ACTION_INCREMENT] ||
	    row == &action_rows[ACTION_WALK] || row == &action_rows[ACTION_LUA];
}

static void
add(struct clock *k, unsigned device, const struct conf_range *r, unsigned ms)
{
	const struct conf_device *d = &k->proc->conf->devices[device];
	const struct action_row *row = action_find(r->action);
	struct entry *e = &k->entry[k->nentries++];
	bool bits = r->table == STORE_CO || r->table == STORE_DI;

	e->r.d = &k->bind.device[device];
	e->r.a.conf = r;
	e->r.a.device = d->name;
	e->r.a.action = action_builtin(r->action);
	e->r.a.step = bits            ? 1
	    : r->type == TYPED_STRING ? r->count
				      : typed_regs(r->type);
	e->r.goes_on = goes_on(row);
	if (e->r.a.step > SET_PIECE) {
		log_warnx("%s: a value of %u registers is too long to be set",
		    d->name, e->r.a.step);
		k->nentries--;
		return;
	}
	action_prepare(&e->r.a, k->proc, device);
	e->when.period_ns = ms * 1000000ull;
	/* what is a function of the time is right at once */
	pace_add(&k->pace, &e->when, clock_mono_ns(), !e->r.goes_on);
}

static int
prepare(struct clock *k)
{
	struct proc *p = k->proc;
	const struct conf *c = p->conf;
	size_t n = count(c);
	unsigned ms;

	k->bind.proc = p;
	k->bind.device = calloc(c->ndevices + 1, sizeof(*k->bind.device));
	k->entry = calloc(n + 1, sizeof(*k->entry));
	k->due = calloc(n + 1, sizeof(struct entry *));
	k->set = calloc(1, sizeof(*k->set));
	if (k->bind.device == NULL || k->entry == NULL || k->due == NULL ||
	    k->set == NULL || pace_init(&k->pace, n, p->began_ns) == -1)
		return -1;
	k->set->proc = p;
	bind_self(&k->bind);
	for (unsigned i = 0; i < c->ndevices; i++) {
		k->bind.device[i].bind = &k->bind;
		k->bind.device[i].index = i;
		k->bind.device[i].store = &p->stores[i];
		for (size_t j = 0; j < c->devices[i].nranges; j++)
			if ((ms = conf_action_period_ms(
				 c, &c->devices[i].ranges[j])) > 0)
				add(k, i, &c->devices[i].ranges[j], ms);
	}
	log_info("clock ranges=%zu", k->nentries);
	return 0;
}

static void
release(struct clock *k)
{
	for (size_t i = 0; k->entry != NULL && i < k->nentries; i++)
		action_release(&k->entry[i].r.a);
	pace_fini(&k->pace);
	free(k->set);
	free(k->due);
	free(k->entry);
	free(k->bind.device);
}

/* ---- the loop ---- */

static bool
copies(const struct set_range *r)
{
	return r->a.action == action_builtin(action_rows[ACTION_COPY].name);
}

/* By device, table and address: neighbours are written together. Copies come
 * last, so that they are of what is set at the same time. */
static int
by_place(const void *a, const void *b)
{
	const struct set_range *x = &(*(struct entry *const *)a)->r;
	const struct set_range *y = &(*(struct entry *const *)b)->r;

	if (copies(x) != copies(y))
		return copies(x) ? 1 : -1;
	if (x->d != y->d)
		return x->d < y->d ? -1 : 1;
	if (x->a.conf->table != y->a.conf->table)
		return x->a.conf->table < y->a.conf->table ? -1 : 1;
	return x->a.conf->addr < y->a.conf->addr ? -1 : 1;
}

static void
set_due(struct clock *k, uint64_t now_ns)
{
	struct proc *p = k->proc;
	struct pace_item *i;
	size_t n = 0;

	while ((i = pace_take(&k->pace, now_ns)) != NULL)
		k->due[n++] = (struct entry *)(void *)i;
	if (n > 1)
		qsort(k->due, n, sizeof(struct entry *), by_place);
	k->bind.now_ns = now_ns;
	for (size_t j = 0; j < n; j++) {
		if (j > 0 && copies(&k->due[j]->r) &&
		    !copies(&k->due[j - 1]->r))
			set_flush(k->set);
		set_range(k->set, &k->due[j]->r,
		    pace_last(&k->pace, &k->due[j]->when, now_ns));
	}
	set_flush(k->set);
	if (k->bind.wrote)
		bell_ring(p->env.control, &p->bell_fd);
	k->bind.wrote = false;
}

static void
take_orders(struct clock *k)
{
	struct ipc_msg m;
	int rc;

	while ((rc = proc_order(k->proc, &m)) == 1)
		if (m.kind == IPC_EXIT || m.kind == IPC_DRAIN)
			k->ended = true;
	if (rc == -1) {
		proc_orphaned(k->proc);
		k->orphaned = true;
	}
}

static void
turn(struct clock *k)
{
	struct pollfd fd = { .fd = k->orphaned ? -1 : k->proc->chan,
		.events = POLLIN };
	uint64_t now = clock_mono_ns(), next = pace_next(&k->pace);
	uint64_t ns = (k->orphaned ? ORPHAN_LOOK_MS : proc_beat_ms(k->proc)) *
	    UINT64_C(1000000);
	struct timespec ts;

	if (next < now + ns)
		ns = next > now ? next - now : 0;
	ts.tv_sec = (time_t)(ns / 1000000000);
	ts.tv_nsec = (long)(ns % 1000000000);
	ppoll(&fd, 1, &ts, NULL);
	now = clock_mono_ns();
	proc_beat(k->proc, now);
	if (fd.revents != 0)
		take_orders(k);
	if (k->orphaned && orphan_over(&k->orphan, &k->proc->env))
		k->ended = true;
	if (!k->ended && pace_next(&k->pace) <= now)
		set_due(k, now);
}

int
clock_main(struct proc *p)
{
	struct clock k = { .proc = p };

	orphan_init(&k.orphan, &p->env);
	if (prepare(&k) == -1) {
		release(&k);
		return proc_failed(p, EX_SOFTWARE, "not enough memory");
	}
	proc_ready(p);
	while (!k.ended)
		turn(&k);
	release(&k);
	return 0;
}
