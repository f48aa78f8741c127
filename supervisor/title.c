/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a process as others see it. It is written over the arguments
 * and, if those are short, over the environment behind them, which is copied
 * away first. Only children change theirs.
 */
#include "supervisor/title.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *area;
static size_t area_len;

void
title_init(int argc, char **argv)
{
	char *end;
	int i;

	/* a program that calls us may have made up its arguments: those are
	 * nothing that ps shows, nor perhaps to be written at all */
	if (argc == 0 || argv[0] != program_invocation_name || environ == NULL)
		return;
	area = argv[0];
	end = argv[0];
	for (i = 0; i < argc && argv[i] == end; i++)
		end += strlen(end) + 1;
	for (i = 0; environ[i] == end; i++) {
		end += strlen(end) + 1;
		environ[i] = strdup(environ[i]);
		if (environ[i] == NULL) {
			end = NULL; /* no title then; nobody will miss it */
			break;
		}
	}
	area_len = end != NULL ? (size_t)(end - area) : 0;
}

void
title_set(const char *what)
{
	char name[16];

	snprintf(name, sizeof(name), "hf:%s", what);
	prctl(PR_SET_NAME, name);
	if (area_len > 0) {
		memset(area, 0, area_len);
		snprintf(area, area_len, "holdfastd: %s", what);
	}
}
