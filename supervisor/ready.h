/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_READY_H
#define SUPERVISOR_READY_H

struct super;

/* Writes RUN_DIR/ready if all that should serve does and it says something
 * new; tells the log and the service manager the first time. Nothing where
 * there is no run directory. */
void ready_tell(struct super *);

/* Removes the file; nothing if there is none, run_dir NULL included. */
void ready_remove(const char *run_dir);

#endif
