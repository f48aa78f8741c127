/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of connections: which record is free, who was used last, who comes
 * from where. Runs in the workers. Decides nothing about bytes and closes
 * nobody on its own.
 */
#include "workers/conns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "shm/notice.h"
#include "workers/hooks/hooks.h"
#include "workers/conns_wait.h"

enum {
	PEERS_MIN = 16,
	PEERS_MAX = 4096,
	UNREADY_SHARE = 4, /* 1 / 4 of the connections */
};

static struct conn_list *
bucket(const struct conns *cs, const struct acl_peer *p)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(p->addr); i++)
		h = (h ^ p->addr[i]) * 16777619u;
	return &cs->peers[(h ^ h >> 16) & (cs->npeers - 1)];
}

/* Of an address and port together. */
static struct conn_ends *
end_list(const struct conns *cs, const struct acl_peer *p)
{
	uint64_t word[2], h = cs->seed;

	memcpy(word, p->addr, sizeof(word));
	h = (h ^ word[0]) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 32 ^ word[1]) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 32 ^ p->port) * 0x9e3779b97f4a7c15ull;
	return &cs->ends[h >> 40 & (cs->nends - 1)];
}

static uint64_t
unix_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool
conns_may_log(struct conns *cs)
{
	return worker_may_log(cs->worker);
}

static void
notify(const struct worker *w, enum notice_kind kind, const struct shm_conn *c,
    uint64_t b, const char *text)
{
	const struct proc *p = w->proc;

	notice_post(&p->env, kind, p->transport_index,
	    CONN_ID(p->transport_index, p->worker,
		atomic_load_explicit(&c->serial, memory_order_relaxed)),
	    b, text);
}

void
conns_tell_end(
    const struct conns *cs, const struct shm_conn *c, const char *why)
{
	notify(cs->worker, NOTICE_CONN_CLOSE, c,
	    atomic_load_explicit(&c->requests, memory_order_relaxed), why);
}

/* The limit is the transport's, so the others' counts are read too; where they
 * cannot be seen each worker takes its share. */
static void
find_siblings(struct conns *cs)
{
	struct proc *p = cs->worker->proc;
	unsigned n = cs->worker->conf->workers;
	char object[sizeof(cs->sibling[0].object)];

	if (n < 2)
		return;
	cs->sibling = calloc(n, sizeof(*cs->sibling));
	for (unsigned i = 0; cs->sibling != NULL && i < n; i++) {
		if (i == p->worker)
			continue;
		seg_object_name(object, sizeof(object), p->conf->store,
		    SHM_WORKER, p->transport->name, i);
		if (seg_attach(&cs->sibling[cs->nsiblings], object, SHM_WORKER,
			false) == 0)
			cs->nsiblings++;
	}
	if (cs->nsiblings == n - 1)
		return;
	while (cs->nsiblings > 0)
		seg_unmap(&cs->sibling[--cs->nsiblings]);
	cs->max = (cs->max + n - 1) / n;
}

/* How many connections there are and who their authors are, as the parent has
 * laid it down. */
static int
find_authors(struct conns *cs)
{
	struct worker *w = cs->worker;
	const struct proc *p = w->proc;
	const struct shm_transport *t =
	    seg_transport(p->env.control, p->transport_index);
	uint64_t first = t->first_author + (uint64_t)p->worker * t->nconns;

	cs->nconns = w->shm->nconns;
	cs->author = (unsigned)first;
	if (cs->nconns != 0 && cs->nconns <= t->nconns &&
	    first + cs->nconns <= seg_authors(p->env.control))
		return 0;
	w->why = "its segments contradict each other";
	return -1;
}

