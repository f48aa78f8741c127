/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what a process allocates and which locks it takes. Loaded before the
 * program by LD_PRELOAD; the counts lie in the file that HOLDFAST_COUNTS names,
 * one pair for each process, so that a test can look at them while the program
 * runs and compare. sys_footprint.py makes the file and reads it.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PIDS = 65536 };

struct counts {
	_Atomic uint64_t allocations; /* and what gives them back */
	_Atomic uint64_t locks;
};

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static struct counts *counts;

__attribute__((constructor)) static void
count_start(void)
{
	const char *path = getenv("HOLDFAST_COUNTS");
	void *at;
	int fd;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	at = mmap(NULL, PIDS * sizeof(struct counts), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		counts = at;
}

static void
allocation(void)
{
	if (counts != NULL)
		atomic_fetch_add(&counts[getpid() % PIDS].allocations, 1);
}

static void
lock(void)
{
	if (counts != NULL)
		atomic_fetch_add(&counts[getpid() % PIDS].locks, 1);
}

void *
malloc(size_t size)
{
	allocation();
	return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	allocation();
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	allocation();
	return __libc_realloc(p, size);
}

void *
aligned_alloc(size_t align, size_t size)
{
	allocation();
	return __libc_memalign(align, size);
}

int
posix_memalign(void **p, size_t align, size_t size)
{
	allocation();
	*p = __libc_memalign(align, size);
	return *p ? 0 : ENOMEM;
}

void
free(void *p)
{
	if (p != NULL)
		allocation();
	__libc_free(p);
}

/* Finds the real function of that name once. */
#define REAL(name)                     \
	static __typeof__(name) *real; \
	if (real == NULL)              \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

int
pthread_mutex_lock(pthread_mutex_t *m)
{
	REAL(pthread_mutex_lock);
	lock();
	return real(m);
}

int
pthread_mutex_trylock(pthread_mutex_t *m)
{
	REAL(pthread_mutex_trylock);
	lock();
	return real(m);
}

int
pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	REAL(pthread_rwlock_rdlock);
	lock();
	return real(l);
}

int
pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	REAL(pthread_rwlock_wrlock);
	lock();
	return real(l);
}

int
sem_wait(sem_t *s)
{
	REAL(sem_wait);
	lock();
	return real(s);
}

int
sem_trywait(sem_t *s)
{
	REAL(sem_trywait);
	lock();
	return real(s);
}

int
sem_timedwait(sem_t *s, const struct timespec *until)
{
	REAL(sem_timedwait);
	lock();
	return real(s, until);
}

int
sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until)
{
	REAL(sem_clockwait);
	lock();
	return real(s, clock, until);
}
