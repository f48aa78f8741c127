/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the workers' segments. Runs in the control process; maps them
 * read-only, and never follows an offset or a count that stands in them.
 */

#include "control/view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/jtext.h"
#include "control/take.h"
#include "shm/log.h"
#include "shm/notice.h"

struct view *
view_new(const struct conf *conf, const unsigned *places, unsigned *n)
{
	struct view *views;
	unsigned at = 0;

	*n = 0;
	for (size_t t = 0; t < conf->ntransports; t++)
		*n += conf->transports[t].workers;
	views = calloc(*n > 0 ? *n : 1, sizeof(*views));
	for (size_t t = 0; views != NULL && t < conf->ntransports; t++)
		for (unsigned w = 0; w < conf->transports[t].workers; w++)
			views[at++] = (struct view){
				.transport = (unsigned)t,
				.worker = w,
				.place = places[t],
			};
	return views;
}

int
view_init(struct control *c)
{
	c->views = view_new(c->proc->conf, c->places, &c->nviews);
	return c->views != NULL ? 0 : -1;
}

void
view_replace(struct control *c, struct view *views, unsigned n)
{
	view_fini(c);
	c->views = views;
	c->nviews = n;
}

void
view_fini(struct control *c)
{
	for (unsigned i = 0; i < c->nviews; i++)
		if (c->views[i].seg.at != NULL)
			seg_unmap(&c->views[i].seg);
	free(c->views);
	c->views = NULL;
	c->nviews = 0;
}

bool
view_attach(struct control *c, struct view *v)
{
	const struct conf *conf = c->proc->conf;
	char object[sizeof(v->seg.object)];

	if (v->seg.at != NULL)
		return true;
	seg_object_name(object, sizeof(object), conf->store, SHM_WORKER,
	    conf->transports[v->transport].name, v->worker);
	if (seg_attach(&v->seg, object, SHM_WORKER, false) == -1) {
		v->seg.at = NULL;
		if (errno != ENOENT)
			log_warn("cannot attach to %s", object);
		return false;
	}
	return true;
}

static void
format_peer(const struct shm_conn *conn, const struct shm_conn_who *who,
    char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	uint8_t addr[16];

	memcpy(addr, conn->addr, sizeof(addr));
	if (conn->family == AF_INET6 &&
	    inet_ntop(AF_INET6, addr, host, sizeof(host)) != NULL)
		snprintf(text, size, "[%s]:%u", host, conn->port);
	else if (conn->family == AF_INET &&
	    inet_ntop(AF_INET, addr, host, sizeof(host)) != NULL)
		snprintf(text, size, "%s:%u", host, conn->port);
	else
		snprintf(text, size, "%.*s", CONN_PEER_MAX, who->peer);
}

/* The length is the worker's word: it is not believed. */
static void
copy_role(struct view_conn *out, const struct shm_conn_who *who)
{
	int len = atomic_load_explicit(&who->role_len, memory_order_acquire);

	out->role_len = len <= CONN_ROLE_MAX + 1 ? len - 1 : -1;
	memcpy(out->role, who->role, sizeof(out->role));
}

bool
view_conn(const struct view *v, unsigned i, struct view_conn *out)
{
	const struct shm_conn *conn = seg_conn(seg_worker(&v->seg), i);
	const struct shm_conn_who *who = seg_who(seg_worker(&v->seg), i);

	if (atomic_load_explicit(&conn->used, memory_order_acquire) !=
	    CONN_USED)
		return false;
	out->serial =
	    atomic_load_explicit(&conn->serial, memory_order_relaxed) &
	    0xffffffffffffull;
	out->requests =
	    atomic_load_explicit(&conn->requests, memory_order_relaxed);
	out->since_ms =
	    atomic_load_explicit(&conn->since_ms, memory_order_relaxed);
	out->last_fc =
	    atomic_load_explicit(&conn->last_fc, memory_order_relaxed) & 0xff;
	format_peer(conn, who, out->peer, sizeof(out->peer));
	copy_role(out, who);
	/* it may have been closed and given to another one meanwhile */
	return atomic_load_explicit(&conn->used, memory_order_acquire) ==
	    CONN_USED &&
	    (atomic_load_explicit(&conn->serial, memory_order_relaxed) &
		0xffffffffffffull) == out->serial;
}

json_t *
view_role(const char *role, int len)
{
	return len < 0 ? json_null() : jtext_bytes(role, (size_t)len);
}

unsigned
view_conns(const struct view *v)
{
	return seg_conns(seg_worker(&v->seg));
}

const struct shm_stats *
view_stats(const struct view *v)
{
	return &seg_worker(&v->seg)->stats;
}

static uint64_t
sum(const _Atomic uint64_t *counter, unsigned n)
{
	uint64_t total = 0;

	while (n-- > 0)
		total += atomic_load_explicit(counter++, memory_order_relaxed);
	return total;
}

void
view_sum(struct control *c, unsigned transport, struct view_sums *sums)
{
	*sums = (struct view_sums){ 0 };
	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];
		const struct shm_stats *st;

		if (v->transport != transport || !view_attach(c, v))
			continue;
		st = view_stats(v);
		sums->connections += sum(&st->conns_open, 1);
		sums->requests += sum(st->requests, SHM_FC);
		sums->exceptions += sum(st->exceptions, SHM_EX);
		sums->errors += sum(&st->frames_bad, 1);
	}
}

void
view_format_id(struct control *c, unsigned transport, unsigned worker,
    uint64_t serial, char *text, size_t size)
{
	snprintf(text, size, "%s.%u.%" PRIu64,
	    c->proc->conf->transports[transport].name, worker, serial);
}

bool
view_parse_id(struct control *c, const char *text, uint64_t *id)
{
	const struct conf *conf = c->proc->conf;
	const char *dot = strchr(text, '.'); /* no name holds one */
	unsigned worker;
	uint64_t serial;
	char end;

	if (dot == NULL ||
	    sscanf(dot, ".%3u.%15" SCNu64 "%c", &worker, &serial, &end) != 2)
		return false;
	for (size_t t = 0; t < conf->ntransports; t++) {
		const struct conf_transport *tr = &conf->transports[t];

		if (strlen(tr->name) == (size_t)(dot - text) &&
		    strncmp(tr->name, text, (size_t)(dot - text)) == 0 &&
		    worker < tr->workers && serial <= 0xffffffffffffull) {
			*id = CONN_ID(take_place(c, t), worker, serial);
			return true;
		}
	}
	return false;
}

bool
view_is_open(struct control *c, uint64_t id)
{
	struct view_conn conn;

	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if (v->place != CONN_ID_TRANSPORT(id) ||
		    v->worker != CONN_ID_WORKER(id) || !view_attach(c, v))
			continue;
		for (unsigned n = 0; n < view_conns(v); n++)
			if (view_conn(v, n, &conn) &&
			    conn.serial == CONN_ID_SERIAL(id))
				return true;
	}
	return false;
}
