/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_MOVING_H
#define SUPERVISOR_RELOAD_MOVING_H

struct service;

/*
 * A worker has ended that another one, of a segment laid out otherwise and
 * with other authors, is to go on for: that gets its records, as far as there
 * is room, and its keeper. What was carried out of a request in hand stays
 * carried out under its new number, and what was not does not.
 */
void moving_worker(struct service *from, struct service *to, unsigned worker);

#endif
