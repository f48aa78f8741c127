/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that outlive their worker: what a successor finds in the records
 * and in the kernel. Runs in the workers, once, before they serve. Sends and
 * reads nothing on its own, and closes only what is a client's.
 */
#include "workers/resume.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "workers/conns_wait.h"
#include "workers/stream_wait.h"

enum {
	TRIES = 1000, /* while bytes come and go; windows are not endless */
	STATE_ESTABLISHED = 1, /* the kernel's, see tcp(7) */
	STATE_CLOSE_WAIT = 8,
	SPARE_FILES = 1024, /* beyond a worker's connections */
	DISCARD_BYTES = 1 << 20, /* of input that nobody is going to read */
};

/* ---- what the kernel knows ---- */

static int
tcp_info(int fd, struct tcp_info *ti)
{
	socklen_t len = sizeof(*ti);

	memset(ti, 0, sizeof(*ti));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, ti, &len) == -1)
		return -1;
	return len > offsetof(struct tcp_info, tcpi_bytes_received) ? 0 : -1;
}

int
resume_counts(int fd, uint64_t *consumed, uint64_t *written)
{
	struct tcp_info a, b;
	int unread, unacked, tries = 0;

	do { /* one picture of both: nothing has come or gone in between */
		if (tcp_info(fd, &a) == -1 ||
		    ioctl(fd, SIOCINQ, &unread) == -1 ||
		    ioctl(fd, SIOCOUTQ, &unacked) == -1 ||
		    tcp_info(fd, &b) == -1 || tries++ == TRIES)
			return -1;
	} while (a.tcpi_bytes_received != b.tcpi_bytes_received ||
	    a.tcpi_bytes_acked != b.tcpi_bytes_acked ||
	    a.tcpi_state != b.tcpi_state);
	/* others are of those that we have shut, which are closed, too */
	if (b.tcpi_state != STATE_ESTABLISHED &&
	    b.tcpi_state != STATE_CLOSE_WAIT)
		return -1;
	*consumed = b.tcpi_bytes_received - (uint64_t)unread;
	/* the peer's FIN is a byte received, which is never to be read */
	if (b.tcpi_state == STATE_CLOSE_WAIT)
		--*consumed;
	*written = b.tcpi_bytes_acked + (uint64_t)unacked;
	return 0;
}

enum resume_rc
resume_batch(const struct shm_batch *b, struct shm_conn *c, int fd,
    unsigned *fresh, unsigned *sent)
{
	const struct shm_conn_half *h = batch_half(c);
	struct batch_prog p = batch_prog_get(b);
	uint32_t len = atomic_load_explicit(&b->in_len, memory_order_relaxed);
	uint64_t consumed, written, n;

	if (resume_counts(fd, &consumed, &written) == -1)
		return RESUME_LOST;
	n = consumed - h->rx;
	if (b->pre != h->left || b->pre > CONN_LEFT_MAX ||
	    n > BATCH_IN - b->pre || written - b->tx_base[p.round] > p.out ||
	    p.out > BATCH_OUT)
		return RESUME_LOST;
	*sent = (unsigned)(written - b->tx_base[p.round]);
	*fresh = len == 0 ? (unsigned)n : 0;
	if (len == 0 && (p.done != 0 || p.out != 0))
		return RESUME_LOST;
	if (n == 0 && len == 0)
		return RESUME_NOTHING;
	if (len == 0)
		return RESUME_HELD;
	if (len > BATCH_IN || p.done > len ||
	    (int64_t)len != (int64_t)(b->pre + n) + b->grown)
		return RESUME_LOST;
	return RESUME_HELD;
}

/* Whether a socket's peer sends no more. */
static bool
has_gone(int fd)
{
	struct tcp_info ti;

	return fd != -1 && tcp_info(fd, &ti) == 0 &&
	    ti.tcpi_state != STATE_ESTABLISHED;
}

/* ---- whose a descriptor is ---- */

/* A listener's place, to know those by that were accepted there. */
struct place {
	int family; /* AF_UNSPEC: there is none */
	uint16_t port;
};

static struct place
place_of(int fd)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	struct place at = { .family = AF_UNSPEC };
	struct acl_peer name;

	memset(&name, 0, sizeof(name));
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return at;
	acl_peer_set(&name, &ss);
	at.family = ss.ss_family;
	at.port = name.port;
	return at;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* True if a descriptor is a connection, of whatever state, that was accepted
 * at a place. */
static bool
is_client(int fd, const struct place *at)
{
	struct place own = place_of(fd);

	return (own.family == AF_INET || own.family == AF_INET6) &&
	    own.family == at->family && own.port == at->port &&
	    option(fd, SO_TYPE) == SOCK_STREAM &&
	    option(fd, SO_ACCEPTCONN) == 0;
}

/* True if a socket's peer is who the record says. */
static bool
is_peer(int fd, const struct acl_peer *p)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	struct acl_peer other;

	memset(&other, 0, sizeof(other));
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == -1)
		return false;
	acl_peer_set(&other, &ss);
	return other.port == p->port && acl_same_host(p, &other);
}

