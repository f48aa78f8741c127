/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a child is born. Runs once in each child, between fork and its role's
 * main. What the parent had open, mapped, blocked and allowed ends here,
 * except for what the role was given.
 */
#include "supervisor/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/seg_next.h"
#include "shm/store_reap.h"
#include "supervisor/secret.h"
#include "supervisor/super.h"
#include "supervisor/title.h"

enum { SPARE_FILES = 64, CONTROL_FILES = 4096 };

/* What a terminal or an operator sends to the whole group is the parent's
 * business; a child goes when it is told to, or when the parent has gone. */
static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1,
	SIGUSR2, SIGPIPE };

static int
step_signals(struct birth *b)
{
	sigset_t none;
	size_t i;
	int sig;

	(void)b;
	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL); /* KILL and STOP refuse: no harm */
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
step_name(struct birth *b)
{
	title_set(b->name);
	log_as(b->name, &b->proc->env);
	return 0;
}

static bool
serves(const struct birth *b, size_t device)
{
	const struct conf_transport *t = b->proc->transport;
	unsigned u;

	if (t == NULL)
		return b->devices;
	if (t->type == CONF_SHM && t->shm.plain == (int)device)
		return true;
	for (u = 0; u < CONF_UNITS; u++)
		if (t->units[u] == (int)device)
			return true;
	return false;
}

/* A keeper that has no supervisor has the image of a former one, which may have
 * died between a device's next segment and its users' next keepers. One that is
 * no more is not served. */
static int
follow_device(struct birth *b, size_t i)
{
	struct seg *seg = &b->device_segs[i], next;
	const struct conf *conf = b->proc->conf;

	if (seg->at == NULL || !seg_superseded(seg))
		return 0;
	if (seg_attach_device(&next, conf->store, conf->devices[i].name,
		seg->owner, true) == 0) {
		seg_unmap(seg);
		*seg = next;
		return 0;
	}
	/* or somebody else has laid one of his there */
	if (errno != ENOENT && errno != EPERM)
		return -1;
	seg_unmap(seg);
	return 0;
}

static int
step_maps(struct birth *b)
{
	const struct conf_transport *t = b->proc->transport;
	struct process *p;
	size_t i;

	for (i = 0; i < b->proc->conf->ndevices; i++)
		if (!serves(b, i))
			seg_unmap(&b->device_segs[i]);
		else if (follow_device(b, i) < 0)
			return -1;
		else if (b->device_segs[i].at != NULL &&
		    (b->reads || (t != NULL && t->read_only)) &&
		    seg_make_readonly(&b->device_segs[i]) < 0)
			return -1;
	for (p = b->super->processes; p != NULL; p = p->next)
		if (p->seg.at != b->proc->worker_seg.at)
			seg_unmap(&p->seg);
	return 0;
}

void
birth_table(const struct proc *p, struct table *t)
{
	const int given[] = { 0, 1, 2, log_fd(), p->chan, p->listen_fd,
		p->actions_fd, p->env.lock_fd };

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		table_add(t, given[i]);
}

/* What a keeper makes shares its table, which that has seen to. */
static int
step_files(struct birth *b)
{
	struct table t = { .fd = NULL };
	int rc;

	birth_table(b->proc, &t);
	rc = table_close_others(&t);
	table_free(&t);
	return rc;
}

/* While there is no supervisor there is nobody to hear it. */
static int
step_born(struct birth *b)
{
	ipc_send_born(b->proc->chan, getpid(), -1);
	return 0;
}

static int
step_lock(struct birth *b)
{
	struct slot_env *env = &b->proc->env;
	struct shm_slot *slot = seg_slot(env->control, SLOT_OF(env->me));

	/* a description of its own: the parent's would share the parent's
	 * locks, and prove its life for it */
	env->lock_fd = slot_lock_find(b->lock_path, true);
	if (env->lock_fd < 0)
		return -1;
	/* a keeper that hands over to this one has the byte for a moment; the
	 * supervisor ends it if that takes long */
	if (b->kind == BIRTH_KEEPER) {
		if (slot_lock_wait(
			env->lock_fd, SLOT_OF(env->me) + SHM_KEEPER_BYTE) < 0)
			return -1;
		atomic_store(&slot->keeper, (uint32_t)getpid());
		return 0;
	}
	if (slot_lock_take(env->lock_fd, SLOT_OF(env->me)) < 0)
		return -1;
	/* the parent notes it, too, unless it is killed before that; then the
	 * next one could not tell who holds the byte */
	atomic_store(&slot->pid, (uint32_t)getpid());
	return 0;
}

