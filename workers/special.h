/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_SPECIAL_H
#define WORKERS_SPECIAL_H

/*
 * Requests to devices that want more than their registers read and written:
 * actions, no parts of values, counts, or to be as pymodbus' simulator is.
 * Other devices cost one test: bind_device.special.
 */

#include "workers/bind.h"

/* True if a device wants any of that for what its segment says. */
bool special_store(const struct store *);

/* Carries out the steps of a request as such a device wants it. */
enum mb_ex special_step(struct bind_device *, struct mb_step *, unsigned n);

#endif
