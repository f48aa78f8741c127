/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

/*
 * What the commands work on: the devices, what the parent is asked for, the
 * workers' segments, and this process's own counters. It knows no socket, so
 * that tests can have one without ZeroMQ.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/cmd/cmd.h"
#include "shm/bell.h"
#include "supervisor/proc.h"

struct control;
struct events;
struct former;
struct rpc_job;
struct view;
struct work;

/* What whoever serves clients does about another configuration: take.h. Each
 * may be NULL. */
struct take_ops {
	/* All that may fail; nobody sees anything of it. -1: why[] says what
	 * is wrong. What was looked at before is forgotten. */
	int (*look)(
	    struct control *, const struct conf *next, char *why, size_t size);
	/* c->proc->conf is in force; was is the one before it. */
	void (*force)(struct control *, const struct conf *was);
	void (*abandon)(struct control *);
	/* Where to listen from then on; takes the descriptor over. */
	void (*listen)(struct control *, int fd);
};

struct control {
	struct proc *proc;
	struct shm_control *shm;
	unsigned *places; /* of each transport in the control segment */
	struct view *views; /* one per worker of every transport */
	unsigned nviews;
	uint64_t op; /* last operation number given out */
	uint32_t tag; /* last tag given out */
	uint64_t now_ns; /* monotonic; control_beat() sets it */
	/* the device that was last waited for in vain, and when */
	const struct store *held_store;
	uint64_t held_ns;
	/* the fault rules, as they were when they were last looked at, and
	 * when the first of them expires; 0 never */
	uint64_t faults_version, faults_due_ns;
	uint64_t
	    faults_bound_ns; /* the next look after connections, 0: never */
	struct shm_door *stats; /* what this process counts */

	/* see take.h */
	struct take_ops take;
	void *server; /* for those */
	struct events *events; /* or NULL */
	struct conf *own; /* in force, if it is not that of the birth */
	struct former *formers; /* that a thread may still read */
	bool on_hold; /* nothing is to be asked for now */
	uint32_t hold_tag; /* of who waits for that; 0: it has been told */

	struct work *works; /* see work.h; the first is being done */
	int work_fd; /* an eventfd: one of them is over; -1: none */
	bool work_due; /* it has been heard of */
	pthread_mutex_t reading; /* a thread reads registers; work.h */
	/* what a config.check says and is told on, and until when it may be
	 * under way; -1: none is */
	int sheet;
	uint64_t sheet_ns;
	struct bell saved_bell; /* rung when durable ranges have been saved */
	unsigned nsaves; /* calls that wait for that */
	uint64_t late_ticket; /* what was waited for in vain; 0: none */
	struct rpc_job *jobs; /* messages that wait for the parent */
	unsigned njobs;
	size_t held; /* values that their answers hold already */
	bool one_frame; /* a message has no second, raw frame */
	/* Sends an answer; `to` is what came with the message, which drop()
	 * gives back once nothing more is sent there. */
	void (*reply)(struct control *, void *to, const char *text, size_t len,
	    const void *raw, size_t raw_len);
	void (*drop)(struct control *, void *to);
};

/* Everything but the sockets. 0, or -1 with errno. */
int control_init(struct control *, struct proc *);
void control_fini(struct control *);

/* Notes the time, and that this process is alive: once a turn of the loop and
 * after each piece of work in it. No system call. */
void control_beat(struct control *);

/*
 * Asks the parent. The call becomes one that is answered later, by done(),
 * or fails if the parent does not read, or after wait_ms without an answer.
 */
void control_ask(struct cmd_call *, struct ipc_msg *, uint64_t wait_ms,
    void (*done)(struct cmd_call *, const struct ipc_msg *));
/* The same with a descriptor for the parent, which stays ours; or -1. */
void control_ask_fd(struct cmd_call *, struct ipc_msg *, int fd,
    uint64_t wait_ms, void (*done)(struct cmd_call *, const struct ipc_msg *));

/* The store of a device by its name (NULL: the only one); its index in the
 * configuration goes to *index. NULL after the call has failed. */
struct store *control_device(
    struct cmd_call *, const char *name, unsigned *index);

/* The index of a transport by its name, or -1 after the call has failed. */
int control_transport(struct cmd_call *, const char *name);

/* Carries out steps on a device as this process. */
enum store_rc control_apply(struct control *, struct store *,
    const struct store_step *, unsigned n, uint64_t *seq);

#endif
