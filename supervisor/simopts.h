/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SIMOPTS_H
#define SUPERVISOR_SIMOPTS_H

/*
 * The command line of pymodbus.simulator, and what holdfast-simulator has
 * besides; the library takes the same. Touches nothing of getopt's.
 */

#include <stdio.h>

#include "shm/log.h"

enum simopt {
	SIMOPT_SERVER,
	SIMOPT_DEVICE,
	SIMOPT_JSON,
	SIMOPT_LOG,
	SIMOPT_LOG_FILE,
	SIMOPT_HTTP_HOST,
	SIMOPT_HTTP_PORT,
	SIMOPT_MODULE,
	SIMOPT_RUN_DIR, /* from here on: the program's alone */
	SIMOPTS
};

enum { SIMOPTS_HELP = 1, SIMOPTS_VERSION = 2 };

/* "json_file" */
const char *simopts_name(enum simopt);

/*
 * Options into their arguments: the first n of them are known. 0; SIMOPTS_HELP
 * or SIMOPTS_VERSION if that is asked for; -1 with words.
 */
int simopts_read(const char *got[SIMOPTS], int n, int argc, char **argv,
    char *words, size_t size);

/* How it is used, but for the options of a bit mask. */
void simopts_help(FILE *, const char *program, unsigned without);

/* The level of "critical", "error", "warning", "info", "debug"; NULL is "info".
 * -1 with words. */
int simopts_level(const char *word, enum log_level *, char *words, size_t size);

#endif
