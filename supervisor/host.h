/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_HOST_H
#define SUPERVISOR_HOST_H

/*
 * The program whose server this process is: what it is told, and what is heard
 * from it. They have a SEQPACKET pair between them. When the program closes
 * its end or ends itself, however it does, the server drains and ends.
 *
 * In the daemon, which is nobody's server, none of this does anything.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shm/log.h"

struct super;
struct event;
struct hf_hooks;

enum { HOST_WORDS = 480 };

enum host_kind {
	/* from the server */
	HOST_STARTED = 1, /* it listens; text: where; place: in the store */
	HOST_CHANGED, /* something about it has; not sent while the program has
		       * not yet read what was */
	HOST_ENDED, /* the last one; err 0: as it was asked to; else text says
		     * why, and before HOST_STARTED: why it did not start */
	/* from the program */
	HOST_STOP,
	HOST_LOG, /* level; a descriptor comes along */
	HOST_KINDS
};

struct host_msg {
	uint32_t kind; /* enum host_kind */
	int32_t err; /* errno */
	uint32_t place, level;
	char text[HOST_WORDS]; /* ends with NUL */
};

struct host {
	int chan; /* to the program; non-blocking */
	int program; /* a pidfd of it, -1: none */
	const struct hf_hooks *hooks; /* or NULL */
	uint64_t store; /* inode of its control segment */
	bool started; /* HOST_STARTED has been sent */
	bool orphan; /* the program has gone */
	int err; /* why it ends, 0: it was asked to */
	char why[HOST_WORDS];
	struct event *heard, *gone;
	unsigned ticks;
};

/* Begins to listen to the program. 0, or -1. */
int host_init(struct super *);
void host_fini(struct super *);

/* Notes why this server cannot go on; what was noted first stays. */
void host_note(struct super *, int err, const char *fmt, ...) LOG_FMT(3, 4);

/* The state of the transport has changed. */
void host_settle(struct super *);

/* Time passes. */
void host_tick(struct super *);

/* Waits, a second at most, until a program that is going has gone, and with it
 * all that it had locked. */
void host_outlive(struct super *);

/* The last words, before the process ends. */
void host_end(struct host *);

/* Both ends. Sends one message, with a descriptor unless pass is -1; -1 with
 * errno. Never waits; may be called in a signal handler. */
int host_send(int chan, const struct host_msg *, int pass);

/* Receives one: 1; 0 none now; -1 the other end has gone. *pass: a descriptor
 * that came along, which is the caller's, or -1. */
int host_recv(int chan, struct host_msg *, int *pass);

#endif
