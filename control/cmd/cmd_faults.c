/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.*: rules by which replies are spoiled, written into the control
 * segment, where the workers find them. Runs in the control processes.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/cmd/fault_where.h"
#include "control/faults.h"
#include "control/jtext.h"
#include "shm/clock.h"
#include "shm/notice.h"
#include "workers/proto/mb.h"

enum { EXCEPTIONS = 12, WORD_MAX = 48 };

/* ---- effects ---- */

/* "illegal_data_address", or with blanks or dashes. */
static bool
find_exception(struct cmd_call *call, const char *typed, uint32_t *out)
{
	static char names[EXCEPTIONS][WORD_MAX];
	const char *list[EXCEPTIONS];
	char word[WORD_MAX];
	size_t n = 0;

	snprintf(word, sizeof(word), "%s", typed);
	for (char *p = word; *p != '\0'; p++)
		if (*p == ' ' || *p == '-')
			*p = '_';
	for (unsigned ex = 1; ex < EXCEPTIONS; ex++) {
		snprintf(names[n], sizeof(names[n]), "%s",
		    mb_ex_name((enum mb_ex)ex));
		if (strncmp(names[n], "unknown", 7) == 0)
			continue;
		for (char *p = names[n]; *p != '\0'; p++)
			if (*p == ' ')
				*p = '_';
		*out = ex;
		if (strcmp(names[n], word) == 0)
			return true;
		list[n] = names[n];
		n++;
	}
	cmd_fail(call, CMD_PARAMS, "bad_value",
	    "exception: no exception \"%.40s\"%s", typed,
	    cmd_near(word, list, n));
	return false;
}

static bool
take_exception(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *ex = json_object_get(call->params, "exception");

	if (ex == NULL)
		return true;
	r->effects |= FAULT_EXCEPTION;
	if (json_is_string(ex))
		return find_exception(
		    call, json_string_value(ex), &r->exception);
	if (!json_is_integer(ex) || json_integer_value(ex) < 1 ||
	    json_integer_value(ex) > 255)
		return cmd_fail_value(
		    call, "exception", "a code of 1..255 or a name is wanted");
	r->exception = (uint32_t)json_integer_value(ex);
	return true;
}

/* A number of something; 0 is as if it were left out. */
static void
take_number(struct cmd_call *call, const char *name, struct fault_rule *r,
    uint32_t effect, uint32_t *out)
{
	*out = (uint32_t)cmd_integer(call, name, 0);
	if (*out != 0)
		r->effects |= effect;
}

static void
take_flag(struct cmd_call *call, const char *name, struct fault_rule *r,
    uint32_t effect)
{
	if (json_is_true(json_object_get(call->params, name)))
		r->effects |= effect;
}

/* Percent of something as a share of a million. */
static uint32_t
share(const struct cmd_call *call, const char *name, double other)
{
	const json_t *pct = json_object_get(call->params, name);
	double n = pct != NULL ? json_number_value(pct) : other;

	return (uint32_t)(n * (FAULT_MILLION / 100.0) + 0.5);
}

static bool
take_effects(struct cmd_call *call, struct fault_rule *r)
{
	take_number(call, "delay_ms", r, FAULT_DELAY, &r->delay_ms);
	take_number(call, "junk_bytes", r, FAULT_JUNK, &r->junk_bytes);
	take_number(call, "split_ms", r, FAULT_SPLIT, &r->split_ms);
	r->change = share(call, "change_pct", 0);
	if (r->change != 0)
		r->effects |= FAULT_CHANGE;
	r->change_rate = share(call, "change_rate_pct", 0);
	take_flag(call, "drop", r, FAULT_DROP);
	take_flag(call, "wrong_unit", r, FAULT_UNIT_WRONG);
	take_flag(call, "bad_crc", r, FAULT_CRC);
	return take_exception(call, r);
}

/* ---- the commands ---- */

static bool
take_text(struct cmd_call *call, const char *name, char *out, size_t size)
{
	const char *s = cmd_string(call, name);

	if (s == NULL)
		return true;
	if (strlen(s) >= size) {
		cmd_fail(call, CMD_PARAMS, "too_long",
		    "%s: at most %zu bytes are possible", name, size - 1);
		return false;
	}
	snprintf(out, size, "%s", s);
	return true;
}