int
conns_init(struct conns *cs, struct worker *w)
{
	memset(cs, 0, sizeof(*cs));
	cs->worker = w;
	w->conns = cs;
	cs->max = w->conf->max_connections;
	if (find_authors(cs) == -1)
		return -1;
	cs->npeers = PEERS_MIN;
	while (cs->npeers < cs->nconns && cs->npeers < PEERS_MAX)
		cs->npeers *= 2;
	cs->pool = calloc(cs->nconns, sizeof(*cs->pool));
	cs->peers = calloc(cs->npeers, sizeof(*cs->peers));
	if (cs->pool == NULL || cs->peers == NULL) {
		conns_fini(cs);
		w->why = "not enough memory";
		return -1;
	}
	TAILQ_INIT(&cs->free);
	TAILQ_INIT(&cs->slow);
	TAILQ_INIT(&cs->parked);
	for (unsigned i = 0; i < CONN_CLASSES; i++)
		TAILQ_INIT(&cs->use[i]);
	for (unsigned i = 0; i < cs->npeers; i++)
		TAILQ_INIT(&cs->peers[i]);
	find_siblings(cs);
	return 0;
}

int
conns_find_init(struct conns *cs)
{
	cs->nends = PEERS_MIN;
	while (cs->nends < cs->nconns)
		cs->nends *= 2;
	cs->ends = calloc(cs->nends, sizeof(*cs->ends));
	if (cs->ends == NULL) {
		cs->worker->why = "not enough memory";
		return -1;
	}
	if (getrandom(&cs->seed, sizeof(cs->seed), GRND_NONBLOCK) !=
	    sizeof(cs->seed))
		cs->seed = unix_ms() * (uint64_t)getpid();
	return 0;
}

void
conns_fini(struct conns *cs)
{
	while (cs->nsiblings > 0)
		seg_unmap(&cs->sibling[--cs->nsiblings]);
	free(cs->sibling);
	if (cs->worker != NULL)
		cs->worker->conns = NULL;
	free(cs->ends);
	free(cs->pool);
	free(cs->peers);
	memset(cs, 0, sizeof(*cs));
}

/* Open connections of the whole transport. */
static unsigned
total(const struct conns *cs)
{
	uint64_t n = cs->open;

	for (unsigned i = 0; i < cs->nsiblings; i++)
		n += atomic_load_explicit(
		    &seg_worker(&cs->sibling[i])->stats.conns_open,
		    memory_order_relaxed);
	return n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
}

bool
conns_full(const struct conns *cs)
{
	return cs->open >= cs->nconns || total(cs) >= cs->max;
}

struct conn *
conns_oldest(const struct conns *cs)
{
	struct conn *c;

	if (cs->unready >= cs->max / UNREADY_SHARE)
		TAILQ_FOREACH (c, &cs->slow, by_wait)
			if (!c->ready && !c->priority)
				return c;
	return TAILQ_FIRST(&cs->use[CONN_USUAL]);
}

struct conn *
conns_oldest_of(const struct conns *cs, const struct acl_peer *p, unsigned *n)
{
	struct conn *c, *oldest = NULL;
	struct acl_peer other;

	*n = 0;
	TAILQ_FOREACH (c, bucket(cs, p), by_peer) {
		conns_peer(c, &other);
		if (!acl_same_host(p, &other))
			continue;
		++*n;
		if (oldest == NULL || c->used_ns < oldest->used_ns)
			oldest = c;
	}
	return oldest;
}

struct conn *
conns_find(const struct conns *cs, const struct acl_peer *p)
{
	struct conn *c;
	struct acl_peer other;

	LIST_FOREACH (c, end_list(cs, p), by_end) {
		conns_peer(c, &other);
		if (other.port == p->port && acl_same_host(p, &other))
			return c;
	}
	return NULL;
}

/* The first entry that was never used, which is no more. */
static struct conn *
next_fresh(struct conns *cs)
{
	struct conn *c = &cs->pool[cs->fresh];

	c->rec.index = cs->fresh++;
	c->rec.shm = seg_conn(cs->worker->shm, c->rec.index);
	c->rec.cold = seg_cold(cs->worker->shm, c->rec.index);
	c->who = seg_who(cs->worker->shm, c->rec.index);
	c->author = cs->author + c->rec.index;
	c->fd = -1;
	return c;
}

