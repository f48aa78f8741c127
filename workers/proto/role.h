/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_ROLE_H
#define PROTO_ROLE_H

/*
 * The role that a certificate bears in an extension (MODBUS/TCP Security v3.6,
 *
 */

#include <stddef.h>
#include <stdint.h>

#define MB_ROLE_OID "1.3.6.1.4.1.50316.802.1"

enum {
	MB_ROLE_MAX = 64, /* bytes; longer ones are no roles of ours */
	MB_ROLE_DER_MAX = MB_ROLE_MAX + 2,
};

/*
 * Reads one ASN.1 UTF8String in DER, which is to be all of der: a role of 1 to
 * MB_ROLE_MAX bytes of well-formed UTF-8 without NUL. NULL, or words for what
 * is wrong; role is empty then.
 */
const char *mb_role_parse(
    const uint8_t *der, size_t len, char role[MB_ROLE_MAX + 1]);

/* Writes a role as the above reads it. The length, or 0 if that would refuse
 * it; nothing in der is of use then. */
size_t mb_role_put(uint8_t der[MB_ROLE_DER_MAX], const char *role);

#endif
