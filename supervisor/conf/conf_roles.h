/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_ROLES_H
#define SUPERVISOR_CONF_ROLES_H

/*
 * The file of roles: who may do what on a transport whose clients have
 * certificates (MODBUS/TCP Security v3.6, R-16 to R-31).
 */

#include "supervisor/conf/conf_read.h"

conf_read_fn conf_roles_read, conf_rule_fcs_read, conf_rule_devices_read,
    conf_rule_tables_read, conf_rule_addr_read;
#endif
