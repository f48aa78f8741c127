/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call of libholdfast.so costs, beside a memcpy of as many bytes and a
 * bare pair of sem_wait() and sem_post(), in turns.
 *
 *	bench_library LIBRARY ROUNDS
 *
 * Prints a line for each: its name, a tab, and the median in ns.
 */
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "supervisor/holdfast.h"

enum { CALLS = 100000, ROUNDS_MAX = 100, REGS = 1000 };

static __typeof__(hf_store_new) *store_new;
static __typeof__(hf_store_add_device) *add_device;
static __typeof__(hf_device_add_range) *add_range;
static __typeof__(hf_store_open) *store_open;
static __typeof__(hf_store_name) *store_name;
static __typeof__(hf_store_attach) *store_attach;
static __typeof__(hf_store_device) *store_device;
static __typeof__(hf_store_free) *store_free;
static __typeof__(hf_get_values) *get_values;
static __typeof__(hf_set_values) *set_values;
static __typeof__(hf_get) *get_named;

static const struct {
	const char *name;
	void *at;
} wanted[] = {
	{ "hf_store_new", &store_new },
	{ "hf_store_add_device", &add_device },
	{ "hf_device_add_range", &add_range },
	{ "hf_store_open", &store_open },
	{ "hf_store_name", &store_name },
	{ "hf_store_attach", &store_attach },
	{ "hf_store_device", &store_device },
	{ "hf_store_free", &store_free },
	{ "hf_get_values", &get_values },
	{ "hf_set_values", &set_values },
	{ "hf_get", &get_named },
};

static struct hf_device *mine, *other; /* the maker's, an attached one's */
static uint16_t regs[REGS], copy[REGS];
static sem_t gate;

/* The compiler must not know what becomes of it. */
static void
keep(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void
b_memcpy(void)
{
	memcpy(copy, regs, 250);
	keep(copy);
}

static void
b_sem(void)
{
	sem_wait(&gate);
	sem_post(&gate);
}

static void
b_read(void)
{
	get_values(mine, 3, 0, 125, copy);
	keep(copy);
}

static void
b_read_odd(void)
{
	get_values(mine, 3, 1, 125, copy);
	keep(copy);
}

static void
b_read_attached(void)
{
	get_values(other, 3, 0, 125, copy);
	keep(copy);
}

static void
b_read_named(void)
{
	double v;

	get_named(mine, "flow", &v);
	keep(&v);
}

static void
b_write(void)
{
	regs[7]++;
	set_values(mine, 16, 0, 123, regs);
}

static void
b_write_all(void)
{
	for (int i = 0; i < 123; i++)
		regs[i]++;
	set_values(mine, 16, 0, 123, regs);
}

static void
b_write_odd(void)
{
	regs[7]++;
	set_values(mine, 16, 1, 123, regs);
}

static void
b_write_attached(void)
{
	regs[7]++;
	set_values(other, 16, 0, 123, regs);
}

static void
b_write_1(void)
{
	regs[7]++;
	set_values(mine, 6, 7, 1, regs + 7);
}

static const struct {
	const char *name;
	void (*call)(void);
} benches[] = {
	{ "memcpy of 250 bytes", b_memcpy },
	{ "sem_wait and sem_post", b_sem },
	{ "read of 125", b_read },
	{ "read of 125, not at a word's edge", b_read_odd },
	{ "read of 125, attached", b_read_attached },
	{ "read of a name", b_read_named },
	{ "write of 1", b_write_1 },
	{ "write of 123", b_write },
	{ "write of 123, all of them new", b_write_all },
	{ "write of 123, not at a word's edge", b_write_odd },
	{ "write of 123, attached", b_write_attached },
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
		printf("%s\t%.1f\n", benches[b].name, ns[b][rounds / 2]);
	}
}

static int
load(const char *path)
{
	void *lib = dlopen(path, RTLD_NOW);

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *at = lib != NULL ? dlsym(lib, wanted[i].name) : NULL;

		if (at == NULL) {
			fprintf(stderr, "bench_library: %s\n", dlerror());
			return -1;
		}
		memcpy(wanted[i].at, &at, sizeof(at));
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct hf_range all = { .table = HF_HR, .count = REGS };
	struct hf_range flow = {
		.table = HF_IR, .type = HF_FLOAT32, .name = "flow"
	};
	int rounds = argc > 2 ? atoi(argv[2]) : 0;
	struct hf_store *s, *a;

	if (rounds < 1 || rounds > ROUNDS_MAX || load(argv[1]) < 0)
		return 64;
	s = store_new(NULL);
	mine = add_device(s, "plc", HF_EVERY_UNIT);
	if (add_range(mine, &all) < 0 || add_range(mine, &flow) < 0 ||
	    store_open(s) < 0 || (a = store_attach(store_name(s))) == NULL) {
		perror("bench_library");
		return 1;
	}
	other = store_device(a, NULL);
	sem_init(&gate, 1, 1);
	run(rounds);
	store_free(a);
	store_free(s);
	return 0;
}
