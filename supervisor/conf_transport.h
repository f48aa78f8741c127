/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_TRANSPORT_H
#define SUPERVISOR_CONF_TRANSPORT_H

/*
 * Transports of the configuration, and what must hold between them.
 */

#include "supervisor/conf_read.h"

conf_read_fn conf_transports_read, conf_units_read, conf_user_read;

#endif
