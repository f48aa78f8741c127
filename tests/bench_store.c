/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the store costs, in nanoseconds a call: beside a plain copy and a bare
 * semaphore, all taken in turn within each round, so that a slow moment of the
 * machine meets all of them. Prints the median of the rounds and the range.
 *
 *	bench_store [ROUNDS]
 */

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shm/seg.h"
#include "shm/store.h"

enum { CALLS = 100000, ROUNDS_MAX = 101, REGS = 1000 };

static struct store store;
static sem_t gate;
static uint8_t wire[256], other[256];
static uint64_t op;

static void
keep(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void
write_regs(const uint8_t *in, uint32_t addr, uint32_t count)
{
	struct store_who who = { 1, ++op, false, 1000000000, false };
	struct store_step step = {
		.op = STORE_WRITE,
		.table = STORE_HR,
		.addr = addr,
		.count = count,
		.in = in,
	};

	if (store_apply(&store, &who, &step, 1, NULL) != STORE_OK)
		abort();
}

static void
b_memcpy(void)
{
	memcpy(other, wire, 250);
	keep(other);
}

static void
b_sem(void)
{
	sem_wait(&gate);
	sem_post(&gate);
}

static void
b_read_1(void)
{
	store_read(&store, STORE_HR, 7, 1, other, NULL);
	keep(other);
}

static void
b_read_125(void)
{
	store_read(&store, STORE_HR, 0, 125, other, NULL);
	keep(other);
}

static void
b_read_125_odd(void)
{
	store_read(&store, STORE_HR, 3, 125, other, NULL);
	keep(other);
}

static void
b_read_2000_bits(void)
{
	store_read(&store, STORE_CO, 5, 2000, other, NULL);
	keep(other);
}

static void
b_write_1(void)
{
	wire[0]++;
	write_regs(wire, 7, 1);
}

static void
b_write_10(void)
{
	wire[0]++;
	write_regs(wire, 0, 10);
}

static void
b_write_123(void)
{
	wire[0]++;
	write_regs(wire, 0, 123);
}

static void
b_write_123_odd(void)
{
	wire[0]++;
	write_regs(wire, 1, 123);
}

static void
b_write_123_same(void)
{
	write_regs(wire, 0, 123);
}

static const struct {
	const char *name;
	void (*call)(void);
} benches[] = {
	{ "memcpy of 250 bytes", b_memcpy },
	{ "sem_wait and sem_post", b_sem },
	{ "store_read of 1 register", b_read_1 },
	{ "store_read of 125 registers", b_read_125 },
	{ "  the same, not at a word's edge", b_read_125_odd },
	{ "store_read of 2000 coils", b_read_2000_bits },
	{ "store_apply, write of 1 register", b_write_1 },
	{ "store_apply, write of 10 registers", b_write_10 },
	{ "store_apply, write of 123 registers", b_write_123 },
	{ "  the same, not at a word's edge", b_write_123_odd },
	{ "  the same, values unchanged", b_write_123_same },
};

enum { NBENCHES = sizeof(benches) / sizeof(benches[0]) };

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
run(int rounds)
{
	static double ns[NBENCHES][ROUNDS_MAX];

	for (int r = 0; r < rounds; r++) {
		for (int b = 0; b < NBENCHES; b++) {
			double from = now_ns();

			for (int i = 0; i < CALLS; i++)
				benches[b].call();
			ns[b][r] = (now_ns() - from) / CALLS;
		}
	}
	for (int b = 0; b < NBENCHES; b++) {
		qsort(ns[b], (size_t)rounds, sizeof(double), ascending);
		printf("%-38s %7.1f ns  [%.1f-%.1f]\n", benches[b].name,
		    ns[b][rounds / 2], ns[b][0], ns[b][rounds - 1]);
	}
}

int
main(int argc, char **argv)
{
	struct seg_range ranges[] = {
		{ .range = { .table = STORE_HR, .count = REGS } },
		{ .range = { .table = STORE_CO, .count = 4096 } },
	};
	int rounds = argc > 1 ? atoi(argv[1]) : 11;
	struct seg control, device;
	struct slot_env env = { .lock_fd = -1 };
	char name[32];

	snprintf(name, sizeof(name), "bench%d", (int)getpid());
	if (rounds < 1 || rounds > ROUNDS_MAX ||
	    seg_create_control(&control, name, 4, 1, 1, 8) < 0 ||
	    seg_create_device(&device, name, "d", 0, ranges, 2, false) < 0) {
		perror("bench_store");
		seg_unlink_store(name);
		return 1;
	}
	seg_unlink_store(name);
	env.control = seg_control(&control);
	env.me = slot_next_id(env.control, 1);
	sem_init(&gate, 1, 1);
	if (store_open(&store, device.at, device.size, true, &env) < 0) {
		perror("bench_store");
		return 1;
	}
	run(rounds);
	return 0;
}
