/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer: attaches to the store of a running holdfastd (or of another
 * program) and writes a measurement ten thousand times a second, while Modbus
 * clients read it. A float takes two registers, and nobody ever sees the one
 * half of a new value beside the other half of an old one.
 *
 *	cc producer.c -o producer -lm $(pkg-config --cflags --libs holdfast)
 *	./producer STORE DEVICE ADDRESS [SECONDS]
 *
 * Kill it whenever you like: the last value that it has written stays, and no
 * reader or writer notices.
 */
#include <holdfast.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { A_SECOND = 10000 };

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, hf_error());
	exit(1);
}

int
main(int argc, char **argv)
{
	struct hf_store *store;
	struct hf_device *device;
	struct timespec next;
	long n, last;
	uint32_t addr;
	double level;

	if (argc < 4) {
		fprintf(
		    stderr, "usage: producer STORE DEVICE ADDRESS [SECONDS]\n");
		return 64;
	}
	store = hf_store_attach(argv[1]);
	if (store == NULL)
		die(argv[1]);
	device = hf_store_device(store, argv[2]);
	if (device == NULL)
		die(argv[2]);
	addr = (uint32_t)strtoul(argv[3], NULL, 0);
	last = (argc > 4 ? atol(argv[4]) : 3600) * A_SECOND;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (n = 0; n < last; n++) {
		level = 50 + 40 * sin((double)n / A_SECOND);
		if (hf_set_doubles(device, HF_HR, addr, HF_FLOAT32, HF_ABCD, 1,
			&level) < 0)
			die("write");
		next.tv_nsec += 1000000000 / A_SECOND;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	printf("%ld values written\n", n);
	hf_store_free(store);
	return 0;
}
