/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_TOPICS_H
#define CONTROL_TOPICS_H

/*
 * The topics of events.h, as a configuration makes them.
 */

#include "control/events.h"

/* Those of a configuration, the caller's to free; numbers begin above all of
 * an earlier process. NULL: no memory. */
struct topic *topics_new(const struct conf *);

/* They are what there is. */
void topics_set(struct events *, struct topic *, const struct conf *);

/* Counts what begins so, and keeps the prefix for topics that a later
 * configuration has. */
void topics_want(struct events *, const char *prefix, size_t len, bool wanted);

/* Next ones go on with the numbers of those that there are, and are wanted as
 * was asked for. */
void topics_carry(const struct events *, struct topic *, const struct conf *);

#endif
