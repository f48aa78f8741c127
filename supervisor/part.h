/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PART_H
#define SUPERVISOR_PART_H

/*
 * Parts: shared objects that only one process loads, once it runs, so that
 * what they weigh and what they break stays in that process.
 *
 * A part is a whole: whatever it uses of supervisor/, workers/ and shm/ it has
 * a copy of, optimised with it and hidden in it. So what a file keeps outside
 * of its functions is there twice, and must not be changed where the other
 * copy would have to see it. The one exception is the log, which is handed to
 * the part as it is loaded. A part exports its entry and part_join().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/proc.h"

/* Where FOLDER/NAME.so lies: beside libholdfast.so or in holdfast/ beside it,
 * beside the program, in lib/holdfast beside the program's folder, or below
 * the prefix. False if it is nowhere (out: the last of them). */
bool part_find(const char *folder, const char *name, char *out, size_t size);

/* The same for a file of any kind that lies beside the library. */
bool part_file(const char *name, char *out, size_t size);

/* The same in the folder of parts. */
bool part_path(const char *name, char *out, size_t size);

/* What host and part must have in common, and what the host hands over. */
struct part_host {
	char version[32];
	uint32_t layout, proc_bytes, conf_bytes, transport_bytes;
	struct log_state *log;
};

/* What this copy of the code has. */
void part_host(struct part_host *);

/* Makes the host's log the part's. -1: the host is of another build. */
typedef int part_join_fn(const struct part_host *);
part_join_fn part_join;

#endif
