/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The servers of a program: making, asking and giving them back. Starting and
 * stopping is api_run.c's. Runs in the program's own process.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shm/state.h"
#include "supervisor/api/api_lock.h"
#include "supervisor/api/api_run.h"
#include "supervisor/berth.h"
#include "supervisor/mem.h"

/* ---- all of them ---- */

static struct hf_server *first;
static struct hf_server *_Atomic last; /* that was started */

void
api_servers_each(void (*fn)(struct hf_server *))
{
	api_lock(API_LOCK_SERVERS);
	for (struct hf_server *srv = first; srv != NULL; srv = srv->next)
		if (api_ours(srv) && atomic_load(&srv->chan) >= 0)
			fn(srv);
	api_unlock(API_LOCK_SERVERS);
}

/* What other threads were doing with them goes on in the parent alone. */
static void
in_child(void)
{
	for (struct hf_server *srv = first; srv != NULL; srv = srv->next) {
		pthread_mutex_init(&srv->lock, NULL);
		pthread_cond_init(&srv->begun, NULL);
	}
}

bool
api_ours(const struct hf_server *srv)
{
	return srv->program == getpid();
}

static bool
listed(const struct hf_server *srv)
{
	const struct hf_server *at = first;

	while (at != NULL && at != srv)
		at = at->next;
	return at != NULL;
}

struct hf_server *
api_starts(struct hf_server *srv)
{
	struct hf_server *before;

	api_lock(API_LOCK_SERVERS);
	before = atomic_load(&last);
	if (listed(srv)) /* else it is being given back already */
		atomic_store(&last, srv);
	api_unlock(API_LOCK_SERVERS);
	return before;
}

void
api_failed(struct hf_server *srv, struct hf_server *before)
{
	api_lock(API_LOCK_SERVERS);
	if (!listed(before)) /* it may have been given back meanwhile */
		before = NULL;
	atomic_compare_exchange_strong(&last, &srv, before);
	api_unlock(API_LOCK_SERVERS);
}

struct hf_server *
api_last(void)
{
	return atomic_load(&last);
}

struct hf_server *
api_use(struct hf_server *srv)
{
	api_lock(API_LOCK_SERVERS);
	if (srv == NULL)
		srv = atomic_load(&last);
	if (srv != NULL)
		srv->users++;
	api_unlock(API_LOCK_SERVERS);
	return srv;
}

/* ---- making one ---- */

/* True if a server of that name lives, or is about to. */
static bool
name_taken(struct hf_store *s, const char *name)
{
	struct shm_control *c = seg_control(&s->control);
	bool taken = false;

	for (struct hf_server *srv = first; srv != NULL; srv = srv->next)
		taken |= srv->store == s && strcmp(srv->name, name) == 0;
	return taken ||
	    (seg_slots(c) == SHARE_ALL_SLOTS &&
		share_named(c, s->env.lock_fd, SHARE_SERVERS, name));
}

/* "tcp1", or the next that nobody has. */
static void
choose_name(struct hf_server *srv, const struct hf_server_opts *o)
{
	const char *type = api_type_name(o);

	if (o->name != NULL) {
		snprintf(srv->name, sizeof(srv->name), "%s", o->name);
		return;
	}
	for (unsigned i = 1; i < 1000; i++) {
		snprintf(srv->name, sizeof(srv->name), "%.30s%u", type, i);
		if (!name_taken(srv->store, srv->name))
			return;
	}
}

struct parse {
	const struct conf_text *text;
	char why[HOST_WORDS];
	int err;
	unsigned workers;
};

/* Says what is wrong before a process is made for it. */
static void
parse(void *arg)
{
	struct parse *p = arg;
	struct conf *conf = conf_parse(p->text, p->why, sizeof(p->why));

	if (conf == NULL) {
		p->err = EINVAL;
		return;
	}
	if (berth_fits(conf, p->why, sizeof(p->why)) < 0)
		p->err = EINVAL;
	p->workers = conf->transports[0].workers;
	conf_free(conf);
}

static int
check_text(struct hf_server *srv)
{
	struct conf_text text = api_text(srv);
	struct parse p = { .text = &text };

	if (mem_try(parse, &p) < 0)
		return api_fail(ENOMEM, "out of memory");
	srv->workers = p.workers;
	return p.err != 0 ? api_fail(p.err, "%s", p.why) : 0;
}

static int
fill(struct hf_server *srv, const struct hf_server_opts *o)
{
	srv->hooks = o->hooks;
	srv->stop_fd = o->stop_fd;
	srv->folder = getcwd(NULL, 0);
	srv->text = api_opts_text(srv->store, o, srv->name);
	srv->more = o->more != NULL ? strdup(o->more) : NULL;
	srv->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (srv->folder == NULL || srv->text == NULL ||
	    (o->more != NULL && srv->more == NULL) || srv->epoll < 0)
		return api_fail(0, "cannot make a server: %s", strerror(errno));
	return check_text(srv);
}

