/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_FAULTS_H
#define CONTROL_FAULTS_H

/*
 * Fault rules as JSON, and how many there are. What a rule is: shm/fault.h;
 * the commands: cmd/cmd_faults.c.
 */

#include "control/state.h"
#include "shm/fault.h"

/* A rule's conditions and effects, as faults.add takes them; those that were
 * not given are left out, but for rate_pct. NULL if memory is short. */
json_t *faults_json(struct control *, const struct fault_rule *);

/* How many rules are in force that can hit a transport; -1: any. */
unsigned faults_count(struct control *, int transport);

/* Ends those whose time is over, and within a second those whose connection
 * has gone; once a turn. No system call while there is nothing to do. */
void faults_beat(struct control *);

#endif
