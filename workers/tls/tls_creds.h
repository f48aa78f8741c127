/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_CREDS_H
#define WORKERS_TLS_TLS_CREDS_H

/*
 * Certificates, keys, authorities and revocations of a transport, as they
 * stand in files. Fresh ones take the place of old ones while sessions
 * that were begun with those go on.
 */

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "supervisor/proc.h"

struct tls_creds {
	unsigned refs;
	gnutls_certificate_credentials_t cred;
	gnutls_x509_crl_t *crls; /* themselves belong to cred */
	unsigned ncrls;
	/* Seals tickets: the transport's key, another one for each set of
	 * authorities, so that a session is resumed only where those are
	 * trusted that its certificate was verified under. */
	uint8_t ticket[PROC_TICKET_BYTES];
};

/* The private keys, kept for when their files cannot be read again. */
struct tls_keys {
	gnutls_x509_privkey_t *at;
	size_t n;
};

/*
 * Reads all files of the configuration. first: keys are those that were read
 * before the worker became its user; later they are read again if that user
 * may, and stay what they are if not. NULL after words were put into why.
 * The result has one reference, which is the caller's.
 */
struct tls_creds *tls_creds_load(
    const struct proc *, struct tls_keys *, bool first, char *why, size_t size);

struct tls_creds *tls_creds_ref(struct tls_creds *);

/* Gives one reference back; the last one frees it. May be NULL. */
void tls_creds_unref(struct tls_creds *);

void tls_keys_free(struct tls_keys *);

#endif
