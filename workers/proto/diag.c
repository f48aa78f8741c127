/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and the event log of a unit. Runs in every worker of a transport
 * at once: each word is changed by one relaxed atomic operation, and a reader
 * may see one counter a message ahead of another. Never waits, never fails.
 */

#include "workers/proto/diag.h"

#include <stddef.h>

enum { LOG_SHIFT = 48 };

static const uint64_t messages_mask = (UINT64_C(1) << LOG_SHIFT) - 1;

#define LOAD(p) atomic_load_explicit((p), memory_order_relaxed)
#define STORE(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define ADD(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)

/* Messages since the counters were cleared. */
static uint32_t
messages(const struct mb_diag *d)
{
	uint64_t cleared = LOAD(&d->cleared);

	return (uint32_t)((LOAD(&d->tally) & messages_mask) - cleared);
}

static void
put(struct mb_diag *d, unsigned at, unsigned event)
{
	STORE(&d->log[at % MB_EVENTS_MAX], (uint16_t)(MB_EVENT_VALID | event));
}

void
mb_diag_count(struct mb_diag *d, enum mb_counter c)
{
	ADD(&d->count[c], 1);
	if (c == MB_CPT_COMM_ERRORS)
		mb_diag_log(d, MB_EVENT_RECEIVED | MB_EVENT_RECEIVED_ERROR);
	else if (c == MB_CPT_OVERRUNS)
		mb_diag_log(d, MB_EVENT_RECEIVED | MB_EVENT_RECEIVED_OVERRUN);
}

uint32_t
mb_diag_get(const struct mb_diag *d, enum mb_counter c)
{
	uint32_t n = LOAD(&d->count[c]);

	if (c == MB_CPT_BUS_MESSAGES || c == MB_CPT_UNIT_MESSAGES)
		n += messages(d);
	return n;
}

uint32_t
mb_diag_events(const struct mb_diag *d)
{
	uint32_t all = messages(d), none = LOAD(&d->uneventful);

	/* another worker may have cleared between its two counts */
	return all > none ? all - none : 0;
}

void
mb_diag_no_event(struct mb_diag *d)
{
	ADD(&d->uneventful, 1);
}

void
mb_diag_listen(struct mb_diag *d, bool on)
{
	STORE(&d->listen_only, on);
}

void
mb_diag_clear(struct mb_diag *d)
{
	size_t i;

	for (i = 0; i < sizeof(d->count) / sizeof(d->count[0]); i++)
		STORE(&d->count[i], 0);
	STORE(&d->uneventful, 0);
	STORE(&d->cleared, LOAD(&d->tally) & messages_mask);
}

void
mb_diag_clear_counter(struct mb_diag *d, enum mb_counter c)
{
	STORE(&d->count[c], 0);
}

void
mb_diag_log(struct mb_diag *d, uint8_t event)
{
	uint64_t was = ADD(&d->tally, UINT64_C(1) << LOG_SHIFT);

	put(d, (unsigned)(was >> LOG_SHIFT), event);
}

void
mb_diag_clear_log(struct mb_diag *d)
{
	size_t i;

	for (i = 0; i < MB_EVENTS_MAX; i++)
		STORE(&d->log[i], 0);
}

unsigned
mb_diag_read_log(
    const struct mb_diag *d, unsigned at, uint8_t out[MB_EVENTS_MAX])
{
	unsigned event, n;

	for (n = 0; n < MB_EVENTS_MAX; n++) {
		event = LOAD(&d->log[(at - n) % MB_EVENTS_MAX]);
		if (event == 0)
			break;
		out[n] = (uint8_t)event;
	}
	return n;
}

/* Adds a message and its two events; what the tally was before. */
static uint64_t
add_message(struct mb_diag *d, bool alone)
{
	const uint64_t message = (UINT64_C(2) << LOG_SHIFT) + 1;
	uint64_t was;

	if (!alone)
		return ADD(&d->tally, message);
	was = LOAD(&d->tally);
	STORE(&d->tally, was + message);
	return was;
}

unsigned
mb_diag_received(struct mb_diag *d, bool broadcast, bool listening, bool alone)
{
	uint64_t was = add_message(d, alone);
	unsigned at = (unsigned)(was >> LOG_SHIFT);
	unsigned event = MB_EVENT_RECEIVED;

	if (broadcast)
		event |= MB_EVENT_RECEIVED_BROADCAST;
	if (listening)
		event |= MB_EVENT_LISTENING;
	put(d, at, event);
	return at;
}

void
mb_diag_sent(struct mb_diag *d, unsigned at, unsigned ex, bool listening)
{
	static const uint8_t bit[] = { 0, 1, 1, 1, 2, 4, 4, 8 }; /* AP 6.10 */
	unsigned event = MB_EVENT_SENT;

	if (ex < sizeof(bit))
		event |= bit[ex];
	if (listening)
		event |= MB_EVENT_LISTENING;
	put(d, at + 1, event);
}
