/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a device is a serial line: by the kernel's list of their drivers,
 * or, for one that is none of those, by opening it. Runs in the process of a
 * server, before it has a worker. It never opens a real line.
 */
#include "supervisor/tty.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A line of the list: "serial  /dev/ttyS  4 64-67 serial". */
static bool
covers(const char *line, dev_t dev)
{
	unsigned number, first, last;
	int n = sscanf(line, "%*s %*s %u %u-%u", &number, &first, &last);

	if (n == 2)
		last = first;
	return n >= 2 && major(dev) == number && minor(dev) >= first &&
	    minor(dev) <= last;
}

/* True if it is in the list, or there is no list. */
static bool
listed(dev_t dev)
{
	FILE *f = fopen("/proc/tty/drivers", "re");
	char line[256];
	bool found = false;

	if (f == NULL)
		return true;
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = covers(line, dev);
	fclose(f);
	return found;
}

/* What a program pretends to be one of (CUSE) is in no list. */
static bool
answers(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	bool is;

	if (fd < 0)
		return true;
	is = isatty(fd) == 1;
	close(fd);
	return is;
}

bool
tty_is(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return true;
	return S_ISCHR(st.st_mode) && (listed(st.st_rdev) || answers(path));
}
