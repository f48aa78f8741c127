/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds and loads parts. part_find() runs anywhere, proc_part() only in the
 * process whose part it is: a child of the daemon, or the command line.
 */
#include "supervisor/part.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where they may lie, from the folder of the library or of the program: as
 * they were built, and as they were installed, wherever that was. */
static const char *const places[] = { "", "holdfast/", "../lib/holdfast/" };

/* Cuts a path behind its last slash. */
static void
to_folder(char path[PATH_MAX])
{
	*(strrchr(path, '/') + 1) = '\0';
}

static void
program_folder(char out[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);

	snprintf(out + (len > 0 ? len : 0), 2, "%s", len > 0 ? "" : "/");
	to_folder(out);
}

/* The folder of the shared object that this code is in, behind all links.
 * False if the program itself has it. */
static bool
library_folder(char out[PATH_MAX])
{
	struct link_map *map;
	Dl_info info;

	if (dladdr1(places, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ||
	    map->l_name[0] == '\0' || realpath(map->l_name, out) == NULL)
		return false;
	to_folder(out);
	return true;
}

static bool
is_there(char *out, size_t size, const char *where, const char *place,
    const char *name)
{
	int n = snprintf(out, size, "%s%s%s", where, place, name);

	return n > 0 && (size_t)n < size && access(out, R_OK) == 0;
}

bool
part_file(const char *name, char *out, size_t size)
{
	char from[2][PATH_MAX];
	size_t i, k, n = library_folder(from[0]);

	program_folder(from[n++]);
	for (i = 0; i < n; i++)
		for (k = 0; k < sizeof(places) / sizeof(places[0]); k++)
			if (is_there(out, size, from[i], places[k], name))
				return true;
	return is_there(out, size, HOLDFAST_PREFIX, "/lib/holdfast/", name);
}

bool
part_find(const char *folder, const char *name, char *out, size_t size)
{
	char file[NAME_MAX + 40];
	int n = snprintf(file, sizeof(file), "%s/%s.so", folder, name);

	return n > 0 && (size_t)n < sizeof(file) && part_file(file, out, size);
}

bool
part_path(const char *name, char *out, size_t size)
{
	return part_find("parts", name, out, size);
}

void *
proc_part(const char *part, const char *symbol, const char **why)
{
	struct part_host host;
	part_join_fn *join = NULL;
	char path[PATH_MAX];
	void *so, *at = NULL;

	part_path(part, path, sizeof(path));
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (so != NULL)
		*(void **)&join = dlsym(so, "part_join");
	if (join != NULL)
		at = dlsym(so, symbol);
	if (at == NULL) {
		*why = dlerror();
		return NULL;
	}
	part_host(&host);
	if (join(&host) < 0) {
		*why = "a part of another build of holdfast is installed";
		return NULL;
	}
	return at;
}
