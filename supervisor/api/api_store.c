/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores in a program: the list of them, making one in shared memory, and
 * giving it back. Runs in the program's own process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/patience.h"
#include "shm/store_reap.h"
#include "supervisor/api/api.h"
#include "supervisor/api/api_lock.h"
#include "supervisor/segs_make.h"

/* ---- those of this process ---- */

static struct hf_store *list;

void
api_forked(void)
{
	for (struct hf_store *s = list; s != NULL; s = s->next) {
		/* whoever had it is not here */
		pthread_mutex_init(&s->lock, NULL);
		if (!atomic_load(&s->open))
			continue;
		/* a copy of the descriptor would prove the parent's life */
		if (s->env.lock_fd >= 0)
			close(s->env.lock_fd);
		if (s->bell_fd >= 0)
			close(s->bell_fd);
		s->env.lock_fd = s->claim.store_fd = s->bell_fd = -1;
		s->env.me = 0;
		s->kind = API_READER;
	}
}

/* What cannot be mapped anew has gone from the system, and with it whoever
 * might have been harmed. */
void
api_forked_for_good(void)
{
	api_forked();
	for (struct hf_store *s = list; s != NULL; s = s->next) {
		if (!atomic_load(&s->open))
			continue;
		seg_make_readonly(&s->control);
		for (size_t i = 0; i < s->ndevices; i++)
			seg_make_readonly(&s->devices[i]->seg);
	}
}

static void
list_add(struct hf_store *s)
{
	api_lock_child(API_LOCK_STORES, api_forked);
	api_lock(API_LOCK_STORES);
	s->next = list;
	list = s;
	api_unlock(API_LOCK_STORES);
}

static void
list_remove(struct hf_store *s)
{
	struct hf_store **at;

	api_lock(API_LOCK_STORES);
	for (at = &list; *at != NULL && *at != s;)
		at = &(*at)->next;
	if (*at != NULL)
		*at = s->next;
	api_unlock(API_LOCK_STORES);
}

/* ---- making ---- */

struct hf_store *
api_store_new(const char *name, enum api_kind kind)
{
	struct hf_store *s;

	if (name != NULL && !seg_name_ok(name))
		return api_null(EINVAL,
		    "\"%.60s\" is no name for a store: letters, digits, \"_\" "
		    "and \"-\", at most 40",
		    name);
	api_quiet();
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return api_null(ENOMEM, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	claim_init(&s->claim);
	s->kind = kind;
	s->pid = getpid();
	s->env.lock_fd = s->bell_fd = -1;
	s->control.fd = -1;
	snprintf(s->name, sizeof(s->name), "%s", name != NULL ? name : "");
	list_add(s);
	return s;
}

static void
undo(struct hf_store *s)
{
	int err = errno;

	if (s->claim.store_fd >= 0) {
		segs_tell_gone(&s->env);
		seg_unlink_store(s->name);
	}
	claim_release(&s->claim);
	for (size_t i = 0; i < s->ndevices; i++) {
		struct hf_device *d = s->devices[i];

		seg_unmap(&d->seg);
		free(d->names);
		d->names = NULL; /* it may be tried again */
		d->nnames = 0;
	}
	seg_unmap(&s->control);
	s->env = (struct slot_env){ .lock_fd = -1 };
	errno = err;
}

static int
claim(struct hf_store *s)
{
	if (claim_store_soon(&s->claim, s->name) < 0) {
		if (errno != EBUSY)
			return api_fail(
			    0, "cannot make the store %s: %m", s->name);
		return api_fail(EEXIST,
		    "another program (pid %d) has a store that is called %s",
		    (int)s->claim.holder, s->name);
	}
	if (claim_wait_orphans(&s->claim, s->name, PATIENCE_ORPHANS_MS) < 0) {
		undo(s);
		return api_fail(EEXIST,
		    "servers of a former store that is called %s still run",
		    s->name);
	}
	segs_clear(s->name);
	return 0;
}

static int
make_devices(struct hf_store *s)
{
	for (size_t i = 0; i < s->ndevices; i++) {
		struct hf_device *d = s->devices[i];

		if (segs_make_device(&d->seg, &d->st, s->name, &d->conf,
			(unsigned)i, &s->env) < 0 ||
		    api_names_make(d) < 0)
			return -1;
	}
	return 0;
}

static int
make(struct hf_store *s)
{
	struct seg_counts n = share_counts((unsigned)s->ndevices);
	struct shm_control *c;

	if (api_is_auto(s->name))
		api_sweep();
	if (claim(s) < 0)
		return -1;
	if (seg_create_control_for(&s->control, s->name, &n) < 0) {
		undo(s);
		return api_fail(0, "cannot make the store %s: %m", s->name);
	}
	c = seg_control(&s->control);
	segs_take_slot(&s->env, c, s->claim.store_fd, SEGS_MAKER_SLOT,
	    SHM_SUPERVISOR, program_invocation_short_name);
	s->maker = s->env.me;
	if (make_devices(s) < 0) {
		undo(s);
		return api_fail(0, "cannot make the store %s: %m", s->name);
	}
	atomic_store_explicit(&s->open, true, memory_order_release);
	return 0;
}

int
api_open(struct hf_store *s)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&s->open))
		rc = make(s);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int