static struct conn *
take(struct conns *cs)
{
	struct conn *c = TAILQ_FIRST(&cs->free);

	if (c != NULL) {
		TAILQ_REMOVE(&cs->free, c, by_peer);
		return c;
	}
	return cs->fresh == cs->nconns ? NULL : next_fresh(cs);
}

/*
 * After which number the operations of a new connection begin.
 *
 * What an author has done is credited by itself, or, if it died in the write,
 * by whoever repairs that device, which may be at any time after this. Were a
 * number then given out again, its write would be taken for the one credited,
 * and never be carried out. So the first connection that a worker has in a
 * record begins behind all numbers that a predecessor can have given out: no
 * more than one batch's behind those of its last finished batch. Later ones go
 * on from there; the worker has credited its own writes by itself.
 */
static uint64_t
last_op(const struct conns *cs, const struct conn *c)
{
	uint64_t op = batch_half(c->rec.shm)->op;
	uint64_t done = atomic_load_explicit(
	    seg_done(cs->worker->proc->env.control, c->author),
	    memory_order_acquire);

	if (op < done)
		op = done;
	return c->ours ? op : op + BATCH_OPS_MAX;
}

static void
set_open(struct conns *cs, unsigned n)
{
	cs->open = n;
	atomic_store_explicit(
	    &cs->worker->shm->stats.conns_open, n, memory_order_relaxed);
}

/* The connection in c's record is one of the open ones. */
static void
enlist(struct conns *cs, struct conn *c, int fd, const struct acl_peer *p,
    bool priority)
{
	c->fd = fd;
	c->priority = priority;
	c->held = NULL;
	c->resumed = c->begun = c->starved = false;
	c->ticket = 0;
	c->ready = false;
	c->why = NULL;
	c->hopeless = NULL;
	c->session = NULL;
	c->rights = NULL;
	c->since_ns = 0;
	c->used_ns = cs->worker->now_ns;
	TAILQ_INSERT_TAIL(&cs->use[priority], c, by_use);
	c->peers = bucket(cs, p);
	TAILQ_INSERT_TAIL(c->peers, c, by_peer);
	if (cs->ends != NULL)
		LIST_INSERT_HEAD(end_list(cs, p), c, by_end);
	set_open(cs, cs->open + 1);
}

static void
tell_hooks(struct conns *cs, const struct conn *c)
{
	if ((cs->worker->traced & HOOK_CONNECT) == 0)
		return;
	conns_hand(cs, c);
	hooks_connect(cs->worker, c->rec.shm, true);
	conns_hand(cs, NULL);
}

struct conn *
conns_take_over(struct conns *cs, unsigned i, int fd, const struct acl_peer *p,
    bool priority)
{
	struct conn *c = &cs->pool[i];

	while (cs->fresh <= i) {
		struct conn *next = next_fresh(cs);

		TAILQ_INSERT_TAIL(&cs->free, next, by_peer);
	}
	TAILQ_REMOVE(&cs->free, c, by_peer);
	/* its numbers go on from the half in force; those of the next one in
	 * this record begin as if it were the first */
	c->ours = false;
	enlist(cs, c, fd, p, priority);
	tell_hooks(cs, c);
	return c;
}

