/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_ROLE_H
#define WORKERS_TLS_TLS_ROLE_H

/*
 * The role in a client's certificate (MODBUS/TCP Security v3.6, R-21, R-22,
 *
 */

#include <gnutls/x509.h>

#include "workers/proto/role.h"

enum { TLS_ROLE_MAX = MB_ROLE_MAX };

enum tls_role {
	TLS_ROLE_NONE, /* no such extension: the NULL role */
	TLS_ROLE_ONE,
	TLS_ROLE_BAD, /* it is there and names nobody: no rights at all */
};

/* The role that a certificate names; *why has words for TLS_ROLE_BAD. role is
 * empty unless it is TLS_ROLE_ONE. */
enum tls_role tls_role_of(
    gnutls_x509_crt_t, char role[TLS_ROLE_MAX + 1], const char **why);

#endif
