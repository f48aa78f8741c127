/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CMD_FAULT_WHERE_H
#define CONTROL_CMD_FAULT_WHERE_H

#include "control/cmd/cmd.h"
#include "shm/fault.h"

/* Takes the conditions of a rule from the params of a call. False after the
 * call has failed with what is wrong. */
bool fault_where(struct cmd_call *, struct fault_rule *);

#endif
