/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CERTS_ISSUE_H
#define CONTROL_CLI_CERTS_ISSUE_H

/*
 * Keys, certificates and lists of revoked ones, made in memory.
 */

#include <gnutls/x509.h>
#include <time.h>

#include "control/cli/certs/certs.h"

#define CERTS_ORGANIZATION "Holdfast demonstration, not for production"

/* A certificate and its key: P-256, as R-61 wants it. Zeroed to begin with. */
struct certs_pair {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

/* What is to be certified. */
struct certs_wish {
	const char *common_name;
	time_t from, until;
	bool server;
	const char *const *names; /* a server's: names and addresses */
	size_t nnames;
	const char *role; /* a client's, or NULL */
};

/* All return GNUTLS_E_SUCCESS or what GnuTLS found wrong. */

/* Makes an authority, signed by itself. */
int certs_issue_ca(struct certs_pair *ca, time_t from, time_t until);

/* Makes a certificate that the authority signs. */
int certs_issue(
    struct certs_pair *, const struct certs_wish *, const struct certs_pair *);

/* An empty list of what is revoked, unsigned. */
int certs_issue_crl(gnutls_x509_crl_t *);

/* Signs a list as it is now; until: when the next one is due. */
int certs_sign_crl(
    gnutls_x509_crl_t, const struct certs_pair *ca, time_t until);

void certs_pair_fini(struct certs_pair *);

/* True if text can be a name of a host, or is an address of one. */
bool certs_name_ok(const char *text);

#endif
