/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_TRANSPORT_H
#define SUPERVISOR_CONF_TRANSPORT_H

/*
 * Transports of the configuration: their types, units and common keys.
 */

#include "supervisor/conf/conf_read.h"

conf_read_fn conf_framer_read, conf_transports_read, conf_units_read,
    conf_user_read, conf_type_read;
conf_dump_fn conf_type_dump;

/* The flag CONF_NOT_* of keys that a transport of this type does not have. */
unsigned conf_transport_skip(const struct conf_transport *);

/* Reads one transport; the devices have been read. */
void conf_transport_read(struct conf_ctx *, const struct jsonc_node *);

#endif
