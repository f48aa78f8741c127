/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The locks of the library in a program, and what becomes of them when it
 * forks. Runs in the program's own process, in any of its threads.
 */
#include "supervisor/api/api_lock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static pthread_mutex_t locks[API_LOCKS] = {
	[API_LOCK_LOG] = PTHREAD_MUTEX_INITIALIZER,
	[API_LOCK_SERVERS] = PTHREAD_MUTEX_INITIALIZER,
	[API_LOCK_FORK] = PTHREAD_MUTEX_INITIALIZER,
	[API_LOCK_STORES] = PTHREAD_MUTEX_INITIALIZER,
};
static void (*_Atomic child[API_LOCKS])(void);
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
before_fork(void)
{
	for (int i = 0; i < API_LOCKS; i++)
		pthread_mutex_lock(&locks[i]);
}

static void
after_fork(void)
{
	for (int i = API_LOCKS - 1; i >= 0; i--)
		pthread_mutex_unlock(&locks[i]);
}

static void
in_child(void)
{
	void (*fn)(void);

	for (int i = 0; i < API_LOCKS; i++) {
		fn = atomic_load(&child[i]);
		if (fn != NULL)
			fn();
	}
	after_fork();
}

static void
begin(void)
{
	pthread_atfork(before_fork, after_fork, in_child);
}

void
api_lock(enum api_lock which)
{
	pthread_once(&once, begin);
	pthread_mutex_lock(&locks[which]);
}

void
api_unlock(enum api_lock which)
{
	pthread_mutex_unlock(&locks[which]);
}

void
api_lock_child(enum api_lock which, void (*fn)(void))
{
	atomic_store(&child[which], fn);
}

void
api_locks_renew(void)
{
	for (int i = 0; i < API_LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
}
