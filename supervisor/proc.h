/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PROC_H
#define SUPERVISOR_PROC_H

/*
 * A process of the daemon as it finds itself after its birth, and what it may
 * say to its parent. The birth is one recipe (birth.c): a child has its signals
 * at default and those that a terminal or an operator sends to all ignored,
 * only the descriptors named here open, its byte of the lock file held, the
 * segments that it does not serve unmapped, its user and limits set, no new
 * privileges, and then its role's main is called.
 *
 * This is all that workers and control see of the supervisor at run time, so
 * what some files do for them is declared here: proc.c, part.c, secret.c and
 * keeper/widow.c, whose own headers are the parent's.
 */

#include "shm/seg.h"
#include "shm/slot.h"
#include "shm/store.h"
#include "supervisor/conf.h"
#include "supervisor/ipc.h"

enum { PROC_TICKET_BYTES = 64 };

struct hf_hooks;
struct process;
struct widow;

/* A file that the worker's own user may not be able to read. */
struct proc_file {
	const char *path;
	uint8_t *data; /* len bytes; may be NULL if err is set */
	size_t len;
	int err;
};

struct proc {
	const struct conf *conf;
	const struct conf_transport *transport; /* workers; else NULL */
	unsigned transport_index; /* in the control segment */
	unsigned worker; /* index within the transport */
	const char *run_dir;
	struct slot_env env; /* control segment, lock file, identity */
	struct seg control_seg;
	struct seg worker_seg; /* workers: their own */
	const struct hf_hooks *hooks; /* workers: of the program whose
				       * library this is; or NULL */
	struct store *stores; /* one per conf device; dev NULL: not served */
	struct seg *device_segs; /* that they are in */
	int chan; /* to the parent, non-blocking */
	uint64_t chan_inode; /* proc_new_parent() */
	bool parted; /* the parent has said that it goes */
	int listen_fd; /* -1 for those without */
	bool adopted; /* workers: a keeper finds them a new parent */
	struct process *ward; /* keepers: what their worker is made from */
	bool kept; /* workers: a predecessor's descriptors are open here */
	struct widow *widow; /* workers that a keeper has made; or NULL */
	int actions_fd; /* workers: where the module of "actions" is asked, or -1 */
	uint64_t saver; /* persist: as saved.durable_saver has it */
	bool tried; /* actions: without its module it is of no use */
	uint64_t began_ns; /* when the daemon began, CLOCK_MONOTONIC */
	int bell_fd; /* that bells are rung with; -1 until it is needed */
	struct proc_file *files; /* tls: private keys and their password */
	size_t nfiles;
	/* tls: tickets are sealed with it; the same in every worker of the
	 * transport, also in the successors of those that died */
	uint8_t ticket_key[PROC_TICKET_BYTES];
};

/* What becomes of a child after its birth; never returns but by exit code. */
typedef int proc_main_fn(struct proc *);

/* The roles that the supervisor can fork; main.c fills this in. */
struct proc_roles {
	proc_main_fn *worker;
	proc_main_fn *control;
	proc_main_fn *actions;
	proc_main_fn *http;
	proc_main_fn *clock;
	proc_main_fn *persist;
	/* prints what is wrong with a transport's plugins and, if files is
	 * true, its certificates; how many. Only in a process of its own */
	int (*check)(struct proc *, bool files, FILE *err);
	const char *missing; /* a part that was not found, or NULL */
	bool mortal; /* nobody is going to start it again: when it is killed
		      * all that it has made ends too */
	/* told in the supervisor, once: the lines of the file "ready", and
	 * where the page is; or NULL */
	void (*ready)(void *arg, const char *text, const char *page);
	void *arg;
};

/* Tells the parent that this child serves. */
void proc_ready(struct proc *);

/* Tells the parent why it cannot serve, logs it, and returns the code that
 * main should return: 78 for configuration, 70 otherwise. */
int proc_failed(struct proc *, int code, const char *fmt, ...) LOG_FMT(3, 4);

/* Answers IPC_REFRESH or IPC_CONF under its tag. why: NULL, or why not. */
void proc_refreshed(struct proc *, uint32_t tag, const char *why);
void proc_taken(struct proc *, uint32_t tag, const char *why);

/* Carries out IPC_LOG and IPC_PART; whatever came along is closed. */
void proc_own_order(struct proc *, const struct ipc_msg *, int fd);
/* Logs that the parent has gone, as a warning unless that was ordered. */
void proc_orphaned(struct proc *);

/* True if the channel has become another one since it was last asked: the
 * child has a new parent. One system call. */
bool proc_new_parent(struct proc *);

/* The next message from the parent: 1 got one, 0 none now, -1 the parent has
 * gone: the child should drain and end. */
int proc_order(struct proc *, struct ipc_msg *);
/* The same with what comes along, which is the caller's; or -1. */
int proc_order_fd(struct proc *, struct ipc_msg *, int *pass);

/* What came with an order, for conf_free(), or NULL; the descriptor stays. */
struct conf *proc_conf(const struct proc *, int fd);

/* widow.h: by workers without a parent; the last call of who gives way. */
void proc_seek_parent(struct proc *);
void proc_hand_over(struct proc *);

/* Notes a turn of the loop, and that a request begins (ns) or has ended (0).
 * now_ns: CLOCK_MONOTONIC. No system call. */
void proc_beat(struct proc *, uint64_t now_ns);
void proc_busy(struct proc *, uint64_t now_ns);

/* How long a loop may sleep, in ms, without its parent taking it for hung. */
uint64_t proc_beat_ms(const struct proc *);

/*
 * What a part of the daemon (parts/NAME.so) has under a name; loads the part
 * the first time. NULL with words in *why. What parts weigh and what they break
 * stays in the process that loads them.
 */
void *proc_part(const char *part, const char *symbol, const char **why);

/* What stands in a private key's or password's file, as it was read before the
 * child became its user. Stays until proc_files_wipe(). NULL with errno:
 * ENOENT if it was not read at all. */
const uint8_t *proc_file(const struct proc *, const char *path, size_t *len);

/* Overwrites and gives back all of those. */
void proc_files_wipe(struct proc *);

#endif
