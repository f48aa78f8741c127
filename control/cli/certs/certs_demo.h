/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CERTS_DEMO_H
#define CONTROL_CLI_CERTS_DEMO_H

#include "control/cli/certs/certs.h"

/* Writes a demonstration; see struct certs_part. */
enum certs_rc certs_demo(const struct certs_demo *, char why[CERTS_WHY]);

#endif
