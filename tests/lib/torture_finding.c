/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kill harness has found, and how to see it again. Runs in tests.
 */
#include "tests/lib/torture_finding.h"

#include <stdio.h>
#include <string.h>

void
finding_add(struct findings *f, const struct point *p, const char *what)
{
	enum { SHOWN = 3 };
	int i = 0;

	while (i < FINDING_KINDS - 1 && f->what[i] &&
	    strcmp(f->what[i], what) != 0)
		i++;
	f->what[i] = what;
	if (f->times[i]++ < SHOWN) {
		printf("FAIL %s\n     replay: %s", what, p->program);
		if (p->request)
			printf(" --request %s", p->request);
		if (p->chain)
			printf(" --chain %s\n", p->chain);
		else if (p->mode)
			printf(" --mode %s --at %ld\n", p->mode, p->at);
		else
			printf(" --at %ld\n", p->at);
		fflush(stdout);
	}
	f->bad = true;
}

void
finding_next(struct findings *f)
{
	f->points++;
	f->bad_points += f->bad;
	f->bad = false;
}

void
finding_sum(const struct findings *f)
{
	for (int i = 0; i < FINDING_KINDS && f->what[i]; i++)
		printf("%6ld x %s\n", f->times[i], f->what[i]);
	printf("%ld passed, %ld failed\n", f->points - f->bad_points,
	    f->bad_points);
}
