/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_WATCHDOG_H
#define SUPERVISOR_WATCHDOG_H

/*
 * Who hangs. Judged every WATCHDOG_MS from the beats in shared memory; a
 * verdict leads to a SIGKILL, never to a declaration of death. Pure
 * functions of what was read, so that every case can be tested.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shm/patience.h"

enum {
	WATCHDOG_MS = PATIENCE_LOOK_MS,
	WATCHDOG_AWAY_MS = 350, /* a tick so late: we were away, not they */
	WATCHDOG_GRACE = 5, /* ticks without a verdict after that */
	WATCHDOG_BUSY_MS = PATIENCE_REQUEST_MS,
	WATCHDOG_HOLDS = PATIENCE_HOLDS,
	WATCHDOG_SPIN_MS = 100, /* processor time with nothing to show for it */
};

struct watchdog {
	uint64_t last_ms; /* to begin with: now */
	unsigned grace;
};

/* Notes a tick. False: judge nobody now, since this process (or the whole
 * machine) stood still and the others may have as well. */
bool watchdog_tick(struct watchdog *, uint64_t now_ms);

enum watchdog_verdict { WATCHDOG_FINE, WATCHDOG_BUSY, WATCHDOG_SILENT };

/* Judges one child. beat_ns, busy_ns: from its slot, whatever they hold;
 * since_ns: when it became ready; hang_ms 0: silence is fine, and so it is
 * during a request that does not take too long. */
enum watchdog_verdict watchdog_judge(uint64_t now_ns, uint64_t beat_ns,
    uint64_t busy_ns, uint64_t since_ns, unsigned hang_ms);

/* A child's last sign of life, and the processor time it had used by then. */
struct watchdog_mark {
	uint64_t sign_ns, cpu_ns;
};

/* Notes the latest sign of life and the processor time used so far. */
void watchdog_mark(struct watchdog_mark *, uint64_t beat_ns, uint64_t busy_ns,
    uint64_t cpu_ns);

/*
 * True if a child that shows no sign of life is itself to blame: it is not
 * even waiting for a processor (it is stopped, or sleeps in the middle of
 * something), or it has had one for WATCHDOG_SPIN_MS since its last sign.
 * Otherwise the machine is too busy to let it run, and ending it would only
 * make that worse.
 */
bool watchdog_guilty(
    const struct watchdog_mark *, uint64_t cpu_ns, bool waits_for_cpu);

/* One device as it was last seen. */
struct watchdog_hold {
	uint64_t owner, seq, beat_ns;
	unsigned ticks;
};

/* Notes what a device shows now, and its owner's beat. True if the same owner
 * has held it over WATCHDOG_HOLDS ticks without moving it or itself. */
bool watchdog_held(
    struct watchdog_hold *, uint64_t owner, uint64_t seq, uint64_t beat_ns);

#endif
