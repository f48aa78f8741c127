/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The names of a transport's states. Runs in the supervisor, which logs them,
 * and in the control process, which tells them.
 */

#include "shm/state.h"

static const char *const names[SHM_STATES] = {
	[SHM_STOPPED] = "stopped",
	[SHM_STARTING] = "starting",
	[SHM_UP] = "up",
	[SHM_DRAINING] = "draining",
	[SHM_BACKOFF] = "backoff",
	[SHM_FAILED] = "failed",
};

const char *
shm_state_name(unsigned state)
{
	return state < SHM_STATES ? names[state] : "unknown";
}
