/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_MEM_H
#define SUPERVISOR_MEM_H

/*
 * Memory for what is built before a process serves. Running out of it is
 * fatal() but in mem_try(), so nothing here returns NULL, and none of it is for
 * the request path. The caller frees with free().
 */

#include <stddef.h>

/*
 * Carries out run(arg) so that running out of memory ends it instead of the
 * process: 0, or -1 with errno ENOMEM. What it had not yet handed to arg by
 * then is lost. For the library, in somebody else's process.
 */
int mem_try(void (*run)(void *), void *arg);

/* n * size zero bytes. */
void *mem_zero(size_t n, size_t size);

/* Like realloc(). */
void *mem_resize(void *, size_t size);

/* A copy of a string, and of a formatted one. */
char *mem_text(const char *);
char *mem_format(const char *fmt, ...)
    __attribute__((__format__(printf, 1, 2)));

/* Makes room for one more after n of size bytes; what is behind n is zero.
 * Returns the array, which may have moved. */
void *mem_more(void *, size_t n, size_t size);

/* Overwrites a block of malloc() and gives it back. May be NULL. */
void mem_wipe(void *);

#endif
