/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for what is built before a process serves: the configuration, mostly.
 * Never used on a request's way.
 */
#include "supervisor/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "shm/log.h"

static _Thread_local jmp_buf *trap; /* where mem_try() waits, or NULL */

static void *
sure(void *p)
{
	if (p == NULL && trap != NULL)
		longjmp(*trap, 1);
	if (p == NULL)
		fatal(EX_SOFTWARE, "out of memory");
	return p;
}

int
mem_try(void (*run)(void *), void *arg)
{
	jmp_buf here, *const outer = trap;

	if (setjmp(here) != 0) {
		trap = outer;
		errno = ENOMEM;
		return -1;
	}
	trap = &here;
	run(arg);
	trap = outer;
	return 0;
}

void *
mem_zero(size_t n, size_t size)
{
	return sure(calloc(n > 0 ? n : 1, size));
}

void *
mem_resize(void *p, size_t size)
{
	return sure(realloc(p, size));
}

char *
mem_text(const char *s)
{
	return sure(strdup(s));
}

char *
mem_format(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return sure(n < 0 ? NULL : s);
}

void *
mem_more(void *p, size_t n, size_t size)
{
	/* doubles whenever n reaches a power of two */
	if (n == 0 || (n & (n - 1)) == 0) {
		p = sure(reallocarray(p, n > 0 ? 2 * n : 1, size));
		memset((char *)p + n * size, 0, (n > 0 ? n : 1) * size);
	}
	return p;
}

void
mem_wipe(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}
