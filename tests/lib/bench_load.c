/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every load generator does once for a run or once for a reply: options,
 * the clock, the counters and the report. Runs in the load generator.
 */
#include "tests/lib/bench_load.h"

#include <sys/resource.h>
#include <time.h>

struct load_sum load_sum;
volatile sig_atomic_t load_told_to_end;

uint64_t
load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * LOAD_SECOND + (uint64_t)ts.tv_nsec;
}

static unsigned
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

void
load_took(uint64_t ns)
{
	load_sum.latency[load_bucket(ns)]++;
	if (ns > load_sum.longest)
		load_sum.longest = ns;
	load_sum.replies++;
}

void
load_wrong(const char *what)
{
	if (load_sum.errors++ < 3)
		warnx("%s", what);
}

static double
load_bucket_us(unsigned b)
{
	unsigned e = b >> LOAD_STEP_BITS, m = b & ((1 << LOAD_STEP_BITS) - 1);

	if (e == 0)
		return m / 1e3;
	return (double)((uint64_t)(m + (1 << LOAD_STEP_BITS)) << (e - 1)) / 1e3;
}

/* The microseconds that a part of all replies did not exceed. */
static double
load_percentile(double part)
{
	uint64_t so_far = 0, want = (uint64_t)((double)load_sum.replies * part);
	unsigned b;

	for (b = 0; b < LOAD_BUCKETS; b++) {
		so_far += load_sum.latency[b];
		if (so_far > want)
			return load_bucket_us(b);
	}
	return 0;
}

int
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
	} counts[] = { { "requests", load_sum.replies },
		{ "errors", load_sum.errors }, { "served", load_sum.served },
		{ "reopened", load_sum.reopened }, { "lost", load_sum.lost },
		{ "foreign", load_sum.foreign } };
	struct rusage ru;
	size_t i;

	getrusage(RUSAGE_SELF, &ru);
	printf("{\"rps\": %.1f", (double)load_sum.replies / seconds);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		printf(", \"%s\": %llu", counts[i].name,
		    (unsigned long long)counts[i].value);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		printf(", \"%s\": %.1f", parts[i].name,
		    load_percentile(parts[i].part));
	printf(", \"max\": %.1f, \"cpu_s\": %.3f}\n",
	    (double)load_sum.longest / 1e3,
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		(double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	fflush(stdout);
	return load_sum.errors != 0;
}

void
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

struct sockaddr_in
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

void
load_end_early(int sig)
{
	(void)sig;
	load_told_to_end = 1;
}
