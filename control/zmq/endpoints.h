/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_ENDPOINTS_H
#define CONTROL_ENDPOINTS_H

/*
 * The tcp endpoints of control.listen. At the start one that somebody else has
 * is tried again and again, so that a taken port does not take local control
 * away. A reload has to have all that it adds before it comes into force; what
 * it takes away goes a little later, so that what was asked there is answered.
 */

#include "control/zmq/sockets.h"

/* Binds what the configuration asks for. 0, or an exit code with why. */
int endpoints_open(struct sockets *, char *why, size_t size);
void endpoints_free(struct sockets *);

/* Binds and lets go what is due; returns when to come again, in nanoseconds of
 * the loop's clock, or UINT64_MAX. */
uint64_t endpoints_turn(struct sockets *);

/* As struct take_ops has them. */
int endpoints_look(
    struct sockets *, const struct conf *next, char *why, size_t size);
void endpoints_force(struct sockets *);
void endpoints_abandon(struct sockets *);

#endif
