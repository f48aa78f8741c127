/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_PLUGIN_CHECK_H
#define WORKERS_PLUGIN_CHECK_H

/*
 * Asks plugins whether what their transport tells them is right, before anybody
 * is to serve it.
 */

#include "supervisor/proc.h"

/* Loads the plugins of a transport and has each look at its options that can
 * (holdfast_check() of plugin.h). Each mistake is printed to err with its
 * place. How many there are. For a process that ends then: what is loaded
 * stays, and may crash. */
int plugin_check(const struct conf_transport *, FILE *err);

#endif
