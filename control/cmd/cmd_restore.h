/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CMD_RESTORE_H
#define CONTROL_CMD_RESTORE_H

#include "control/cmd/cmd.h"
#include "shm/snap.h"

enum { RESTORE_UNFIT_MAX = 100 }; /* that are told one by one */

struct restored {
	unsigned devices; /* that something went into */
	uint64_t written; /* registers and bits */
	unsigned steps; /* of the store */
	json_t *unfit; /* rows of what had no place; the caller's */
	uint64_t more; /* beyond those rows */
};

/*
 * Writes a snapshot that has been checked into the devices of the same names,
 * at the same addresses of the same tables, in as few steps as there can be.
 * False after the call has failed, which may be in the middle.
 */
bool restore_all(struct cmd_call *, const struct snap *, struct restored *);

#endif
