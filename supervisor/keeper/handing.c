/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections from keeper to keeper, or from a worker to one. Runs in all of
 * them; what the records say may be wrong, and decides about nothing but the
 * worker's own.
 */
#include "supervisor/keeper/handing.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/log.h"
#include "supervisor/keeper/table.h"
#include "supervisor/keeper/widow.h"
#include "supervisor/super.h"

enum {
	HAND_MS = 2000, /* that the other one may let us wait */
	SLICE_MS = 50, /* of that, between two signs of life */
	FULL_MS = 1, /* while too many are under way */
	NO_FD = -1,
};

/* A worker is watched; of a keeper that gives all away nobody wants to know any
 * more, and its beat is the other one's by now. */
static uint64_t
show_life(struct proc *p)
{
	uint64_t now_ns = clock_mono_ns();

	if (p->ward == NULL)
		proc_beat(p, now_ns);
	return now_ns / 1000000;
}

/* False: the other one does not take it any more. */
static bool
send_one(struct proc *p, int to, uint64_t index, int fd)
{
	struct ipc_msg m = { .kind = IPC_CONN, .arg = index };
	struct pollfd room = { .fd = to, .events = POLLOUT };
	uint64_t until = show_life(p) + HAND_MS;

	while (ipc_send_fd(to, &m, fd) < 0) {
		/* a user may have only so many on their way */
		if (errno == ETOOMANYREFS)
			poll(NULL, 0, FULL_MS);
		else if (errno != EAGAIN || poll(&room, 1, SLICE_MS) < 0)
			return false;
		if (show_life(p) > until)
			return false;
	}
	return true;
}

static bool
has(const struct table *t, int fd)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->fd[i] == fd)
			return true;
	return false;
}

/* What was accepted and stands in no record. */
static void
send_orphans(struct proc *p, struct table *known, int to)
{
	struct table all = { .fd = NULL };

	if (table_add_clients(&all, p->listen_fd) == 0)
		for (size_t i = 0; i < all.n; i++)
			if (!has(known, all.fd[i]) &&
			    !send_one(p, to, IPC_CONN_NONE, all.fd[i]))
				break;
	table_free(&all);
}

void
handing_give(struct proc *p, int fd)
{
	struct shm_worker *w = seg_worker(&p->worker_seg);
	struct table sent = { .fd = NULL }, none = { .fd = NULL };
	unsigned n = p->transport->max_connections;
	bool taken = true;

	/* the other one waits for this byte; a worker has it open as well */
	close(p->ward != NULL ? p->env.lock_fd : p->widow->byte);
	for (unsigned i = 0; taken && i < n; i++) {
		const struct shm_conn *c = seg_conn(w, i);
		size_t had = sent.n;

		if (atomic_load(&c->used) == CONN_FREE)
			continue;
		table_add_client(&sent, c->fd, p->listen_fd);
		if (sent.n > had) /* what was looked at, whatever stands there
				   * now */
			taken = send_one(p, fd, i, sent.fd[had]);
	}
	if (taken && atomic_load(&w->accepting) != 0)
		send_orphans(p, &sent, fd);
	table_free(&sent);
	/* locks that the worker had go with this, before the other end hears
	 * that there is no more to come */
	table_add(&none, fd);
	table_close_others(&none);
	table_free(&none);
	close(fd);
}

void
handing_beat(struct proc *p)
{
	atomic_store(&p->ward->shm->keeper_ns, clock_mono_ns());
}

/* Waits for the next one, and shows meanwhile that it is alive. */
static bool
more_comes(struct proc *p, int fd)
{
	struct pollfd more = { .fd = fd, .events = POLLIN };
	int n = 0;

	for (int ms = 0; n == 0 && ms < HAND_MS; ms += SLICE_MS) {
		handing_beat(p);
		n = poll(&more, 1, SLICE_MS);
	}
	return n > 0;
}

void
handing_take(struct proc *p, int fd)
{
	const struct process *ward = p->ward;
	struct shm_worker *w = seg_worker(&ward->seg);
	unsigned n = ward->service->conf->max_connections;
	int *here = malloc((n + 1) * sizeof(*here));
	struct ipc_msg m;
	int rc = here != NULL ? 0 : -1, passed;

	for (unsigned i = 0; here != NULL && i < n; i++)
		here[i] = NO_FD;
	while (rc >= 0 && more_comes(p, fd)) {
		rc = ipc_recv_fd(fd, &m, &passed);
		if (rc == 1 && m.kind == IPC_CONN && m.arg < n) {
			if (here[m.arg] >= 0)
				close(here[m.arg]);
			here[m.arg] = passed;
		} else if (rc == 1 && m.arg != IPC_CONN_NONE && passed >= 0) {
			close(passed); /* there is room for fewer */
		}
	}
	/* the other one reads its own numbers there until it ends */
	for (unsigned i = 0; i < n; i++)
		seg_conn(w, i)->fd = here != NULL ? here[i] : NO_FD;
	free(here);
	if (rc >= 0)
		log_warnx("%s: its former keeper does not give all that it "
			  "has",
		    ward->name);
	close(fd);
}
