/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that attach to a live store, write as fast as they can, and are
 * killed at random, many at a time; while the store's own workers serve.
 *
 *	torture_attach STORE DEVICE [--seconds N] [--writers N] [--kills N]
 *	    [--seed N]
 *
 * Every write is a transaction that gives a run of registers one value and a
 * run of coils its lowest bit. Readers must never see two of them mixed; each
 * writer must get on; and in the end every slot must be there for the taking.
 * It goes on until the time is up and so many were killed, however slow the
 * machine is.
 * Registers 0..99 and coils 0..63 of the device are this program's.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/layout_control.h"
#include "supervisor/holdfast.h"
#include "tests/lib/torture_seed.h"

enum {
	REGS = 100,
	BITS = 64,
	WRITERS_MAX = 250,
	STUCK_MS = 10000,
	NS_PER_MS = 1000000,
};

/* What the processes tell each other. */
static struct shared {
	_Atomic bool stop;
	_Atomic uint64_t writes, busy, reads, torn, refused;
	_Atomic uint64_t moved_ms[WRITERS_MAX]; /* a writer's last success */
} * shared;

static const char *store, *device;
static uint64_t seed;

static uint32_t
rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % below;
}

static uint64_t
now_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

static void
die(const char *what)
{
	fprintf(stderr, "torture_attach: %s: %s (errno %d)\n", what, hf_error(),
	    errno);
	exit(1);
}

static struct hf_device *
attach(struct hf_store **s, struct hf_store *how(const char *))
{
	*s = how(store);
	return *s != NULL ? hf_store_device(*s, device) : NULL;
}

/* One value everywhere. */
static int
write_all(struct hf_device *d, uint16_t v)
{
	uint16_t regs[REGS], bits[BITS];
	struct hf_step steps[] = {
		{ .op = HF_WRITE, HF_HR, 0, REGS, regs },
		{ .op = HF_WRITE, HF_CO, 0, BITS, bits },
	};

	for (int i = 0; i < REGS; i++)
		regs[i] = v;
	for (int i = 0; i < BITS; i++)
		bits[i] = v & 1;
	return hf_transact(d, steps, 2, NULL);
}

static void
run_writer(int n)
{
	struct hf_store *s;
	struct hf_device *d;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	seed = (seed + (uint64_t)n + 1) * 0x9e3779b97f4a7c15ull;
	while ((d = attach(&s, hf_store_attach)) == NULL) {
		if (errno != EUSERS)
			die("attach");
		atomic_fetch_add(&shared->refused, 1);
		usleep(1000);
	}
	while (!atomic_load(&shared->stop)) {
		if (write_all(d, (uint16_t)rnd(65536)) == 0) {
			atomic_fetch_add(&shared->writes, 1);
			atomic_store(&shared->moved_ms[n], now_ms());
		} else if (errno == EBUSY) {
			atomic_fetch_add(&shared->busy, 1);
		} else {
			die("write");
		}
		if (rnd(8) == 0)
			usleep(rnd(2000));
	}
	exit(0); /* without giving anything back */
}

static bool
whole(const uint16_t *regs, const uint16_t *bits)
{
	for (int i = 1; i < REGS; i++)
		if (regs[i] != regs[0])
			return false;
	for (int i = 0; i < BITS; i++)
		if (bits[i] != (regs[0] & 1))
			return false;
	return true;
}

static void
run_reader(void)
{
	uint16_t regs[REGS], bits[BITS];
	struct hf_step steps[] = {
		{ .op = HF_READ, HF_HR, 0, REGS, regs },
		{ .op = HF_READ, HF_CO, 0, BITS, bits },
	};
	struct hf_store *s;
	struct hf_device *d = attach(&s, hf_store_attach_readonly);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (d == NULL)
		die("attach a reader");
	while (!atomic_load(&shared->stop)) {
		if (hf_transact(d, steps, 2, NULL) < 0)
			die("read");
		if (!whole(regs, bits))
			atomic_fetch_add(&shared->torn, 1);
		atomic_fetch_add(&shared->reads, 1);
		if (rnd(16) == 0)
			usleep(500);
	}
	exit(0);
}