/* ---- records ---- */

/* What is known of a record while it is decided about. */
struct left {
	unsigned index;
	int fd; /* a client's, or -1 */
	uint64_t serial;
	struct shm_batch *batch; /* in force, or NULL */
	bool lost; /* there are two */
};

struct lefts {
	struct conns *conns;
	struct place at;
	struct left *of; /* by record */
	bool *seen; /* by descriptor: it belongs to a record */
	unsigned nfds; /* that there may be */
	unsigned blamed; /* 1 + the one whose bytes its worker died of; or 0 */
	enum poison verdict; /* on that */
	unsigned ended;
};

static const char died[] = "worker died",
		  blame[] = "its worker died of what it asked";

static uint32_t
used(const struct lefts *ls, unsigned i)
{
	return atomic_load_explicit(
	    &seg_conn(ls->conns->worker->shm, i)->used, memory_order_relaxed);
}

/* Ends what stands in a record, in the order in which its worker would have
 * closed it. */
static void
end(struct lefts *ls, struct left *l, const char *why)
{
	struct shm_conn *c = seg_conn(ls->conns->worker->shm, l->index);

	atomic_store_explicit(&c->used, CONN_CLOSING, memory_order_release);
	conns_tell_end(ls->conns, c, why);
	if (l->fd != -1) {
		/* as stream_drop() does */
		recv(l->fd, NULL, DISCARD_BYTES, MSG_TRUNC | MSG_DONTWAIT);
		close(l->fd);
		l->fd = -1;
	}
	c->fd = -1;
	atomic_store_explicit(&c->used, CONN_FREE, memory_order_release);
	ls->ended++;
}

static unsigned
fds_of(const struct conns *cs)
{
	return cs->nconns + SPARE_FILES;
}

/* The descriptor of a record, unless it is none or another record's: one that
 * is in use comes before those that were being closed, whose number may have
 * been given out again. */
static int
claim(struct lefts *ls, int fd)
{
	if (fd < 0 || (unsigned)fd >= ls->nfds || ls->seen[fd] ||
	    !is_client(fd, &ls->at))
		return -1;
	ls->seen[fd] = true;
	return fd;
}

static void
find_fds(struct lefts *ls, bool in_use)
{
	struct conns *cs = ls->conns;

	for (unsigned i = 0; i < cs->nconns; i++) {
		const struct shm_conn *c = seg_conn(cs->worker->shm, i);

		if (used(ls, i) != CONN_FREE &&
		    (used(ls, i) == CONN_USED) == in_use)
			ls->of[i].fd = claim(ls, c->fd);
	}
}

static void
forget(struct lefts *ls)
{
	free(ls->of);
	free(ls->seen);
}

/* 0, or -1 after worker->why was set. The numbers in the records mean something
 * only where the table of the predecessor has been kept. */
static int
look(struct lefts *ls, struct conns *cs, int listen_fd)
{
	struct worker *w = cs->worker;

	*ls = (struct lefts){ .conns = cs, .nfds = fds_of(cs) };
	ls->of = calloc(cs->nconns, sizeof(*ls->of));
	ls->seen = calloc(ls->nfds, sizeof(*ls->seen));
	if (ls->of == NULL || ls->seen == NULL) {
		forget(ls);
		w->why = "not enough memory";
		return -1;
	}
	for (unsigned i = 0; i < cs->nconns; i++) {
		ls->of[i].index = i;
		ls->of[i].fd = -1;
		ls->of[i].serial = atomic_load_explicit(
		    &seg_conn(w->shm, i)->serial, memory_order_relaxed);
	}
	if (!w->proc->kept)
		return 0;
	ls->at = place_of(listen_fd);
	find_fds(ls, true);
	find_fds(ls, false);
	return 0;
}

/* Whose bytes their worker has died of, and what is to become of that. Before
 * anybody is taken over, whom hooks get to see. */
static void
judge(struct lefts *ls, const struct link *l, bool resumes)
{
	struct shm_worker *shm = ls->conns->worker->shm;
	struct poison_death d = { .way = POISON_STREAM };
	struct shm_batch *b = NULL;
	uint32_t hand;

	d.suspect = poison_heir(ls->conns->worker, &hand);
	if (d.suspect != SUSPECT_NO && hand != 0 && hand <= ls->conns->nconns &&
	    used(ls, hand - 1) == CONN_USED) {
		for (unsigned i = 0; i < shm->nbatches && b == NULL; i++) {
			b = seg_batch(shm, i);
			if (!batch_in_force(shm, b) ||
			    (atomic_load_explicit(
				 &b->own, memory_order_relaxed) &
				0xffff) != hand - 1)
				b = NULL;
		}
		d.conn = seg_conn(shm, hand - 1);
		d.gone = resumes && has_gone(ls->of[hand - 1].fd);
		ls->blamed = hand;
		ls->verdict = poison_judge(ls->conns, l, &d, b, resumes);
	}
}

