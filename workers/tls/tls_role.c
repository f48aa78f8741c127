/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles out of certificates. Runs in the workers of type tls, once a
 * handshake, on bytes that an authority of ours has signed: which does not
 * make them well-formed.
 */
#include "workers/tls/tls_role.h"

#include <gnutls/gnutls.h>
#include <string.h>

enum { DER_UTF8STRING = 12, DER_HEAD = 2, DER_LONG = 0x80 };

/* How many bytes the character at s has, 0 if it is none (RFC 3629: neither
 * longer than needed, nor half of a surrogate pair, nor above 10FFFF). */
static size_t
utf8_char(const uint8_t *s, size_t len)
{
	static const struct {
		uint8_t first, last; /* of the first byte */
		uint8_t low, high; /* of the second */
		uint8_t more; /* bytes */
	} rows[] = {
		{ 0x01, 0x7f, 0, 0, 0 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
		{ 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 },
		{ 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (s[0] >= rows[i].first && s[0] <= rows[i].last)
			break;
	if (i == sizeof(rows) / sizeof(rows[0]) || len <= rows[i].more)
		return 0;
	for (k = 1; k <= rows[i].more; k++)
		if (s[k] < (k == 1 ? rows[i].low : 0x80) ||
		    s[k] > (k == 1 ? rows[i].high : 0xbf))
			return 0;
	return (size_t)rows[i].more + 1;
}

const char *
tls_role_parse(const uint8_t *der, size_t len, char role[TLS_ROLE_MAX + 1])
{
	const uint8_t *text = der + DER_HEAD;
	size_t n, at = 0;

	role[0] = '\0';
	if (len < DER_HEAD)
		return "its role is cut off";
	if (der[0] != DER_UTF8STRING)
		return "its role is no UTF8String";
	/* what needs the long form of the length is too long for us, and what
	 * does not must not have it */
	if ((der[1] & DER_LONG) != 0 || der[1] > TLS_ROLE_MAX)
		return "its role is too long";
	n = der[1];
	if (n != len - DER_HEAD)
		return "its role is not one UTF8String";
	if (n == 0)
		return "its role is empty";
	while (at < n) {
		size_t bytes = utf8_char(text + at, n - at);

		if (bytes == 0)
			return "its role is no UTF-8";
		at += bytes;
	}
	memcpy(role, text, n);
	role[n] = '\0';
	return NULL;
}

enum tls_role
tls_role_of(
    gnutls_x509_crt_t crt, char role[TLS_ROLE_MAX + 1], const char **why)
{
	uint8_t der[DER_HEAD + TLS_ROLE_MAX + 1];
	size_t len = sizeof(der), none = 0;
	int rc;

	role[0] = '\0';
	*why = NULL;
	rc = gnutls_x509_crt_get_extension_by_oid(
	    crt, TLS_ROLE_OID, 0, der, &len, NULL);
	if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return TLS_ROLE_NONE;
	if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
		*why = "its role is too long";
	else if (rc < 0)
		*why = "its role cannot be read";
	else if (gnutls_x509_crt_get_extension_by_oid(crt, TLS_ROLE_OID, 1,
		     NULL, &none,
		     NULL) != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		*why = "it names more than one role";
	else
		*why = tls_role_parse(der, len, role);
	return *why == NULL ? TLS_ROLE_ONE : TLS_ROLE_BAD;
}
