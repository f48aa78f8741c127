/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STATE_H
#define SHM_STATE_H

/* What the states of a transport are called, to everybody. */

#include "shm/layout_control.h"

/* "up" and so on; "unknown" for what is none. */
const char *shm_state_name(unsigned state);

#endif
