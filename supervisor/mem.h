/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_MEM_H
#define SUPERVISOR_MEM_H

/*
 * Memory for what is built before a process serves. Running out of it is
 * fatal() but in mem_try(), so nothing here returns NULL, and none of it is for
 * the request path. The caller frees with free().
 */

#include <stddef.h>
#include <stdio.h>

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

/* realloc() of a block of which used bytes count, that leaves none of them
 * behind. */
void *mem_move(void *, size_t used, size_t size);

/*
 * What is printed to f becomes a text of len bytes and a NUL, without leaving
 * copies of it anywhere, as open_memstream() does: for what holds passwords.
 */
struct mem_sheet {
	FILE *f;
	char *text;
	size_t len;
	size_t room;
	char buf[4096];
};

/* 0, or -1 with errno. */
int mem_sheet_begin(struct mem_sheet *);

/* Closes f. 0; text is the caller's, for mem_wipe(); -1: memory has run out,
 * and there is none. */
int mem_sheet_end(struct mem_sheet *);

#endif
