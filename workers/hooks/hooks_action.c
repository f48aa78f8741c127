/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions of ranges: found by their names before the worker serves, run when a
 * client reads. Runs in the workers, on the request path; allocates nothing
 * there. A value is read, its action run without owning anything, and what it
 * has changed written if the value is still what the action has seen; else it
 * is run again on what there is now. So it never undoes anybody's write.
 *
 * A worker that dies between such a write and the reply to the reading leaves
 * it behind, and the action is run again when the client asks again: what an
 * action does is done at least once for each reply.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "shm/clock.h"
#include "shm/table.h"
#include "supervisor/near.h"
#include "workers/action/action.h"
#include "workers/hooks/bind_hook.h"
#include "workers/hooks/hooks_own.h"
#include "workers/action/runner.h"

enum {
	TRIES = 16, /* while others write the same value */
	NAMES_MAX = 64, /* that a mistyped one is compared with */
	REG_BITS = 16,
};

/* ---- finding ---- */

const struct hook_action *
hook_action_find(const struct hooks *h, const char *name)
{
	for (size_t i = 0; h != NULL && i < h->nactions; i++)
		if (strcmp(h->actions[i].a.name, name) == 0)
			return &h->actions[i];
	return action_builtin(name);
}

static const char *
nearest(const struct hooks *h, const char *name)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; n < NAMES_MAX && h != NULL && i < h->nactions; i++)
		names[n++] = h->actions[i].a.name;
	for (size_t i = 0; n < NAMES_MAX && i < ACTION_IDS; i++)
		names[n++] = action_rows[i].name;
	return near_name(name, names, n);
}

