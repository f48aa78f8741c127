/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_SAVED_H
#define SHM_LAYOUT_SAVED_H

/* How the registers are saved, as the control segment has it. See layout.h for
 * the whole. */

#include "shm/layout_bell.h"

/* What is saved of the registers. For people: relaxed; the process that saves
 * writes it, but for the last lines. */
struct shm_saved {
	_Alignas(SHM_LINE) _Atomic uint64_t at_ms; /* unix time of the newest
						    * one; 0: none is known */
	_Atomic uint64_t sequence; /* its number */
	_Atomic uint64_t last; /* number that was given to any, of both kinds */
	_Atomic uint64_t bytes;
	_Atomic uint64_t took_us; /* to save it */
	_Atomic uint64_t saves, failures; /* since the daemon was started */
	_Atomic uint64_t error; /* errno of the last try; 0: it went well */
	_Atomic uint64_t behind_ms; /* unix time since which there are changes
				     * that have not been saved; 0: none */
	/* the supervisor, before the first birth */
	_Atomic uint64_t warm_ms; /* when what this start went on with had been
				   * saved; 0: as configured */
	_Atomic uint64_t warm_values; /* registers and bits of that */
	_Atomic uint64_t warm_bad; /* there was one, but it was damaged */
	/* what is saved before it is answered: durable.h */
	_Alignas(SHM_LINE) _Atomic uint64_t durable_want; /* tickets; counted
							   * up by who writes,
							   * acquire-release */
	_Atomic uint32_t durable_ask; /* a futex, counted up with it */
	/* the process that saves, release: tickets up to which all have been
	 * saved, or could not be; then a futex, counted up */
	_Alignas(SHM_LINE) _Atomic uint64_t durable_done;
	_Atomic uint64_t durable_failed;
	_Atomic uint32_t durable_bell;
	_Atomic uint64_t durable_error; /* errno of the last try, 0 */
	_Atomic uint64_t durable_saves, durable_failures;
	_Atomic uint64_t durable_ms; /* so long it is waited for */
	/* whose word on tickets counts: counted up by the supervisor, release,
	 * before anybody has ranges that the one before does not know */
	_Atomic uint64_t durable_saver;
	struct shm_bells bells; /* of who waits for that */
};

#endif
