/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_HTTP_H
#define SUPERVISOR_CONF_HTTP_H

/*
 * The section "http" of the configuration.
 */

#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_read.h"

conf_read_fn conf_http_listen_read, conf_http_hosts_read;
conf_dump_fn conf_http_dump, conf_http_hosts_dump;

/* What must hold between its keys; node: the section, or NULL. */
void conf_http_check(struct conf_ctx *, const struct jsonc_node *);

#endif