static struct hf_server *
blank(struct hf_store *s)
{
	struct hf_server *srv = calloc(1, sizeof(*srv));

	if (srv == NULL)
		return api_null(ENOMEM, "out of memory");
	srv->store = s;
	srv->users = 1;
	srv->program = getpid();
	srv->epoll = -1;
	atomic_init(&srv->chan, -1);
	pthread_mutex_init(&srv->lock, NULL);
	pthread_cond_init(&srv->begun, NULL);
	return srv;
}

struct hf_server *
hf_server_new(struct hf_store *s, const struct hf_server_opts *given)
{
	struct hf_server_opts o;
	struct hf_server *srv;
	int err;

	if (s == NULL)
		return api_null(EINVAL, "there is no store");
	if (api_opts_take(given, &o) < 0 || api_opts_check(s, &o) < 0 ||
	    api_ready(s) < 0)
		return NULL;
	if (s->env.me == 0)
		return api_null(EROFS,
		    "the store %s can only be read here; a server needs more",
		    s->name);
	srv = blank(s);
	if (srv == NULL)
		return NULL;
	api_lock_child(API_LOCK_SERVERS, in_child);
	api_lock(API_LOCK_SERVERS);
	choose_name(srv, &o);
	srv->next = first;
	first = srv;
	api_unlock(API_LOCK_SERVERS);
	if (fill(srv, &o) == 0)
		return srv;
	err = errno;
	hf_server_free(srv);
	errno = err;
	return NULL;
}

struct conf_text
api_text(const struct hf_server *srv)
{
	return (struct conf_text){
		.folder = srv->folder,
		.text = srv->text,
		.more = srv->more,
		.hooked = srv->hooks != NULL,
	};
}

/* ---- giving it back ---- */

void
api_unuse(struct hf_server *srv)
{
	unsigned left;

	api_lock(API_LOCK_SERVERS);
	left = --srv->users;
	api_unlock(API_LOCK_SERVERS);
	if (left > 0)
		return;
	api_forget(srv);
	if (srv->epoll >= 0)
		close(srv->epoll);
	pthread_cond_destroy(&srv->begun);
	pthread_mutex_destroy(&srv->lock);
	if (srv->text != NULL) /* there may be a password in it */
		explicit_bzero(srv->text, strlen(srv->text));
	free(srv->text);
	free(srv->more);
	free(srv->folder);
	free(srv);
}

static void
list_remove(struct hf_server *srv)
{
	struct hf_server **at, *was = srv;

	api_lock(API_LOCK_SERVERS);
	for (at = &first; *at != NULL && *at != srv;)
		at = &(*at)->next;
	if (*at != NULL)
		*at = srv->next;
	atomic_compare_exchange_strong(&last, &was, NULL);
	api_unlock(API_LOCK_SERVERS);
}

static bool
runs(struct hf_server *srv)
{
	bool is;

	pthread_mutex_lock(&srv->lock);
	is = api_ours(srv) &&
	    (srv->life == API_RUNS || srv->life == API_STARTING);
	pthread_mutex_unlock(&srv->lock);
	return is;
}

void
hf_server_free(struct hf_server *srv)
{
	if (srv == NULL)
		return;
	list_remove(srv);
	if (runs(srv)) /* else the words of what failed stay */
		hf_server_stop(srv);
	api_unuse(srv);
}

/* ---- questions ---- */

int
hf_server_fd(const struct hf_server *srv)
{
	return srv->epoll;
}

static unsigned
connections(const struct hf_server *srv)
{
	uint64_t n = 0;

	for (unsigned w = 0; srv->seen != NULL && w < srv->workers; w++)
		if (srv->seen[w].at != NULL)
			n += atomic_load(
			    &seg_worker(&srv->seen[w])->stats.conns_open);
	return n < UINT_MAX ? (unsigned)n : UINT_MAX;
}

int
hf_server_status(struct hf_server *srv, struct hf_server_status *st)
{
	const struct shm_transport *t;

	memset(st, 0, sizeof(*st));
	pthread_mutex_lock(&srv->lock);
	api_hear(srv);
	snprintf(st->state, sizeof(st->state), "%s",
	    srv->life == API_STARTING ? "starting" : "stopped");
	if (srv->life == API_RUNS) {
		t = seg_transport(
		    seg_control(&srv->store->control), srv->place);
		st->active = 1;
		st->up = atomic_load(&t->state) == SHM_UP;
		st->pid = (int)atomic_load(&t->pid);
		st->restarts = atomic_load(&t->restarts);
		st->connections = connections(srv);
		memcpy(st->address, srv->address, sizeof(st->address));
		snprintf(st->state, sizeof(st->state), "%s",
		    shm_state_name(atomic_load(&t->state)));
	}
	pthread_mutex_unlock(&srv->lock);
	return 0;
}
