/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SERVICE_H
#define SUPERVISOR_SERVICE_H

/*
 * A transport as the supervisor has it: a listener and the workers that share
 * it. The listener is open while somebody will accept from it, so that
 * clients wait in its backlog while a worker is replaced, and shut down when
 * nobody will, so that they are refused at once, also while workers that have
 * it drain. It can be opened again before they have gone.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "shm/seg.h"
#include "supervisor/child.h"
#include "supervisor/conf.h"
#include "supervisor/listen.h"
#include "supervisor/orders.h"
#include "supervisor/proc.h"

struct super;
struct process;

struct service {
	struct service *next; /* in super->services */
	struct super *super;
	const struct conf_transport *conf;
	unsigned place; /* in the control segment: places.h */
	unsigned slot; /* worker w has that + w */
	unsigned author; /* and its connection c this + w * nconns + c */
	struct shm_transport *shm;
	struct process *workers; /* nworkers of them */
	unsigned nworkers, nconns; /* connections of each */
	int listen_fd; /* -1: closed */
	unsigned listen_round; /* of the listener: how many there have been */
	char listen[LISTEN_ADDR_MAX]; /* the real address */
	/* one that leaves: what it is from now on, and who has its listener,
	 * which its workers' connections go over to; or NULL. The former has
	 * no use for its own entry up to then */
	struct service *heir, *host;
	bool held; /* it is one of those: that one has not gone yet */
	struct shm_transport sink; /* what its shm is from then on */
	bool yields; /* its workers give way without ending connections */
	bool wanted; /* it should serve: service_want() */
	bool awaited; /* keepers of a former supervisor are to call */
	bool untold; /* and none has: nothing is there to begin with */
	/* deaths under former supervisors, or of whom this is the heir */
	unsigned survived;
	enum shm_state state;
	char why[CHILD_WHY_MAX]; /* it last backed off or failed */
	unsigned refreshing; /* workers that owe an answer: refresh.h */
	char refresh_why[ORDERS_TEXT]; /* "": all that have answered did it */
	uid_t uid;
	gid_t gid;
	uint8_t ticket[PROC_TICKET_BYTES]; /* see secret.h */
};

/* Deaths that it has survived, all in all. */
unsigned service_survived(const struct service *);

/* A service that is stopped, with room for its workers; not in the list. NULL:
 * no memory. */
struct service *service_new(struct super *, const struct conf_transport *);
void service_free(struct service *);
void service_free_all(struct service **list); /* with what they have mapped */

/* Opens the listener if it is closed, at the address that it had if it had
 * one. 0, or -1 with errno. */
int service_open(struct service *);

/* It is to listen elsewhere, with that descriptor, or -1 if it does not listen
 * now. Those who have the former listener accept no more. */
void service_move(struct service *, int fd, const char *real);

/* An ordered start is a power-up: what Modbus clients have made of the line's
 * modes and counters (function code 8) begins anew. */
void service_afresh(struct service *);

/* Whether it should serve, also when there is no supervisor. */
void service_want(struct service *, bool);

/* Tells every worker. drain_ms is for events that make it drain. */
void service_event(
    struct service *, enum life_event, unsigned drain_ms, const char *why);

/* One of its workers has changed its state: works out the transport's, tells
 * the world, closes the listener if it is of no use any more. */
void service_settle(struct service *, const char *why);

/* Where it is to be found, in full: what is no address may be longer than
 * listen[]. */
const char *service_where(const struct service *);

/* True if every worker is in that state. */
bool service_all(const struct service *, enum life state);

/* True while one of its workers has a process or will have one again. */
bool service_lives(const struct service *);

#endif
