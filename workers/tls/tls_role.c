/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles out of certificates. Runs in the workers of type tls, once a
 * handshake, on bytes that an authority of ours has signed: which does not
 * make them well-formed.
 */
#include "workers/tls/tls_role.h"

#include <gnutls/gnutls.h>

enum tls_role
tls_role_of(
    gnutls_x509_crt_t crt, char role[TLS_ROLE_MAX + 1], const char **why)
{
	uint8_t der[TLS_ROLE_MAX + 3]; /* a head of two bytes; too long */
	size_t len = sizeof(der), none = 0;
	int rc;

	role[0] = '\0';
	*why = NULL;
	rc = gnutls_x509_crt_get_extension_by_oid(
	    crt, MB_ROLE_OID, 0, der, &len, NULL);
	if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return TLS_ROLE_NONE;
	if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
		*why = "its role is too long";
	else if (rc < 0)
		*why = "its role cannot be read";
	else if (gnutls_x509_crt_get_extension_by_oid(crt, MB_ROLE_OID, 1, NULL,
		     &none, NULL) != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		*why = "it names more than one role";
	else
		*why = mb_role_parse(der, len, role);
	return *why == NULL ? TLS_ROLE_ONE : TLS_ROLE_BAD;
}
