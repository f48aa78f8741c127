/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_DIAG_H
#define PROTO_DIAG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MB_EVENTS_MAX = 64 }; /* events of the log, AP 6.10 */

/*
 * What a device knows about its line and its messages (AP 6.7-6.10, SL 2.4).
 * It lies in memory that the workers of a transport share, so that it outlives
 * each of them; all zero is its first state. Every word is changed with
 * relaxed atomics by any worker of the transport; counters only ever count up
 * and are cut to 16 bits when FC 8, 11 or 12 shows them.
 *
 * A request that goes well costs one addition, which is a locked one only if
 * the transport has several workers: `tally` holds the place
 * in the log in its upper 16 bits, where an overflow falls off, and the number
 * of messages in its lower 48, which never overflow. The event counter of
 * FC 11 is what is left of the messages after those that are no events.
 */
struct mb_diag {
	_Atomic uint64_t tally; /* events ever logged << 48 | messages */
	_Atomic uint64_t cleared; /* messages when the counters were cleared */
	_Atomic uint32_t
	    count[8]; /* by enum mb_counter; without what tally has;
				    * read with mb_diag_get() */
	_Atomic uint32_t uneventful; /* messages that are no events, AP 6.9 */
	_Atomic uint16_t diag_register;
	_Atomic uint8_t exception_status; /* FC 7 */
	_Atomic uint8_t listen_only;
	_Atomic uint8_t ascii_delimiter; /* FC 8/3; 0 means LF */
	_Atomic uint8_t busy; /* FC 11 status word FFFF */
	uint8_t spare[6];
	_Atomic uint16_t
	    log[MB_EVENTS_MAX]; /* ring of MB_EVENT_VALID | event */
};

enum {
	MB_EVENT_VALID = 0x100, /* in the ring: something was logged here */
	MB_EVENT_RECEIVED = 0x80, /* AP 6.10, with the bits that follow */
	MB_EVENT_RECEIVED_ERROR = 0x02,
	MB_EVENT_RECEIVED_OVERRUN = 0x10,
	MB_EVENT_RECEIVED_BROADCAST = 0x40,
	MB_EVENT_SENT = 0x40,
	MB_EVENT_LISTENING = 0x20, /* of both, received and sent */
	MB_EVENT_LISTEN_ONLY = 0x04, /* the mode was entered */
	MB_EVENT_RESTART = 0x00,
};

enum mb_counter {
	MB_CPT_BUS_MESSAGES, /* FC 8/11 and so on, in this order */
	MB_CPT_COMM_ERRORS,
	MB_CPT_EXCEPTIONS,
	MB_CPT_UNIT_MESSAGES,
	MB_CPT_NO_REPLY,
	MB_CPT_NAK,
	MB_CPT_BUSY,
	MB_CPT_OVERRUNS,
};

/*
 * Counts one event of the line on a unit's counters (SL 2.4), and logs it if
 * it is a communication error or an overrun. mb_serve() counts the messages
 * that it is given, on the bus counter too: a transport counts as
 * MB_CPT_BUS_MESSAGES only good messages that are for nobody here.
 */
void mb_diag_count(struct mb_diag *, enum mb_counter);

/* A counter since it was last cleared; FC 8 shows its lower 16 bits. */
uint32_t mb_diag_get(const struct mb_diag *, enum mb_counter);

/* The event counter of FC 11: messages that were completed normally. */
uint32_t mb_diag_events(const struct mb_diag *);

/* Clears the counters and the event counter (FC 8/1, 8/10). */
void mb_diag_clear(struct mb_diag *);

/* Clears one counter (FC 8/20). */
void mb_diag_clear_counter(struct mb_diag *, enum mb_counter);

/* Logs one event (AP 6.10). */
void mb_diag_log(struct mb_diag *, uint8_t event);

/* In listen-only mode nothing but its end is carried out, and nothing is
 * answered (FC 8/4, 8/1). */
static inline bool
mb_diag_listening(const struct mb_diag *d)
{
	return atomic_load_explicit(&d->listen_only, memory_order_relaxed) != 0;
}
void mb_diag_listen(struct mb_diag *, bool on);

/* The message in hand is no event: it failed, or asked for the counter. */
void mb_diag_no_event(struct mb_diag *);

/* Forgets every event that was logged (FC 8/1 with FF00). */
void mb_diag_clear_log(struct mb_diag *);

/*
 * Up to MB_EVENTS_MAX events, newest first, beginning with the one at place
 * `at`, as mb_diag_received() returned it. Returns how many there are.
 */
unsigned mb_diag_read_log(
    const struct mb_diag *, unsigned at, uint8_t out[MB_EVENTS_MAX]);

/* Takes note of a message for this unit: counts it and logs its receipt.
 * Returns its place in the log; the next one is kept for mb_diag_sent().
 * alone: no other process counts on these counters. */
unsigned mb_diag_received(
    struct mb_diag *, bool broadcast, bool listening, bool alone);

/* Logs the end of the message whose receipt is at place `at`. ex: 0 or the
 * exception that it ended with, sent or not. */
void mb_diag_sent(struct mb_diag *, unsigned at, unsigned ex, bool listening);

#endif
