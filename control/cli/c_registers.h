/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_C_REGISTERS_H
#define CONTROL_CLI_C_REGISTERS_H

#include <jansson.h>

#include "control/cli/address.h"

/* The parameters of a register command that an address stands for; count is
 * left to the caller. A new reference. */
json_t *registers_params(const struct address *);

/* "plc1/hr:100": one address as it would be typed. */
void registers_name(
    const struct address *, uint32_t addr, char *text, size_t size);

#endif
