/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that outlive all processes of their daemon. Runs in the supervisor,
 * before it has forked anybody.
 */
#include "supervisor/persist/former.h"

#include <stdlib.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/seg_next.h"
#include "shm/store_next.h"
#include "supervisor/super.h"

void
former_keep(struct super *s)
{
	const struct conf *conf = s->conf;

	/* without memory they are not kept */
	s->former = calloc(conf->ndevices + 1, sizeof(*s->former));
	for (size_t i = 0; s->former != NULL && i < conf->ndevices; i++) {
		/* else it stays as it is: none */
		(void)!seg_attach_device(&s->former[i], conf->store,
		    conf->devices[i].name, geteuid(), false);
	}
}

static bool
put(const struct seg *seg, struct store *next)
{
	struct store was = { .dev = NULL };

	if (seg->at == NULL ||
	    store_open(&was, seg->at, seg->size, false, NULL) < 0)
		return false;
	store_carry(&was, next);
	return true;
}

int
former_put(struct super *s)
{
	unsigned n = 0;

	for (size_t i = 0; s->former != NULL && i < s->conf->ndevices; i++) {
		n += put(&s->former[i], &s->stores[i]);
		seg_unmap(&s->former[i]);
	}
	free(s->former);
	s->former = NULL;
	if (n > 0)
		log_info("registers go on with what a killed daemon has left "
			 "devices=%u",
		    n);
	return 0;
}
