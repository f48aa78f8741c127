/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_COMING_H
#define SUPERVISOR_RELOAD_COMING_H

/*
 * Transports on their way in: what is ready for each in a plan before anything
 * of it comes into force, so that it can no longer fail.
 */

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/listen.h"
#include "supervisor/reload/plan.h"

struct service;
struct super;

/* Of each transport in the plan. */
struct coming {
	/* what is added, or stands in the place of what is laid out otherwise,
	 * is in the list of those that come until it is entered; or NULL */
	struct service *sv;
	bool entered;
	int fd; /* where it listens from now on, if elsewhere; or -1 */
	const struct service *from; /* who gives that up; or NULL */
	char real[LISTEN_ADDR_MAX];
	/* in the plan: another one that gets its connections, for it listens
	 * where they came; and whose it gets; or PLAN_NONE */
	size_t host, guests;
};

/* One for each in the plan: nothing is ready. */
void coming_init(const struct super *, const struct plan *, struct coming *);

/* Makes the i-th ready. 0, or -1 and why[] says what is in the way. */
int coming_make(struct super *, const struct plan *, struct coming *, size_t i,
    char *why, size_t size);

/* Gives back what has not come into force. */
void coming_free(struct coming *, size_t n);

/* Whether it serves with these keys: stopped is what somebody has ordered,
 * unless it never was to begin. */
bool coming_wanted(const struct service *was, const struct conf_transport *);

/* True if they are of the same type. */
bool coming_kind(const struct conf_transport *, const struct conf_transport *);

#endif
