/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches: the change rings of a store's devices as one queue, and the
 * descriptor that says when to look. Runs in the program, in one thread at a
 * time for each watch. Writers never wait for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/store_next.h"
#include "supervisor/api/api_values.h"
#include "supervisor/holdfast/watch.h"

enum { READER_SLICE_MS = 10 }; /* who cannot have a bell looks more often */

struct only {
	enum hf_table table;
	uint64_t first, end;
};

struct hf_watch {
	struct hf_store *store;
	struct hf_device *device; /* NULL: every one */
	struct only *only; /* none: everything */
	size_t nonly;
	uint64_t *pos; /* in the ring of each device */
	size_t turn; /* the device that is looked at next */
	struct bell bell;
	int timer_fd, fd; /* fd: for both */
	uint8_t *buf; /* STORE_CHANGE_BYTES */
	uint16_t *values; /* nvalues of room */
	size_t nvalues;
	char who[SHM_NAME_MAX];
};

/* ---- the descriptor ---- */

static int
timer_open(unsigned slice_ms)
{
	const struct timespec slice = { .tv_nsec = slice_ms * 1000000l };
	const struct itimerspec each = { slice, slice };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0)
		timerfd_settime(fd, 0, &each, NULL);
	return fd;
}

static int
listen_to(int epoll_fd, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* A bell if it can be had, and a timer in case it is not rung. */
static int
descriptor_open(struct hf_watch *w)
{
	struct hf_store *s = w->store;
	bool rings = s->env.me != 0 && bell_open(&w->bell, &s->env) == 0;

	w->timer_fd = timer_open(rings ? BELL_SLICE_MS : READER_SLICE_MS);
	w->fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->timer_fd < 0 || w->fd < 0 || listen_to(w->fd, w->timer_fd) < 0 ||
	    (rings && listen_to(w->fd, w->bell.fd) < 0))
		return -1;
	return 0;
}

/* There was nothing: from now on the descriptor tells. */
static void
fall_silent(struct hf_watch *w)
{
	uint64_t times;

	bell_disarm(&w->bell);
	(void)!read(w->timer_fd, &times, sizeof(times));
	bell_arm(&w->bell);
}

/* ---- which changes ---- */

static bool
watches(const struct hf_watch *w, const struct hf_device *d)
{
	return w->device == NULL || w->device == d;
}

static bool
wanted(const struct hf_watch *w, const struct store_change *ch)
{
	uint64_t end = (uint64_t)ch->addr + ch->count;

	if (ch->table > STORE_IR)
		return false;
	for (size_t i = 0; i < w->nonly; i++) {
		const struct only *o = &w->only[i];

		if ((enum store_table)o->table == ch->table &&
		    ch->addr < o->end && end > o->first)
			return true;
	}
	return w->nonly == 0;
}

/* ---- values ---- */

