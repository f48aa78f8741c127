/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CMD_RESTORE_H
#define CONTROL_CMD_RESTORE_H

#include "control/cmd/cmd.h"
#include "shm/snap.h"

enum { RESTORE_UNFIT_MAX = 100 }; /* that are told one by one */

struct restore;

struct restored {
	unsigned devices; /* that something went into */
	uint64_t written; /* registers and bits */
	unsigned steps; /* of the store */
	json_t *unfit; /* rows of what had no place; gone with it */
	uint64_t more; /* beyond those rows */
};

enum restore_rc { RESTORE_DONE, RESTORE_MORE, RESTORE_FAILED };

/*
 * Writes a snapshot that has been checked into the devices of the same names,
 * at the same addresses of the same tables, in as few steps as there can be.
 * Begun once, without memory NULL; then some is done in each turn of the loop,
 * until it is all done or the call has failed, which may be in the middle.
 */
struct restore *restore_begin(const struct snap *);
enum restore_rc restore_some(struct cmd_call *, struct restore *);
struct restored *restore_told(struct restore *);
void restore_end(struct restore *); /* NULL: nothing */

#endif