static void
take_limits(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *expires = json_object_get(call->params, "expires_s");

	r->rate = share(call, "rate_pct", 100);
	r->count = (uint64_t)cmd_integer(call, "count", 0);
	r->since_ms = clock_unix_ms();
	if (expires != NULL)
		r->expires_ns = clock_mono_ns() +
		    (uint64_t)(json_number_value(expires) * 1e9);
}

void
cmd_faults_add(struct cmd_call *call)
{
	const struct proc *p = call->control->proc;
	struct fault_rule r = { 0 };
	const char *why;
	uint64_t id;

	if (!fault_where(call, &r) || !take_effects(call, &r) ||
	    !take_text(call, "note", r.note, sizeof(r.note)))
		return;
	take_limits(call, &r);
	snprintf(
	    r.by, sizeof(r.by), "%s", slot_name(p->env.control, p->env.me));
	why = fault_why_not(&r);
	if (why != NULL) {
		cmd_fail(call, CMD_PARAMS,
		    r.effects == 0 ? "missing_param" : "bad_value", "%s%s", why,
		    r.effects == 0
			? ": exception, delay_ms, drop, junk_bytes, split_ms, "
			  "change_pct, wrong_unit or bad_crc"
			: "");
		return;
	}
	id = fault_add(&p->env, &r);
	if (id == 0)
		cmd_fail(call, CMD_REFUSED, "too_many",
		    "there are %d rules already: no more are possible",
		    SHM_FAULTS);
	else
		call->result = json_pack("{s:o}", "id", jtext_uint(id));
}

static json_t *
describe(struct control *c, const struct fault_live *f, uint64_t now_ns)
{
	json_t *out = json_pack("{s:o}", "id", jtext_uint(f->id));
	json_t *rule = faults_json(c, &f->rule);
	uint64_t end = f->rule.expires_ns, count = f->rule.count;

	json_object_update(out, rule);
	json_decref(rule);
	json_object_set_new(out, "hits", jtext_uint(f->hits));
	json_object_set_new(out, "left",
	    count != 0 ? jtext_uint(count - f->hits) : json_null());
	if (end != 0)
		end = end > now_ns ? (end - now_ns) / 1000000 : 0;
	json_object_set_new(out, "expires_in_s",
	    f->rule.expires_ns != 0 ? jtext_float64((double)end / 1e3)
				    : json_null());
	json_object_set_new(
	    out, "since", jtext_float64((double)f->rule.since_ms / 1e3));
	json_object_set_new(
	    out, "by", jtext_bytes(f->rule.by, strlen(f->rule.by)));
	return out;
}

static int
by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct fault_live *)a)->id,
		 y = ((const struct fault_live *)b)->id;

	return x < y ? -1 : x > y;
}

/* All that are in force, the oldest first; how many. */
static unsigned
collect(struct control *c, struct fault_live out[SHM_FAULTS])
{
	uint64_t now_ns = clock_mono_ns(), due_ns;
	unsigned n = 0;

	fault_sweep(&c->proc->env, now_ns, &due_ns);
	for (unsigned i = 0; i < SHM_FAULTS; i++) {
		const struct fault_rule *r = &out[n].rule;

		if (!fault_get(c->shm, i, &out[n]))
			continue;
		if ((r->expires_ns != 0 && r->expires_ns <= now_ns) ||
		    (r->count != 0 && out[n].hits >= r->count))
			continue; /* just now */
		n++;
	}
	qsort(out, n, sizeof(out[0]), by_id);
	return n;
}

void
cmd_faults_list(struct cmd_call *call)
{
	struct control *c = call->control;
	static struct fault_live all[SHM_FAULTS];
	unsigned n = collect(c, all);
	uint64_t now_ns = clock_mono_ns();

	call->result = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(
		    call->result, describe(c, &all[i], now_ns));
}

void
cmd_faults_clear(struct cmd_call *call)
{
	struct control *c = call->control;
	static struct fault_live all[SHM_FAULTS];
	uint64_t id = (uint64_t)cmd_integer(call, "id", 0);
	unsigned n = collect(c, all), cleared = 0;
	bool found = id == 0;

	for (unsigned i = 0; i < n; i++) {
		if (id != 0 && all[i].id != id)
			continue;
		found = true;
		if (fault_end(&c->proc->env, &all[i], FAULT_CLEARED))
			cleared++;
	}
	if (found)
		call->result = json_pack("{s:i}", "cleared", (int)cleared);
	else
		cmd_fail(
		    call, CMD_NOT_FOUND, "no_fault", "no fault %" PRIu64, id);
}