static void
take_out(enum store_table table, const uint8_t *wire, uint32_t count,
    uint16_t *values)
{
	bool bits = table == STORE_CO || table == STORE_DI;

	for (uint32_t i = 0; i < count; i++)
		values[i] = bits
		    ? wire[i / 8] >> i % 8 & 1
		    : (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
}

static int
make_room(struct hf_watch *w, size_t n)
{
	uint16_t *more;

	if (n <= w->nvalues)
		return 0;
	more = realloc(w->values, n * sizeof(*more));
	if (more == NULL)
		return api_fail(ENOMEM, "out of memory");
	w->values = more;
	w->nvalues = n;
	return 0;
}

static int
tell(struct hf_watch *w, struct hf_device *d, const struct store_change *ch,
    struct hf_change *out)
{
	uint16_t *values;

	if (make_room(w, 2 * (size_t)ch->count) < 0)
		return -1;
	values = w->values;
	take_out(ch->table, ch->was, ch->count, values);
	take_out(ch->table, ch->is, ch->count, values + ch->count);
	/* the name is its occupant's to change: a copy that ends */
	strncpy(w->who, slot_name(w->store->env.control, ch->who),
	    sizeof(w->who) - 1);
	*out = (struct hf_change){
		.device = d,
		.table = (enum hf_table)ch->table,
		.addr = ch->addr,
		.count = ch->count,
		.was = values,
		.is = values + ch->count,
		.seq = ch->seq,
		.who = w->who,
	};
	return 1;
}

/* ---- the queue ---- */

/* The next change of one device that is wanted: as hf_watch_next(). */
static int
next_of(struct hf_watch *w, struct hf_device *d, struct hf_change *out)
{
	struct store_change ch;
	int rc;

	while ((rc = store_next_change(
		    &d->st, &w->pos[d->index], &ch, w->buf)) == 1)
		if (wanted(w, &ch))
			return tell(w, d, &ch, out);
	if (rc < 0)
		return api_fail(EOVERFLOW,
		    "changes of device %s came faster than they were taken",
		    hf_device_name(d));
	return 0;
}

/* One change of any device, each in its turn. */
static int
next_of_all(struct hf_watch *w, struct hf_change *out)
{
	struct hf_store *s = w->store;

	for (size_t n = 0; n < s->ndevices; n++) {
		struct hf_device *d = s->devices[w->turn];
		int rc = watches(w, d) ? next_of(w, d, out) : 0;

		w->turn = (w->turn + 1) % s->ndevices;
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* After a reload of the daemon that the store is of. */
static int
one_has_gone(const struct hf_watch *w)
{
	for (size_t i = 0; i < w->store->ndevices; i++) {
		const struct hf_device *d = w->store->devices[i];

		if (watches(w, d) && store_superseded(&d->st))
			return api_result(d, STORE_GONE);
	}
	return 0;
}

int
hf_watch_next(struct hf_watch *w, struct hf_change *out)
{
	int rc = next_of_all(w, out);

	if (rc != 0)
		return rc;
	fall_silent(w);
	/* what came before the bell was armed has rung nothing */
	rc = next_of_all(w, out);
	if (rc == 0 && api_gone(w->store))
		return api_fail(
		    ESTALE, "the store %s has gone", hf_store_name(w->store));
	return rc == 0 ? one_has_gone(w) : rc;
}

int
hf_watch_dispatch(struct hf_watch *w, hf_change_fn *fn, void *arg)
{
	struct hf_change ch;
	int n = 0, rc;

	while (n < HF_WATCH_MOST) {
		rc = hf_watch_next(w, &ch);
		if (rc != 1)
			return rc < 0 ? -1 : n;
		fn(arg, &ch);
		n++;
	}
	return n;
}

/* ---- its life ---- */

struct hf_watch *
hf_watch_new(struct hf_store *s, struct hf_device *d)
{
	struct hf_watch *w;

	if (s == NULL)
		return api_null(EINVAL, "there is no store (NULL)");
	if (d != NULL && d->store != s)
		return api_null(EINVAL, "device %s is not of the store %s",
		    hf_device_name(d), hf_store_name(s));
	if (api_ready(s) < 0)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return api_null(ENOMEM, "out of memory");
	w->store = s;
	w->device = d;
	w->bell.fd = w->timer_fd = w->fd = -1;
	w->pos = calloc(s->ndevices + 1, sizeof(*w->pos));
	w->buf = malloc(STORE_CHANGE_BYTES);
	if (w->pos == NULL || w->buf == NULL || descriptor_open(w) < 0) {
		api_fail(0, "cannot watch the store %s", hf_store_name(s));
		hf_watch_free(w);
		return NULL;
	}
	bell_arm(&w->bell);
	for (size_t i = 0; i < s->ndevices; i++)
		w->pos[i] = store_changes_end(&s->devices[i]->st);
	return w;
}

/* True if one at least of these addresses exists in what is watched. */
static bool
any_exists(
    const struct hf_watch *w, enum hf_table table, uint32_t addr, uint64_t end)
{
	for (size_t i = 0; i < w->store->ndevices; i++) {
		const struct hf_device *d = w->store->devices[i];
		const struct shm_extent *e =
		    d->st.extents + d->st.extents_at[table];

		for (uint32_t k = 0; watches(w, d) && k < d->st.nextents[table];
		     k++)
			if (e[k].addr < end &&
			    addr < (uint64_t)e[k].addr + e[k].count)
				return true;
	}
	return false;
}

int
hf_watch_only(
    struct hf_watch *w, enum hf_table table, uint32_t addr, uint32_t count)
{
	struct only *more;

	if ((unsigned)table > HF_IR || count == 0)
		return api_fail(EINVAL, "no such addresses to watch");
	if (!any_exists(w, table, addr, (uint64_t)addr + count))
		return api_fail(EADDRNOTAVAIL,
		    "none of these addresses exists where is watched");
	more = realloc(w->only, (w->nonly + 1) * sizeof(*more));
	if (more == NULL)
		return api_fail(ENOMEM, "out of memory");
	w->only = more;
	w->only[w->nonly++] =
	    (struct only){ table, addr, (uint64_t)addr + count };
	return 0;
}

int
hf_watch_fd(const struct hf_watch *w)
{
	return w->fd;
}

void
hf_watch_free(struct hf_watch *w)
{
	int err = errno;

	if (w == NULL)
		return;
	bell_close(&w->bell);
	if (w->timer_fd >= 0)
		close(w->timer_fd);
	if (w->fd >= 0)
		close(w->fd);
	free(w->pos);
	free(w->buf);
	free(w->values);
	free(w->only);
	free(w);
	errno = err;
}
