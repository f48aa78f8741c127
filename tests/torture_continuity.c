/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients and the killer of sys_continuity.py: a crowd (torture_crowd.h)
 * asks a real holdfastd, whose worker is killed again and again; a client
 * beside them asks as soon as the signal has been sent, on a connection that
 * has been there from the beginning, and how long its reply takes is noted.
 *
 *	torture_continuity --port P --parent PID --name NAME [--kills N]
 *	                   [--clients N] [--pause-us N] [--seed N]
 *
 * Prints one line a client with the increments that it has asked for, one with
 * the times in microseconds, and what went wrong.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/torture_crowd.h"
#include "tests/lib/torture_peer.h"
#include "tests/lib/torture_seed.h"
#include "tests/lib/torture_trace.h"

enum { PATIENCE_MS = 20000 };

static struct {
	unsigned port, clients;
	int parent;
	const char *name;
	long kills, pause_us;
	uint64_t seed;
} opt = { .clients = 8, .kills = 200, .pause_us = 3000 };

static struct peer me;
static double *took_us;
static long killed;

static bool
is_worker(int pid)
{
	char path[40], title[64], want[64];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	n = fread(title, 1, sizeof(title) - 1, f);
	fclose(f);
	title[n] = '\0';
	snprintf(want, sizeof(want), "holdfastd: %s", opt.name);
	return strcmp(title, want) == 0;
}

/* The worker there is; 0: none. */
static int
worker(void)
{
	char path[64];
	int pid, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", opt.parent,
	    opt.parent);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fscanf(f, "%d", &pid) == 1)
		if (is_worker(pid))
			found = pid;
	fclose(f);
	return found;
}

/* Asks, and waits for the reply. */
static void
ask(void)
{
	struct pollfd pfd = { .fd = me.fd, .events = POLLIN };

	peer_ask(&me, PEER_INC, 0, 0);
	if (peer_send(&me, me.nout) < 0)
		peer_wrong(&me, "cannot send");
	while (me.wrong == NULL && me.got != me.sent) {
		if (poll(&pfd, 1, PATIENCE_MS) <= 0)
			peer_wrong(&me, "a request is not answered");
		else
			peer_take(&me, -1);
		if (me.ended)
			peer_wrong(&me, "a connection was closed");
	}
}

static void
kill_one(void)
{
	int64_t from = trace_now_ns(), at;
	int pid;

	while ((pid = worker()) == 0)
		if (trace_now_ns() - from > PATIENCE_MS * 1000000ll)
			trace_broken("there is no worker");
	at = trace_now_ns();
	if (kill(pid, SIGKILL) != 0)
		return; /* it has just gone by itself */
	ask();
	took_us[killed++] = (double)(trace_now_ns() - at) / 1000;
	trace_nap_us((long)((double)opt.pause_us * drand48()));
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
part(double p)
{
	return killed == 0 ? 0 : took_us[(long)(p * (double)(killed - 1))];
}

static int
report(void)
{
	struct crowd_told all = crowd_all();
	int wrong = me.wrong != NULL;

	for (unsigned i = 0; i < opt.clients; i++) {
		const struct crowd_told *t = crowd_told(i);

		printf("client %u %u %s\n", i * CROWD_REGS, t->count,
		    t->wrong[0] != '\0' ? t->wrong : "fine");
		wrong += t->wrong[0] != '\0';
	}
	printf("client %u %u %s\n", me.base, me.count,
	    me.wrong != NULL ? me.wrong : "fine");
	qsort(took_us, (size_t)killed, sizeof(*took_us), by_size);
	printf("kills %ld replies %ld connections %ld halves %ld p50 %.0f "
	       "p90 %.0f p99 %.0f max %.0f\n",
	    killed, all.replies + me.replies, all.connections + 1, all.halves,
	    part(0.5), part(0.9), part(0.99), part(1));
	return wrong != 0;
}

static void
options(int argc, char **argv)
{
	static const struct option all[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "parent", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "kills", required_argument, NULL, 'k' },
		{ "clients", required_argument, NULL, 'c' },
		{ "pause-us", required_argument, NULL, 'u' },
		{ "seed", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
		switch (c) {
		case 'p':
			opt.port = (unsigned)atoi(optarg);
			break;
		case 'd':
			opt.parent = atoi(optarg);
			break;
		case 'n':
			opt.name = optarg;
			break;
		case 'k':
			opt.kills = atol(optarg);
			break;
		case 'c':
			opt.clients = (unsigned)atoi(optarg);
			break;
		case 'u':
			opt.pause_us = atol(optarg);
			break;
		case 'r':
			opt.seed = strtoull(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	if (opt.port == 0 || opt.parent == 0 || opt.name == NULL ||
	    opt.clients > CROWD_MAX || optind != argc)
		exit(2);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	opt.seed = torture_seed();
	options(argc, argv);
	opt.seed += opt.seed == 0;
	at.sin_port = htons((uint16_t)opt.port);
	took_us = calloc((size_t)opt.kills + 1, sizeof(*took_us));
	if (took_us == NULL)
		trace_broken("memory");
	printf("--seed %llu\n", (unsigned long long)opt.seed);
	fflush(stdout);
	srand48((long)opt.seed);
	crowd_start(&at, opt.clients, opt.seed, -1);
	me.base = opt.clients * CROWD_REGS;
	if (peer_dial(&me, &at, false) < 0)
		trace_broken("connect");
	ask();
	while (killed < opt.kills && me.wrong == NULL && !crowd_wrong())
		kill_one();
	crowd_stop();
	return report();
}
