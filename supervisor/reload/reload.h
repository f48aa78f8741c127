/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_RELOAD_H
#define SUPERVISOR_RELOAD_RELOAD_H

/*
 * Reading the configuration again while serving. A throw-away child reads
 * it, so that no mistake in a file can reach the supervisor, and reports in
 * lines of text what is wrong; what is right it hands over sealed (sealed.h).
 * plan.h says what differs, apply.h has it come into force.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/orders.h"

struct super;
struct process;
struct service;
struct event;

enum {
	RELOAD_REPORT = 8192,
	RELOAD_TOLD = 40, /* lines that an asker is told */
	RELOAD_MS = 20000, /* well below what control waits for the answer */
};

struct reload {
	struct super *super;
	pid_t pid; /* of the reader; 0: none */
	int fd;
	struct event *readable, *timer;
	struct process *asker; /* an aide that waits, under tag; or NULL */
	uint32_t tag;
	enum ipc_look look; /* nothing comes of it but what is told */
	bool again; /* a signal has asked for another one meanwhile */
	bool ended; /* the reader, with status */
	int status;
	char *report;
	size_t len;
	/* what came of it, while certificates are read again */
	int code; /* exit code of the reader */
	unsigned lines;
	char first[ORDERS_TEXT]; /* line */
	int fresh; /* the reader's sealed result; -1 */
	bool applied, failed; /* it is in force; something does not serve */
};

/* Begins, as the asker's order says (see IPC_RELOAD); NULL, NULL: a signal
 * has asked. One at a time: an asker is refused meanwhile, a signal has another
 * one follow. One that only looks changes nothing, and tells the asker what it
 * found, line by line. */
void reload_start(
    struct super *, struct process *asker, const struct ipc_msg *);

/* True if pid was the reader, which has ended with that wait status. */
bool reload_died(struct super *, pid_t pid, int wait_status);

/* What has changed is in force; before it, each transport that has restarted
 * or was added, or failed to. */
void reload_restarted(struct super *, struct service *, bool added);
void reload_applied(struct super *);

/* A device is what it was: somebody has it and does not give it back. */
void reload_stays(struct super *, const char *device);

/* A process beside the workers has begun anew, or failed to; and nothing is
 * changed, after all. */
void reload_renewed(struct super *, struct process *);
void reload_refused(struct super *, const char *why);

/* Certificates have been read again, or not: answers control and is over. */
void reload_refreshed(struct super *);

/* Gives up one that is under way, and says so to control if it waits. Its
 * reader is left to whoever waits for children. */
void reload_stop(struct super *);

#endif
