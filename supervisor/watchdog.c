/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts on children that hang. Runs in the supervisor; no clock, no
 * memory, no signal of its own.
 */
#include "supervisor/watchdog.h"

#define MS 1000000ull

bool
watchdog_tick(struct watchdog *w, uint64_t now_ms)
{
	bool away = now_ms - w->last_ms > WATCHDOG_AWAY_MS;

	w->last_ms = now_ms;
	if (away) {
		w->grace = WATCHDOG_GRACE;
		return false;
	}
	if (w->grace > 0) {
		w->grace--;
		return false;
	}
	return true;
}

/* True if the moment is known, and more than ms ago. A moment yet to come is
 * what a child made up, and proves nothing against it. */
static bool
older(uint64_t now_ns, uint64_t moment_ns, uint64_t ms)
{
	return moment_ns < now_ns && now_ns - moment_ns > ms * MS;
}

enum watchdog_verdict
watchdog_judge(uint64_t now_ns, uint64_t beat_ns, uint64_t busy_ns,
    uint64_t since_ns, unsigned hang_ms)
{
	uint64_t sign = beat_ns > since_ns ? beat_ns : since_ns;

	if (busy_ns != 0 && busy_ns <= now_ns) {
		/* it may wait for a device longer than hang_ms */
		return older(now_ns, busy_ns, WATCHDOG_BUSY_MS) ? WATCHDOG_BUSY
								: WATCHDOG_FINE;
	}
	if (hang_ms != 0 && older(now_ns, sign, hang_ms))
		return WATCHDOG_SILENT;
	return WATCHDOG_FINE;
}

void
watchdog_mark(struct watchdog_mark *m, uint64_t beat_ns, uint64_t busy_ns,
    uint64_t cpu_ns)
{
	uint64_t sign = beat_ns > busy_ns ? beat_ns : busy_ns;

	if (sign != m->sign_ns || cpu_ns < m->cpu_ns) {
		m->sign_ns = sign;
		m->cpu_ns = cpu_ns;
	}
}

bool
watchdog_guilty(
    const struct watchdog_mark *m, uint64_t cpu_ns, bool waits_for_cpu)
{
	return !waits_for_cpu || cpu_ns - m->cpu_ns >= WATCHDOG_SPIN_MS * MS;
}

bool
watchdog_held(
    struct watchdog_hold *h, uint64_t owner, uint64_t seq, uint64_t beat_ns)
{
	if (owner == 0 || owner != h->owner || seq != h->seq ||
	    beat_ns != h->beat_ns) {
		h->owner = owner;
		h->seq = seq;
		h->beat_ns = beat_ns;
		h->ticks = 0;
		return false;
	}
	return ++h->ticks >= WATCHDOG_HOLDS;
}
