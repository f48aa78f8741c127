/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_READY_H
#define SUPERVISOR_READY_H

/* Makes RUN_DIR/ready hold text, at once: who reads it sees the former text
 * or the new one, never a part. 0, or -1 with errno. */
int ready_write(const char *run_dir, const char *text);

/* Removes it; nothing if there is none. */
void ready_remove(const char *run_dir);

#endif
