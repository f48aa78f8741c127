/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CERTS_SHOW_H
#define CONTROL_CLI_CERTS_SHOW_H

#include "control/cli/certs/certs.h"

/* Tells what is in a file; see struct certs_part. */
enum certs_rc certs_show(
    const char *path, certs_line_fn *, void *arg, char why[CERTS_WHY]);

#endif
