/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saves the registers of all devices, whenever something has changed and the
 * interval is over. Runs in a process of its own, which reads no more than the
 * registers and one directory. A disk may take seconds: a thread waits for it,
 * and the loop shows the parent meanwhile that this is alive. A failure ends
 * nothing: it is told once, and tried again.
 */
#include "supervisor/persist/persist.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/orphan.h"
#include "shm/patience.h"
#include "shm/snap_pair.h"
#include "shm/store_picture.h"
#include "supervisor/persist/persist_durable.h"
#include "supervisor/segs_make.h"

#define MS UINT64_C(1000000)

enum {
	PICTURE_MS = 10000,
	AGAIN_MS = 1000,
	ORPHAN_LOOK_MS = 10, /* for the next supervisor */
};

struct persist {
	struct proc *proc;
	struct shm_saved *told;
	uint64_t *saved; /* commits that the newest snapshot shows, a device
			  * each */
	bool any; /* there is one of this process's */
	uint64_t due_ns; /* not before */
	uint64_t began_ms; /* the save under way, or the last one */
	int error; /* as told last */
	bool orphaned; /* the parent has gone */
	struct orphan orphan;
	bool busy;
	enum {
		SERVES,
		ENDS, /* it has been told to */
		LAST, /* and saves once more */
		ENDED
	} state;
	/* the thread, which waits for the lock, and what it hands back once
	 * done can be read */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, go, quit; /* the lock */
	int done;
	/* the thread's while busy, else the loop's */
	struct snap_pair pair;
	struct snap snap;
	uint64_t *shows; /* as saved, of the one under way */
	uint64_t took_us;
	int result; /* errno */
	struct persist_durable durable;
	int durable_error; /* as told last */
};

/* ---- the thread ---- */

static int
take_pictures(struct persist *k)
{
	const struct conf *conf = k->proc->conf;
	struct store_picture p;

	for (size_t i = 0; i < conf->ndevices; i++) {
		switch (store_picture_take(
		    &k->proc->stores[i], PICTURE_MS * MS, &p)) {
		case STORE_OK:
			break;
		case STORE_DENIED:
			return ENOMEM;
		default:
			return ETIMEDOUT;
		}
		snap_add(&k->snap, conf->devices[i].name, &p);
		k->shows[i] = p.seq;
		store_picture_free(&p);
	}
	if (snap_end(&k->snap) == -1)
		return errno;
	return k->snap.len > SNAP_BYTES_MAX ? EFBIG : 0;
}

static int
save(struct persist *k)
{
	struct snap_place place;
	int rc;

	if (snap_pair_look(&k->pair) == -1)
		return errno;
	place = persist_place(k->proc, k->pair.sequence);
	k->snap.len = 0;
	k->snap.failed = false;
	snap_begin(&k->snap, k->proc->conf->store, clock_unix_ms(), &place);
	rc = take_pictures(k);
	if (rc == 0 && snap_pair_save(&k->pair, &k->snap) == -1)
		rc = errno;
	return rc;
}

