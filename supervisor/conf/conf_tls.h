/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_TLS_H
#define SUPERVISOR_CONF_TLS_H

/*
 * What must hold between the keys of a tls transport.
 */

#include "supervisor/conf/conf_read.h"

/* Notes the mistakes of a transport that has been read from node. */
void conf_tls_check(struct conf_ctx *, const struct jsonc_node *,
    const struct conf_transport *);

#endif
