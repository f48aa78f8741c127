/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which instructions to kill at, and how to get there. Runs in the harnesses
 * that kill workers of TCP and UDP.
 */
#include "tests/lib/torture_deaths.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_seed.h"

struct deaths_opt deaths_opt = {
	.stride = 1, .at = -1, .then = -1, .seconds = 10
};
uint64_t deaths_seed;
long deaths_strayed;

void
deaths_options(int argc, char **argv)
{
	static const struct option all[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "stride", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "at", required_argument, NULL, 'a' },
		{ "then", required_argument, NULL, 't' },
		{ "first", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	struct deaths_opt *o = &deaths_opt;
	int c;

	deaths_seed = torture_seed();
	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
		switch (c) {
		case 'm':
			o->modes = optarg;
			break;
		case 'n':
			o->stride = atol(optarg);
			break;
		case 's':
			o->seconds = atoi(optarg);
			break;
		case 'r':
			deaths_seed = strtoull(optarg, NULL, 10);
			break;
		case 'a':
			o->at = atol(optarg);
			break;
		case 't':
			o->then = atol(optarg);
			break;
		case 'f':
			o->first = true;
			break;
		default:
			exit(2);
		}
	if (o->stride < 1 || optind != argc)
		exit(2);
	deaths_seed += deaths_seed == 0;
	printf("--seed %llu\n", (unsigned long long)deaths_seed);
	fflush(stdout);
}

uint64_t
deaths_draw(void)
{
	deaths_seed ^= deaths_seed << 13;
	deaths_seed ^= deaths_seed >> 7;
	return deaths_seed ^= deaths_seed << 17;
}

long
deaths_below(long n)
{
	return (long)(deaths_draw() % (uint64_t)n);
}

long
deaths_from(long said)
{
	return said >= 0 ? said : deaths_below(deaths_opt.stride);
}

void
deaths_stop(pid_t pid)
{
	int st;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
		trace_broken("cannot stop the worker");
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL);
}

/* A new worker, stopped where it begins to take over. */
static void
launch_stopped(const struct deaths_ops *o)
{
	o->launch();
	trace_await(*o->pid);
	if (walk_to(*o->pid, (uint64_t)(uintptr_t)o->takes_over, 0) !=
	    TRACE_STOPPED)
		trace_broken("a successor did not take over");
}

static bool
go(const struct deaths_ops *o, const struct trace_path *t, long k)
{
	bool astray;

	if (walk_go(t, *o->pid, k, &astray) == TRACE_EXITED)
		trace_broken("a worker ended by itself");
	deaths_strayed += astray;
	return !astray;
}

static void
end(const struct deaths_ops *o)
{
	trace_slay(*o->pid);
	o->bury();
}

static bool
die(const struct deaths *d, const struct deaths_ops *o, void *arg)
{
	bool there;

	deaths_stop(*o->pid);
	o->fire(arg);
	there = go(o, &d->path, d->k);
	end(o);
	return there;
}

bool
deaths_point(const struct deaths *d, const struct deaths_ops *o, void *arg)
{
	bool there = die(d, o, arg);

	for (int i = 0; i < d->n; i++) {
		launch_stopped(o);
		there = go(o, &d->again, d->r[i]);
		end(o);
	}
	return there;
}

void
deaths_learn(struct deaths *d, const struct deaths_ops *o, void *arg)
{
	deaths_stop(*o->pid);
	o->fire(arg);
	walk_learn(&d->path, *o->pid);
	end(o);
}

void
deaths_learn_again(struct deaths *d, const struct deaths_ops *o, void *arg)
{
	die(d, o, arg);
	launch_stopped(o);
	walk_learn(&d->again, *o->pid);
	end(o);
}

void
deaths_forget(struct deaths *d)
{
	trace_forget(&d->path);
	trace_forget(&d->again);
}
