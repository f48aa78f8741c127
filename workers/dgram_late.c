/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams that leave later. Runs in the workers of type udp, and only where
 * fault rules are, or plugins that put replies off. Never blocks; memory is
 * bounded.
 */
#include "workers/dgram_late.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MS 1000000ull
#define FULL_MS 10 /* until a socket without room is tried again */

enum { HASHES = 256 };

struct waiting {
	TAILQ_ENTRY(waiting) by_due;
	LIST_ENTRY(waiting) by_peer;
	uint64_t due_ns;
	size_t len, first; /* bytes, and of these so many at first */
	uint32_t rest_ms; /* and how long after these the rest, 0: there is
			   * none */
	struct msghdr msg;
	struct iovec iov;
	struct sockaddr_storage to;
	_Alignas(struct cmsghdr)
	    uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	uint8_t bytes[DGRAM_OUT_MAX];
};

TAILQ_HEAD(waiting_list, waiting);
LIST_HEAD(waiting_hash, waiting);

struct dgrams_late {
	struct dgrams *dgrams;
	struct waiting_list list; /* the first due first */
	/* by hash of the peer; of each the last that was put in first, which
	 * is the last one due, too */
	struct waiting_hash peer[HASHES];
	uint64_t retry_ns; /* not before this: the socket has no room; or 0 */
	unsigned n;
};

struct dgrams_late *
dgrams_late_new(struct dgrams *d)
{
	struct dgrams_late *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->dgrams = d;
	TAILQ_INIT(&l->list);
	return l;
}

static void
forget(struct dgrams_late *l, struct waiting *w)
{
	TAILQ_REMOVE(&l->list, w, by_due);
	LIST_REMOVE(w, by_peer);
	l->n--;
	free(w);
}

void
dgrams_late_free(struct dgrams_late *l)
{
	if (l == NULL)
		return;
	while (!TAILQ_EMPTY(&l->list))
		forget(l, TAILQ_FIRST(&l->list));
	free(l);
}

static bool
same_peer(const struct waiting *w, const struct msghdr *m)
{
	return w->msg.msg_namelen == m->msg_namelen &&
	    memcmp(&w->to, m->msg_name, m->msg_namelen) == 0;
}

/* FNV-1a of an address: a peer of many looks at few of the others. */
static struct waiting_hash *
hash_of(struct dgrams_late *l, const struct msghdr *m)
{
	const uint8_t *p = m->msg_name;
	uint32_t h = 2166136261u;

	for (socklen_t i = 0; i < m->msg_namelen; i++)
		h = (h ^ p[i]) * 16777619u;
	return &l->peer[(h ^ h >> 16) % HASHES];
}

/* When the last one for a peer has gone, 0 if none waits; n: how many do. */
static uint64_t
last_due_ns(struct dgrams_late *l, const struct msghdr *m, unsigned *n)
{
	const struct waiting *w;
	uint64_t due_ns = 0;

	*n = 0;
	LIST_FOREACH (w, hash_of(l, m), by_peer) {
		if (!same_peer(w, m))
			continue;
		if ((*n)++ == 0)
			due_ns = w->due_ns + w->rest_ms * MS;
	}
	return due_ns;
}

/* Those that are due at the same time leave in the order in which they came. */
static void
insert(struct dgrams_late *l, struct waiting *w)
{
	struct waiting *before;

	TAILQ_FOREACH_REVERSE(before, &l->list, waiting_list, by_due)
	if (before->due_ns <= w->due_ns)
		break;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&l->list, before, w, by_due);
	else
		TAILQ_INSERT_HEAD(&l->list, w, by_due);
	l->n++;
}

static struct waiting *
copy(const struct msghdr *m, const uint8_t *bytes, size_t len)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	memcpy(&w->to, m->msg_name, m->msg_namelen);
	memcpy(w->bytes, bytes, len);
	w->len = w->first = len;
	w->iov = (struct iovec){ .iov_base = w->bytes, .iov_len = len };
	w->msg = (struct msghdr){ .msg_name = &w->to,
		.msg_namelen = m->msg_namelen,
		.msg_iov = &w->iov,
		.msg_iovlen = 1 };
	if (m->msg_controllen != 0) {
		memcpy(w->control, m->msg_control, m->msg_controllen);
		w->msg.msg_control = w->control;
		w->msg.msg_controllen = m->msg_controllen;
	}
	return w;
}

