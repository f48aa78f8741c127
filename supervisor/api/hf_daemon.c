/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hf_daemon(): the composition root of holdfastd. Says which roles its
 * children can play; everything else is elsewhere.
 */
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>

#include "supervisor/actions.h"
#include "supervisor/holdfast.h"
#include "supervisor/part.h"
#include "supervisor/start.h"
#include "workers/action/clock.h"
#include "workers/worker.h"

/* The control process is a part: what libzmq weighs stays in it. */
static int
control(struct proc *p)
{
	const char *why;
	proc_main_fn *entry;

	*(void **)&entry = proc_part("control", "control_main", &why);
	if (entry == NULL)
		return proc_failed(p, EX_SOFTWARE, "%s", why);
	return entry(p);
}

/* And so is the page. */
static int
http(struct proc *p)
{
	const char *why;
	proc_main_fn *entry;

	*(void **)&entry = proc_part("http", "http_main", &why);
	if (entry == NULL)
		return proc_failed(p, EX_SOFTWARE, "%s", why);
	return entry(p);
}

int
hf_daemon(int argc, char **argv)
{
	struct proc_roles roles = {
		.worker = worker_main,
		.control = control,
		.actions = actions_main,
		.http = http,
		.clock = clock_main,
	};
	char path[PATH_MAX];

	if (!part_path("control", path, sizeof(path)))
		roles.missing = path;
	return start(argc, argv, &roles);
}
