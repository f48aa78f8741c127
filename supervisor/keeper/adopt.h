/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KEEPER_ADOPT_H
#define SUPERVISOR_KEEPER_ADOPT_H

/*
 * A supervisor that takes over what one that was killed has left running.
 *
 * Workers and their keepers go on without a supervisor. The next one of the
 * same store and run directory finds the segments, and by the locks of the
 * slots who lives; if they were made from the same configuration it takes
 * them as they are, otherwise it ends them and begins anew. Each keeper looks
 * for a socket in the run directory and tells there what it keeps:
 *
 *	keeper                              new supervisor
 *	    | IPC_KEEPER, who it is, the listener -> |
 *	    | IPC_WARD, the worker's pidfd --------> |
 *	    | <- IPC_ADOPT, a channel to the worker, |
 *	    |    or IPC_SPAWN if it has none         |
 *
 * The keeper puts that channel in the place of the one whose other end has
 * gone; the worker sees with its next beat that it has another parent, and
 * says IPC_READY. A worker whose keeper has died as well calls itself
 * (widow.h). Control and http end with their supervisor and are made anew. Who
 * is a child of ours is waited for; the others' pidfds tell, since a worker has
 * all open that its keeper had.
 *
 * The keys of TLS tickets come with the calls, so that sessions are resumed
 * under the next supervisor, too.
 */

#include <stdbool.h>
#include <sys/types.h>

struct event;
struct super;
struct process;

#define ADOPT_SOCKET "adopt.sock" /* in the run directory */

/* A keeper that is nobody's child of ours; or a worker, for as long as it
 * takes to tell. */
struct caller {
	struct super *super;
	struct process *process; /* what it keeps; NULL: has not said so */
	int fd, pidfd;
	pid_t pid, ward; /* its own, its worker's until that is here */
	bool widow;
	struct event *heard, *gone;
};

/* In a keeper: a connection to the new supervisor, or -1. */
int adopt_call(const char *run_dir);

/* The socket and its address. -1 with errno. */
struct sockaddr_un;
int adopt_socket(const char *run_dir, struct sockaddr_un *);

/* After the claims: attaches to what is there, if it can be taken over. True
 * if so; then nothing of it is to be made. */
bool adopt_remains(struct super *);

/* Listens for them. 0, or the exit code. */
int adopt_listen(struct super *);
void adopt_close(struct super *);

/* True while one is not to be born since another worker of its transport, whose
 * keeper is yet to call, has what all of them are to have: the listener, and
 * the key of the tickets. */
bool adopt_hold(const struct process *);

/* A worker is asked for whose keeper is yet to call: it will be given the
 * channel. 0, or -1 with errno. */
int adopt_await(struct process *, int chan);

/* Hangs up. */
void adopt_forget(struct caller *);

/* The keeper has not called in time: ends it and its worker. */
void adopt_give_up(struct process *);

#endif
