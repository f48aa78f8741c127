/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_ZAP_H
#define CONTROL_ZAP_H

#include <stdint.h>

#include "control/zmq/curve.h"
#include "control/state.h"

/*
 * The door of the TCP endpoints: each key that knocks is looked up among the
 * authorized ones, and goes with every message as "User-Id". What it may do is
 * looked up again for each, so that a key that is taken away, or given another
 * role, has lost what it had although its connection is still open.
 */
struct zap {
	void *socket; /* NULL: no keys are configured */
	struct control *control;
	char *dir; /* of the authorized keys; NULL: nobody is */
	struct curve_clients clients;
	uint64_t refusal_ns; /* when one was last logged */
};

/* Answers those who ask to be let in. */
void zap_serve(struct zap *);

/* The role of whoever sent a message; CMD_NOBODY if it has none any more. */
enum cmd_role zap_role(struct zap *, const char *user);

/* From now on there; takes it over. */
void zap_look_in(struct zap *, char *dir);

void zap_fini(struct zap *);

#endif
