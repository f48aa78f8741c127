/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the registers are saved, in words and numbers: what the process that
 * does it says in the control segment. Runs in who serves commands.
 */

#include "control/saved.h"

#include <string.h>

#include "control/jtext.h"
#include "shm/clock.h"
#include "shm/snap_pair.h"

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* Seconds since a unix time, which may have been put back; NULL: never. */
static json_t *
since(uint64_t ms)
{
	uint64_t now = clock_unix_ms();

	if (ms == 0)
		return NULL;
	return jtext_float64(now > ms ? (double)(now - ms) / 1e3 : 0);
}

static json_t *
unix_s(uint64_t ms)
{
	return ms == 0 ? NULL : jtext_float64((double)ms / 1e3);
}

/* Of the durable ranges; NULL: there are none. */
static json_t *
durable_rows(const struct control *c)
{
	const struct shm_saved *s = &c->shm->saved;
	uint64_t error = load(&s->durable_error);

	if (!conf_durable(c->proc->conf))
		return NULL;
	return json_pack("{s:o, s:o, s:s*}", "saves",
	    jtext_uint(load(&s->durable_saves)), "failures",
	    jtext_uint(load(&s->durable_failures)), "error",
	    error == 0 ? NULL : snap_pair_words((int)error));
}

json_t *
saved_rows(const struct control *c)
{
	const struct conf_snapshot *conf = &c->proc->conf->snapshot;
	const struct shm_saved *s = &c->shm->saved;
	uint64_t error = load(&s->error), behind = load(&s->behind_ms);

	if (conf->path == NULL)
		return NULL;
	/* what there is none of is left out */
	return json_pack("{s:o, s:o, s:o*, s:o*, s:o, s:o, s:o, s:o, s:o, "
			 "s:s*, s:o, s:o*, s:o, s:b, s:o*}",
	    "path", jtext_bytes(conf->path, strlen(conf->path)), "interval_s",
	    jtext_float64(conf->interval_ms / 1e3), "saved_at",
	    unix_s(load(&s->at_ms)), "age_s", since(load(&s->at_ms)),
	    "behind_s", behind == 0 ? jtext_uint(0) : since(behind), "sequence",
	    jtext_uint(load(&s->sequence)), "bytes",
	    jtext_uint(load(&s->bytes)), "saves", jtext_uint(load(&s->saves)),
	    "failures", jtext_uint(load(&s->failures)), "error",
	    error == 0 ? NULL : snap_pair_words((int)error), "took_us",
	    jtext_uint(load(&s->took_us)), "started_from",
	    unix_s(load(&s->warm_ms)), "started_with",
	    jtext_uint(load(&s->warm_values)), "lost",
	    (int)(load(&s->warm_bad) != 0), "durable", durable_rows(c));
}
