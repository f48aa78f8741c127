/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_TAKE_H
#define CONTROL_TAKE_H

/*
 * Another configuration comes into force while control and http serve. Both
 * take it where they stand: clients, subscriptions, streams and calls that wait
 * go on, and what is kept by name is looked up anew. The supervisor says when,
 * see enum ipc_conf.
 *
 * Everything within control counts transports and devices as the configuration
 * in force does; the control segment has a place for each transport, which is
 * in identities of connections, in notices and in messages to the supervisor.
 */

#include <stddef.h>

#include "control/state.h"

/* Finds the places. 0, or -1 with errno. */
int take_init(struct control *);
void take_fini(struct control *);

/* Carries out IPC_CONF or IPC_LISTEN and closes what came along. */
void take_order(struct control *, const struct ipc_msg *, int fd);

/* Once a turn of the loop: gives back what is not used any more. */
void take_turn(struct control *);

/* The place of a transport in the control segment; and the transport of a
 * place, or -1: it is none of the configuration in force. */
unsigned take_place(const struct control *, size_t transport);
int take_transport(const struct control *, unsigned place);

#endif
