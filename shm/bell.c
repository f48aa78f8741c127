/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bells: one row of the control segment for each process that waits for
 * changes, and the datagrams that wake it. Runs in every process that writes
 * registers or watches them. What a row says is bytes from outside: at worst a
 * datagram of no meaning goes to somebody else's socket.
 */
#include "shm/bell.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What the kernel makes up: a NUL and five characters (unix(7), autobind). */
enum { NAME_LEN = 6, ADDR_LEN = offsetof(struct sockaddr_un, sun_path) };

static int
socket_new(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Has the kernel make up a name; 0 if it cannot. */
static uint64_t
bind_somewhere(int fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa);
	uint64_t name = 0;

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa.sun_family)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return 0;
	if (len != ADDR_LEN + NAME_LEN) {
		errno = EPROTO;
		return 0;
	}
	memcpy(&name, sa.sun_path, NAME_LEN);
	return name;
}

/* Takes a row that is free, or whose owner is dead. */
static struct shm_bell *
claim(const struct slot_env *env, struct shm_bells *all)
{
	for (unsigned i = 0; i < SHM_BELLS; i++) {
		struct shm_bell *b = &all->bell[i];
		uint64_t o = atomic_load(&b->owner);

		if ((o == 0 || slot_probe(env, o)) &&
		    atomic_compare_exchange_strong(&b->owner, &o, env->me))
			return b;
	}
	errno = EUSERS;
	return NULL;
}

int
bell_open(struct bell *b, const struct slot_env *env)
{
	return bell_open_of(b, env, &env->control->bells);
}

int
bell_open_of(struct bell *b, const struct slot_env *env, struct shm_bells *all)
{
	uint64_t name = 0;
	int err;

	*b = (struct bell){
		.env = env, .all = all, .me = env->me, .fd = socket_new()
	};
	if (b->fd >= 0)
		name = bind_somewhere(b->fd);
	if (name != 0)
		b->shm = claim(env, all);
	if (b->shm == NULL) {
		err = errno;
		if (b->fd >= 0)
			close(b->fd);
		b->fd = -1;
		errno = err;
		return -1;
	}
	atomic_store(&b->shm->armed, 0);
	atomic_store(&b->shm->name, name);
	return 0;
}

/* A child that a program forks has the descriptor and the mapping of a bell
 * that is its parent's, and no identity. */
static bool
ours(const struct bell *b)
{
	return b->fd >= 0 && b->env->me == b->me;
}

void
bell_close(struct bell *b)
{
	uint64_t me = b->me;

	if (ours(b)) {
		atomic_store(&b->shm->armed, 0);
		atomic_compare_exchange_strong(&b->shm->owner, &me, 0);
	}
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

void
bell_arm(struct bell *b)
{
	if (!ours(b))
		return;
	/* its own word first: who takes the common one looks at all of them */
	atomic_store(&b->shm->armed, 1);
	atomic_store(&b->all->armed, 1);
}

void
bell_disarm(struct bell *b)
{
	char byte;

	if (!ours(b))
		return;
	atomic_store(&b->shm->armed, 0);
	while (recv(b->fd, &byte, sizeof(byte), 0) >= 0)
		;
}

void
bell_ring_armed(struct shm_bells *all, int *fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	uint64_t name;

	if (atomic_exchange(&all->armed, 0) == 0)
		return;
	if (*fd < 0)
		*fd = socket_new();
	for (unsigned i = 0; i < SHM_BELLS; i++) {
		struct shm_bell *b = &all->bell[i];

		if (atomic_load(&b->armed) == 0 ||
		    atomic_exchange(&b->armed, 0) == 0)
			continue;
		name = atomic_load(&b->name);
		memcpy(sa.sun_path, &name, NAME_LEN);
		/* if it cannot be delivered, the waiter looks for itself */
		(void)!sendto(*fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL,
		    (struct sockaddr *)&sa, ADDR_LEN + NAME_LEN);
	}
}
