/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary heap by the time that things are due. Runs in the clock process; no
 * clock of its own, no allocation once it is there.
 */
#include "workers/action/pace.h"

#include <stdlib.h>
#include <string.h>

int
pace_init(struct pace *p, size_t room, uint64_t origin_ns)
{
	memset(p, 0, sizeof(*p));
	p->heap = calloc(room + 1, sizeof(struct pace_item *));
	p->room = room;
	p->origin_ns = origin_ns;
	return p->heap != NULL ? 0 : -1;
}

void
pace_fini(struct pace *p)
{
	free(p->heap);
	memset(p, 0, sizeof(*p));
}

uint64_t
pace_last(const struct pace *p, const struct pace_item *i, uint64_t now_ns)
{
	if (now_ns < p->origin_ns)
		return p->origin_ns;
	return now_ns - (now_ns - p->origin_ns) % i->period_ns;
}

static void
swap(struct pace *p, size_t a, size_t b)
{
	struct pace_item *i = p->heap[a];

	p->heap[a] = p->heap[b];
	p->heap[b] = i;
}

static void
sift_up(struct pace *p, size_t at)
{
	for (size_t up; at > 0; at = up) {
		up = (at - 1) / 2;
		if (p->heap[up]->due_ns <= p->heap[at]->due_ns)
			return;
		swap(p, up, at);
	}
}

static void
sift_down(struct pace *p, size_t at)
{
	for (;;) {
		size_t least = at, child = 2 * at + 1;

		for (size_t c = child; c < child + 2 && c < p->n; c++)
			if (p->heap[c]->due_ns < p->heap[least]->due_ns)
				least = c;
		if (least == at)
			return;
		swap(p, at, least);
		at = least;
	}
}

void
pace_add(struct pace *p, struct pace_item *i, uint64_t now_ns, bool at_once)
{
	if (p->n == p->room)
		return;
	i->due_ns = at_once ? now_ns : pace_last(p, i, now_ns) + i->period_ns;
	p->heap[p->n++] = i;
	sift_up(p, p->n - 1);
}

uint64_t
pace_next(const struct pace *p)
{
	return p->n > 0 ? p->heap[0]->due_ns : UINT64_MAX;
}

struct pace_item *
pace_take(struct pace *p, uint64_t now_ns)
{
	struct pace_item *i;

	if (p->n == 0 || p->heap[0]->due_ns > now_ns)
		return NULL;
	i = p->heap[0];
	i->due_ns = pace_last(p, i, now_ns) + i->period_ns;
	sift_down(p, 0);
	return i;
}
