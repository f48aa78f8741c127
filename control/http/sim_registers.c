/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers page and its REST: a filter of registers that are shown, and
 * values that are set. Runs in the http process.
 */

#include <stdlib.h>
#include <string.h>

#include "control/http/sim_cells.h"
#include "control/http/sim_form.h"
#include "control/http/sim_own.h"
#include "control/jtext.h"

#define MARK(map, i) ((sim_mark)(map)->index << 32 | (i))
#define MARK_DEVICE(mark) ((mark) >> 32)
#define MARK_REGISTER(mark) ((uint32_t)(mark))

/* ---- the filter ---- */

static int
by_mark(const void *a, const void *b)
{
	sim_mark x = *(const sim_mark *)a, y = *(const sim_mark *)b;

	return x < y ? -1 : x > y;
}

/* What is asked for by Add. */
struct wanted {
	int64_t type, action; /* -1: any */
	bool writable, any;
	json_t *actions; /* by name */
};

static bool
is_wanted(const struct wanted *want, const struct sim_map *m, uint32_t i)
{
	struct sim_cell cell = sim_map_cell(m, i);
	const json_t *parameters;
	const char *action = sim_map_action(&cell, &parameters);
	int64_t number = action == NULL
	    ? 0
	    : json_integer_value(json_object_get(want->actions, action));

	if (want->type != -1 && want->type != (int64_t)cell.type)
		return false;
	/* of all registers, those that show something */
	if (want->any && want->type == -1 &&
	    (cell.type == SIM_INVALID || cell.type == SIM_NEXT))
		return false;
	return (want->action == -1 || want->action == number) &&
	    (!want->writable || (cell.run != NULL && cell.run->writable));
}

static void
add_marks(struct sim_session *s, const struct sim_map *m,
    const struct wanted *want, int64_t start, int64_t stop)
{
	size_t had = s->nfilter;
	sim_mark mark;

	s->filter_full = false;
	for (int64_t i = start; i <= stop; i++) {
		mark = MARK(m, (uint32_t)i);
		if (!is_wanted(want, m, (uint32_t)i) ||
		    (had > 0 &&
			bsearch(&mark, s->filter, had, sizeof(mark), by_mark) !=
			    NULL))
			continue;
		if (s->nfilter == SIM_FILTER_MAX) {
			s->filter_full = true;
			break;
		}
		s->filter[s->nfilter++] = mark;
	}
	if (s->nfilter > 0)
		qsort(s->filter, s->nfilter, sizeof(mark), by_mark);
}

void
sim_filter_add(struct sim_call *c)
{
	struct sim_session *s = c->session;
	struct wanted want = { .writable = sim_ticked(c, "writeable") };
	int64_t start = 0, stop;
	struct sim_map m;
	int range;

	if (!sim_map_init(c, &m))
		goto out;
	range = sim_range(c, &start, &stop);
	if (range == -1 ||
	    !sim_integer_or(c, "type", -1, SIM_TYPES - 1, -1, &want.type) ||
	    !sim_integer_or(c, "action", -1, INT32_MAX, -1, &want.action))
		goto out;
	if (range == 0) {
		want.any = true;
		stop = (int64_t)m.n - 1;
	} else if (!sim_map_has(c, &m, start) || !sim_map_has(c, &m, stop))
		goto out;
	if (s->filter == NULL)
		s->filter = calloc(SIM_FILTER_MAX, sizeof(*s->filter));
	if (s->filter == NULL) {
		sim_fail(c, 500, "out of memory");
		goto out;
	}
	want.actions = sim_map_actions(&m);
	add_marks(s, &m, &want, start, stop);
	json_decref(want.actions);
out:
	sim_map_fini(&m);
}

void
sim_filter_clear(struct sim_call *c)
{
	c->session->nfilter = 0;
	c->session->filter_full = false;
}

/* ---- Set ---- */

void
sim_set(struct sim_call *c)
{
	char buf[32];
	enum sim_found found;
	int64_t i;
	struct sim_map m;

	found = sim_integer(c, "register", 0, INT32_MAX, &i);
	if (found == SIM_BLANK)
		sim_fail(c, 400, SIM_MISSING_REGISTER);
	if (found != SIM_OK)
		return;
	if (sim_map_init(c, &m) && sim_map_has(c, &m, i)) {
		struct sim_cell cell = sim_map_cell(&m, (uint32_t)i);

		if (sim_ticked(c, "writeable") &&
		    (cell.run == NULL || !cell.run->writable))
			sim_fail(c, 409,
			    "register %u cannot be made writable: what clients "
			    "may write is what the configuration says",
			    (unsigned)i);
		else if (sim_field(c, "value", buf, sizeof(buf)) != NULL)
			sim_cells_set(c, &m, (uint32_t)i);
		else if (sim_ticked(c, "value") &&
		    !json_is_string(json_object_get(c->in, "value")))
			sim_fail(c, 400, "value must be a number or a text");
		else if (!sim_ticked(c, "writeable"))
			sim_fail(c, 400, "value is missing");
	}
	sim_map_fini(&m);
}

