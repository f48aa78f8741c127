/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back-off between the deaths and the births of one child. Pure arithmetic;
 * runs in the supervisor.
 */
#include "supervisor/retry.h"

#include <string.h>

enum { AT_ONCE = 2, GROWTH = 5 };

/* Most deaths are the first, and the second may be its echo: those wait for
 * nothing. */
static uint64_t
planned(unsigned row, const struct retry_limits *lim)
{
	uint64_t ms = lim->min_ms > 0 ? lim->min_ms : 1;

	if (row < AT_ONCE)
		return 0;
	for (; row > AT_ONCE && ms < lim->max_ms; row--)
		ms *= GROWTH;
	return ms;
}

static int
too_many(const struct retry *r, const struct retry_limits *lim, uint64_t now)
{
	unsigned i, recent = 0;

	if (lim->max_in_window == 0)
		return 0;
	for (i = 0; i < r->kept; i++)
		if (now - r->at_ms[i] <= (uint64_t)lim->window_s * 1000)
			recent++;
	return recent > lim->max_in_window ||
	    (recent == RETRY_KEPT && lim->max_in_window >= RETRY_KEPT);
}

int64_t
retry_next(struct retry *r, const struct retry_limits *lim, bool suspected,
    uint64_t now_ms, uint32_t random)
{
	uint64_t ms;

	r->at_ms[r->next] = now_ms;
	r->next = (r->next + 1) % RETRY_KEPT;
	if (r->kept < RETRY_KEPT)
		r->kept++;
	if (too_many(r, lim, now_ms))
		return RETRY_GIVE_UP;
	if (suspected && r->suspected < RETRY_SUSPECTED) {
		r->suspected++;
		return 0;
	}
	ms = planned(r->row, lim);
	r->row++;
	ms = ms * (800 + random % 401) / 1000;
	return (int64_t)(ms > lim->max_ms ? lim->max_ms : ms);
}

void
retry_calm(struct retry *r)
{
	memset(r, 0, sizeof(*r));
}
