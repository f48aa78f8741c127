/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_RIGHTS_H
#define WORKERS_RIGHTS_H

/*
 * Whether a role may ask for something (MODBUS/TCP Security v3.6, R-16 to
 * its rules are held against the request before anything else is. What
 * the rules mean: holdfast.json(5), ROLES.
 */

#include "supervisor/conf.h"

/*
 * The rights of who names this role, "" for who names none: the role of that
 * name, or one without any rights. NULL: there is no file of roles, everybody
 * may do everything.
 */
const struct conf_role *rights_of(const struct conf_roles *, const char *);

/* The same for who cannot be told: no rights at all, not even those of "". */
const struct conf_role *rights_none(const struct conf_roles *);

/*
 * True if the role's rules allow the request PDU to a device; to a unit that is
 * not served, CONF_NO_DEVICE, if there is any rule at all. Each range of
 * addresses that the request touches must lie within one rule; a request too
 * short or too long to show which is held to touch the whole table.
 */
bool rights_allow(
    const struct conf_role *, int device, const uint8_t *pdu, size_t len);

#endif
