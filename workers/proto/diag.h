/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_DIAG_H
#define PROTO_DIAG_H

#include <stdatomic.h>
#include <stdint.h>

enum { MB_EVENTS_MAX = 64 }; /* events of the log, AP 6.10 */

/*
 * What a device knows about its line and its messages (AP 6.7-6.10, SL 2.4).
 * It lies in memory that the workers of a transport share, so that it outlives
 * each of them; counters wrap at 16 bits when they are read by FC 8. Every
 * word is changed with relaxed atomics by any worker of the transport.
 */
struct mb_diag {
	_Atomic uint32_t count[8]; /* CPT1..CPT8, index = sub-function - 11 */
	_Atomic uint32_t events; /* comm event counter, FC 11 */
	_Atomic uint32_t log_head; /* events ever logged */
	_Atomic uint16_t diag_register;
	_Atomic uint8_t exception_status; /* FC 7 */
	_Atomic uint8_t listen_only;
	_Atomic uint8_t ascii_delimiter; /* FC 8/3; 0 means LF */
	_Atomic uint8_t busy; /* FC 11 status word FFFF */
	uint8_t spare[10];
	_Atomic uint8_t log[MB_EVENTS_MAX]; /* ring; newest at log_head - 1 */
};

enum mb_counter {
	MB_CPT_BUS_MESSAGES,
	MB_CPT_COMM_ERRORS,
	MB_CPT_EXCEPTIONS,
	MB_CPT_UNIT_MESSAGES,
	MB_CPT_NO_REPLY,
	MB_CPT_NAK,
	MB_CPT_BUSY,
	MB_CPT_OVERRUNS,
};

/* Counts one event of the line on a unit's counters (SL 2.4). */
void mb_diag_count(struct mb_diag *, enum mb_counter);

#endif