static pid_t
start(void (*run)(int), int n)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		run(n);
	atomic_store(&shared->moved_ms[n < 0 ? 0 : n], now_ms());
	return pid;
}

static void
reader(int n)
{
	(void)n;
	run_reader();
}

/* Ends one; some are stopped for a while first, as by a debugger. */
static void
end(pid_t pid)
{
	if (rnd(10) == 0) {
		kill(pid, SIGSTOP);
		usleep(rnd(3000));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The writer that has not got on for too long, or -1. Its time is read before
 * the clock: it may write at any moment, and a later one is not long ago. */
static int
stuck(int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t moved = atomic_load(&shared->moved_ms[i]);

		if (now_ms() - moved > STUCK_MS)
			return i;
	}
	return -1;
}

/* Kills until the time is up, and so many at least. Returns how many, or -1:
 * somebody is stuck. */
static long
torture(pid_t *pid, int n, unsigned seconds, long least)
{
	uint64_t until = now_ms() + seconds * 1000ull;
	long kills = 0;

	for (int i = 0; i < n; i++)
		pid[i] = start(run_writer, i);
	while (now_ms() < until || kills < least) {
		int i = (int)rnd((uint32_t)n), lame;

		end(pid[i]);
		pid[i] = start(run_writer, i);
		kills++;
		usleep(rnd(1500));
		lame = stuck(n);
		if (lame >= 0) {
			fprintf(stderr, "writer %d is stuck\n", lame);
			return -1;
		}
	}
	return kills;
}

/* All slots can be had, and written from. */
static int
reclaim(void)
{
	struct hf_store *all[SHM_EXTERNALS];
	int n;

	for (n = 0; n < SHM_EXTERNALS; n++) {
		struct hf_device *d = attach(&all[n], hf_store_attach);

		if (d == NULL)
			break;
		if (write_all(d, (uint16_t)n) < 0)
			die("write after it");
	}
	for (int i = 0; i < n; i++)
		hf_store_free(all[i]);
	return n;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "writers", required_argument, NULL, 'w' },
		{ "kills", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 'r' },
		{ 0 },
	};
	pid_t pid[WRITERS_MAX], readers[2];
	unsigned seconds = 5;
	int writers = 200, opt, slots;
	long kills, least = 1;

	seed = torture_seed();
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (opt == 's')
			seconds = (unsigned)atoi(optarg);
		else if (opt == 'w')
			writers = atoi(optarg);
		else if (opt == 'k')
			least = atol(optarg);
		else if (opt == 'r')
			seed = strtoull(optarg, NULL, 10);
	if (argc - optind != 2 || writers < 1 || writers > WRITERS_MAX)
		return 64;
	store = argv[optind];
	device = argv[optind + 1];
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		readers[i] = start(reader, -1);
	kills = torture(pid, writers, seconds, least);
	for (int i = 0; i < writers; i++)
		end(pid[i]);
	slots = reclaim();
	atomic_store(&shared->stop, true);
	for (int i = 0; i < 2; i++) {
		int status = -1;

		waitpid(readers[i], &status, 0);
		if (status != 0)
			kills = -1;
	}
	printf("kills %ld writes %llu busy %llu refused %llu reads %llu "
	       "torn %llu slots %d\n",
	    kills, (unsigned long long)shared->writes,
	    (unsigned long long)shared->busy,
	    (unsigned long long)shared->refused,
	    (unsigned long long)shared->reads, (unsigned long long)shared->torn,
	    slots);
	return kills < 0 || shared->torn > 0 || slots != SHM_EXTERNALS ||
	    shared->writes == 0 || shared->reads == 0;
}
