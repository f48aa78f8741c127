/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_SETUP_H
#define SUPERVISOR_CONF_SETUP_H

/*
 * The sections "server_list" and "device_list" of setup files of pymodbus'
 * simulator: what they say becomes devices and transports like any others.
 */

#include "supervisor/conf/conf_read.h"

conf_read_fn conf_device_list_read, conf_server_list_read;

/* True if a key of the top level that is missing is not missed: the like of it
 * stands in one of these sections, or may stand in a file that could not be
 * read. */
bool conf_elsewhere(const struct conf_ctx *, const char *key);

/* The store, page and module of actions that ctx->conf->pick names. */
void conf_setup_pick(struct conf_ctx *);

/* Gives back what the reading needed, and devices that nobody serves. */
void conf_setup_end(struct conf_ctx *);

#endif
