/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfastd: the composition root. Says which roles its children can play;
 * everything else is elsewhere.
 */
#include <limits.h>
#include <stdio.h>

#include "supervisor/part.h"
#include "supervisor/start.h"
#include "workers/worker.h"

int
main(int argc, char **argv)
{
	struct proc_roles roles = {
		.worker = worker_main,
		.control = part_control_main,
	};
	char path[PATH_MAX];

	if (!part_path("control", path, sizeof(path)))
		roles.missing = path;
	return start(argc, argv, &roles);
}
