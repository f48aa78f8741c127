/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_SCENES_H
#define TESTS_LIB_TORTURE_SCENES_H

/*
 * What clients of a worker of type tcp do while it stands and is killed, and
 * what they must see of its successor: scenes, each with its clients.
 */

#include <stdbool.h>

#include "tests/lib/torture_wire.h"

struct scene {
	const char *name; /* NULL: behind the last one */
	unsigned clients;
	bool small; /* buffers, and so too long for each instruction */
	void (*fire)(void); /* they send, and whatever else */
	void (*finish)(void); /* what they were owed has come */
};

extern const struct scene scenes[];
extern struct wire scenes_wire;
extern unsigned scenes_variant; /* of what is sent; to be drawn */

/* Starts a worker, and the clients of a scene; and those go. */
void scenes_begin(const struct scene *);
void scenes_leave(void);

/* The worker is dead, and something else writes: what a reply that was recorded
 * before must say is not what there is now. */
void scenes_change(void);

/* What was wrong for a client, or is left over; NULL. May wait for rest. */
const char *scenes_wrong(void);

#endif
