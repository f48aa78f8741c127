/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_QUARANTINED_H
#define CONTROL_QUARANTINED_H

/*
 * Hosts that a transport does not let in, for what workers have died of
 * (quarantine_s).
 */

#include <jansson.h>

struct control;

/* [{"peer": "10.0.0.7", "for_s": 41.2}], of an IPv6 host its network of 64
 * bits; NULL if there is no memory. */
json_t *quarantined_json(struct control *, unsigned transport);

#endif
