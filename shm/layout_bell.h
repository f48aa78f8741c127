/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_BELL_H
#define SHM_LAYOUT_BELL_H

/* Who waits for something, and under which name he is woken: see bell.h. See
 * layout.h for the whole. */

#include "shm/layout.h"

enum { SHM_BELLS = 64 }; /* that can be waited at for one thing */

struct shm_bell {
	_Atomic uint64_t owner; /* identity, 0 free; compare-and-swap */
	_Atomic uint64_t name; /* of its socket, in bytes; the owner */
	_Atomic uint64_t armed; /* the owner; cleared by who rings it */
};

struct shm_bells {
	/* set by a waiter after its bell's word, cleared by who then looks at
	 * all of those (exchange) */
	_Alignas(SHM_LINE) _Atomic uint32_t armed;
	_Alignas(SHM_LINE) struct shm_bell bell[SHM_BELLS];
};

#endif
