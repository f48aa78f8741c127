/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CERTS_TEXT_H
#define CONTROL_CLI_CERTS_TEXT_H

/*
 * The texts of a demonstration: what it is, how to try it, who may do what, and
 * a configuration that serves it.
 */

#include <stddef.h>

/* Which role may do what; role: further ones. Allocated, or NULL. */
char *certs_text_roles(const char *const *role, size_t n);

extern const char certs_text_readme[], certs_text_conf[], certs_text_try[];

#endif
