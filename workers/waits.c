/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waking a worker's loop when something has been saved. Runs in the workers,
 * and only in those in which a reply has ever waited for the disk.
 */
#include "workers/waits.h"

#include "shm/durable.h"

enum { NO_BELL_MS = 2 }; /* all are taken: it is looked so often instead */

#define MS UINT64_C(1000000)

static void
look(struct waits *ws)
{
	worker_tick(ws->worker);
	event_del(&ws->timer);
	bell_disarm(&ws->bell);
	ws->look(ws->arg);
}

static void
wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	look(arg);
}

void
waits_init(struct waits *ws, struct worker *w, void (*fn)(void *arg), void *arg)
{
	*ws = (struct waits){
		.worker = w, .look = fn, .arg = arg, .bell = { .fd = -1 }
	};
	event_assign(&ws->timer, w->base, -1, 0, wake, ws);
}

void
waits_fini(struct waits *ws)
{
	if (ws->worker == NULL)
		return;
	event_del(&ws->timer);
	if (ws->bell.fd >= 0)
		event_del(&ws->rung);
	if (ws->opened)
		bell_close(&ws->bell);
}

static void
open_bell(struct waits *ws)
{
	struct slot_env *env = &ws->worker->proc->env;

	ws->opened = true;
	if (bell_open_of(&ws->bell, env, &env->control->saved.bells) == -1)
		return;
	event_assign(&ws->rung, ws->worker->base, ws->bell.fd,
	    EV_READ | EV_PERSIST, wake, ws);
	if (event_add(&ws->rung, NULL) == -1)
		bell_close(&ws->bell);
}

void
waits_for(struct waits *ws, uint64_t ticket, uint64_t until_ns)
{
	const struct shm_saved *s = &ws->worker->proc->env.control->saved;
	uint64_t ns = 0, now = ws->worker->now_ns, slice = BELL_SLICE_MS * MS;
	struct timeval tv;

	if (!ws->opened)
		open_bell(ws);
	if (ws->bell.fd < 0)
		slice = NO_BELL_MS * MS;
	bell_arm(&ws->bell);
	/* it may have come before the bell was armed */
	if (durable_state(s, ticket) == DURABLE_WAITS && until_ns > now) {
		ns = until_ns - now + 1000;
		ns = ns < slice ? ns : slice;
	}
	tv.tv_sec = (time_t)(ns / 1000000000);
	tv.tv_usec = (suseconds_t)(ns % 1000000000 / 1000);
	event_add(&ws->timer, &tv);
}
