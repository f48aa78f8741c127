/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transports there are: one row each, keyed by the configuration's type.
 */
#include "workers/transport.h"

static const struct row {
	const struct transport_ops *ops;
	const char *part, *symbol; /* where it lies, if not in the daemon */
} rows[CONF_TYPES] = {
	[CONF_TCP] = { &transport_tcp },
	[CONF_SERIAL] = { &transport_serial },
	[CONF_PLUGIN] = { &transport_plugin },
	[CONF_TLS] = { .part = "tls", .symbol = "transport_tls" },
	[CONF_UDP] = { &transport_udp },
	[CONF_SHM] = { &transport_shm },
};

const struct transport_ops *
transport_find(struct worker *w)
{
	const struct row *r = &rows[w->conf->type];

	/* a serial port that is a socket */
	if (w->conf->type == CONF_SERIAL && w->conf->serial.port == NULL)
		r = &rows[CONF_TCP];
	if (r->part != NULL)
		return proc_part(r->part, r->symbol, &w->why);
	if (r->ops == NULL)
		w->why = "there is no such transport";
	return r->ops;
}
