/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_QUARANTINED_H
#define CONTROL_QUARANTINED_H

/*
 * What workers remember of those who have asked for what workers died of, for
 * quarantine_s: hosts that a transport does not let in, and requests that it
 * answers 04. It lies in the workers' own segments.
 *
 * A host is named by its address, one of IPv6 by its network of 64 bits, as
 * "2001:db8::/64", one of a link (fe80::/10) by all of it; without an address
 * by the words of its plugin, a line by its port.
 */

#include <jansson.h>

struct control;

/* Hosts that a transport keeps out: [{"peer": "10.0.0.7", "for_s": 41.2}].
 * NULL if there is no memory. */
json_t *quarantined_json(struct control *, unsigned transport);

/* All of that, of a transport (-1: of all), as quarantine.list answers it. NULL
 * if there is no memory. */
json_t *quarantined_list(struct control *, int transport);

/* Has it forgotten, of one peer (NULL: of all). How many hosts that were, each
 * once for a transport; -1 with errno if some segment cannot be written to, but
 * it is forgotten in all others. */
int quarantined_lift(struct control *, int transport, const char *peer);

#endif
