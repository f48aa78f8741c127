/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker of type tcp at full speed, under clients that are processes of
 * their own (torture_crowd.h). Every reply is looked at, and in the end each
 * client's registers must tell of its requests and of no more.
 *
 *	torture_resume_chaos [--seconds N] [--clients N] [--seed N]
 *
 * A plain kill falls mostly where a system call returns: so every third worker
 * is stopped and walked some instructions on, and every eighth successor is
 * killed again at once.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/lib/torture_crowd.h"
#include "tests/lib/torture_deaths.h"
#include "tests/lib/torture_seed.h"
#include "tests/lib/torture_wire.h"

enum {
	SMALL = 4608, /* of the sockets' buffers to send */
	WALK = 4000, /* instructions */
	SPIN = 60000,
};

static struct wire w;
static uint64_t seed, first_seed;
static int seconds = 10;
static unsigned nclients = 8;

static uint64_t
draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* ---- who kills ---- */

static long kills, walked, at_once;

static void
kill_one(void)
{
	trace_nap_us(500 + (long)draw(3000));
	if (draw(3) == 0) {
		bool strayed;

		deaths_stop(w.pid);
		walk_go(NULL, w.pid, (long)draw(WALK), &strayed);
		walked++;
	}
	trace_slay(w.pid);
	wire_bury(&w);
	wire_launch(&w, false);
	kills++;
	if (draw(8) != 0)
		return;
	for (volatile uint64_t n = draw(SPIN); n > 0; n--)
		;
	trace_slay(w.pid);
	wire_bury(&w);
	wire_launch(&w, false);
	kills++;
	at_once++;
}

static long
judge(void)
{
	long findings = 0;

	for (unsigned i = 0; i < nclients; i++) {
		const struct crowd_told *t = crowd_told(i);
		uint16_t is = wire_get(&w, i * CROWD_REGS);

		if (t->wrong[0] != '\0') {
			printf("FAIL client %u: %s\n", i, t->wrong);
			findings++;
		} else if (is != t->count ||
		    wire_get(&w, i * CROWD_REGS + 1) != is) {
			printf("FAIL client %u: %u increments were asked for, "
			       "%u carried out (modulo 65536)\n",
			    i, t->count, is);
			findings++;
		}
	}
	return findings;
}

static void
sum(long findings)
{
	struct crowd_told all = crowd_all();

	printf("%ld kills, %ld after a walk, %ld at once after another; %ld "
	       "requests answered on %ld connections, %ld half-closed; %ld "
	       "clients failed\n",
	    kills, walked, at_once, all.replies, all.connections, all.halves,
	    findings);
	printf("%d passed, %d failed\n", findings == 0, findings != 0);
	if (findings != 0)
		printf("     replay: torture_resume_chaos --seconds %d "
		       "--clients %u --seed %llu\n",
		    seconds, nclients, (unsigned long long)first_seed);
}

static void
options(int argc, char **argv)
{
	static const struct option all[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "clients", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
		switch (c) {
		case 's':
			seconds = atoi(optarg);
			break;
		case 'c':
			nclients = (unsigned)atoi(optarg);
			break;
		case 'r':
			seed = strtoull(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	if (nclients < 1 || nclients > CROWD_MAX || optind != argc)
		exit(2);
	seed += seed == 0;
}

int
main(int argc, char **argv)
{
	int small = SMALL;
	int64_t until;
	long findings;

	seed = torture_seed();
	options(argc, argv);
	first_seed = seed;
	printf("--seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	wire_make(&w, "socket");
	setsockopt(
	    w.proc.listen_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	crowd_start(&w.at, nclients, seed, w.proc.listen_fd);
	wire_launch(&w, false);
	until = trace_now_ns() + seconds * 1000000000ll;
	while (trace_now_ns() < until && !crowd_wrong())
		kill_one();
	crowd_stop();
	trace_slay(w.pid);
	wire_bury(&w);
	findings = judge();
	sum(findings);
	wire_unmake(&w);
	return findings != 0;
}