static void *
saver(void *arg)
{
	struct persist *k = arg;
	uint64_t from;

	pthread_mutex_lock(&k->lock);
	for (;;) {
		while (!k->go && !k->quit)
			pthread_cond_wait(&k->wake, &k->lock);
		if (k->quit)
			break;
		k->go = false;
		pthread_mutex_unlock(&k->lock);
		from = clock_mono_ns();
		k->result = save(k);
		k->took_us = (clock_mono_ns() - from) / 1000;
		eventfd_write(k->done, 1);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

static void
start_saving(struct persist *k)
{
	k->began_ms = clock_unix_ms();
	k->busy = true;
	pthread_mutex_lock(&k->lock);
	k->go = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
}

/* ---- the loop ---- */

static void
tell(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static void
count(_Atomic uint64_t *word)
{
	tell(word, atomic_load_explicit(word, memory_order_relaxed) + 1);
}

/* Something has been committed that is not in the newest snapshot. */
static bool
changed(const struct persist *k)
{
	const struct proc *p = k->proc;

	if (!k->any)
		return true;
	for (size_t i = 0; i < p->conf->ndevices; i++)
		if (atomic_load_explicit(
			&p->stores[i].dev->seq, memory_order_relaxed) /
			2 !=
		    k->saved[i])
			return true;
	return false;
}

static void
tell_saved(struct persist *k)
{
	struct shm_saved *t = k->told;

	memcpy(
	    k->saved, k->shows, k->proc->conf->ndevices * sizeof(k->saved[0]));
	k->any = true;
	tell(&t->sequence, snap_place(&k->snap).sequence);
	tell(&t->bytes, k->snap.len);
	tell(&t->took_us, k->took_us);
	tell(&t->at_ms, snap_time_ms(&k->snap));
	tell(&t->error, 0);
	count(&t->saves);
	if (k->error != 0)
		log_info("registers are saved again path=%s", k->pair.path);
	log_debug("saved sequence=%" PRIu64 " bytes=%zu took_us=%" PRIu64,
	    snap_place(&k->snap).sequence, k->snap.len, k->took_us);
	k->error = 0;
	tell(&t->behind_ms, changed(k) ? k->began_ms : 0);
}

static void
tell_failed(struct persist *k)
{
	tell(&k->told->error, (uint64_t)k->result);
	count(&k->told->failures);
	if (k->error != k->result || k->state == ENDED)
		log_error("registers cannot be saved path=%s why=\"%s\"; %s",
		    k->pair.path, snap_pair_words(k->result),
		    k->state == ENDED ? "this was the last try"
				      : "tried again and again");
	k->error = k->result;
}

/* What the other thread has met. */
static void
tell_durable(struct persist *k)
{
	int error = (int)atomic_load(&k->told->durable_error);

	if (error == k->durable_error)
		return;
	if (error != 0)
		log_error("durable ranges cannot be saved path=%s why=\"%s\"; "
			  "writes to them are answered 04",
		    k->durable.path, snap_pair_words(error));
	else
		log_info(
		    "durable ranges are saved again path=%s", k->durable.path);
	k->durable_error = error;
}

static void
hear_thread(struct persist *k)
{
	uint64_t interval = k->proc->conf->snapshot.interval_ms;
	eventfd_t n;

	if (eventfd_read(k->done, &n) == -1)
		return;
	k->busy = false;
	if (k->state == LAST)
		k->state = ENDED;
	if (k->result == 0)
		tell_saved(k);
	else
		tell_failed(k);
	if (k->result != 0 && interval < AGAIN_MS)
		interval = AGAIN_MS;
	k->due_ns = clock_mono_ns() + interval * MS;
}

static void
hear_parent(struct persist *k)
{
	struct ipc_msg m;
	int rc;

	while ((rc = proc_order(k->proc, &m)) == 1)
		if (m.kind == IPC_EXIT || m.kind == IPC_DRAIN)
			k->state = ENDS;
	if (rc == -1)
		k->orphaned = true;
}

/* What is to be done when nothing is under way. */
static void
go_on(struct persist *k, uint64_t now)
{
	bool more = changed(k);

	if (k->state == SERVES && k->orphaned &&
	    orphan_over(&k->orphan, &k->proc->env))
		k->state = ENDS;
	if (k->state == ENDS) {
		k->state = more ? LAST : ENDED;
	} else if (more) {
		if (atomic_load(&k->told->behind_ms) == 0)
			tell(&k->told->behind_ms, clock_unix_ms());
		more = now >= k->due_ns;
	}
	if (more)
		start_saving(k);
}

static void
turn(struct persist *k)
{
	/* who has heard that it is to end hears no more than that */
	struct pollfd fd[] = { { .fd = k->done, .events = POLLIN },
		{ .fd = k->state == SERVES && !k->orphaned ? k->proc->chan : -1,
		    .events = POLLIN } };
	uint64_t ms = proc_beat_ms(k->proc), now;

	if (ms > k->proc->conf->snapshot.interval_ms)
		ms = k->proc->conf->snapshot.interval_ms;
	if (k->orphaned)
		ms = ORPHAN_LOOK_MS;
	poll(fd, 2, (int)ms);
	now = clock_mono_ns();
	proc_beat(k->proc, now);
	tell_durable(k);
	if (fd[0].revents != 0)
		hear_thread(k);
	if (fd[1].revents != 0)
		hear_parent(k);
	if (k->state != ENDED && !k->busy)
		go_on(k, now);
}

/* ---- beginning and end ---- */

static int
prepare(struct persist *k)
{
	struct proc *p = k->proc;
	size_t n = p->conf->ndevices + 1;

	k->told = &p->env.control->saved;
	k->pair.path = p->conf->snapshot.path;
	k->pair.io = &snap_io_system;
	k->saved = calloc(n, sizeof(*k->saved));
	k->shows = calloc(n, sizeof(*k->shows));
	k->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->saved == NULL || k->shows == NULL || k->done == -1)
		return -1;
	errno = pthread_create(&k->thread, NULL, saver, k);
	k->started = errno == 0;
	return k->started ? persist_durable_init(&k->durable, p) : -1;
}

static void
release(struct persist *k)
{
	if (k->started) {
		pthread_mutex_lock(&k->lock);
		k->quit = true;
		pthread_cond_signal(&k->wake);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL);
	}
	if (k->durable.proc != NULL)
		persist_durable_fini(&k->durable);
	if (k->done != -1)
		close(k->done);
	snap_free(&k->snap);
	free(k->shows);
	free(k->saved);
}

int
persist_main(struct proc *p)
{
	struct persist k = { .proc = p,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER,
		.done = -1 };

	orphan_init(&k.orphan, &p->env);
	/* a limit of a file's length is an error like others */
	signal(SIGXFSZ, SIG_IGN);
	if (prepare(&k) == -1) {
		release(&k);
		return proc_failed(p, EX_SOFTWARE,
		    "cannot begin to save registers: %s", strerror(errno));
	}
	k.due_ns = clock_mono_ns() + p->conf->snapshot.interval_ms * MS;
	log_info("persist path=%s interval_s=%g", k.pair.path,
	    p->conf->snapshot.interval_ms / 1e3);
	proc_ready(p);
	while (k.state != ENDED)
		turn(&k);
	release(&k);
	return k.error == 0 ? 0 : EX_IOERR;
}
