/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_SETUP_OWN_H
#define SUPERVISOR_CONF_SETUP_OWN_H

/* Between conf_setup.c, which has the devices, and conf_setup_server.c. */

#include "supervisor/conf/conf_setup.h"
#include "supervisor/conf/setup.h"

/* True for a server that is to be served. */
bool conf_setup_served(
    const struct conf_ctx *, const struct jsonc_node *server);

/* True if what cannot be served is to be left out. */
bool conf_setup_every(const struct conf_ctx *);

/* The name of the device that a server serves, which need not exist; NULL: what
 * it says is no name. */
const char *conf_setup_device(
    const struct conf_ctx *, const struct jsonc_node *server);

/* setup_of(); what it returns stays until the reading ends. */
struct setup *conf_setup_of(struct conf_ctx *, const struct jsonc_node *server,
    const struct jsonc_node *device);

#endif
