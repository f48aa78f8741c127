/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_OPTS_H
#define SUPERVISOR_OPTS_H

/*
 * The command line of holdfastd; see holdfastd(8).
 */

#include <stdbool.h>
#include <stdio.h>

#include "shm/log.h"

#define OPTS_CONFIG "/etc/holdfast/holdfast.json"
#define OPTS_RUN_DIR "/run/holdfast"

enum opts_task { OPTS_SERVE, OPTS_CHECK, OPTS_DUMP, OPTS_VERSION, OPTS_HELP };

struct opts {
	enum opts_task task;
	const char *config;
	const char *run_dir;
	bool guard; /* a parent starts the next supervisor when one dies */
	const char *log_file; /* NULL: standard error */
	enum log_level log_level;
	enum log_format log_format;
};

/* Reads argv; $HOLDFAST_RUN_DIR is heeded. 0, or -1 after a line on err. */
int opts_read(struct opts *, int argc, char **argv, FILE *err);

/* Prints how the program is used. */
void opts_help(FILE *);

#endif
