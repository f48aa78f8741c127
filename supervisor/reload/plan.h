/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_PLAN_H
#define SUPERVISOR_RELOAD_PLAN_H

/*
 * What a new configuration changes: every transport and every device of either
 * of the two, by name, and the keys of the top level. Compares, does nothing;
 * whether it can be done is for the parts that do it (apply.h).
 */

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/conf.h"

enum { PLAN_WHY = 200 };

enum plan_fate { PLAN_SAME, PLAN_CHANGED, PLAN_ADDED, PLAN_REMOVED };

#define PLAN_NONE ((size_t)-1)

/* A transport, or a device. */
struct plan_item {
	const char *name;
	enum plan_fate fate;
	size_t was, is; /* index in now and in next; PLAN_NONE: not there */
	bool restarts; /* transports: its workers have to see what changes, of
			* it or of what they serve */
};

struct plan {
	const struct conf *now, *next;
	/* those of now in their order, then what is added, in that of next */
	struct plan_item *transports, *devices;
	size_t ntransports, ndevices;
	char **keys; /* of the top level that differ */
	size_t nkeys;
	bool failed; /* memory has run out */
};

/* Compares. 0, or -1: they could not be compared. plan_free() in both cases;
 * both configurations must live until then. */
int plan_make(struct plan *, const struct conf *now, const struct conf *next);
void plan_free(struct plan *);

/* True if a transport serves a device, before or after it. */
bool plan_serves(const struct plan *, const struct plan_item *transport,
    const struct plan_item *device);

/* True if that key of the top level differs. */
bool plan_key(const struct plan *, const char *key);

/* The item of a device of next, or of a transport of it. */
struct plan_item *plan_device(const struct plan *, size_t is);
struct plan_item *plan_transport(const struct plan *, size_t is);

/* True if a transport's open connections can stay as the new keys begin to
 * hold for it: plain TCP at the same address, framed alike, and nobody who was
 * let in could be shut out now. */
bool plan_keeps(
    const struct conf_transport *was, const struct conf_transport *is);

/* The same wherever they listen. */
bool plan_alike(
    const struct conf_transport *was, const struct conf_transport *is);

/* True if it is to listen elsewhere. */
bool plan_moves(
    const struct conf_transport *was, const struct conf_transport *is);

#endif
