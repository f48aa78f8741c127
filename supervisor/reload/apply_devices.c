/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload's part for devices. Runs in the supervisor.
 */
#include "supervisor/reload/apply.h"

#include <stdio.h>

static int
prepare(struct super *s, struct plan *p, char *why, size_t size)
{
	(void)s;
	for (size_t i = 0; i < p->ndevices; i++) {
		const struct plan_item *d = &p->devices[i];

		if (d->fate != PLAN_SAME) {
			snprintf(why, size,
			    "device %s cannot change while it serves", d->name);
			return -1;
		}
		if (d->was != d->is) {
			snprintf(why, size,
			    "devices in another order take a restart");
			return -1;
		}
	}
	return 0;
}

bool
apply_devices_swaps(const struct super *s)
{
	(void)s;
	return false;
}

static void
commit(struct super *s, const struct plan *p)
{
	(void)s;
	(void)p;
}

static void
end(struct super *s, const struct plan *p, bool told)
{
	(void)s;
	(void)p;
	(void)told;
}

const struct apply_part apply_devices = {
	.name = "devices",
	.prepare = prepare,
	.commit = commit,
	.end = end,
};
