/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections from keeper to keeper. Runs in both; what the records say may be
 * wrong, and decides about nothing but the worker's own.
 */
#include "supervisor/keeper/handing.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/keeper/table.h"
#include "supervisor/super.h"

enum {
	HAND_MS = 2000, /* that the other one may let us wait */
	NO_FD = -1,
};

/* False: the other one does not take it any more. */
static bool
send_one(int to, uint64_t index, int fd)
{
	struct ipc_msg m = { .kind = IPC_CONN, .arg = index };
	struct pollfd room = { .fd = to, .events = POLLOUT };

	while (ipc_send_fd(to, &m, fd) < 0)
		if (errno != EAGAIN || poll(&room, 1, HAND_MS) <= 0)
			return false;
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
send_orphans(struct table *known, int to, int listen_fd)
{
	struct table all = { .fd = NULL };

	if (table_add_clients(&all, listen_fd) == 0)
		for (size_t i = 0; i < all.n; i++)
			if (!has(known, all.fd[i]) &&
			    !send_one(to, IPC_CONN_NONE, all.fd[i]))
				break;
	table_free(&all);
}

void
handing_give(const struct proc *p, const struct process *ward, int fd)
{
	struct shm_worker *w = seg_worker(&ward->seg);
	struct table sent = { .fd = NULL }, none = { .fd = NULL };
	unsigned n = ward->service->conf->max_connections;
	bool taken = true;

	/* the other one waits for this byte */
	close(p->env.lock_fd);
	for (unsigned i = 0; taken && i < n; i++) {
		const struct shm_conn *c = seg_conn(w, i);
		size_t had = sent.n;

		if (atomic_load(&c->used) == CONN_FREE)
			continue;
		table_add_client(&sent, c->fd, p->listen_fd);
		if (sent.n > had)
			taken = send_one(fd, i, c->fd);
	}
	if (taken && atomic_load(&w->accepting) != 0)
		send_orphans(&sent, fd, p->listen_fd);
	table_free(&sent);
	/* locks that the worker had go with this, before the other end hears
	 * that there is no more to come */
	table_add(&none, fd);
	table_close_others(&none);
	table_free(&none);
	close(fd);
}

void
handing_take(const struct process *ward, int fd)
{
	struct shm_worker *w = seg_worker(&ward->seg);
	unsigned n = ward->service->conf->max_connections;
	struct pollfd more = { .fd = fd, .events = POLLIN };
	int *here = malloc((n + 1) * sizeof(*here));
	struct ipc_msg m;
	int rc = here != NULL ? 0 : -1, passed;

	for (unsigned i = 0; here != NULL && i < n; i++)
		here[i] = NO_FD;
	while (rc >= 0 && poll(&more, 1, HAND_MS) > 0) {
		rc = ipc_recv_fd(fd, &m, &passed);
		if (rc == 1 && m.kind == IPC_CONN && m.arg < n)
			here[m.arg] = passed;
	}
	/* the other one reads its own numbers there until it ends */
	for (unsigned i = 0; i < n; i++)
		seg_conn(w, i)->fd = here != NULL ? here[i] : NO_FD;
	free(here);
	if (rc == 0)
		log_warnx("%s: its former keeper does not give all that it "
			  "has",
		    ward->name);
	close(fd);
}