enum late_put
dgrams_late_put(struct dgrams_late *l, unsigned i, size_t len,
    const struct late *late, uint64_t now_ns)
{
	uint64_t behind_ns;
	struct msghdr m = { 0 };
	struct waiting *w = NULL;
	unsigned n;

	if (late == NULL && l->n == 0)
		return LATE_NOT;
	dgrams_answer(l->dgrams, i, &m);
	behind_ns = last_due_ns(l, &m, &n);
	if (late == NULL && n == 0)
		return LATE_NOT;
	if (l->n < DGRAM_LATE_MAX && n < DGRAM_LATE_PEER)
		w = copy(&m, l->dgrams->at[i].out, len);
	if (w == NULL)
		return n == 0 ? LATE_NOT : LATE_LOST;
	w->due_ns = now_ns + (late != NULL ? late->delay_ms * MS : 0);
	if (w->due_ns < behind_ns)
		w->due_ns = behind_ns;
	if (late != NULL && late->split_ms != 0) {
		w->first = late->first;
		w->rest_ms = late->split_ms;
	}
	insert(l, w);
	LIST_INSERT_HEAD(hash_of(l, &m), w, by_peer);
	return LATE_WAITS;
}

uint64_t
dgrams_late_next_ns(const struct dgrams_late *l)
{
	uint64_t due_ns = l->n != 0 ? TAILQ_FIRST(&l->list)->due_ns : 0;

	return due_ns != 0 && due_ns < l->retry_ns ? l->retry_ns : due_ns;
}

/* Sends the first one, or the first part of it; false if the socket has no
 * room. */
static bool
send_first(struct dgrams_late *l, uint64_t *bytes, uint64_t *lost)
{
	struct waiting *w = TAILQ_FIRST(&l->list);

	w->iov.iov_len = w->first;
	for (int i = 0; i < 2; i++) { /* the first error may be another's */
		ssize_t n = sendmsg(
		    l->dgrams->fd, &w->msg, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			*bytes += (uint64_t)n;
			return true;
		}
		if (errno == EAGAIN)
			return false;
	}
	++*lost;
	return true;
}

/* The first part has gone: the rest follows, and what the same peer gets after
 * it is no earlier than that. */
static void
await_rest(struct dgrams_late *l, struct waiting *w, uint64_t now_ns)
{
	struct waiting *other, *next;

	w->iov.iov_base = w->bytes + w->first;
	w->first = w->len - w->first;
	w->due_ns = now_ns + w->rest_ms * MS;
	w->rest_ms = 0;
	TAILQ_REMOVE(&l->list, w, by_due);
	l->n--;
	insert(l, w);
	for (other = TAILQ_FIRST(&l->list); other != w; other = next) {
		next = TAILQ_NEXT(other, by_due);
		if (!same_peer(other, &w->msg))
			continue;
		other->due_ns = w->due_ns;
		TAILQ_REMOVE(&l->list, other, by_due);
		l->n--;
		insert(l, other);
	}
}

void
dgrams_late_send(
    struct dgrams_late *l, uint64_t now_ns, uint64_t *bytes, uint64_t *lost)
{
	struct waiting *w;

	l->retry_ns = 0;
	while ((w = TAILQ_FIRST(&l->list)) != NULL && w->due_ns <= now_ns) {
		if (!send_first(l, bytes, lost)) {
			l->retry_ns = now_ns + FULL_MS * MS;
			break;
		}
		if (w->rest_ms != 0)
			await_rest(l, w, now_ns);
		else
			forget(l, w);
	}
}

void
dgrams_late_hurry(struct dgrams_late *l, uint64_t *bytes, uint64_t *lost)
{
	struct waiting *w;

	while ((w = TAILQ_FIRST(&l->list)) != NULL) {
		if (!send_first(l, bytes, lost))
			++*lost;
		if (w->rest_ms != 0)
			await_rest(l, w, 0);
		else
			forget(l, w);
	}
}
