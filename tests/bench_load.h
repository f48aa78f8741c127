/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

/*
 * What the load generators have in common: the clock, their options, what
 * they count, and the line of JSON that they print at the end.
 */

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
	LOAD_HEAD = 7, /* MBAP */
	LOAD_ADU_MAX = 260,
	/* latencies: 64 steps to a doubling of the nanoseconds */
	LOAD_STEP_BITS = 6,
	LOAD_BUCKETS = 64 << LOAD_STEP_BITS,
	LOAD_SILENT_S = 5, /* that a server may take for a reply */
};

static const uint64_t SECOND = 1000000000;

static struct {
	/* served: every reply; replies: those that were measured */
	uint64_t served, replies, errors, reopened;
	uint64_t lost; /* datagrams that were never answered */
	uint64_t foreign; /* replies to somebody else */
	uint64_t longest, latency[LOAD_BUCKETS];
} sum;

static volatile sig_atomic_t told_to_end;

static inline uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static inline unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline unsigned
load_bucket(uint64_t ns)
{
	unsigned msb;

	if (ns < 1u << LOAD_STEP_BITS)
		return (unsigned)ns;
	msb = 63 - (unsigned)__builtin_clzll(ns);
	return ((msb - LOAD_STEP_BITS + 1) << LOAD_STEP_BITS) +
	    (unsigned)(ns >> (msb - LOAD_STEP_BITS) &
		((1 << LOAD_STEP_BITS) - 1));
}

/* Notes a reply that took so long. */
static inline void
load_took(uint64_t ns)
{
	sum.latency[load_bucket(ns)]++;
	if (ns > sum.longest)
		sum.longest = ns;
	sum.replies++;
}

/* Notes a mistake of the server; the first ones are told. */
static inline void
load_wrong(const char *what)
{
	if (sum.errors++ < 3)
		warnx("%s", what);
}

static inline double
load_bucket_us(unsigned b)
{
	unsigned e = b >> LOAD_STEP_BITS, m = b & ((1 << LOAD_STEP_BITS) - 1);

	if (e == 0)
		return m / 1e3;
	return (double)((uint64_t)(m + (1 << LOAD_STEP_BITS)) << (e - 1)) / 1e3;
}

/* The microseconds that a part of all replies did not exceed. */
static inline double
load_percentile(double part)
{
	uint64_t so_far = 0, want = (uint64_t)((double)sum.replies * part);
	unsigned b;

	for (b = 0; b < LOAD_BUCKETS; b++) {
		so_far += sum.latency[b];
		if (so_far > want)
			return load_bucket_us(b);
	}
	return 0;
}

/* The line of JSON; the exit status. */
static inline int
load_report(double seconds)
{
	static const struct {
		const char *name;
		double part;
	} parts[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 },
		{ "p999", 0.999 } };
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = { { "requests", sum.replies }, { "errors", sum.errors },
		{ "served", sum.served }, { "reopened", sum.reopened },
		{ "lost", sum.lost }, { "foreign", sum.foreign } };
	struct rusage ru;
	size_t i;

	getrusage(RUSAGE_SELF, &ru);
	printf("{\"rps\": %.1f", (double)sum.replies / seconds);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		printf(", \"%s\": %llu", counts[i].name,
		    (unsigned long long)counts[i].value);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		printf(", \"%s\": %.1f", parts[i].name,
		    load_percentile(parts[i].part));
	printf(", \"max\": %.1f, \"cpu_s\": %.3f}\n", (double)sum.longest / 1e3,
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		(double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	fflush(stdout);
	return sum.errors != 0;
}

/* One option, --name, and where its value goes: the one that is not NULL.
 * Those of flag take none. */
struct load_option {
	const char *name;
	unsigned *number;
	double *real;
	const char **text;
	bool *flag;
};

/* Reads the command line by rows that end with a name of NULL. */
static inline void
load_options(char **argv, const struct load_option *rows)
{
	const struct load_option *o;

	for (argv++; *argv != NULL; argv++) {
		for (o = rows; o->name != NULL; o++)
			if (strncmp(*argv, "--", 2) == 0 &&
			    strcmp(*argv + 2, o->name) == 0)
				break;
		if (o->name == NULL || (o->flag == NULL && argv[1] == NULL)) {
			fprintf(stderr, "%s? There are:", *argv);
			for (o = rows; o->name != NULL; o++)
				fprintf(stderr, " --%s%s", o->name,
				    o->flag != NULL ? "" : " X");
			fputc('\n', stderr);
			exit(64);
		}
		if (o->flag != NULL)
			*o->flag = true;
		else if (o->number != NULL)
			*o->number = (unsigned)strtoul(*++argv, NULL, 10);
		else if (o->real != NULL)
			*o->real = strtod(*++argv, NULL);
		else
			*o->text = *++argv;
	}
}

/* "127.0.0.1:502" as an address. */
static inline struct sockaddr_in
load_address(const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char host[INET_ADDRSTRLEN] = "";
	unsigned port = 0;

	if (text == NULL || sscanf(text, "%15[0-9.]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &to.sin_addr) != 1 || port - 1 > 65534)
		errx(64, "--connect ADDRESS:PORT, please");
	to.sin_port = htons((uint16_t)port);
	return to;
}

static inline void
load_end_early(int sig)
{
	(void)sig;
	told_to_end = 1;
}

#endif
