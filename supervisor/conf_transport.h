/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_TRANSPORT_H
#define SUPERVISOR_CONF_TRANSPORT_H

/*
 * Transports of the configuration, and what must hold between them.
 */

#include "supervisor/conf_read.h"

conf_read_fn conf_transports_read, conf_units_read, conf_user_read,
    conf_type_read, conf_paths_read, conf_options_read, conf_port_read;
conf_dump_fn conf_type_dump, conf_paths_dump, conf_options_dump, conf_port_dump;

#endif
