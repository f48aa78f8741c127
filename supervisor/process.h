/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

/*
 * A child process as the supervisor has it: its life (child.h), its pid, its
 * slot, its channel. What child_ops asks for is done here.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/seg.h"
#include "supervisor/birth.h"
#include "supervisor/child.h"
#include "supervisor/ipc.h"
#include "supervisor/keeper/keeper.h"
#include "supervisor/watchdog.h"

struct aide;
struct super;
struct service;
struct event;

enum { PROCESS_ENDED = -2 }; /* we had to end it */

struct process {
	struct child child;
	struct process *next; /* in super->processes */
	struct super *super;
	struct service *service; /* workers; else NULL */
	const struct aide *aide; /* the others; else NULL */
	unsigned worker; /* index within the service */
	unsigned slot;
	struct shm_slot *shm; /* of that slot */
	struct seg seg; /* workers: their segment */
	int listen_fd; /* aides: -1 for those without */
	const char *user; /* aides: whom they run as; NULL */
	uid_t uid;
	gid_t gid;
	char name[SHM_NAME_MAX];
	pid_t pid; /* 0: none, or its keeper has not said so yet */
	bool unborn; /* its keeper was asked to make it */
	bool doomed; /* and it is to be ended as soon as it is there */
	bool held; /* it is to be born once that is allowed */
	uint64_t asked_ms;
	struct keeper keeper; /* workers */
	int pidfd; /* of one that is no child of ours; -1 */
	int hand; /* what it has open goes there as it gives way; -1 */
	uint64_t mended_ms; /* when its keeper was replaced last */
	struct widow *widow; /* in a keeper: what its workers have of it */
	struct event *gone; /* its end */
	uint64_t id; /* identity in the store */
	uint64_t former; /* in a worker: its predecessor's */
	int chan; /* -1: none */
	int passed; /* came with the message that is being heard; or -1 */
	struct event *chan_event, *timer;
	uint32_t owes; /* aides: the tag of an answer to IPC_CONF; 0: none */
	enum ipc_conf asked;
	uint32_t refresh; /* the round of which it owes the answer; 0: none */
	bool served; /* since its last order */
	int last; /* its last end: its status, or PROCESS_ENDED */
	bool passes; /* another one is going to have its keeper */
	uint64_t ready_ms, mute_ms; /* when it became ready, fell silent */
	struct watchdog_mark mark;
};

/* Prepares a stopped child; its segment stays as it is. 0, or -1: no memory. */
int process_init(
    struct process *, struct service *, unsigned worker, unsigned slot);
/* The same for an aide. */
int process_init_aide(struct process *, struct super *, const struct aide *,
    const struct retry_limits *);
void process_fini(struct process *); /* safe if it was never prepared */

/* What the configuration says of its deaths. */
struct retry_limits process_limits(const struct conf_transport *);

/* Hears what a child that is not known yet has to say of itself. */
void process_hear(struct process *);

/* Sends it a message; a child that does not read is killed. */
void process_send(struct process *, const struct ipc_msg *, int pass_fd);

/* Its channel ends, if it has one. */
void process_close_channel(struct process *);

/* SIGKILL, if there is a process. why: words for the log; "": keep those that
 * are set. */
void process_kill(struct process *, const char *why);

/* ---- process_born.c ---- */

/* In a child: becomes what this describes. chan: its end of the channel. */
void process_be_born(struct process *, int chan, enum birth_kind)
    __attribute__((__noreturn__));

/* Notes in its slot who it is going to be. */
void process_fill_slot(struct process *);

/* The same under its next identity, which it returns. */
uint64_t process_new_id(struct process *);

/* IPC_BORN has come. */
void process_is_born(struct process *, pid_t);

/* It is there. */
void process_have_pid(struct process *, pid_t);

/* A worker of a former supervisor is its occupant. */
void process_adopt(struct process *, pid_t, int pidfd);

/* True while it is not to be born (apply_devices_hold(), adopt_hold()). And one
 * that was not, and now is, is born. */
bool process_held(const struct process *);
void process_release(struct process *);

/* Ends a keeper that owes a worker for too long. */
void process_watch_birth(struct process *, uint64_t now_ms);

/* ---- process_end.c ---- */

enum { PROCESS_UNSEEN = 0x7f }; /* a status that no end has: nobody saw it */

/* How one ended that is no child of ours, and whose pidfd says that it has: if
 * its parent has not waited for it yet, or the kernel remembers (since 6.15);
 * else PROCESS_UNSEEN. */
int process_status(pid_t, int pidfd);

/* Tells a worker's successor what the worker has died of; ordered: it was we
 * who have killed it. True if it may have been something that it was asked. */
bool process_blame(struct process *, int wait_status, bool ordered);

/* The end of one that is no child of ours is to be heard of: by p->passed,
 * which is kept for that; and not any more. */
void process_watch_pidfd(struct process *);
void process_forget_pidfd(struct process *);

/* Nobody has the other end of its channel: there is no such process. */
void process_never_born(struct process *);

/* The supervisor has waited for the child: declares it dead, repairs what it
 * held, and lets its life go on. */
void process_died(struct process *, int wait_status);

#endif