static int
step_stores(struct birth *b)
{
	struct proc *p = b->proc;
	size_t i;

	for (i = 0; i < p->conf->ndevices; i++) {
		const struct seg *s = &b->device_segs[i];

		memset(&p->stores[i], 0, sizeof(p->stores[i]));
		if (s->at != NULL &&
		    store_open(&p->stores[i], s->at, s->size, s->writable,
			s->writable ? &p->env : NULL) < 0)
			return -1;
		/* what it held, if nobody has seen to it yet */
		if (b->former != 0 && s->at != NULL && s->writable)
			store_reap(&p->stores[i], b->former);
	}
	return 0;
}

static int
step_limits(struct birth *b)
{
	const struct conf_transport *t = b->proc->transport;
	struct rlimit rl, none = { 0, 0 };
	rlim_t want;

	want = t != NULL ? t->max_connections + SPARE_FILES : CONTROL_FILES;
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return -1;
	if (rl.rlim_cur < want) {
		rl.rlim_cur = want;
		if (rl.rlim_max < want)
			rl.rlim_max = want; /* privileged only */
		if (setrlimit(RLIMIT_NOFILE, &rl) < 0) {
			getrlimit(RLIMIT_NOFILE, &rl);
			rl.rlim_cur = rl.rlim_max;
			setrlimit(RLIMIT_NOFILE, &rl);
			log_warnx("only %llu of %llu files may be open",
			    (unsigned long long)rl.rlim_max,
			    (unsigned long long)want);
		}
	}
	/* registers and keys of a plant do not belong in files that a crash
	 * leaves behind */
	return setrlimit(RLIMIT_CORE, &none);
}

static int
step_secrets(struct birth *b)
{
	return secret_share(b->proc, b->super);
}

static int
step_user(struct birth *b)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (b->user == NULL || (b->uid == geteuid() && b->uid == getuid()))
		return 0;
	if (initgroups(b->user, b->gid) < 0 ||
	    setresgid(b->gid, b->gid, b->gid) < 0 ||
	    setresuid(b->uid, b->uid, b->uid) < 0)
		return -1;
	errno = EPERM; /* what follows fails without setting it */
	if (getresuid(&r, &e, &s) < 0 || r != b->uid || e != b->uid ||
	    s != b->uid || getresgid(&gr, &ge, &gs) < 0 || gr != b->gid ||
	    ge != b->gid || gs != b->gid)
		return -1;
	if (b->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return -1; /* there is a way back: it did not stick */
	return 0;
}

static int
step_privileges(struct birth *b)
{
	(void)b;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int
step_umask(struct birth *b)
{
	(void)b;
	umask(0007); /* sockets are for the group too, files for nobody else */
	return 0;
}

enum {
	FORKED = BIRTH_CHILD | BIRTH_KEEPER,
	MADE = BIRTH_WARD | BIRTH_HEIR,
	SERVING = BIRTH_CHILD | MADE,
	ALL = FORKED | MADE,
};

static const struct step {
	const char *what; /* after "cannot " */
	int (*run)(struct birth *);
	int code; /* exit code if it fails */
	unsigned of; /* BIRTH_* that it is for */
} recipe[] = {
	{ "say that it lives", step_born, EX_SOFTWARE, MADE },
	{ "reset the signals", step_signals, EX_SOFTWARE, FORKED },
	{ "set the name", step_name, EX_SOFTWARE, ALL },
	{ "give back segments", step_maps, EX_SOFTWARE, SERVING },
	{ "close inherited files", step_files, EX_SOFTWARE, FORKED },
	{ "lock the slot", step_lock, EX_SOFTWARE, ALL },
	{ "open the devices", step_stores, EX_SOFTWARE, SERVING },
	{ "set limits", step_limits, EX_SOFTWARE, ALL },
	{ "read its keys", step_secrets, EX_SOFTWARE, SERVING },
	{ "become the configured user", step_user, EX_CONFIG, SERVING },
	{ "give up privileges", step_privileges, EX_SOFTWARE, ALL },
	{ "set the mask", step_umask, EX_SOFTWARE, ALL },
};

void
birth(struct birth *b)
{
	size_t i;

	for (i = 0; i < sizeof(recipe) / sizeof(recipe[0]); i++) {
		if ((recipe[i].of & b->kind) != 0 && recipe[i].run(b) < 0) {
			log_exit(proc_failed(b->proc, recipe[i].code,
			    "cannot %s: %s", recipe[i].what, strerror(errno)));
		}
	}
	if (b->then != NULL)
		b->proc->conf = b->then;
	b->proc->tried = b->then != NULL;
	log_exit(b->main(b->proc));
}
