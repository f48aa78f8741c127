/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_IPC_H
#define SUPERVISOR_IPC_H

/*
 * What parent and children say to each other, over one SEQPACKET pair a child.
 * Every message is one struct ipc_msg; another size, an unknown kind or a kind
 * that this child may not send ends that child, never the reader.
 */

#include <stdint.h>
#include <sys/types.h>

enum ipc_kind {
	/* child to parent */
	IPC_READY = 1, /* it serves */
	IPC_FAILED, /* it cannot serve; text says why; it exits next */
	IPC_BORN, /* first, by what a keeper makes: arg = its pid */
	/* to IPC_REFRESH, under its tag: rc = 0, or text says why the files
	 * were not taken. Parent to control: the same of a transport, before
	 * the IPC_DONE of its reload and under the tag of that */
	IPC_REFRESHED,
	/* control to parent; answered by IPC_DONE with the same tag */
	IPC_START, /* transport */
	IPC_STOP, /* transport, arg = drain in ms */
	/* transport, arg = drain in ms; rc = 1: connections end, too; else
	 * they stay, where that can be */
	IPC_RESTART,
	IPC_KICK, /* arg = connection id; passed on to its worker */
	IPC_SHUTDOWN, /* the daemon drains and ends */
	IPC_UPGRADE, /* it becomes the program that is installed now */
	/* arg = 0, or enum ipc_look: only look, and tell. A descriptor that
	 * comes along is written to: what the files, or the text, mean */
	IPC_RELOAD,
	/* a line of what was found, before the IPC_DONE of its reload and under
	 * the tag of that; arg = 1: a mistake. Only where arg was 1 */
	IPC_REPORT,
	/* parent to control */
	IPC_DONE, /* rc = 0 or an errno; arg = the state; text = why */
	/* parent to worker */
	IPC_DRAIN, /* arg = ms: finish what has been asked, then exit 0 */
	/* parent to worker: another one will take its place: leave all as
	 * it is, exit 0. What cannot do that drains, arg as in IPC_DRAIN. rc
	 * = 1 + the connections that there will be room for, or 0: the others
	 * are drained first */
	IPC_YIELD,
	/* parent to worker: files that it has read may have changed */
	IPC_REFRESH,
	/* keeper to a new supervisor, first of all: transport and tag say which
	 * worker it keeps, arg its pid or 0; the listener comes along */
	IPC_KEEPER,
	/* then, if there is a worker: its pidfd comes along. Parent to a
	 * keeper: the worker arg is to be kept, which another one has made */
	IPC_WARD,
	/* the answer: what comes along is the channel to that worker */
	IPC_ADOPT,
	/* parent to keeper: a worker is to be made, whose identity is arg; its
	 * end of its channel comes along */
	IPC_SPAWN,
	/* parent to a keeper that another one takes the place of, or to a
	 * worker whose keeper has died: what the worker had open goes to the
	 * new one through what comes along, in messages IPC_CONN: arg = the
	 * record, or IPC_CONN_NONE; then it ends. To a worker without that:
	 * keeper/widow.h */
	IPC_HAND,
	IPC_CONN,
	/* parent to the new one: the other end of that; before IPC_SPAWN */
	IPC_TAKE,
	/* parent to control: the last one to go */
	IPC_EXIT,
	/* parent to all: the log was opened anew, its descriptor comes along;
	 * arg = 0, or 1 + its new level. proc_order() deals with it */
	IPC_LOG,
	/* parent to control and http, while serving: another configuration,
	 * arg = enum ipc_conf; answered by IPC_TAKEN with the same tag */
	IPC_CONF,
	/* parent to http, before IPC_CONF_FORCE: the listener from then on */
	IPC_LISTEN,
	/* child to parent: rc = 0, or text says why not */
	IPC_TAKEN,
	/* worker without a keeper to a new supervisor: transport and tag as in
	 * IPC_KEEPER, with the listener; answered by IPC_ADOPT */
	IPC_WIDOW,
	/* parent to all: it becomes another program, and the channel ends.
	 * proc_order() deals with it */
	IPC_PART,
	IPC_KINDS
};

/* The steps of it, of which only the last but one must be taken. */
enum ipc_conf {
	/* what comes along (sealed.h) may come into force: nothing changes
	 * yet, but what it takes is opened */
	IPC_CONF_LOOK = 1,
	/* from the answer on no register is written to: what asks for it
	 * waits */
	IPC_CONF_HOLD,
	IPC_CONF_FORCE, /* what comes along is in force; goes on with it */
	IPC_CONF_ABANDON, /* nothing comes of it; goes on */
};

enum ipc_look {
	IPC_LOOK = 1,
	IPC_LOOK_TEXT, /* at what is in the descriptor, for the main file */
};

enum { /* rc of IPC_KEEPER and IPC_WIDOW */
	IPC_FOREIGN = 1, /* the worker is not of its table, and calls itself */
	IPC_TICKET = 2, /* the text is the key of the transport's tickets */
};

#define IPC_CONN_NONE UINT64_MAX /* accepted, without a record yet */

enum { IPC_TEXT = 360 }; /* a sentence with a path in it */

struct ipc_msg {
	uint32_t kind; /* enum ipc_kind */
	uint32_t tag;
	uint32_t transport; /* index */
	int32_t rc;
	uint64_t arg;
	char text[IPC_TEXT]; /* ends with NUL */
};

_Static_assert(sizeof(struct ipc_msg) == 384, "one size for all");

/* A pair; both ends non-blocking and CLOEXEC. */
int ipc_pair(int fd[2]);

/* Sends one message. -1 with errno: EAGAIN the reader does not read, EPIPE it
 * has gone. */
int ipc_send(int fd, const struct ipc_msg *);

/* The same, with a descriptor for the reader unless pass is -1. */
int ipc_send_fd(int fd, const struct ipc_msg *, int pass);

/* Sends IPC_BORN, with a pidfd unless that is -1. */
int ipc_send_born(int fd, pid_t, int pidfd);

/* Receives one: 1 got it, 0 none now, -1 the peer has gone (errno 0) or sent
 * what is no message (errno EPROTO). */
int ipc_recv(int fd, struct ipc_msg *);

/* The same, taking a descriptor that may come along, which is the caller's
 * then (-1: none, or more than one, or with what is no message; set whatever is
 * returned). */
int ipc_recv_fd(int fd, struct ipc_msg *, int *pass);

#endif
