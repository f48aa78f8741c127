/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does without its keeper. Runs in the workers, between two
 * turns of their loop; never blocks but at the very end, and then shows that
 * it is alive.
 */
#include "supervisor/keeper/widow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/log.h"
#include "supervisor/keeper/handing.h"
#include "supervisor/proc.h"
#include "supervisor/secret.h"

socklen_t
widow_address(struct sockaddr_un *sa, const char *store, uint64_t number)
{
	int n;

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	n = snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1,
	    "holdfast-%s-adopt-%016" PRIx64, store, number);
	return (
	    socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static void
drop_byte(struct widow *w)
{
	if (w->byte >= 0)
		close(w->byte);
	w->byte = -1;
}

bool
widow_hand(struct proc *p, int fd)
{
	struct widow *w = p->widow;

	if (w == NULL || w->hand >= 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	w->hand = fd;
	if (fd < 0)
		drop_byte(w);
	return fd >= 0;
}

void
proc_hand_over(struct proc *p)
{
	if (p->widow == NULL || p->widow->hand < 0)
		return;
	handing_give(p, p->widow->hand);
	_exit(EX_OK); /* the log has gone, too */
}

/* ---- without a supervisor ---- */

/* Once a supervisor has gone anybody may take its address; but who is not of
 * the daemon's user, to whom the lock file belongs, is not heard. */
static bool
is_ours(const struct proc *p, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;

	return fstat(p->env.lock_fd, &st) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    peer.uid == st.st_uid;
}

static void
look(struct proc *p)
{
	struct ipc_msg m = { .kind = IPC_WIDOW,
		.transport = p->transport_index,
		.tag = p->worker };
	struct sockaddr_un sa;
	uint64_t where = atomic_load(&p->env.control->widow);
	socklen_t len = widow_address(&sa, p->conf->store, where);
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 || !is_ours(p, fd)) {
		close(fd);
		return;
	}
	secret_put(&m, p->transport, p->ticket_key);
	p->widow->called = where;
	if (ipc_send_fd(fd, &m, p->listen_fd) == 0)
		p->widow->call = fd;
	else
		close(fd);
	explicit_bzero(&m, sizeof(m));
}

static void
hear(struct proc *p)
{
	struct ipc_msg m;
	int fd, rc = ipc_recv_fd(p->widow->call, &m, &fd);

	if (rc == 1 && m.kind == IPC_ADOPT && fd >= 0 &&
	    dup3(fd, p->chan, O_CLOEXEC) < 0)
		log_warn("cannot take the channel to the new supervisor");
	if (fd >= 0)
		close(fd);
	/* or somebody has taken the last one's address, and never answers */
	if (rc == 0 && atomic_load(&p->env.control->widow) == p->widow->called)
		return;
	close(p->widow->call);
	p->widow->call = -1;
}

void
proc_seek_parent(struct proc *p)
{
	struct pollfd gone = { .fd = -1, .events = POLLIN };

	if (p->widow == NULL)
		return;
	if (p->widow->call >= 0) {
		hear(p);
		return;
	}
	gone.fd = p->widow->keeper;
	if (gone.fd >= 0 && poll(&gone, 1, 0) == 1)
		look(p);
}
