/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_STORE_FIXTURE_H
#define TESTS_LIB_STORE_FIXTURE_H

/*
 * A store of its own for a test: a control segment, one device, a lock file,
 * all under a name that holds the pid, and removed again.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/seg.h"
#include "shm/slot.h"
#include "shm/store.h"
#include "tests/suite.h"

enum { FIX_SLOTS = 12, FIX_AUTHORS = 40 };

struct fixture {
	char name[32];
	char lock_path[64];
	struct seg control;
	struct seg device;
	struct slot_env env; /* slot 1 */
	struct store store;
	uint64_t op;
};

/* Named after the suite's process, so that it can clear away what a failed
 * test has left. */
extern pid_t fix_suite;

/* Fills in the names, after fix_suite. */
void fix_names(struct fixture *f);

/* Runs a suite; the result is main's. Here, for who runs none need not link
 * what runs them. */
static inline int
fix_run(Suite *s)
{
	struct fixture f;
	int rc;

	fix_suite = getpid();
	rc = suite_run(s);
	fix_names(&f);
	seg_unlink_store(f.name);
	unlink(f.lock_path);
	return rc;
}

/* So many cells of a table from addr on. */
struct seg_range fix_range(
    enum store_table table, uint32_t addr, uint32_t count);

/* Makes the store with a device "plc" of n ranges, as slot 1. */
void fix_open(
    struct fixture *f, const struct seg_range *ranges, size_t n, bool shared);

/* In a child: another slot with its own lock description. */
void fix_become(struct fixture *f, unsigned slot);

/* Takes it away again. */
void fix_close(struct fixture *f);

/* The next operation of whoever the fixture is. */
struct store_who fix_who(struct fixture *f);

/* Writes as that; in is in wire form. */
enum store_rc fix_write(struct fixture *f, enum store_table t, uint32_t addr,
    uint32_t count, const void *in);

#endif
