/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transports there are: one row each, keyed by the configuration's type.
 */
#include "workers/transport.h"

static const struct transport_ops *const transports[] = {
	[CONF_TCP] = &transport_tcp,
};

const struct transport_ops *
transport_find(enum conf_type type)
{
	return transports[type];
}
