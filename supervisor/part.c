/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds and loads parts. part_find() runs anywhere, proc_part() only in the
 * process whose part it is: a child of the daemon, or the command line.
 */
#include "supervisor/part.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where they may lie, from the folder of the program: as it was built, as it
 * was installed (wherever that was), and as it was meant to be installed. */
static const char *const places[] = {
	"",
	"../lib/holdfast/",
	HOLDFAST_PREFIX "/lib/holdfast/",
};

bool
part_find(const char *folder, const char *name, char *out, size_t size)
{
	char exe[PATH_MAX] = "/";
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	size_t i;
	int n;

	exe[len > 0 ? len : 1] = '\0';
	*(strrchr(exe, '/') + 1) = '\0';
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		n = snprintf(out, size, "%s%s%s/%s.so",
		    places[i][0] == '/' ? "" : exe, places[i], folder, name);
		if (n > 0 && (size_t)n < size && access(out, R_OK) == 0)
			return true;
	}
	return false;
}

bool
part_path(const char *name, char *out, size_t size)
{
	return part_find("parts", name, out, size);
}

void *
proc_part(const char *part, const char *symbol, const char **why)
{
	char path[PATH_MAX];
	void *so, *at = NULL;

	part_path(part, path, sizeof(path));
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (so != NULL)
		at = dlsym(so, symbol);
	if (at == NULL)
		*why = dlerror();
	return at;
}
