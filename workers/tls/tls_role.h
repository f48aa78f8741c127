/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_ROLE_H
#define WORKERS_TLS_TLS_ROLE_H

/*
 * The role in a client's certificate (MODBUS/TCP Security v3.6, R-21, R-22,
 *
 */

#include <gnutls/x509.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_ROLE_OID "1.3.6.1.4.1.50316.802.1"

enum { TLS_ROLE_MAX = 64 }; /* bytes; longer ones are no roles of ours */

enum tls_role {
	TLS_ROLE_NONE, /* no such extension: the NULL role */
	TLS_ROLE_ONE,
	TLS_ROLE_BAD, /* it is there and names nobody: no rights at all */
};

/*
 * Reads one ASN.1 UTF8String in DER, which is to be all of der: a role of 1 to
 * TLS_ROLE_MAX bytes of well-formed UTF-8 without NUL. NULL, or words for what
 * is wrong; role is empty then.
 */
const char *tls_role_parse(
    const uint8_t *der, size_t len, char role[TLS_ROLE_MAX + 1]);

/* The role that a certificate names; *why has words for TLS_ROLE_BAD. role is
 * empty unless it is TLS_ROLE_ONE. */
enum tls_role tls_role_of(
    gnutls_x509_crt_t, char role[TLS_ROLE_MAX + 1], const char **why);

#endif
