/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CERTS_REVOKE_H
#define CONTROL_CLI_CERTS_REVOKE_H

#include "control/cli/certs/certs.h"

/* Revokes one certificate of a demonstration; see struct certs_part. */
enum certs_rc certs_revoke(
    const char *dir, const char *name, char why[CERTS_WHY]);

#endif
