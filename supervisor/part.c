/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the part of a role. part_path() runs anywhere, the rest only in the
 * child whose part it is.
 */
#include "supervisor/part.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

bool
part_path(const char *name, char *out, size_t size)
{
	char exe[PATH_MAX];
	ssize_t n;

	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		*(strrchr(exe, '/') + 1) = '\0';
		if ((size_t)snprintf(out, size, "%sparts/%s.so", exe, name) <
			size &&
		    access(out, R_OK) == 0) {
			return true;
		}
	}
	n = snprintf(
	    out, size, "%s/lib/holdfast/parts/%s.so", HOLDFAST_PREFIX, name);
	return n > 0 && (size_t)n < size && access(out, R_OK) == 0;
}

int
part_control_main(struct proc *p)
{
	char path[PATH_MAX];
	proc_main_fn *entry;
	void *part;

	part_path("control", path, sizeof(path));
	part = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (part == NULL) {
		return proc_failed(
		    p, EX_SOFTWARE, "cannot load: %s", dlerror());
	}
	*(void **)&entry = dlsym(part, "control_main");
	if (entry == NULL) {
		return proc_failed(p, EX_SOFTWARE, "%s", dlerror());
	}
	return entry(p);
}
