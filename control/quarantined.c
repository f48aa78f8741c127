/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is kept out and what is answered 04, from the workers' own segments:
 * their words, which are copied, shown and decide nothing. Runs in the control
 * process. Writes one word of an entry, the time until which it is remembered.
 */
#include "control/quarantined.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/jtext.h"
#include "control/view.h"
#include "shm/clock.h"

enum { NAME = SHM_POISON_PEER + 4 };

/* An entry, copied. */
struct entry {
	uint64_t until_ns;
	char peer[NAME];
	bool out, known;
	unsigned count;
	uint8_t unit, len, pdu[SHM_PDU_MAX];
};

/* Such hosts are told apart by the whole address. */
static bool
on_link(const uint64_t net[2])
{
	struct in6_addr a;

	memcpy(&a, net, sizeof(a));
	return IN6_IS_ADDR_LINKLOCAL(&a);
}

static void
name_host(const struct shm_poison *e, char name[NAME])
{
	uint64_t net[2] = { atomic_load(&e->net[0]), atomic_load(&e->net[1]) };
	char host[INET6_ADDRSTRLEN];
	int family = (int)atomic_load(&e->family);

	if ((family == AF_INET || family == AF_INET6) &&
	    inet_ntop(family, net, host, sizeof(host)) != NULL)
		snprintf(name, NAME, "%s%s", host,
		    family == AF_INET6 && !on_link(net) ? "/64" : "");
	else
		snprintf(name, NAME, "%.*s", (int)strnlen(e->peer, NAME - 4),
		    e->peer);
}

/* False if there is nothing in it, or what is remembered has no consequence. */
static bool
copy(const struct shm_poison *e, uint64_t now_ns, struct entry *to)
{
	uint8_t len = e->len;

	to->until_ns = atomic_load(&e->until_ns);
	to->out = atomic_load(&e->shut) != 0;
	to->known = atomic_load(&e->known) != 0;
	to->count = atomic_load(&e->count);
	to->unit = e->unit;
	to->len = len <= sizeof(to->pdu) ? len : 0;
	memcpy(to->pdu, e->pdu, sizeof(to->pdu));
	name_host(e, to->peer);
	return to->until_ns > now_ns && (to->out || to->known);
}

/* Calls fn for each entry of a transport, or of all (-1). */
static void
each(struct control *c, int transport, json_t *out,
    void (*fn)(struct control *, const struct view *, const struct entry *,
	double for_s, json_t *))
{
	uint64_t now = clock_mono_ns();
	struct entry e;

	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if ((transport != -1 && v->transport != (unsigned)transport) ||
		    !view_attach(c, v))
			continue;
		for (unsigned n = 0; n < POISON_PEERS; n++)
			if (copy(&seg_worker(&v->seg)->poison[n], now, &e))
				fn(c, v, &e, (double)(e.until_ns - now) / 1e9,
				    out);
	}
}

/* True if *one says the same of the peer as a row of the list; that then has
 * the longer time. Several workers may know the same. */
static bool
is_told(json_t *list, json_t *one)
{
	static const char *const keys[] = { "transport", "peer", "unit",
		"pdu" };
	static const char *const flags[] = { "kept_out", "refused" };
	json_t *row, *a, *b, *for_s = json_object_get(one, "for_s");
	bool same;
	size_t i;

	json_array_foreach (list, i, row) {
		same = true;
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			a = json_object_get(row, keys[k]);
			b = json_object_get(one, keys[k]);
			same &= (a == NULL && b == NULL) || json_equal(a, b);
		}
		if (!same)
			continue;
		if (json_number_value(json_object_get(row, "for_s")) <
		    json_number_value(for_s))
			json_object_set(row, "for_s", for_s);
		for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++)
			if (json_is_true(json_object_get(one, flags[k])))
				json_object_set_new(row, flags[k], json_true());
		return true;
	}
	return false;
}

static void
add(json_t *list, json_t *one)
{
	if (is_told(list, one))
		json_decref(one);
	else
		json_array_append_new(list, one);
}

static void
add_out(struct control *c, const struct view *v, const struct entry *e,
    double for_s, json_t *list)
{
	(void)c;
	(void)v;
	if (e->out)
		add(list,
		    json_pack("{s:o, s:o}", "peer",
			jtext_bytes(e->peer, strlen(e->peer)), "for_s",
			jtext_float64(for_s)));
}

json_t *
quarantined_json(struct control *c, unsigned transport)
{
	json_t *list = json_array();

	each(c, (int)transport, list, add_out);
	return list;
}

static void
add_all(struct control *c, const struct view *v, const struct entry *e,
    double for_s, json_t *list)
{
	char hex[2 * SHM_PDU_MAX + 1] = "";
	bool told = e->len != 0;

	for (unsigned i = 0; i < e->len; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x", e->pdu[i]);
	add(list,
	    json_pack("{s:s, s:o, s:b, s:b, s:o, s:i, s:o, s:o, s:o}",
		"transport", c->proc->conf->transports[v->transport].name,
		"peer", jtext_bytes(e->peer, strlen(e->peer)), "kept_out",
		e->out, "refused", e->known, "for_s", jtext_float64(for_s),
		"count", (int)e->count, "unit",
		told ? json_integer(e->unit) : json_null(), "fc",
		told ? json_integer(e->pdu[0]) : json_null(), "pdu",
		told ? json_string(hex) : json_null()));
}

json_t *
quarantined_list(struct control *c, int transport)
{
	json_t *list = json_array();

	each(c, transport, list, add_all);
	return list;
}

/* ---- lifting ---- */

/* Forgets a worker's entries of a peer. Only if it is still of that: the worker
 * may be about to give it to another, and then the time is another one. */
static void
forget(struct shm_worker *w, const char *peer)
{
	uint64_t now = clock_mono_ns();

	for (unsigned n = 0; n < POISON_PEERS; n++) {
		struct shm_poison *e = &w->poison[n];
		uint64_t until = atomic_load(&e->until_ns);
		char name[NAME];

		name_host(e, name);
		if (until > now && (peer == NULL || strcmp(name, peer) == 0))
			atomic_compare_exchange_strong(&e->until_ns, &until, 0);
	}
}

/* Each peer of a transport once. */
static int
count_peers(struct control *c, int transport, const char *peer)
{
	json_t *list = quarantined_list(c, transport), *row, *before;
	size_t i, k;
	int n = 0;

	json_array_foreach (list, i, row) {
		json_t *name = json_object_get(row, "peer");

		if (peer != NULL &&
		    (json_string_value(name) == NULL ||
			strcmp(json_string_value(name), peer) != 0))
			continue;
		for (k = 0; k < i; k++) {
			before = json_array_get(list, k);
			if (json_equal(json_object_get(before, "peer"), name) &&
			    json_equal(json_object_get(before, "transport"),
				json_object_get(row, "transport")))
				break;
		}
		n += k == i;
	}
	json_decref(list);
	return n;
}

int
quarantined_lift(struct control *c, int transport, const char *peer)
{
	int n = count_peers(c, transport, peer), err = 0;
	struct seg seg;

	for (unsigned i = 0; n > 0 && i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if ((transport != -1 && v->transport != (unsigned)transport) ||
		    !view_attach(c, v))
			continue;
		/* they are mapped read-only; for this once, one is not */
		if (seg_attach(&seg, v->seg.object, SHM_WORKER, true) == -1) {
			err = errno; /* the others' all the same */
			continue;
		}
		forget(seg_worker(&seg), peer);
		seg_unmap(&seg);
	}
	if (err == 0)
		return n;
	errno = err;
	return -1;
}
