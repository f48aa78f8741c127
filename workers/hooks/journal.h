/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_JOURNAL_H
#define WORKERS_JOURNAL_H

/*
 * What the function of a plugin has read and what came of its writings, in the
 * worker's segment. The successor of a worker that was killed runs the
 * function again for the same request, and it is told the same: so one that
 * decides by nothing else answers what it would have answered, and what it has
 * written is not written on top of itself. Once the journal is full nothing
 * more is noted.
 */

#include "workers/bind.h"

enum journal_kind { JOURNAL_READ = 1, JOURNAL_WRITE };

/* A function begins, for the request that bind->who names. */
void journal_begin(struct bind *);

/* True if a predecessor noted this step: *ex and len bytes of data are what it
 * had. */
bool journal_recall(
    struct bind *, enum journal_kind, void *data, size_t len, enum mb_ex *ex);

/* Notes the step that has just been made. */
void journal_note(struct bind *, enum journal_kind, const void *data,
    size_t len, enum mb_ex ex);

#endif
