/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WAVE_H
#define WORKERS_WAVE_H

/* The actions that run on the clock alone: functions of the time, but for walk,
 * which goes on from the value, and copy. */

#include "workers/action/action.h"

action_fn wave_ramp, wave_sine, wave_square, wave_walk, wave_replay, wave_copy;

/* 64 bits, each of them as likely 0 as 1; a number from 0 to just below 1.
 * Neither blocks. */
uint64_t wave_bits(void);
double wave_random(void);

#endif
