/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SNAP_PAIR_H
#define SHM_SNAP_PAIR_H

/*
 * The files that a store is saved in again and again, so that there is a whole
 * one at any moment, whatever ends: the process, the machine, the power.
 *
 *	PATH		the newest, under the name that people know: theirs to
 *			copy, and to put back while the daemon is stopped
 *	PATH.old	the one before it, should PATH be damaged
 *	PATH.new	the next one, as it is written
 *	PATH.bad	what was found damaged at PATH, the last time
 *
 * A new one is written and synced under its own name, changes places with PATH
 * in one step, and what was there becomes PATH.old; then the directory is
 * synced. In whatever order that reaches the disk, and wherever it ends, PATH
 * is whole. Where names cannot change places (FAT, some network file systems)
 * PATH is renamed first and that is synced: then PATH may be missing for a
 * moment, and PATH.old and PATH.new are both whole.
 *
 * Only what this daemon has put at PATH itself is ever replaced, or the whole
 * snapshot that was there when it began. So a backup that somebody puts there
 * while the daemon runs stays, and so does what a second daemon of the same
 * path saves: errno EBUSY, until one of them goes away.
 */

#include <sys/types.h>

#include "shm/snap.h"

/* What durable ranges are saved under: appended to the path of the rest. */
#define SNAP_PAIR_DURABLE ".durable"

/* The system calls that change something; snap_io_system in earnest. All as
 * those of the same names, with -1 and errno. */
struct snap_io {
	int (*create)(int dir, const char *name); /* to write; must be new */
	ssize_t (*write)(int fd, const void *, size_t);
	int (*sync)(int fd); /* of a file, or of the directory */
	int (*swap)(int dir, const char *a, const char *b);
	int (*rename)(int dir, const char *from, const char *to);
	int (*unlink)(int dir, const char *name);
};

extern const struct snap_io snap_io_system;

/* Who saves. Begins as { .path = ..., .io = &snap_io_system }. */
struct snap_pair {
	const char *path; /* absolute; stays */
	const struct snap_io *io;
	uint64_t sequence; /* of the next one */
	/* private */
	bool looked; /* what there was at the beginning is known */
	bool there; /* PATH is, and may be replaced */
	uint8_t head[SNAP_FILE_HEAD]; /* how it begins */
};

/*
 * Looks at what there is, before each that is saved, and sets .sequence. What
 * is damaged at PATH is set aside at the first time. 0; or -1 with errno: EBUSY
 * as above, EEXIST if what is at PATH is no snapshot.
 */
int snap_pair_look(struct snap_pair *);

/* Saves one, with that sequence. 0 once it is on the disk; -1 with errno: what
 * was saved before is still there. May block for as long as a disk may. */
int snap_pair_save(struct snap_pair *, const struct snap *);

/* An errno of the two in words; ETIMEDOUT: writers were too fast to be
 * followed. */
const char *snap_pair_words(int error);

enum snap_pair_rc {
	SNAP_PAIR_NONE, /* there is none: a first start */
	SNAP_PAIR_FOUND,
	SNAP_PAIR_BAD, /* none that can be read, but there was one */
};

/*
 * Finds the newest that is whole: PATH; or, if that is missing or damaged,
 * whichever of PATH.old and PATH.new has the higher sequence. ending is what
 * it has behind PATH, "" or ".old" or ".new"; why says what is wrong with PATH,
 * "" if nothing is.
 */
enum snap_pair_rc snap_pair_load(
    const char *path, struct snap *, const char **ending, char why[SNAP_WHY]);

/* 0 if their directory can be opened; else snap_pair_load() finds a bad one,
 * and errno says why. */
int snap_pair_reach(const char *path);

#endif
