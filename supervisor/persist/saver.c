/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the process that saves is to begin anew, whose word counts meanwhile,
 * and how it ends. Runs in the supervisor; reads and writes no file.
 */
#include "supervisor/persist/saver.h"

#include <sys/wait.h>
#include <sysexits.h>

#include "shm/log.h"
#include "supervisor/super.h"

enum { LAST_DEATHS = 3 };

static struct process *
its(const struct super *s)
{
	return &s->aides[AIDE_PERSIST];
}

/* Tickets are for somebody again. */
static void
count_on(struct shm_saved *t)
{
	if (atomic_load(&t->durable_done) != UINT64_MAX &&
	    atomic_load(&t->durable_failed) != UINT64_MAX)
		return;
	atomic_store(&t->durable_done, atomic_load(&t->durable_want));
	atomic_store(&t->durable_failed, 0);
}

static void
set_number(struct super *s, uint64_t number)
{
	s->saver.number = number;
	atomic_store(&s->control->saved.durable_saver, number);
	if (conf_durable(s->conf))
		count_on(&s->control->saved);
}

void
saver_begin(struct super *s)
{
	set_number(s, atomic_load(&s->control->saved.durable_saver) + 1);
}

void
saver_due(struct super *s)
{
	set_number(s, s->saver.number + 1);
}

void
saver_restart(struct super *s)
{
	/* one that has no successor tells those that have asked it */
	if (aides_wanted(s->conf, AIDE_PERSIST))
		saver_due(s);
	aides_restart(s, AIDE_PERSIST);
}

void
saver_followed(struct super *s)
{
	struct shm_saved *t = &s->control->saved;
	bool well = its(s)->last == 0 && its(s)->pid == 0;

	if (conf_durable(s->conf))
		return;
	atomic_store(&t->durable_error, 0);
	atomic_store(well ? &t->durable_done : &t->durable_failed, UINT64_MAX);
}

/* ---- the end ---- */

static void
tell(struct super *s)
{
	struct child *c = &its(s)->child;

	s->saver.told = true;
	c->drain_ms = its(s)->aide->drain_ms;
	child_event(c, LIFE_STOP);
}

void
saver_last(struct super *s)
{
	struct child *c;

	if (s->aides == NULL || s->hurried ||
	    !aides_wanted(s->conf, AIDE_PERSIST))
		return;
	c = &its(s)->child;
	switch (c->state) {
	case LIFE_STARTING:
		process_release(its(s));
		break;
	case LIFE_UP:
		tell(s);
		break;
	case LIFE_DRAINING:
	case LIFE_STOPPED:
	case LIFE_BACKOFF:
	case LIFE_FAILED:
		/* what it has saved, if anything, was not the last */
		child_event(c, LIFE_START);
		break;
	default: /* RESTARTING: the next one comes */
		break;
	}
}

/* It has not saved what there is, and will not. */
static bool
in_vain(struct super *s, const char *why)
{
	log_error("stopped without saving the registers: %s; what has changed "
		  "since they were saved last is lost path=%s",
	    why, s->conf->snapshot.path);
	if (s->code == 0)
		s->code = EX_IOERR;
	return true;
}

/* It has ended after it was told to. */
static bool
ended(struct super *s)
{
	struct process *p = its(s);

	if (p->last == 0)
		return true;
	if (p->last == PROCESS_ENDED)
		return in_vain(s, "the disk took too long");
	if (WIFEXITED(p->last) && WEXITSTATUS(p->last) == EX_IOERR)
		return in_vain(s, "see above");
	if (++s->saver.deaths > LAST_DEATHS)
		return in_vain(s, "who saves them has died again and again");
	s->saver.told = false;
	child_event(&p->child, LIFE_START);
	return false;
}

/* Nobody is asked to save: true once they have ended. */
static bool
unsaved(struct super *s)
{
	if (aides_live(s, true))
		return false;
	if (s->hurried && atomic_load(&s->control->saved.behind_ms) != 0)
		log_warnx("stopped at once: what has changed since the "
			  "registers were saved last is lost");
	return true;
}

bool
saver_over(struct super *s)
{
	struct child *c;

	if (s->aides == NULL || s->hurried ||
	    !aides_wanted(s->conf, AIDE_PERSIST))
		return unsaved(s);
	c = &its(s)->child;
	switch (c->state) {
	case LIFE_UP:
		tell(s);
		return false;
	case LIFE_STOPPED:
		return !s->saver.told || ended(s);
	case LIFE_FAILED:
		return in_vain(s, "who saves them cannot begin");
	case LIFE_BACKOFF:
		/* it comes back by itself */
		return ++s->saver.deaths > LAST_DEATHS &&
		    in_vain(s, "who saves them has died again and again");
	default:
		return false;
	}
}
