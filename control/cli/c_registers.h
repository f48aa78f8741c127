/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_C_REGISTERS_H
#define CONTROL_CLI_C_REGISTERS_H

#include <jansson.h>

#include "control/cli/address.h"
#include "control/cli/cli.h"

enum { REGISTERS_SCALED = 40 };

/* The parameters of a register command that an address stands for; count is
 * left to the caller. A new reference. */
json_t *registers_params(const struct address *);

/* "plc1/hr:100": one address as it would be typed. */
void registers_name(
    const struct address *, uint32_t addr, char *text, size_t size);

/* A number in its unit, as a person writes it. */
void registers_scale(double value, char text[REGISTERS_SCALED]);

/* With --scaled there is no -o json: CLI_USAGE after saying so. */
int registers_scalable(const struct cli *);

#endif