struct conn *
conns_open(struct conns *cs, int fd, const struct acl_peer *p, bool priority)
{
	struct shm_worker *shm = cs->worker->shm;
	struct conn *c = take(cs);
	struct shm_conn *rec;
	char text[ACL_TEXT_MAX];

	if (c == NULL)
		return NULL;
	rec = c->rec.shm;
	rec->fd = fd;
	rec->port = p->port;
	rec->family = (uint16_t)p->family;
	memcpy(rec->addr, p->addr, sizeof(rec->addr));
	if (p->family == AF_UNSPEC)
		acl_peer_text(p, c->who->peer);
	atomic_store_explicit(&rec->serial,
	    1 +
		atomic_fetch_add_explicit(
		    &shm->next_serial, 1, memory_order_relaxed),
	    memory_order_relaxed);
	atomic_store_explicit(&rec->requests, 0, memory_order_relaxed);
	atomic_store_explicit(&rec->last_fc, 0, memory_order_relaxed);
	atomic_store_explicit(&rec->since_ms, unix_ms(), memory_order_relaxed);
	/* what has no roles need not touch that page */
	if (cs->worker->conf->type == CONF_TLS)
		atomic_store_explicit(
		    &c->who->role_len, 0, memory_order_relaxed);
	batch_adopt(&c->rec, last_op(cs, c));
	c->ours = true;
	enlist(cs, c, fd, p, priority);
	worker_count(&shm->stats.conns_opened, 1);
	acl_peer_text(p, text);
	notify(cs->worker, NOTICE_CONN_OPEN, rec, 0, text);
	tell_hooks(cs, c);
	log_debug("connection opened peer=%s", text);
	return c;
}

static void
tell_close(struct conns *cs, const struct conn *c, const struct acl_peer *p,
    const char *why, _Atomic uint64_t *counter)
{
	char text[ACL_TEXT_MAX];

	acl_peer_text(p, text);
	conns_tell_end(cs, c->rec.shm, why);
	if (counter == NULL) {
		log_debug("connection closed peer=%s why=\"%s\"", text, why);
		return;
	}
	worker_count(counter, 1);
	if (conns_may_log(cs))
		log_info("connection closed peer=%s why=\"%s\"", text, why);
}

void
conns_doom(struct conn *c)
{
	/* this puts its batch out of force, too */
	atomic_store_explicit(
	    &c->rec.shm->used, CONN_CLOSING, memory_order_release);
}

void
conns_close(struct conns *cs, struct conn *c, const char *why,
    _Atomic uint64_t *counter)
{
	struct acl_peer p;

	conns_doom(c);
	conns_peer(c, &p);
	tell_close(cs, c, &p, why, counter);
	if ((cs->worker->traced & HOOK_CONNECT) != 0)
		hooks_connect(cs->worker, c->rec.shm, false);
	if (c->fd != -1)
		close(c->fd);
	atomic_store_explicit(
	    &c->rec.shm->used, CONN_FREE, memory_order_release);
	c->fd = -1;
	conns_not_slow(cs, c);
	TAILQ_REMOVE(&cs->use[c->priority], c, by_use);
	TAILQ_REMOVE(c->peers, c, by_peer);
	if (cs->ends != NULL)
		LIST_REMOVE(c, by_end);
	TAILQ_INSERT_HEAD(&cs->free, c, by_peer);
	set_open(cs, cs->open - 1);
}

void
conns_role(struct conn *c, const char *role)
{
	struct shm_conn_who *who = c->who;
	size_t len = strnlen(role, CONN_ROLE_MAX + 1);

	if (len > CONN_ROLE_MAX) /* UTF-8: 10xxxxxx goes on with a character */
		for (len = CONN_ROLE_MAX;
		     len > 0 && (role[len] & 0xc0) == 0x80;)
			len--;
	memcpy(who->role, role, len);
	atomic_store_explicit(
	    &who->role_len, (uint8_t)(len + 1), memory_order_release);
}

void
conns_peer(const struct conn *c, struct acl_peer *p)
{
	p->family = c->rec.shm->family;
	p->port = c->rec.shm->port;
	memcpy(p->addr, c->rec.shm->addr, sizeof(p->addr));
	p->text = c->who->peer;
}

struct conn *
conns_by_serial(const struct conns *cs, uint64_t serial)
{
	struct conn *c;

	for (int i = 0; i < CONN_CLASSES; i++)
		TAILQ_FOREACH (c, &cs->use[i], by_use)
			if (atomic_load_explicit(&c->rec.shm->serial,
				memory_order_relaxed) == serial)
				return c;
	return NULL;
}
