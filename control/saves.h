/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SAVES_H
#define CONTROL_SAVES_H

/*
 * Commands that have written to durable ranges: they are answered once that is
 * on the disk, and others are served meanwhile.
 */

#include "control/values.h"

/* As the control is made, and its end. */
void saves_init(struct control *);
void saves_fini(struct control *);

/* False, and the call has failed, if what it writes would not be saved. */
bool saves_may(struct cmd_call *, const struct values *);

/* The call has written, and has its result by the end of its function: it is
 * answered later. */
void saves_await(struct cmd_call *);

/* Once a turn of the loop, which also wakes as c->saved_bell.fd can be read:
 * what has been saved is answered. When to come again at the latest
 * (monotonic). */
uint64_t saves_turn(struct control *);

/* What has become of one that waits: nothing yet, or it waits no more. */
void saves_look(struct control *, struct cmd_call *);

/* It waits no more, since it took too long. */
void saves_expire(struct control *, struct cmd_call *);

/* For who cannot be answered later: waits, for no longer than a loop may. */
void saves_settle(struct cmd_call *);

#endif
