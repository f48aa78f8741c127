/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_API_SERVER_H
#define SUPERVISOR_API_SERVER_H

/*
 * Between the files that start and stop the servers of a program. They run in
 * the program's own process, in any of its threads, but for what api_fork.c
 * says.
 */

#include "supervisor/api/api.h"
#include "supervisor/embed.h"
#include "supervisor/holdfast.h"

enum api_life { API_IDLE, API_STARTING, API_RUNS, API_ENDED };

/*
 * One life of a server, from its start to its end. Whoever waits for that holds
 * on to it, and so hears how it went even if the server has been started again
 * meanwhile. The server's lock is around all of it.
 */
struct api_run {
	unsigned users; /* the server, and whoever waits */
	int chan; /* to its process; open as long as this is there */
	bool over;
	int err; /* why it ended; 0: as it was asked to */
	char why[HOST_WORDS];
};

struct hf_server {
	struct hf_server *next; /* of this program's */
	unsigned users; /* whoever has a pointer to it; API_LOCK_SERVERS */
	struct hf_store *store;
	pid_t program;
	char name[SHM_NAME_MAX];
	char *folder, *text, *more; /* struct conf_text */
	const struct hf_hooks *hooks;
	int stop_fd; /* 0: none */
	unsigned workers;

	pthread_mutex_t lock; /* around what follows */
	pthread_cond_t begun; /* it is no longer API_STARTING */
	enum api_life life;
	struct api_run *run; /* the last one, or NULL */
	_Atomic int chan; /* that one's, for signal handlers, or -1 */
	_Atomic bool starting, asked; /* to stop, before there was a chan */
	pid_t pid; /* of that, if it is our child; else 0 */
	int epoll; /* what hf_server_fd() gives: watches chan */
	unsigned place; /* in the store; stays after the end */
	char address[64];
	struct seg *seen; /* its workers' segments, for reading */
};

/* ---- options ---- */

/* Takes over what a program says, which may be an older one's: what that has
 * not got is zero. 0, or -1 after api_fail(): the size is wrong. */
int api_opts_take(const struct hf_server_opts *given, struct hf_server_opts *);

/* 0, or -1 after api_fail(): what no configuration could say. */
int api_opts_check(const struct hf_store *, const struct hf_server_opts *);

/* The configuration of a server that is called so, malloc'd; NULL with errno.
 */
char *api_opts_text(
    const struct hf_store *, const struct hf_server_opts *, const char *name);

/* "tcp" */
const char *api_type_name(const struct hf_server_opts *);

/* ---- processes ---- */

/* What its processes can become: hf_roles.c. */
extern const struct proc_roles api_roles;

/*
 * Makes a process that does what embed_run() does. *child: its pid if it is
 * ours to wait for, else 0. 0, or -1 after api_fail().
 */
int api_fork(const struct embed *, pid_t *child);

/* Hooks as a run of bytes, malloc'd, and back, which lies in them. NULL with
 * errno. */
void *api_hooks_pack(const struct hf_hooks *, size_t *len);
const struct hf_hooks *api_hooks_unpack(void *bytes, size_t len);

/* Notes which code there is; then whether the hooks' was there by then. */
void api_code_note(void);
bool api_code_known(const struct hf_hooks *);

/* ---- the log ---- */

/* Where servers log: a descriptor that is the caller's, or -1: nowhere. *as_of
 * is for api_log_again(). */
int api_log(enum log_level *, unsigned *as_of);

/* Tells a server that runs. */
void api_log_tell(struct hf_server *);

/* Tells one that can be told from now on, if that has changed since. */
void api_log_again(struct hf_server *, unsigned as_of);

/* Calls fn for each server that runs. */
void api_servers_each(void (*fn)(struct hf_server *));

#endif
