/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_API_H
#define SUPERVISOR_API_H

/*
 * Between the files that implement holdfast.h. They run in the program's own
 * process, in any of its threads: nothing here ends it, logs, or keeps it
 * waiting beyond what the public headers say.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "shm/seg.h"
#include "shm/slot.h"
#include "shm/store.h"
#include "supervisor/claim.h"
#include "supervisor/conf.h"
#include "supervisor/holdfast/store.h"
#include "supervisor/share.h"

enum api_kind {
	API_MAKER, /* describes it, opens it, removes it */
	API_WRITER, /* has attached */
	API_READER, /* has attached for reading, or is a forked child */
};

/* A range that has a name, for hf_get(). */
struct api_name {
	char name[sizeof(((struct shm_range *)0)->name)];
	enum store_table table;
	uint32_t addr;
	enum typed_type type;
	enum typed_order order;
	double scale;
};

struct hf_device {
	struct store st; /* once the store is open */
	struct hf_store *store;
	struct seg seg;
	unsigned index; /* in the store's devices */
	int unit; /* or HF_EVERY_UNIT */
	struct conf_device conf; /* of an attached store: its name alone */
	struct api_name *names; /* sorted */
	size_t nnames;
};

struct hf_store {
	char name[SHM_NAME_MAX];
	enum api_kind kind;
	pid_t pid; /* of the process that it is for */
	_Atomic bool open; /* what follows is there */
	pthread_mutex_t lock; /* around opening, and each write: the threads of
			       * a process are one author */
	struct claim claim; /* the maker's */
	struct seg control;
	struct slot_env env; /* me 0: it may only read */
	uint64_t maker; /* its identity */
	uint64_t op; /* last number of a write of ours */
	int bell_fd; /* that who watches is woken with; -1 until needed */
	_Atomic uint64_t look_ns; /* when to ask for the maker's life again */
	struct hf_device **devices;
	size_t ndevices;
	struct hf_store *next; /* of this process; api_forked() */
};

/* ---- words: the one place that sets errno and what hf_error() says ---- */

/* Returns -1. err 0: errno as it is. */
int api_fail(int err, const char *fmt, ...) LOG_FMT(2, 3);

/* The same for who returns a pointer: NULL. */
void *api_null(int err, const char *fmt, ...) LOG_FMT(2, 3);

/* This process logs nowhere, until hf_log() says otherwise. */
void api_quiet(void);

/* ---- stores ---- */

/* A store that is in the list of this process; NULL after api_fail(). */
struct hf_store *api_store_new(const char *name, enum api_kind);

/* Adds a device without ranges; the name has been checked. NULL likewise. */
struct hf_device *api_device_new(struct hf_store *, const char *name, int unit);

/* Opens the store if it is not open yet. 0, or -1 after api_fail(). */
int api_open(struct hf_store *);

static inline int
api_ready(struct hf_store *s)
{
	return atomic_load_explicit(&s->open, memory_order_acquire)
	    ? 0
	    : api_open(s);
}

/* A name that nobody else has, and whether one is such. -1 with errno. */
int api_auto_name(char *out, size_t size);
bool api_is_auto(const char *name);

/* Removes what killed programs have left of stores of such names. */
void api_sweep(void);

/* Once all devices are mapped: finds their names. -1 with errno. */
int api_names_make(struct hf_device *);

/* Declares the former occupants of slots dead, whose bytes are ours by now,
 * and repairs what they may have owned. */
void api_bury(struct hf_store *, const uint64_t *ids, unsigned n);

/* True if the maker has gone. Costs a look at memory, and now and then a
 * system call. */
bool api_gone(struct hf_store *);

/* Asks the kernel, too. */
bool api_gone_now(struct hf_store *);

/* The child's side of a fork(), for children that are made without telling
 * the C library: every store of the program can only be read from now on, and
 * its locks are the program's alone. */
void api_forked(void);

/* The same, and their mappings cannot be written through any more, whatever
 * the child is made to do. */
void api_forked_for_good(void);

#endif