hf_store_open(struct hf_store *s)
{
	return api_ready(s);
}

void
api_bury(struct hf_store *s, const uint64_t *ids, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		slot_declare_dead(s->env.control, ids[k]);
		for (size_t i = 0; i < s->ndevices; i++)
			store_reap(&s->devices[i]->st, ids[k]);
	}
}

/* ---- giving back ---- */

static void
free_device(struct hf_device *d)
{
	seg_unmap(&d->seg);
	conf_device_free(&d->conf);
	free(d->names);
	free(d);
}

/* What an attached program gives back. */
static void
leave(struct hf_store *s)
{
	if (s->env.me != 0) {
		atomic_store(
		    &seg_slot(s->env.control, SLOT_OF(s->env.me))->role,
		    SHM_FREE);
		slot_declare_dead(s->env.control, s->env.me);
	}
	if (s->env.lock_fd >= 0)
		close(s->env.lock_fd);
}

void
hf_store_free(struct hf_store *s)
{
	if (s == NULL)
		return;
	list_remove(s);
	if (s->kind == API_MAKER && s->pid == getpid())
		undo(s);
	else
		leave(s);
	for (size_t i = 0; i < s->ndevices; i++)
		free_device(s->devices[i]);
	if (s->bell_fd >= 0)
		close(s->bell_fd);
	seg_unmap(&s->control);
	pthread_mutex_destroy(&s->lock);
	free(s->devices);
	free(s);
}

/* A program that ends takes its stores along. */
__attribute__((__destructor__)) static void
leave_all(void)
{
	for (struct hf_store *s = list; s != NULL; s = s->next)
		if (s->kind == API_MAKER && s->pid == getpid() &&
		    s->claim.store_fd >= 0) {
			segs_tell_gone(&s->env);
			seg_unlink_store(s->name);
			claim_release(&s->claim);
		}
}

/* ---- questions ---- */

const char *
hf_store_name(const struct hf_store *s)
{
	return s->name;
}

struct hf_device *
hf_store_device(struct hf_store *s, const char *name)
{
	if (name == NULL) {
		if (s->ndevices == 1)
			return s->devices[0];
		return api_null(ENOENT,
		    "the store %s has %zu devices: which is meant must be said",
		    s->name, s->ndevices);
	}
	for (size_t i = 0; i < s->ndevices; i++)
		if (strcmp(s->devices[i]->conf.name, name) == 0)
			return s->devices[i];
	return api_null(ENOENT,
	    "the store %s has no device that is called "
	    "%.60s",
	    s->name, name);
}

struct hf_device *
hf_store_nth_device(struct hf_store *s, size_t i)
{
	return i < s->ndevices ? s->devices[i] : NULL;
}

const char *
hf_device_name(const struct hf_device *d)
{
	return d->conf.name;
}
