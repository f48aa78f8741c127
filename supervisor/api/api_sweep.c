/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores without a name of their own: what is left of those whose program was
 * killed, nobody will make again, so it is removed by the next program that
 * makes one. Runs in the program's own process.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "supervisor/api/api.h"

enum { RANDOM_DIGITS = 16 };

#define PREFIX "auto-"
#define FILE_PREFIX "holdfast-" PREFIX

int
api_auto_name(char *out, size_t size)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -1;
	snprintf(out, size, PREFIX "%016llx", (unsigned long long)random);
	return 0;
}

bool
api_is_auto(const char *name)
{
	return strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
	    strlen(name) == sizeof(PREFIX) - 1 + RANDOM_DIGITS &&
	    strspn(name + sizeof(PREFIX) - 1, "0123456789abcdef") ==
	    RANDOM_DIGITS;
}

void
api_sweep(void)
{
	DIR *dir = opendir("/dev/shm");
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		const char *name = e->d_name + strlen("holdfast-");

		if (strncmp(e->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0 &&
		    api_is_auto(name))
			claim_sweep_store(name);
	}
	if (dir != NULL)
		closedir(dir);
}
