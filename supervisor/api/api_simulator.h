/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_API_SIMULATOR_H
#define SUPERVISOR_API_SIMULATOR_H

#include "supervisor/api/api_server.h"

/* The program's servers log to a descriptor of the simulator's, which closes it
 * at its end. */
void api_simulator_log(struct hf_simulator *, int fd);

#endif
