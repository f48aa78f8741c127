/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hf_daemon() and hf_simulator_daemon(): the composition roots of holdfastd and
 * holdfast-simulator. Say which roles their children can play; everything else
 * is elsewhere.
 */
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>

#include "supervisor/actions.h"
#include "supervisor/holdfast.h"
#include "supervisor/part.h"
#include "supervisor/persist/persist.h"
#include "supervisor/simstart.h"
#include "supervisor/start.h"
#include "workers/action/clock.h"
#include "workers/check.h"
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

/* missing: room for the path of a part that is not there. */
static struct proc_roles
roles_of(char missing[PATH_MAX])
{
	struct proc_roles roles = {
		.worker = worker_main,
		.control = control,
		.actions = actions_main,
		.http = http,
		.clock = clock_main,
		.persist = persist_main,
		.check = worker_check,
	};

	if (!part_path("control", missing, PATH_MAX))
		roles.missing = missing;
	return roles;
}

int
hf_daemon(int argc, char **argv)
{
	char missing[PATH_MAX];
	struct proc_roles roles = roles_of(missing);

	return start(argc, argv, &roles);
}

int
hf_simulator_daemon(int argc, char **argv)
{
	char missing[PATH_MAX];
	struct proc_roles roles = roles_of(missing);

	return simstart(argc, argv, &roles);
}
