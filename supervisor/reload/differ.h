/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_RELOAD_DIFFER_H
#define SUPERVISOR_RELOAD_DIFFER_H

#include <stdbool.h>
#include <stdio.h>

#include "supervisor/conf.h"

enum { DIFFER_CHANGED = 1 };

enum differ_change { DIFFER_ADDED, DIFFER_REMOVED, DIFFER_OTHER };

/* What differs: one of these, the name, and how. */
#define DIFFER_TRANSPORT "transport"
#define DIFFER_DEVICE "device"
#define DIFFER_KEY "key" /* of the top level */
typedef void differ_fn(
    void *arg, const char *kind, const char *name, enum differ_change);

/* Calls fn for all that differs. How many; -1: they could not be compared. */
int differ_walk(
    const struct conf *was, const struct conf *is, differ_fn *, void *arg);

/* A number that is the same for those that do not differ; 0: no memory. */
uint64_t differ_hash(const struct conf *);

struct plan;

struct differ_job {
	bool text; /* what sheet holds is read for the main file */
	int sheet; /* -1 */
	int fresh; /* of sealed_new(), or -1 */
	/* what would have to begin with it, or begin anew: true if it can, or
	 * after words were written to out; or NULL */
	bool (*fits)(void *arg, const struct plan *, FILE *out);
	void *arg;
	FILE *out;
};

/*
 * Reads the file of the configuration in force again. Its mistakes go to out,
 * a line each: EX_CONFIG (EX_NOINPUT if it is not there); so do those that fits
 * finds. Otherwise what
 * differs goes there, a line each ("transport tcp1: changed"): DIFFER_CHANGED,
 * or 0 if nothing does. On sheet, unless it is -1, stands after it what was
 * read as conf_dump() writes it; nothing if it has mistakes. If something
 * differs, fresh gets it, with passwords; transports that are in force come
 * first, in their order. Allocates freely:
 * for a process that ends after it.
 */
int differ_report(const struct conf *now, const struct differ_job *);

#endif
