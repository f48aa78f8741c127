/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every call of the library has in common: words for what failed, and
 * what a fork leaves of it. Runs in the program's own process.
 */
#include "supervisor/api/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/holdfast.h"

enum { WORDS = 4096 };

static _Thread_local char last_words[WORDS];

const char *
hf_version(void)
{
	return HOLDFAST_VERSION;
}

const char *
hf_error(void)
{
	return last_words;
}

LOG_FMT(2, 0)
static void
set_words(int err, const char *fmt, va_list ap)
{
	if (err == 0)
		err = errno;
	vsnprintf(last_words, sizeof(last_words), fmt, ap);
	errno = err;
}

int
api_fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_words(err, fmt, ap);
	va_end(ap);
	return -1;
}

void *
api_null(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_words(err, fmt, ap);
	va_end(ap);
	return NULL;
}