static void
tell(const struct lefts *ls)
{
	unsigned open = ls->conns->open;

	if (open != 0)
		log_info("connections taken over from the last worker n=%u "
			 "ended=%u",
		    open, ls->ended);
	else if (ls->ended != 0)
		log_info(
		    "connections ended with the last worker n=%u", ls->ended);
}

int
resume_wipe(struct conns *cs, const struct link *l, int listen_fd)
{
	struct worker *w = cs->worker;
	struct lefts ls;

	if (look(&ls, cs, listen_fd) == -1)
		return -1;
	if (l != NULL)
		judge(&ls, l, false);
	for (unsigned i = 0; i < cs->nconns; i++)
		if (used(&ls, i) != CONN_FREE)
			end(&ls, &ls.of[i],
			    i + 1 == ls.blamed && ls.verdict != POISON_AGAIN
				? blame
				: died);
	for (unsigned i = 0; i < w->shm->nbatches; i++)
		batch_void(seg_batch(w->shm, i));
	atomic_store_explicit(
	    &w->shm->stats.conns_open, 0, memory_order_relaxed);
	tell(&ls);
	forget(&ls);
	return 0;
}

/* ---- taking over ---- */

static int
by_age(const void *a, const void *b)
{
	uint64_t x = ((const struct left *)a)->serial;
	uint64_t y = ((const struct left *)b)->serial;

	return (x > y) - (x < y);
}

static void
find_batches(struct lefts *ls)
{
	struct shm_worker *shm = ls->conns->worker->shm;

	for (unsigned i = 0; i < shm->nbatches; i++) {
		struct shm_batch *b = seg_batch(shm, i);
		struct left *l;

		if (!batch_in_force(shm, b))
			continue;
		l = &ls->of[atomic_load_explicit(
				&b->own, memory_order_relaxed) &
		    0xffff];
		l->lost = l->batch != NULL;
		l->batch = b;
	}
}

/* What a batch had come to when its worker died. False if the connection
 * cannot be gone on with. */
static bool
weigh(const struct lefts *ls, struct left *l, unsigned *fresh, unsigned *sent)
{
	struct shm_conn *c = seg_conn(ls->conns->worker->shm, l->index);

	if (l->lost)
		return false;
	if (l->batch == NULL)
		return true;
	switch (resume_batch(l->batch, c, l->fd, fresh, sent)) {
	case RESUME_HELD:
		return true;
	case RESUME_NOTHING:
		batch_void(l->batch);
		l->batch = NULL;
		return true;
	default:
		return false;
	}
}

/* Takes over one that is in use, or ends it. */
static void
take_over(struct lefts *ls, struct stream *st, struct left *l)
{
	struct shm_conn *rec = seg_conn(ls->conns->worker->shm, l->index);
	unsigned fresh = 0, sent = 0;
	struct acl_peer peer = { .family = rec->family, .port = rec->port };
	char text[ACL_TEXT_MAX];
	struct conn *c;

	memcpy(peer.addr, rec->addr, sizeof(peer.addr));
	if (l->index + 1 == ls->blamed && ls->verdict >= POISON_CLOSE) {
		log_warnx("connection closed peer=%s why=\"%s\"",
		    acl_peer_text(&peer, text), blame);
		end(ls, l, blame);
		return;
	}
	if (l->fd == -1 || batch_half(rec)->apart != 0 ||
	    !is_peer(l->fd, &peer) || !weigh(ls, l, &fresh, &sent)) {
		end(ls, l, died);
		return;
	}
	c = conns_take_over(ls->conns, l->index, l->fd, &peer,
	    acl_match(&st->worker->conf->priority, &peer));
	stream_take_over(st, c, l->batch, sent);
	if (fresh != 0)
		stream_got(st, c, l->batch, fresh);
}

int
resume_connections(struct stream *st)
{
	struct conns *cs = &st->conns;
	struct lefts ls;

	if (look(&ls, cs, st->door.listen_fd) == -1)
		return -1;
	atomic_store_explicit(&cs->worker->shm->stats.conns_open, 0,
	    memory_order_relaxed); /* they are counted as they are taken */
	find_batches(&ls);
	judge(&ls, &st->link, true);
	for (unsigned i = 0; i < cs->nconns; i++)
		if (used(&ls, i) != CONN_FREE && used(&ls, i) != CONN_USED)
			end(&ls, &ls.of[i], died);
	/* who came first is taken for longest unused */
	qsort(ls.of, cs->nconns, sizeof(*ls.of), by_age);
	for (unsigned i = 0; i < cs->nconns; i++)
		if (used(&ls, ls.of[i].index) == CONN_USED)
			take_over(&ls, st, &ls.of[i]);
	tell(&ls);
	forget(&ls);
	return 0;
}

int
resume_orphan(const struct conns *cs, int listen_fd)
{
	struct place at = place_of(listen_fd);
	bool taken;

	for (unsigned fd = 3; fd < fds_of(cs); fd++) {
		if (!is_client((int)fd, &at))
			continue;
		taken = false;
		for (unsigned i = 0; i < cs->fresh && !taken; i++)
			taken = cs->pool[i].fd == (int)fd;
		if (!taken)
			return (int)fd;
	}
	return -1;
}
