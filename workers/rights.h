/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_RIGHTS_H
#define WORKERS_RIGHTS_H

/*
 * Whether a role may ask for something (MODBUS/TCP Security v3.6, R-16 to
 * its rules are held against the request before anything else is.
 */

#include "workers/worker.h"

/*
 * The rights of who names this role, "" for who names none: the transport's
 * role of that name, or one without any rights. NULL: the transport has no
 * roles, everybody may do everything.
 */
const struct conf_role *rights_of(const struct conf_transport *, const char *);

/* True if one of the role's rules allows the request PDU to a device, which is
 * CONF_NO_DEVICE for a unit that is not served. A request too short to show
 * what it asks for is allowed only by rules that would allow anything. */
bool rights_allow(
    const struct conf_role *, int device, const uint8_t *pdu, size_t len);

/* Counts a refusal and tells of it. */
void rights_refused(
    struct worker *, const struct shm_conn *, uint8_t unit, uint8_t fc);

#endif
