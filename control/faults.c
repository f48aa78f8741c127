/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault rules as the control processes show them. What lies in the table is
 * bytes from outside; fault_get() has checked them.
 */

#include "control/faults.h"

#include <stdio.h>
#include <string.h>

#include "control/jtext.h"
#include "control/take.h"
#include "control/view.h"
#include "shm/notice.h"
#include "shm/table.h"

/* How often the connections that rules are for are looked for. */
#define BOUND_NS 500000000u

static json_t *
text(const char *s)
{
	return jtext_bytes(s, strlen(s));
}

/* A share of a million as a percentage. */
static json_t *
percent(uint32_t share)
{
	if (share % (FAULT_MILLION / 100) == 0)
		return json_integer(share / (FAULT_MILLION / 100));
	return jtext_float64(share / (FAULT_MILLION / 100.0));
}

/* One code, or all of them. */
static json_t *
codes(const uint64_t fc[4])
{
	json_t *all = json_array(), *one;

	for (unsigned i = 0; i < 256; i++)
		if ((fc[i / 64] >> i % 64 & 1) != 0)
			json_array_append_new(all, json_integer(i));
	if (json_array_size(all) != 1)
		return all;
	one = json_incref(json_array_get(all, 0));
	json_decref(all);
	return one;
}

static json_t *
range(const struct fault_rule *r)
{
	char words[40];

	if ((r->given & FAULT_TABLE) == 0)
		return json_pack("[i, i]", (int)r->first, (int)r->last);
	snprintf(words, sizeof(words), "%s:%u",
	    table_short((enum store_table)r->table), r->first);
	if (r->last != r->first)
		snprintf(words + strlen(words), sizeof(words) - strlen(words),
		    "+%u", r->last - r->first + 1);
	return json_string(words);
}

static json_t *
connection(struct control *c, uint64_t id)
{
	int transport = take_transport(c, CONN_ID_TRANSPORT(id));
	char words[SHM_NAME_MAX + 32];

	if (transport == -1)
		return json_null();
	view_format_id(c, (unsigned)transport, CONN_ID_WORKER(id),
	    CONN_ID_SERIAL(id), words, sizeof(words));
	return json_string(words);
}

static void
add_conditions(struct control *c, const struct fault_rule *r, json_t *out)
{
	if (r->transport[0] != '\0')
		json_object_set_new(out, "transport", text(r->transport));
	if ((r->given & FAULT_CONNECTION) != 0)
		json_object_set_new(
		    out, "connection", connection(c, r->connection));
	if ((r->given & FAULT_UNIT) != 0)
		json_object_set_new(out, "unit", json_integer(r->unit));
	if ((r->fc[0] | r->fc[1] | r->fc[2] | r->fc[3]) != 0)
		json_object_set_new(out, "fc", codes(r->fc));
	if ((r->given & FAULT_RANGE) != 0)
		json_object_set_new(out, "range", range(r));
	json_object_set_new(out, "rate_pct", percent(r->rate));
	if (r->count != 0)
		json_object_set_new(out, "count", jtext_uint(r->count));
}

static void
add_effects(const struct fault_rule *r, json_t *out)
{
	const struct {
		uint32_t effect;
		const char *name;
		uint32_t value;
	} plain[] = {
		{ FAULT_EXCEPTION, "exception", r->exception },
		{ FAULT_DELAY, "delay_ms", r->delay_ms },
		{ FAULT_JUNK, "junk_bytes", r->junk_bytes },
		{ FAULT_SPLIT, "split_ms", r->split_ms },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if ((r->effects & plain[i].effect) != 0)
			json_object_set_new(
			    out, plain[i].name, json_integer(plain[i].value));
	if ((r->effects & FAULT_DROP) != 0)
		json_object_set_new(out, "drop", json_true());
	if ((r->effects & FAULT_CHANGE) != 0)
		json_object_set_new(out, "change_pct", percent(r->change));
	if (r->change_rate != 0)
		json_object_set_new(
		    out, "change_rate_pct", percent(r->change_rate));
	if ((r->effects & FAULT_UNIT_WRONG) != 0)
		json_object_set_new(out, "wrong_unit", json_true());
	if ((r->effects & FAULT_CRC) != 0)
		json_object_set_new(out, "bad_crc", json_true());
	if (r->note[0] != '\0')
		json_object_set_new(out, "note", text(r->note));
}

json_t *
faults_json(struct control *c, const struct fault_rule *r)
{
	json_t *out = json_object();

	add_conditions(c, r, out);
	add_effects(r, out);
	return out;
}

/* Whether a rule may ever hit what a transport answers. */
static bool
can_hit(const struct control *c, const struct fault_rule *r, unsigned transport)
{
	const struct conf_transport *t = &c->proc->conf->transports[transport];

	if (t->type == CONF_SHM) /* nobody is answered there */
		return false;
	if (r->transport[0] != '\0' && strcmp(r->transport, t->name) != 0)
		return false;
	return (r->given & FAULT_CONNECTION) == 0 ||
	    CONN_ID_TRANSPORT(r->connection) == take_place(c, transport);
}

unsigned
faults_count(struct control *c, int transport)
{
	struct fault_live f;
	unsigned n = 0;

	faults_beat(c);
	for (unsigned i = 0; i < SHM_FAULTS; i++)
		if (fault_get(c->shm, i, &f) &&
		    (transport == -1 ||
			can_hit(c, &f.rule, (unsigned)transport)))
			n++;
	return n;
}

/* Whether a connection has ended; where there is no telling it has not. */
static bool
gone(struct control *c, uint64_t id)
{
	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if (v->place == CONN_ID_TRANSPORT(id) &&
		    v->worker == CONN_ID_WORKER(id))
			return view_attach(c, v) && !view_is_open(c, id);
	}
	return true; /* no worker can have it */
}

/* Ends the rules of connections that have gone: no other connection is ever
 * called the same, so they can hit nothing any more. */
static void
end_gone(struct control *c)
{
	struct fault_live f;

	c->faults_bound_ns = 0;
	for (unsigned i = 0; i < SHM_FAULTS; i++) {
		if (!fault_get(c->shm, i, &f) ||
		    (f.rule.given & FAULT_CONNECTION) == 0)
			continue;
		if (gone(c, f.rule.connection))
			fault_end(&c->proc->env, &f, FAULT_GONE);
		else
			c->faults_bound_ns = c->now_ns + BOUND_NS;
	}
}

void
faults_beat(struct control *c)
{
	uint64_t version =
	    atomic_load_explicit(&c->shm->faults.version, memory_order_acquire);

	if (version != c->faults_version ||
	    (c->faults_bound_ns != 0 && c->now_ns >= c->faults_bound_ns))
		end_gone(c);
	if (version == c->faults_version &&
	    (c->faults_due_ns == 0 || c->now_ns < c->faults_due_ns))
		return;
	c->faults_version = version;
	fault_sweep(&c->proc->env, c->now_ns, &c->faults_due_ns);
}
