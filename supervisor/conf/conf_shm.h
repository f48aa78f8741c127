/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_SHM_H
#define SUPERVISOR_CONF_SHM_H

/*
 * The keys of a transport of type shm: what its objects are called, who may
 * have them, and which of them show which device.
 */

#include "supervisor/conf/conf_read.h"

#define CONF_SHM_PREFIX "modbus_"

conf_read_fn conf_shm_name_read, conf_shm_mode_read;
conf_dump_fn conf_shm_mode_dump;

/* The defaults that depend on nothing. */
void conf_shm_preset(struct conf_transport *);

/* Settles which device has the set without a unit in its names: that of "*"
 * (or CONF_NO_DEVICE), or the only one that units[] has. */
void conf_shm_units(struct conf_transport *, int every);

/* True if two prefixes may lead to one name. */
bool conf_shm_collide(const char *, const char *);

#endif
