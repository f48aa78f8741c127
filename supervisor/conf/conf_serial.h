/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_SERIAL_H
#define SUPERVISOR_CONF_SERIAL_H

/*
 * The keys of a serial transport: its port, and what must hold between them.
 */

#include "supervisor/conf/conf_read.h"

conf_read_fn conf_port_read;
conf_dump_fn conf_port_dump, conf_t15_dump, conf_ascii_timeout_dump;

/* True if the port that the node names is "socket://...": keys of listeners
 * apply then, and those of lines do not. */
bool conf_serial_socket(
    const struct jsonc_node *, const struct conf_transport *);

/* Notes the mistakes of a transport that has been read from node, and settles
 * what depends on several keys. */
void conf_serial_check(
    struct conf_ctx *, const struct jsonc_node *, struct conf_transport *);

#endif
