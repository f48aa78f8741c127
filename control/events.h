/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_EVENTS_H
#define CONTROL_EVENTS_H

/*
 * Events: changes of registers out of the devices' rings and notices out of
 * the slots' rings, each under its topic. Only topics that somebody wants
 * cost anything. Knows no socket.
 *
 * Each topic counts its events by ones, from a start that lies above every
 * number of an earlier control process; so whoever sees anything but the next
 * number has missed something.
 */

#include "control/state.h"
#include "shm/bell.h"

/* Publishes one event. */
typedef void events_send_fn(
    void *arg, const char *topic, const char *json, size_t len, uint64_t seq);

struct topic {
	char name[SHM_NAME_MAX + 40];
	unsigned subscriptions; /* prefixes of its name that somebody wants */
	uint64_t seq; /* of the last event */
};

/* What somebody wants, whether there is a topic of it or not yet. */
struct wanted {
	char prefix[SHM_NAME_MAX + 40];
	unsigned n;
};

struct events {
	struct control *control;
	events_send_fn *send;
	void *arg;
	struct topic *topics; /* tables of devices, then transports,
			       * connections, then faults and the log */
	unsigned ntopics, first_transport, first_connections, log, faults;
	struct wanted *wanted;
	size_t nwanted;
	uint64_t *changes; /* position in each device's ring */
	uint64_t *notices; /* position in each slot's ring */
	uint64_t early_ns; /* since when one waits for its transport; 0 */
	unsigned nslots;
	uint8_t *buf;
	struct bell bell; /* rung when registers change */
};

enum {
	EVENTS_BUDGET = 512, /* in one turn */
	EVENTS_WANTED_MAX = 4096, /* that are kept for topics to come */
};

int events_init(struct events *, struct control *);
void events_fini(struct events *);

/* Somebody wants, or no longer wants, the topics that begin so. */
void events_subscribe(
    struct events *, const char *prefix, size_t len, bool wanted);

/*
 * Before another configuration comes into force. was: the index of each of its
 * devices before, or -1 for one whose segment is another one. Publishes what is
 * left of what may go, then goes over to it: what is wanted stays so, and
 * numbers count on. 0, or -1 with errno and nothing has changed.
 */
int events_take(struct events *, const struct conf *next, const int *was);

/* Publishes what there is, up to a budget. True if there may be more. */
bool events_pump(struct events *);

/*
 * Before sleeping: asks writers to wake us. Returns for how many milliseconds
 * to sleep at most: 0 if there is something already, -1 for as long as you
 * like. events_disarm() after it.
 */
int events_arm(struct events *);
void events_disarm(struct events *);

#endif
