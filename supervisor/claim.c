/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use a run directory and a store. Runs in the supervisor, before its
 * loop; this is the only code of it that may wait.
 */
#include "supervisor/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/patience.h"
#include "shm/seg.h"
#include "shm/slot.h"
#include "supervisor/killing.h"

enum {
	KILLS = 3,
	DIR_TRIES = 8,
	GONE_MS = 1000, /* for the rest of who ends */
	SOON_MS = 100,
	DEAD_MS = 10000,
	SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path),
};

void
claim_init(struct claim *c)
{
	memset(c, 0, sizeof(*c));
	c->run_fd = c->store_fd = -1;
}

static pid_t
holder_of(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

/* True if path still names the file that fd is; a daemon that ends removes
 * its lock file, perhaps after we have opened it. */
static bool
same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int
claim_file(struct claim *c, const char *path, int *out)
{
	char text[16];
	int fd, n;

	for (;;) {
		fd = slot_lock_open(path);
		if (fd < 0)
			return -1;
		if (slot_lock_take(fd, 0) < 0) {
			c->holder = holder_of(fd);
			close(fd);
			errno = EBUSY;
			return -1;
		}
		if (same_file(fd, path))
			break;
		close(fd);
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* the pid is a courtesy to whoever is refused; the lock is the claim */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		log_warn("cannot note the pid in %s", path);
	*out = fd;
	return 0;
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A lock of the dead is held by what it was just forking, which lets go of it
 * as soon as it runs, and who has not noted its pid yet is about to: they are
 * waited for, the living for living_ms only. */
static int
claim_file_soon(struct claim *c, const char *path, int *out, unsigned living_ms)
{
	const struct timespec ms = { 0, 1000000 };
	uint64_t began = now_ms();
	bool dead;

	while (claim_file(c, path, out) < 0) {
		if (errno != EBUSY)
			return -1;
		dead = c->holder <= 0 ||
		    (kill(c->holder, 0) < 0 && errno == ESRCH);
		errno = EBUSY;
		if (now_ms() - began >= (dead ? DEAD_MS : living_ms))
			return -1;
		nanosleep(&ms, NULL);
	}
	return 0;
}

static int
claim_dir(struct claim *c, const char *run_dir)
{
	struct stat st;

	c->made = mkdir(run_dir, 0750) == 0;
	if (!c->made && errno != EEXIST)
		return -1;
	if (stat(run_dir, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return claim_file_soon(c, c->run_lock, &c->run_fd, 0);
}

int
claim_run_dir(struct claim *c, const char *run_dir)
{
	int tries = 0, rc;

	if (strlen(run_dir) + sizeof("/control.sock") > SOCKET_PATH_MAX ||
	    (size_t)snprintf(c->run_lock, sizeof(c->run_lock), "%s/lock",
		run_dir) >= sizeof(c->run_lock)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* one that was there a moment ago: who ends removes its own */
	do {
		rc = claim_dir(c, run_dir);
	} while (rc < 0 && errno == ENOENT && ++tries < DIR_TRIES);
	return rc;
}

void
claim_store_path(char *out, size_t size, const char *store)
{
	/* beside the segments, so that the store has one owner whatever the
	 * run directory; no segment's name is without a second dot */
	snprintf(out, size, "/dev/shm/holdfast-%s", store);
}

int
claim_store(struct claim *c, const char *store)
{
	claim_store_path(c->store_lock, sizeof(c->store_lock), store);
	return claim_file(c, c->store_lock, &c->store_fd);
}

int
claim_store_soon(struct claim *c, const char *store)
{
	claim_store_path(c->store_lock, sizeof(c->store_lock), store);
	return claim_file_soon(c, c->store_lock, &c->store_fd, SOON_MS);
}

/* What the former daemon noted about a slot; NULL if that cannot be read. */
static const struct shm_slot *
former(const struct seg *old, unsigned slot)
{
	struct shm_control *control = old->at;

	return control != NULL && slot < control->nslots
	    ? seg_slot(control, slot)
	    : NULL;
}

/* Its occupant may not have said so yet. */
static bool
is_external(const struct seg *old, unsigned slot)
{
	unsigned n = old->at != NULL ? seg_slots(old->at) : 0;

	return slot < n && n > SHM_EXTERNALS && slot >= n - SHM_EXTERNALS;
}

/* True if one of the descriptions of an open file says that it holds the lock
 * on a byte of the file ino:
 *
 *	lock:	1: OFDLCK ADVISORY WRITE -1 00:1b:4711 8 8
 */
static bool
says_lock(FILE *info, ino_t ino, unsigned slot)
{
	char line[256], want[64];

	snprintf(want, sizeof(want), ":%llu %u %u\n", (unsigned long long)ino,
	    slot, slot);
	while (fgets(line, sizeof(line), info) != NULL)
		if (strncmp(line, "lock:", 5) == 0 &&
		    strstr(line, "OFDLCK") != NULL &&
		    strstr(line, want) != NULL)
			return true;
	return false;
}

/* True if the process holds the byte of a slot. What a segment says of a pid
 * is not enough to kill somebody for. */
static bool
holds_byte(pid_t pid, int lock_fd, unsigned slot)
{
	char path[300];
	struct stat st;
	struct dirent *e;
	bool found = false;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
	d = fstat(lock_fd, &st) == 0 ? opendir(path) : NULL;
	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)pid,
		    e->d_name);
		f = fopen(path, "re");
		if (f != NULL) {
			found = says_lock(f, st.st_ino, slot);
			fclose(f);
		}
	}
	if (d != NULL)
		closedir(d);
	return found;
}

/* A descriptor of a process that holds the byte of a slot; -1. First the
 * descriptor, then the proof: so it is the pid of the holder for as long as the
 * descriptor is open. */
static int
holder_open(uint32_t pid, int lock_fd, unsigned slot)
{
	int fd = -1;

	if (pid > 1)
		fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd >= 0 && !holds_byte((pid_t)pid, lock_fd, slot)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Who holds the bytes of a slot: its occupant, and a worker's keeper. */
enum { HOLDERS = 2 };

static unsigned
byte_of(unsigned slot, int holder)
{
	return slot + (holder == 0 ? 0 : SHM_KEEPER_BYTE);
}

static bool
held(int lock_fd, unsigned slot)
{
	return slot_lock_held(lock_fd, byte_of(slot, 0)) ||
	    slot_lock_held(lock_fd, byte_of(slot, 1));
}

static int
keeper_open(int lock_fd, const struct shm_slot *was, unsigned slot)
{
	return holder_open(
	    atomic_load(&was->keeper), lock_fd, byte_of(slot, 1));
}

static void
end_holders(const int fd[HOLDERS], const struct shm_slot *was, unsigned slot)
{
	char name[SHM_NAME_MAX];
	pid_t pid[HOLDERS];

	/* who was found there was found by what this says */
	memcpy(name, was->name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	pid[0] = (pid_t)atomic_load(&was->pid);
	pid[1] = (pid_t)atomic_load(&was->keeper);
	/* the keeper first, which would make another worker */
	for (int i = HOLDERS - 1; i >= 0; i--) {
		if (fd[i] < 0)
			continue;
		log_warnx("%s%s of a former daemon does not end; killing it "
			  "pid=%d slot=%u",
		    i != 0 ? "keeper " : "", name, (int)pid[i], slot);
		killing("a process of a former daemon", pid[i], fd[i]);
	}
}

/* Those that are known and not found yet: one that has just been born notes
 * who it is right after it has its byte. */
static void
find_holders(
    int fd[HOLDERS], int lock_fd, const struct shm_slot *was, unsigned slot)
{
	if (was != NULL && fd[1] < 0)
		fd[1] = keeper_open(lock_fd, was, slot);
	if (was != NULL && fd[0] < 0)
		fd[0] = holder_open(
		    atomic_load(&was->pid), lock_fd, byte_of(slot, 0));
}

/* Waits for the orphans of a slot. True once they have gone. */
static bool
outlive(int lock_fd, const struct shm_slot *was, unsigned slot, uint64_t until)
{
	int fd[HOLDERS] = { -1, -1 }, kills = 0;
	struct timespec slice = { 0, 5000000 };

	find_holders(fd, lock_fd, was, slot);
	while (held(lock_fd, slot)) {
		if (now_ms() > until)
			find_holders(fd, lock_fd, was, slot);
		if (now_ms() > until &&
		    ((fd[0] < 0 && fd[1] < 0) || kills++ == KILLS))
			break; /* unknown, or the kernel cannot end it */
		if (now_ms() > until) {
			end_holders(fd, was, slot);
			until = now_ms() + 1000;
		}
		nanosleep(&slice, NULL);
	}
	for (int i = 0; i < HOLDERS; i++) {
		struct pollfd gone = { .fd = fd[i], .events = POLLIN };

		/* it may have given up the byte before its sockets */
		if (fd[i] >= 0 && !held(lock_fd, slot))
			poll(&gone, 1, GONE_MS);
		if (fd[i] >= 0)
			close(fd[i]);
	}
	return !held(lock_fd, slot);
}

/* Those who hold the former lock file keep it; from now on there is another
 * one, whose bytes are all free. */
static int
renew_store(struct claim *c)
{
	int former_fd = c->store_fd;

	unlink(c->store_lock);
	if (claim_file(c, c->store_lock, &c->store_fd) < 0) {
		c->store_fd = former_fd;
		return -1;
	}
	close(former_fd);
	return 0;
}

int
claim_wait_orphans(struct claim *c, const char *store, unsigned limit_ms)
{
	char name[SHM_NAME_MAX * 3];
	struct seg old = { .at = NULL, .fd = -1 };
	uint64_t until = now_ms() + limit_ms;
	unsigned i, externals = 0;
	int rc = 0;

	seg_object_name(name, sizeof(name), store, SHM_CONTROL, "", 0);
	if (seg_attach(&old, name, SHM_CONTROL, false) < 0)
		old.at = NULL; /* then a wait is without knowing for whom */
	for (i = 1; i <= SHM_SLOTS_MAX; i++) {
		const struct shm_slot *was = former(&old, i);

		if (!held(c->store_fd, i))
			continue;
		if (is_external(&old, i))
			externals++;
		else if (!outlive(c->store_fd, was, i,
			     was != NULL && atomic_load(&was->keeper) != 0
				 ? 0 /* they would go on */
				 : until))
			rc = -1;
	}
	seg_unmap(&old);
	return rc == 0 && externals > 0 ? renew_store(c) : rc;
}

bool
claim_end_former(
    const struct claim *c, struct shm_control *control, unsigned slot)
{
	return outlive(c->store_fd, seg_slot(control, slot), slot, 0);
}

bool
claim_kept(const struct claim *c, unsigned slot)
{
	return held(c->store_fd, slot);
}

int
claim_occupant(const struct claim *c, pid_t pid, unsigned slot)
{
	return holder_open((uint32_t)pid, c->store_fd, byte_of(slot, 0));
}

bool
claim_has_keeper(
    const struct claim *c, struct shm_control *control, unsigned slot)
{
	int fd = keeper_open(c->store_fd, seg_slot(control, slot), slot);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool
claim_keeper(const struct claim *c, struct shm_control *control, unsigned slot)
{
	const struct shm_slot *was = seg_slot(control, slot);
	int fd;

	if (claim_has_keeper(c, control, slot))
		return true;
	fd = claim_occupant(c, (pid_t)atomic_load(&was->pid), slot);
	if (fd >= 0) {
		close(fd);
		return true;
	}
	claim_end_former(c, control, slot);
	return false;
}

void
claim_end_aides(const struct claim *c, struct shm_control *control)
{
	uint64_t until = now_ms() + PATIENCE_ORPHANS_MS;

	for (unsigned i = 1; i < SHM_WORKER_SLOT; i++)
		outlive(c->store_fd, seg_slot(control, i), i, until);
}

void
claim_release(struct claim *c)
{
	if (c->store_fd >= 0) {
		unlink(c->store_lock);
		close(c->store_fd);
	}
	if (c->run_fd >= 0) {
		unlink(c->run_lock);
		close(c->run_fd);
		if (c->made) {
			*strrchr(c->run_lock, '/') = '\0';
			rmdir(c->run_lock);
		}
	}
	c->made = false;
	c->run_fd = c->store_fd = -1;
}
