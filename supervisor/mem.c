/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for what is built before a process serves: the configuration, mostly.
 * Never used on a request's way.
 */
#include "supervisor/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

void *
mem_move(void *p, size_t used, size_t size)
{
	void *to = sure(malloc(size));

	if (used > 0)
		memcpy(to, p, used);
	mem_wipe(p);
	return to;
}

/* ---- texts that are wiped ---- */

static bool
make_room(struct mem_sheet *s, size_t more)
{
	size_t room = s->room;
	char *to;

	while (room - s->len <= more)
		room *= 2;
	if (room == s->room)
		return true;
	to = malloc(room);
	if (to == NULL)
		return false;
	memcpy(to, s->text, s->len);
	mem_wipe(s->text);
	s->text = to;
	s->room = room;
	return true;
}

static ssize_t
take(void *cookie, const char *bytes, size_t n)
{
	struct mem_sheet *s = cookie;

	if (!make_room(s, n)) {
		errno = ENOMEM;
		return 0;
	}
	memcpy(s->text + s->len, bytes, n);
	s->len += n;
	return (ssize_t)n;
}

int
mem_sheet_begin(struct mem_sheet *s)
{
	s->len = 0;
	s->room = sizeof(s->buf);
	s->text = malloc(s->room);
	s->f = s->text != NULL
	    ? fopencookie(s, "w", (cookie_io_functions_t){ .write = take })
	    : NULL;
	if (s->f != NULL && setvbuf(s->f, s->buf, _IOFBF, sizeof(s->buf)) == 0)
		return 0;
	if (s->f != NULL)
		fclose(s->f);
	free(s->text);
	s->text = NULL;
	return -1;
}

int
mem_sheet_end(struct mem_sheet *s)
{
	bool failed = ferror(s->f) != 0;

	failed |= fclose(s->f) != 0;
	explicit_bzero(s->buf, sizeof(s->buf));
	s->f = NULL;
	if (failed) {
		mem_wipe(s->text);
		s->text = NULL;
		errno = ENOMEM;
		return -1;
	}
	s->text[s->len] = '\0';
	return 0;
}
