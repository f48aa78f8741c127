/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While the file exists that HOLDFAST_JUMP names, the time of day is ten years
 * ahead at one look and ten years back at the next. Loaded before the program
 * by LD_PRELOAD; sys_scarce.py looks what becomes of it.
 */

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TEN_YEARS_S (3652ll * 86400)

int
clock_gettime(clockid_t id, struct timespec *t)
{
	static _Atomic unsigned looks;
	const char *path = getenv("HOLDFAST_JUMP");
	int (*real)(clockid_t, struct timespec *);
	int rc;

	*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	rc = real(id, t);
	if (rc == 0 && id == CLOCK_REALTIME && path != NULL &&
	    access(path, F_OK) == 0)
		t->tv_sec += looks++ % 2 == 0 ? TEN_YEARS_S : -TEN_YEARS_S;
	return rc;
}

time_t
time(time_t *at)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (at != NULL)
		*at = t.tv_sec;
	return t.tv_sec;
}
