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
#include "control/faults.h"
#include "control/jtext.h"
#include "control/view.h"
#include "shm/clock.h"
#include "shm/notice.h"
#include "shm/table.h"
#include "workers/proto/mb.h"

enum { EXCEPTIONS = 12, WORD_MAX = 48 };

/* ---- conditions ---- */

static bool
fail_value(struct cmd_call *call, const char *place, const char *words)
{
	cmd_fail(call, CMD_PARAMS, "bad_value", "%s: %s", place, words);
	return false;
}

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

static bool
take_transport(struct cmd_call *call, struct fault_rule *r)
{
	const char *name = cmd_string(call, "transport");

	if (name == NULL)
		return true;
	if (control_transport(call, name) == -1)
		return false;
	snprintf(r->transport, sizeof(r->transport), "%s", name);
	return true;
}

static bool
take_connection(struct cmd_call *call, struct fault_rule *r)
{
	const char *id = cmd_string(call, "connection");
	const struct conf *conf = call->control->proc->conf;

	if (id == NULL)
		return true;
	if (!view_parse_id(call->control, id, &r->connection) ||
	    !view_is_open(call->control, r->connection)) {
		cmd_fail(call, CMD_NOT_FOUND, "no_connection",
		    "connection: no connection \"%.60s\"", id);
		return false;
	}
	r->given |= FAULT_CONNECTION;
	if (r->transport[0] == '\0' ||
	    strcmp(conf->transports[CONN_ID_TRANSPORT(r->connection)].name,
		r->transport) == 0)
		return true;
	cmd_fail(call, CMD_PARAMS, "bad_value",
	    "connection: \"%.60s\" is none of transport %s", id, r->transport);
	return false;
}

static bool
take_code(struct cmd_call *call, const json_t *json, struct fault_rule *r)
{
	json_int_t fc = json_integer_value(json);

	if (!json_is_integer(json) || fc < 1 || fc > 127)
		return fail_value(
		    call, "fc", "a function code of 1..127 is wanted");
	r->fc[fc / 64] |= 1ull << fc % 64;
	return true;
}

static bool
take_codes(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *fc = json_object_get(call->params, "fc");
	size_t n = json_array_size(fc);

	if (fc == NULL)
		return true;
	if (!json_is_array(fc))
		return take_code(call, fc, r);
	for (size_t i = 0; i < n; i++)
		if (!take_code(call, json_array_get(fc, i), r))
			return false;
	return n > 0 || fail_value(call, "fc", "the list is empty");
}

/* Decimal or 0x digits up to `until`, and nothing else. */
static bool
number(const char *s, const char *until, uint32_t *out)
{
	char digits[12];
	size_t len = (size_t)(until - s);
	bool hex = len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, s, len);
	digits[len] = '\0';
	if (strspn(digits + (hex ? 2 : 0),
		hex ? "0123456789abcdefABCDEF" : "0123456789") !=
	    len - (hex ? 2 : 0))
		return false;
	*out = (uint32_t)strtoul(digits, NULL, hex ? 16 : 10);
	return true;
}

/* What stands behind the table: 100, 100+4 or 100-103. */
static bool
parse_addrs(const char *s, struct fault_rule *r)
{
	const char *end = s + strlen(s), *sep = strpbrk(s, "+-");
	uint32_t n;

	if (!number(s, sep != NULL ? sep : end, &r->first))
		return false;
	r->last = r->first;
	if (sep == NULL)
		return r->first < FAULT_ADDRS;
	if (!number(sep + 1, end, &n) || r->first >= FAULT_ADDRS)
		return false;
	if (*sep == '-')
		r->last = n;
	else if (n == 0 || n > FAULT_ADDRS)
		return false;
	else
		r->last = r->first + n - 1;
	return r->last >= r->first && r->last < FAULT_ADDRS;
}

static bool
parse_range(struct cmd_call *call, const char *s, struct fault_rule *r)
{
	const char *colon = strchr(s, ':'), *words[TABLE_WORDS];
	char name[WORD_MAX];
	int table;

	if (colon != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(colon - s), s);
		table = table_find(name);
		if (table == -1 || table >= TABLE_PLAIN) {
			cmd_fail(call, CMD_PARAMS, "bad_value",
			    "range: \"%.60s\": no table \"%.40s\"%s", s, name,
			    cmd_near(
				name, words, table_words(words, TABLE_PLAIN)));
			return false;
		}
		r->given |= FAULT_TABLE;
		r->table = (uint32_t)table;
	}
	if (parse_addrs(colon != NULL ? colon + 1 : s, r))
		return true;
	cmd_fail(call, CMD_PARAMS, "bad_value",
	    "range: \"%.60s\": TABLE:ADDR+COUNT is wanted, within 0..65535", s);
	return false;
}

static bool
take_range(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *range = json_object_get(call->params, "range");
	json_int_t first, last;

	if (range == NULL)
		return true;
	r->given |= FAULT_RANGE;
	if (json_is_string(range))
		return parse_range(call, json_string_value(range), r);
	if (json_array_size(range) != 2 ||
	    !json_is_integer(json_array_get(range, 0)) ||
	    !json_is_integer(json_array_get(range, 1)))
		return fail_value(call, "range",
		    "[FIRST, LAST] or \"TABLE:ADDR+COUNT\" is wanted");
	first = json_integer_value(json_array_get(range, 0));
	last = json_integer_value(json_array_get(range, 1));
	if (first < 0 || last < first || last >= FAULT_ADDRS)
		return fail_value(call, "range",
		    "[FIRST, LAST] within 0..65535 is wanted, LAST not below "
		    "FIRST");
	r->first = (uint32_t)first;
	r->last = (uint32_t)last;
	return true;
}

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
		return fail_value(
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

static void
take_limits(struct cmd_call *call, struct fault_rule *r)
{
	const json_t *expires = json_object_get(call->params, "expires_s");
	const json_t *unit = json_object_get(call->params, "unit");

	r->rate = share(call, "rate_pct", 100);
	r->count = (uint64_t)cmd_integer(call, "count", 0);
	r->since_ms = clock_unix_ms();
	if (expires != NULL)
		r->expires_ns = clock_mono_ns() +
		    (uint64_t)(json_number_value(expires) * 1e9);
	if (unit != NULL) {
		r->given |= FAULT_UNIT;
		r->unit = (uint32_t)json_integer_value(unit);
	}
}

void
cmd_faults_add(struct cmd_call *call)
{
	const struct proc *p = call->control->proc;
	struct fault_rule r = { 0 };
	const char *why;
	uint64_t id;

	if (!take_transport(call, &r) || !take_connection(call, &r) ||
	    !take_codes(call, &r) || !take_range(call, &r) ||
	    !take_effects(call, &r) ||
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
