/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The semaphore of SHMModbus, as a view takes it. Runs in the workers of type
 * shm. Never waits in the kernel; nothing that another program does with the
 * semaphore stops the view.
 */
#include "workers/twin/sema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/log.h"

#define NS_PER_MS 1000000ull

static int
look_at(const char *name, struct stat *st)
{
	char path[SEMA_NAME_BYTES + 16];

	snprintf(path, sizeof(path), "/dev/shm/sem.%s", name + 1);
	return stat(path, st);
}

/* The inode behind the name, 0 if there is none. */
static ino_t
inode_of(const char *name)
{
	struct stat st;

	return look_at(name, &st) == 0 ? st.st_ino : 0;
}

/* sem_open() maps whatever has the name, and the first use of one that is too
 * short would be SIGBUS. Users whom "mode" lets in may have made it. 0, or -1
 * with errno. */
static int
check_found(const struct sema *s)
{
	struct stat st;

	if (look_at(s->name, &st) == -1)
		return -1;
	if (S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(sem_t) &&
	    (st.st_uid == geteuid() || st.st_uid == 0 ||
		(s->mode & (S_IWGRP | S_IWOTH)) != 0))
		return 0;
	errno = EEXIST;
	return -1;
}

/* 0, or -1 with errno and s->sem NULL. */
static int
attach(struct sema *s)
{
	mode_t mask = umask(0);
	sem_t *sem;
	int err;

	sem = sem_open(s->name, O_CREAT | O_EXCL, s->mode, 1);
	if (sem != SEM_FAILED)
		atomic_store(&s->ctl->sem_made, 1);
	else if (errno == EEXIST && check_found(s) == 0)
		sem = sem_open(s->name, 0);
	err = errno;
	umask(mask);
	s->sem = sem != SEM_FAILED ? sem : NULL;
	s->inode = inode_of(s->name);
	errno = err;
	return s->sem != NULL ? 0 : -1;
}

const char *
sema_why(int err)
{
	return err == EEXIST ? "what has its name is no semaphore, or another "
			       "user's: remove it, or choose another name"
			     : strerror(err);
}

int
sema_open(struct sema *s, struct mirror_ctl *ctl, const char *name, mode_t mode,
    unsigned patience_s, uint64_t now_ns)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "/%s", name);
	s->ctl = ctl;
	s->mode = mode;
	s->patience_ns = patience_s * 1000 * NS_PER_MS;
	s->looked_ns = now_ns;
	if (attach(s) == -1)
		return -1;
	sema_give(s);
	return 0;
}

void
sema_close(struct sema *s, bool remove)
{
	if (s->ctl == NULL)
		return;
	sema_give(s);
	if (s->sem != NULL)
		sem_close(s->sem);
	if (remove && atomic_load(&s->ctl->sem_made) != 0 &&
	    inode_of(s->name) == s->inode)
		sem_unlink(s->name);
	s->sem = NULL;
	s->ctl = NULL;
}

/* It has been removed, and perhaps made anew by another. */
static void
find_again(struct sema *s)
{
	ino_t inode = inode_of(s->name);

	if (s->sem != NULL && inode != 0 && inode == s->inode)
		return;
	if (s->sem != NULL) {
		log_warnx("semaphore %s was removed or replaced", s->name);
		sem_close(s->sem);
	}
	if (inode == 0)
		atomic_store(&s->ctl->sem_made, 0);
	if (attach(s) == -1)
		log_warnx("cannot open the semaphore %s: %s", s->name,
		    sema_why(errno));
	s->taken_ns = 0;
}

/* Other programs that wait for it have it open, so it is given back and not
 * replaced: they would wait for the old one for ever. */
static void
release_stuck(struct sema *s, uint64_t now_ns)
{
	sem_post(s->sem);
	s->taken_ns = 0;
	s->given_back++;
	log_warnx("semaphore %s given back in place of who kept it for %llu ms",
	    s->name, (unsigned long long)(s->patience_ns / NS_PER_MS));
	s->looked_ns = now_ns;
}

void
sema_look(struct sema *s, uint64_t now_ns)
{
	int value = 0;

	if (now_ns - s->looked_ns >= SEMA_LOOK_MS * NS_PER_MS) {
		s->looked_ns = now_ns;
		find_again(s);
	}
	if (s->sem == NULL || sem_getvalue(s->sem, &value) == -1)
		return;
	/* who was only slow has given it back as well */
	for (int more = value; more > 1 && sem_trywait(s->sem) == 0;)
		more--;
	if (value > 0)
		s->taken_ns = 0;
	else if (s->taken_ns == 0)
		s->taken_ns = now_ns;
	else if (now_ns - s->taken_ns >= s->patience_ns)
		release_stuck(s, now_ns);
}

enum sema_rc
sema_take(struct sema *s, uint64_t now_ns)
{
	if (s->sem != NULL && sem_trywait(s->sem) == 0) {
		atomic_store(&s->ctl->sem_held, 1);
		s->wanted_ns = s->taken_ns = 0;
		return SEMA_TAKEN;
	}
	if (s->wanted_ns == 0)
		s->wanted_ns = now_ns;
	if (now_ns - s->wanted_ns < SEMA_WAIT_MS * NS_PER_MS)
		return SEMA_LATER;
	s->wanted_ns = 0;
	s->misses++;
	return SEMA_MISSED;
}

void
sema_give(struct sema *s)
{
	/* noted before it happens: one that is kept by a death in between is
	 * given back after a while, one given back twice would be two */
	if (s->sem != NULL && atomic_exchange(&s->ctl->sem_held, 0) != 0)
		sem_post(s->sem);
}
