/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_SNAPSHOT_H
#define SUPERVISOR_CONF_SNAPSHOT_H

/*
 * The section "snapshot" of "store", which is conf_snapshot, and what a range
 * says of it.
 */

#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_read.h"

conf_dump_fn conf_snapshot_dump;

/* Notes what durable ranges miss; everything has been read. */
void conf_snapshot_check(struct conf_ctx *);

/* true or false, of a range; left out: see conf_range_retained(). */
conf_read_fn conf_retain_read;
conf_dump_fn conf_retain_dump;

#endif