/* ---- what is shown ---- */

/* REST: the registers of the range. */
static json_t *
rows_of_range(struct sim_call *c, const struct sim_map *m)
{
	int64_t start = 0, stop = 0, other;
	json_t *rows = NULL;
	uint32_t *index;
	size_t n = 0;
	int found = sim_range(c, &start, &stop);

	if (found == 0) {
		/* whoever has set one wants to see it */
		if (strcmp(sim_submit(c), "Set") == 0 &&
		    sim_integer(c, "register", 0, INT32_MAX, &other) == SIM_OK)
			start = other;
		stop = start;
	}
	if (found == -1 || !sim_map_has(c, m, start) ||
	    !sim_map_has(c, m, stop))
		return NULL;
	if (stop - start >= SIM_ROWS_MAX) {
		sim_fail(c, 400,
		    "%lld registers are asked for; an answer has up to %d",
		    (long long)(stop - start + 1), SIM_ROWS_MAX);
		return NULL;
	}
	index = calloc((size_t)(stop - start) + 1, sizeof(*index));
	if (index == NULL) {
		sim_fail(c, 500, "out of memory");
		return NULL;
	}
	for (int64_t i = start; i <= stop; i++)
		index[n++] = (uint32_t)i;
	rows = sim_cells_rows(c, m, index, n, false);
	free(index);
	return rows;
}

/* The page: those of the filter that are there. */
static json_t *
rows_of_filter(struct sim_call *c, const struct sim_map *m)
{
	const struct sim_session *s = c->session;
	uint32_t index[SIM_FILTER_MAX];
	size_t n = 0;

	for (size_t i = 0; i < s->nfilter; i++)
		if (MARK_DEVICE(s->filter[i]) == m->index &&
		    MARK_REGISTER(s->filter[i]) < m->n)
			index[n++] = MARK_REGISTER(s->filter[i]);
	return sim_cells_rows(c, m, index, n, true);
}

/* Where the tables lie, where they are not one. */
static json_t *
blocks(const struct sim_map *m)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < SIM_BLOCKS && !m->shared; i++)
		if (m->block[i].n > 0)
			json_array_append_new(all,
			    json_pack("{s:s, s:i, s:i}", "table",
				m->block[i].table, "first",
				(int)m->block[i].first, "last",
				(int)(m->block[i].first + m->block[i].n - 1)));
	return all;
}

static const char *
page_foot(const struct sim_session *s, size_t n, char *buf, size_t size)
{
	if (s->filter_full)
		snprintf(
		    buf, size, "Max. filter size %d exceeded!", SIM_FILTER_MAX);
	else if (n == 0)
		snprintf(buf, size, "Nothing selected");
	else
		snprintf(buf, size, "%zu register(s) monitored", n);
	return buf;
}

void
sim_registers(struct sim_call *c)
{
	char foot[64] = "Operation completed successfully";
	json_t *rows = NULL;
	struct sim_map m;

	if (!sim_map_init(c, &m))
		goto out;
	rows = c->html ? rows_of_filter(c, &m) : rows_of_range(c, &m);
	if (c->html)
		page_foot(
		    c->session, json_array_size(rows), foot, sizeof(foot));
	if (rows == NULL)
		rows = json_array();
	json_object_set_new(c->out, "footer",
	    c->html || c->why[0] == '\0' ? json_string(foot)
					 : jtext_bytes(c->why, strlen(c->why)));
	json_object_set_new(c->out, "register_types", sim_map_types(&m));
	json_object_set_new(c->out, "register_actions", sim_map_actions(&m));
	json_object_set_new(c->out, "register_rows", rows);
	if (c->html) {
		json_object_set_new(c->out, "device", json_string(m.device));
		json_object_set(c->out, "devices", m.devices);
		json_object_set_new(c->out, "blocks", blocks(&m));
		json_object_set_new(
		    c->out, "last", json_integer((json_int_t)m.n - 1));
	}
out:
	sim_map_fini(&m);
}
