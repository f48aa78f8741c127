/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_BENCH_LOAD_H
#define TESTS_LIB_BENCH_LOAD_H

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

enum {
	LOAD_HEAD = 7, /* MBAP */
	LOAD_ADU_MAX = 260,
	/* latencies: 64 steps to a doubling of the nanoseconds */
	LOAD_STEP_BITS = 6,
	LOAD_BUCKETS = 64 << LOAD_STEP_BITS,
	LOAD_SILENT_S = 5, /* that a server may take for a reply */
};

static const uint64_t LOAD_SECOND = 1000000000;

struct load_sum {
	/* served: every reply; replies: those that were measured */
	uint64_t served, replies, errors, reopened;
	uint64_t lost; /* datagrams that were never answered */
	uint64_t foreign; /* replies to somebody else */
	uint64_t longest, latency[LOAD_BUCKETS];
};

/* Of the whole run. */
extern struct load_sum load_sum;

/* SIGTERM has come. */
extern volatile sig_atomic_t load_told_to_end;

/* The clock that everything is timed by, in nanoseconds. */
uint64_t load_now(void);

/* Big endian, as on the wire; inline, for they run for each reply. */
static inline unsigned
load_get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline void
load_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Notes a reply that took so long. */
void load_took(uint64_t ns);

/* Notes a mistake of the server; the first ones are told. */
void load_wrong(const char *what);

/* The line of JSON; the exit status. */
int load_report(double seconds);

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
void load_options(char **argv, const struct load_option *rows);

/* "127.0.0.1:502" as an address. */
struct sockaddr_in load_address(const char *text);

/* For SIGTERM: the measurement ends, what was measured is reported. */
void load_end_early(int sig);

#endif