static int
by_place(const void *a, const void *b)
{
	const struct conf_range *x = ((const struct action_range *)a)->conf;
	const struct conf_range *y = ((const struct action_range *)b)->conf;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool
is_bits(const struct conf_range *r)
{
	return r->table == STORE_CO || r->table == STORE_DI;
}

static int refuse(struct worker *w, const struct action_range *a,
    const char *fmt, ...) LOG_FMT(3, 4);

/* worker->why and code; "transport u1, device plc1, coils 7: " and words. */
static int
refuse(struct worker *w, const struct action_range *a, const char *fmt, ...)
{
	static char why[2 * PLUGIN_WORDS]; /* said once, as the worker ends */
	char words[PLUGIN_WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	snprintf(why, sizeof(why),
	    "transport \"%.40s\", device \"%.40s\", %s %u: %s", w->conf->name,
	    a->device, table_name(a->conf->table), a->conf->addr, words);
	w->why = why;
	w->code = EX_CONFIG;
	return -1;
}

/* True if it is built in, and cannot be what the range asks for. */
static bool
refuse_builtin(struct worker *w, const struct action_range *a)
{
	const struct conf_range *r = a->conf;
	const struct action_row *row = action_find(r->action);
	const struct conf_option *at;
	char wrong[PLUGIN_WORDS / 2];

	if (a->action == NULL || a->action->plugin != NULL)
		return false;
	/* a module may have one of that name, with parameters of its own */
	if (a->runner == NULL &&
	    conf_action_wrong(row, r, &at, wrong, sizeof(wrong)))
		refuse(w, a, "the action \"%s\": %s", r->action, wrong);
	else if (conf_action_period_ms(w->proc->conf, r) > 0)
		refuse(w, a,
		    "the action \"%s\" runs on a clock, which only holdfastd "
		    "has",
		    r->action);
	else if (a->runner == NULL && !(row->flags & ACTION_ON_READ))
		refuse(w, a,
		    "the action \"%s\": \"period_ms\" is missing, for a plugin "
		    "or a module may have one of that name",
		    r->action);
	else
		return false;
	return true;
}

static int
resolve(struct worker *w, struct action_range *a, unsigned device)
{
	const struct conf_range *r = a->conf;
	const char *near;

	a->action = hook_action_find(w->hooks, r->action);
	a->host = w->plugins != NULL && w->plugins->n > 0
	    ? &w->plugins->at[0].host
	    : NULL;
	if (a->action != NULL && a->action->plugin != NULL)
		a->host = &a->action->plugin->host;
	a->step = is_bits(r)          ? 1
	    : r->type == TYPED_STRING ? r->count
				      : typed_regs(r->type);
	if (a->action == NULL || a->action->plugin == NULL)
		a->runner = w->bind.runner;
	if (refuse_builtin(w, a))
		return -1;
	if ((a->action != NULL || a->runner != NULL) &&
	    a->step <= HOOK_REGS_MAX) {
		if (a->action != NULL && a->action->plugin == NULL)
			action_prepare(a, w->proc, device);
		return 0;
	}
	if (a->action != NULL || a->runner != NULL)
		return refuse(w, a,
		    "the action \"%s\" is for values of up to %d registers, "
		    "not %u",
		    r->action, HOOK_REGS_MAX, a->step);
	near = nearest(w->hooks, r->action);
	return refuse(w, a,
	    "no action is called \"%.60s\", and no plugin of the transport "
	    "brings it%s%.40s%s",
	    r->action, near != NULL ? "; did you mean \"" : "",
	    near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* True if the clock process sets a range's values, so that reading does not. A
 * program's server has none, nor a run directory. */
static bool
clocks(const struct worker *w, const struct conf_range *r)
{
	return w->proc->run_dir != NULL &&
	    conf_action_period_ms(w->proc->conf, r) > 0;
}

static int
resolve_all(struct worker *w, struct bind_device *d)
{
	const struct conf_device *c = &w->proc->conf->devices[d->index];

	d->actions = calloc(c->nranges + 1, sizeof(*d->actions));
	w->why = "not enough memory";
	if (d->actions == NULL)
		return -1;
	for (size_t i = 0; i < c->nranges; i++) {
		struct action_range *a = &d->actions[d->nactions];

		if (c->ranges[i].action == NULL || clocks(w, &c->ranges[i]))
			continue;
		a->conf = &c->ranges[i];
		a->device = c->name;
		if (resolve(w, a, d->index) == -1)
			return -1;
		d->nactions++;
	}
	qsort(d->actions, d->nactions, sizeof(*d->actions), by_place);
	if (!d->store->writable)
		d->nactions = 0; /* none runs: it could not change anything */
	d->special |= d->nactions != 0;
	w->why = NULL;
	return 0;
}

int
hooks_actions(struct worker *w)
{
	w->why = "not enough memory";
	if (runner_init(w) == -1)
		return -1;
	w->why = NULL;
	for (unsigned i = 0; i < w->bind.ndevices; i++)
		if (resolve_all(w, &w->bind.device[i]) == -1)
			return -1;
	return 0;
}

/* ---- running ---- */

static const struct action_run *
run_of(const struct hf_cell *c)
{
	return c->self;
}

static const char *
parameter(const struct hf_cell *c, const char *name)
{
	return conf_action_text(run_of(c)->a->conf, name);
}

static double
number(const struct hf_cell *c, const char *name, double otherwise)
{
	const char *text = parameter(c, name);
	char *end;
	double x;

	if (text == NULL)
		return otherwise;
	x = strtod(text, &end);
	return end != text && *end == '\0' ? x : otherwise;
}

static enum hf_exception
cell_read(const struct hf_cell *c, enum hf_table t, uint32_t addr,
    uint16_t count, uint16_t *values)
{
	return (enum hf_exception)bind_read(
	    run_of(c)->d, (enum mb_table)t, addr, count, values);
}

static enum hf_exception
cell_write(const struct hf_cell *c, enum hf_table t, uint32_t addr,
    uint16_t count, const uint16_t *values)
{
	return (enum hf_exception)bind_act(
	    run_of(c)->d, (enum mb_table)t, addr, count, NULL, values, NULL);
}

/* What the module has is the module's, then come those that are built in. */
static unsigned
carry_out(struct bind_device *d, struct action_range *a, struct hf_cell *c)
{
	const struct hook_action *act = a->action;
	uint32_t was;
	unsigned said;

	if (a->runner != NULL) {
		said = runner_run(a->runner, d, a, c);
		if (said != RUNNER_NO_SUCH)
			return said;
		if (act == NULL)
			return HF_EX_FAILURE;
	}
	if (act->plugin == NULL)
		return (unsigned)action_run(
		    a, d->bind->proc, clock_mono_ns(), c);
	was = plugin_enter(act->plugin);
	said = (unsigned)act->a.run(act->plugin->hooks.arg, c);
	plugin_leave(act->plugin, was);
	return said;
}

void
action_cell(struct hf_cell *c, const struct action_run *run, uint32_t addr,
    uint16_t *values)
{
	const struct action_range *a = run->a;
	const struct conf_range *r = a->conf;

	*c = (struct hf_cell){ .host = a->host,
		.device = a->device,
		.table = (enum hf_table)r->table,
		.addr = addr,
		.type = (enum hf_type)conf_action_type(r),
		.order = (enum hf_order)r->order,
		.count = (uint16_t)a->step,
		.values = values,
		.parameter = parameter,
		.number = number,
		.read = cell_read,
		.write = cell_write,
		.self = (void *)(uintptr_t)run };
}

/* One value, from addr on. */
static enum mb_ex
run_one(struct bind_device *d, struct action_range *a, uint32_t addr)
{
	static uint16_t was[HOOK_REGS_MAX], is[HOOK_REGS_MAX];
	const struct conf_range *r = a->conf;
	struct action_run run = { d, a };
	struct hf_cell c;
	bool changed = true;
	enum mb_ex ex;
	unsigned said;

	action_cell(&c, &run, addr, is);
	for (int i = 0; changed && i < TRIES; i++) {
		ex = bind_read(d, (enum mb_table)r->table, addr, a->step, was);
		if (ex != MB_EX_NONE)
			return ex;
		memcpy(is, was, a->step * sizeof(is[0]));
		said = carry_out(d, a, &c);
		if (said != HF_EX_NONE)
			return said <= UINT8_MAX ? (enum mb_ex)said
						 : MB_EX_FAILURE;
		if (memcmp(is, was, a->step * sizeof(is[0])) == 0)
			return MB_EX_NONE;
		ex = bind_act(d, (enum mb_table)r->table, addr, a->step, was,
		    is, &changed);
		if (ex != MB_EX_NONE && !changed)
			return ex;
	}
	return changed ? MB_EX_BUSY : MB_EX_NONE;
}

/* The first range of a device that ends behind an address, or the number of
 * all. */
static unsigned
first(const struct bind_device *d, unsigned table, uint32_t addr)
{
	unsigned low = 0, high = d->nactions;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		const struct conf_range *r = d->actions[mid].conf;

		if (r->table < table ||
		    (r->table == table && r->addr + r->count <= addr))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

_Static_assert((MB_CO ^ 1) == MB_DI && (MB_HR ^ 1) == MB_IR, "neighbours");

/* The actions of a table from addr to before end. */
static enum mb_ex
run_those(struct bind_device *d, unsigned table, uint32_t addr, uint32_t end)
{
	enum mb_ex ex = MB_EX_NONE;

	for (unsigned i = first(d, table, addr); i < d->nactions; i++) {
		struct action_range *a = &d->actions[i];
		const struct conf_range *r = a->conf;
		uint32_t at = r->addr;

		if ((unsigned)r->table != table || at >= end)
			break;
		if (at < addr)
			at += (addr - at + a->step - 1) / a->step * a->step;
		for (; at < end && at < r->addr + r->count; at += a->step)
			if ((ex = run_one(d, a, at)) != MB_EX_NONE)
				return ex;
	}
	return ex;
}

static bool
touches(const struct bind_device *d, unsigned table, const struct mb_step *s)
{
	unsigned i = first(d, table, s->addr);

	return i < d->nactions &&
	    (unsigned)d->actions[i].conf->table == table &&
	    d->actions[i].conf->addr < s->addr + s->count;
}

bool
action_touches(const struct bind_device *d, const struct mb_step *s)
{
	return s->table <= MB_IR &&
	    (touches(d, (unsigned)s->table, s) ||
		(d->store->shared && touches(d, s->table ^ 1u, s)));
}

enum mb_ex
action_reads(struct bind_device *d, const struct mb_step *s)
{
	uint32_t end = s->addr + s->count;
	enum mb_ex ex;

	if (s->table > MB_IR)
		return MB_EX_NONE; /* files and queues have no actions */
	/* what is to be answered 02 changes nothing */
	if (!store_has(d->store, (enum store_table)s->table, s->addr, s->count))
		return MB_EX_ADDRESS;
	if (d->bind->runner != NULL)
		runner_begin(d->bind->runner);
	ex = run_those(d, (unsigned)s->table, s->addr, end);
	if (ex != MB_EX_NONE || !d->store->shared)
		return ex;
	/* both tables of bits are the same there, and so are registers; and
	 * bits are some of a register's */
	ex = run_those(d, s->table ^ 1u, s->addr, end);
	for (unsigned t = MB_HR; s->table <= MB_DI && t <= MB_IR; t++)
		if (ex == MB_EX_NONE)
			ex = run_those(d, t, s->addr / REG_BITS,
			    (end + REG_BITS - 1) / REG_BITS);
	return ex;
}
