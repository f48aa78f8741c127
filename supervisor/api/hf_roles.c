/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The composition root of the servers of programs: says what their children
 * are. They have no control process.
 */
#include "supervisor/api/api_server.h"
#include "workers/worker.h"

const struct proc_roles api_roles = { .worker = worker_main };
