/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects what plugins bring beside transports, refuses what cannot be right,
 * and shows traffic to those who want to see it. Runs in the workers: the
 * collecting before they serve, the showing on the request path, where it
 * allocates nothing.
 *
 * Several plugins see what comes in the order of the configuration, and what
 * leaves in the opposite one: what the last has done to a request, it is the
 * first to undo in the reply.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "shm/notice.h"
#include "workers/hooks/hooks_own.h"
#include "workers/who.h"

/* ---- collecting ---- */

static size_t
length(const void *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

/* A list of pointers to anything; they look alike. */
#define LIST(l) ((const void *const *)(const void *)(l))

static int
wrong_size(struct plugins *ps, const struct plugin *p, const char *what,
    size_t size, size_t known)
{
	return plugins_refuse(ps,
	    "%s: %s of it is %zu bytes and not the %zu that are known: it was "
	    "built for another version of Holdfast",
	    p->file, what, size, known);
}

static int
take_functions(struct plugins *ps, struct hooks *h, struct plugin *p)
{
	const struct hf_function *const *f = p->hooks.functions;

	for (; f != NULL && *f != NULL; f++) {
		struct hook_function *fn = &h->functions[h->nfunctions];

		if (!plugins_copy(&fn->f, sizeof(fn->f),
			UP_TO(struct hf_function, run), *f, (*f)->size))
			return wrong_size(
			    ps, p, "a function", (*f)->size, sizeof(fn->f));
		fn->plugin = p;
		if (hook_function_check(ps, fn) == -1)
			return -1;
		for (size_t i = 0; i < h->nfunctions; i++)
			if (h->functions[i].f.fc == fn->f.fc &&
			    h->functions[i].f.sub_len == fn->f.sub_len &&
			    h->functions[i].row.sub == fn->row.sub)
				return plugins_refuse(ps,
				    "function code %u is brought twice, as "
				    "\"%.40s\" by %s and as \"%.40s\" by %s",
				    fn->f.fc, h->functions[i].f.name,
				    h->functions[i].plugin->file, fn->f.name,
				    p->file);
		h->nfunctions++;
	}
	return 0;
}

static int
brought_twice(struct plugins *ps, const char *what, const char *name,
    const struct plugin *a, const struct plugin *b)
{
	return plugins_refuse(ps,
	    "the %s \"%.60s\" is brought twice, by %s "
	    "and %s",
	    what, name, a->file, b->file);
}

static int
take_actions(struct plugins *ps, struct hooks *h, struct plugin *p)
{
	const struct hf_action *const *a = p->hooks.actions;

	for (; a != NULL && *a != NULL; a++) {
		struct hook_action *at = &h->actions[h->nactions];

		if (!plugins_copy(&at->a, sizeof(at->a),
			UP_TO(struct hf_action, run), *a, (*a)->size))
			return wrong_size(
			    ps, p, "an action", (*a)->size, sizeof(at->a));
		at->plugin = p;
		if (at->a.name == NULL || at->a.name[0] == '\0' ||
		    at->a.run == NULL)
			return plugins_refuse(ps,
			    "%s: an action of it has no %s", p->file,
			    at->a.run == NULL ? "run" : "name");
		for (size_t i = 0; i < h->nactions; i++)
			if (strcmp(h->actions[i].a.name, at->a.name) == 0)
				return brought_twice(ps, "action", at->a.name,
				    h->actions[i].plugin, p);
		h->nactions++;
	}
	return 0;
}

static int
take_framers(struct plugins *ps, struct hooks *h, struct plugin *p)
{
	const struct hf_framer *const *f = p->hooks.framers;

	for (; f != NULL && *f != NULL; f++) {
		struct hook_framer *at = &h->framers[h->nframers];

		if (!plugins_copy(&at->f, sizeof(at->f),
			UP_TO(struct hf_framer, seal), *f, (*f)->size))
			return wrong_size(
			    ps, p, "a framer", (*f)->size, sizeof(at->f));
		at->plugin = p;
		if (hook_framer_check(ps, at) == -1)
			return -1;
		for (size_t i = 0; i < h->nframers; i++)
			if (strcmp(h->framers[i].f.name, at->f.name) == 0)
				return brought_twice(ps, "framer", at->f.name,
				    h->framers[i].plugin, p);
		h->nframers++;
	}
	return 0;
}

static struct hooks *
hooks_new(const struct plugins *ps)
{
	struct hooks *h = calloc(1, sizeof(*h));
	size_t functions = 0, actions = 0, framers = 0;

	for (size_t i = 0; i < ps->n; i++) {
		functions += length(LIST(ps->at[i].hooks.functions));
		actions += length(LIST(ps->at[i].hooks.actions));
		framers += length(LIST(ps->at[i].hooks.framers));
	}
	if (h == NULL)
		return NULL;
	h->functions = calloc(functions + 1, sizeof(*h->functions));
	h->actions = calloc(actions + 1, sizeof(*h->actions));
	h->framers = calloc(framers + 1, sizeof(*h->framers));
	h->heads = calloc(functions != 0 ? 128 : 1, sizeof(*h->heads));
	return h;
}

int
hooks_load(struct worker *w)
{
	struct plugins *ps = w->plugins;
	struct hooks *h;

	w->hooks = NULL;
	w->traced = 0;
	if (ps == NULL)
		return 0;
	w->hooks = h = hooks_new(ps);
	if (h == NULL || h->functions == NULL || h->actions == NULL ||
	    h->framers == NULL || h->heads == NULL) {
		w->why = "not enough memory";
		return -1;
	}
	for (size_t i = 0; i < ps->n; i++) {
		struct plugin *p = &ps->at[i];

		if (take_functions(ps, h, p) == -1 ||
		    take_actions(ps, h, p) == -1 ||
		    take_framers(ps, h, p) == -1)
			return -1;
		w->traced |= (p->hooks.trace_packet != NULL ? HOOK_PACKET : 0) |
		    (p->hooks.trace_pdu != NULL ? HOOK_PDU : 0) |
		    (p->hooks.trace_connect != NULL ? HOOK_CONNECT : 0) |
		    (p->hooks.refuse != NULL ? HOOK_REFUSE : 0);
	}
	return hooks_framer_known(w, w->conf->framer);
}

void
hooks_free(struct worker *w)
{
	struct hooks *h = w->hooks;

	w->hooks = NULL;
	w->traced = 0;
	if (h == NULL)
		return;
	free(h->functions);
	free(h->actions);
	free(h->framers);
	free(h->heads);
	free(h);
}

/* ---- showing ---- */

/* Who c is; the words stay until somebody else is asked about. */
static struct hf_traced
traced(struct worker *w, const struct shm_conn *c, const struct acl_peer *p)
{
	struct hooks *h = w->hooks;
	struct hf_traced t = { .peer = h->peer };
	uint64_t serial;

	if (c == NULL) {
		h->serial = 0;
		acl_peer_text(p, h->peer);
		return t;
	}
	serial = atomic_load_explicit(&c->serial, memory_order_relaxed);
	if (h->serial != serial)
		who_text(w->shm, c, h->peer);
	h->serial = serial;
	t.connection =
	    CONN_ID(w->proc->transport_index, w->proc->worker, serial);
	return t;
}

/* Plugin i of n in the order of this direction. */
static struct plugin *
in_turn(struct plugins *ps, size_t i, bool sending)
{
	return &ps->at[sending ? ps->n - 1 - i : i];
}

/* The hook has written into memory that was not its own. */
static void
check_room(const struct plugin *p, const char *call, size_t len, size_t room)
{
	if (len > room)
		fatal(EX_SOFTWARE, "%s: %s() made %zu bytes in room for %zu",
		    p->path, call, len, room);
}

size_t
hooks_packet(struct worker *w, const struct shm_conn *c,
    const struct acl_peer *from, bool sending, uint8_t *bytes, size_t len,
    size_t room)
{
	struct plugins *ps = w->plugins;
	struct hf_traced t = traced(w, c, from);
	uint32_t was;

	t.sending = sending;
	for (size_t i = 0; i < ps->n && len > 0; i++) {
		struct plugin *p = in_turn(ps, i, sending);

		if (p->hooks.trace_packet == NULL)
			continue;
		t.host = &p->host;
		was = plugin_enter(p);
		len = p->hooks.trace_packet(p->hooks.arg, &t, bytes, len, room);
		plugin_leave(p, was);
		check_room(p, "trace_packet", len, room);
	}
	return len;
}

size_t
hooks_pdu(struct worker *w, const struct shm_conn *c, const struct frame *f,
    bool sending, unsigned refused, uint8_t *pdu, size_t len)
{
	struct plugins *ps = w->plugins;
	struct hf_traced t = traced(w, c, NULL);
	uint32_t was;

	t.sending = sending;
	t.unit = f->unit;
	t.refused = (uint8_t)refused;
	t.transaction = f->tid;
	ps->delay_ms = 0;
	for (size_t i = 0; i < ps->n && len > 0; i++) {
		struct plugin *p = in_turn(ps, i, sending);

		if (p->hooks.trace_pdu == NULL)
			continue;
		t.host = &p->host;
		was = plugin_enter(p);
		len =
		    p->hooks.trace_pdu(p->hooks.arg, &t, pdu, len, MB_PDU_MAX);
		plugin_leave(p, was);
		check_room(p, "trace_pdu", len, MB_PDU_MAX);
	}
	return len;
}

uint32_t
hooks_delay_ms(const struct worker *w)
{
	return w->plugins->delay_ms;
}

enum mb_ex
hooks_refuse(struct worker *w, const struct shm_conn *c, const struct frame *f,
    bool broadcast)
{
	struct plugins *ps = w->plugins;
	struct hf_traced t = traced(w, c, NULL);
	enum hf_exception ex = HF_EX_NONE;
	uint32_t was;

	t.unit = f->unit;
	t.transaction = f->tid;
	t.broadcast = broadcast;
	for (size_t i = 0; i < ps->n && ex == HF_EX_NONE; i++) {
		const struct plugin *p = &ps->at[i];

		if (p->hooks.refuse == NULL)
			continue;
		t.host = &p->host;
		was = plugin_enter(p);
		ex = p->hooks.refuse(p->hooks.arg, &t, f->pdu, f->pdu_len);
		plugin_leave(p, was);
	}
	return ex <= UINT8_MAX ? (enum mb_ex)ex : MB_EX_FAILURE;
}

void
hooks_connect(struct worker *w, const struct shm_conn *c, bool connected)
{
	struct plugins *ps = w->plugins;
	struct hf_traced t = traced(w, c, NULL);
	uint32_t was;

	for (size_t i = 0; i < ps->n; i++) {
		struct plugin *p = in_turn(ps, i, !connected);

		if (p->hooks.trace_connect == NULL)
			continue;
		t.host = &p->host;
		was = plugin_enter(p);
		p->hooks.trace_connect(p->hooks.arg, &t, connected);
		plugin_leave(p, was);
	}
}
