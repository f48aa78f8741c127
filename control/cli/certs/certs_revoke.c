/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revoking: the list of the demonstration, with one more on it. Runs in
 * `holdfast certs revoke`. A running daemon reads the list at its next reload.
 */
#include "control/cli/certs/certs_revoke.h"

#include <stdio.h>

#include "control/cli/certs/certs_file.h"
#include "control/cli/certs/certs_issue.h"

enum { SERIAL_MAX = 64 };

/* What revoking needs, as it was read. */
struct revoking {
	struct certs_pair ca;
	gnutls_x509_crt_t crt;
	gnutls_x509_crl_t crl;
};

/* Reads DIR/NAME into data, which the caller frees. */
static enum certs_rc
load(const char *dir, const char *name, const char *suffix,
    gnutls_datum_t *data, char *why)
{
	char path[4096];
	int rc;

	if (snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix) >=
	    (int)sizeof(path)) {
		snprintf(why, CERTS_WHY, "%.100s...: path too long", dir);
		return CERTS_NO_INPUT;
	}
	rc = gnutls_load_file(path, data);
	if (rc == GNUTLS_E_SUCCESS)
		return CERTS_OK;
	snprintf(why, CERTS_WHY,
	    "cannot read %.100s/%.70s%s: was it made by holdfast certs demo?",
	    dir, name, suffix);
	return CERTS_NO_INPUT;
}

static enum certs_rc
load_crt(gnutls_x509_crt_t *crt, const char *dir, const char *name, char *why)
{
	gnutls_datum_t data;
	enum certs_rc rc = load(dir, name, ".pem", &data, why);

	if (rc != CERTS_OK)
		return rc;
	if (gnutls_x509_crt_init(crt) < 0 ||
	    gnutls_x509_crt_import(*crt, &data, GNUTLS_X509_FMT_PEM) < 0) {
		snprintf(why, CERTS_WHY, "%s/%s.pem holds no certificate", dir,
		    name);
		rc = CERTS_NO_INPUT;
	}
	gnutls_free(data.data);
	return rc;
}

static enum certs_rc
load_ca(struct certs_pair *ca, const char *dir, char *why)
{
	gnutls_datum_t data;
	enum certs_rc rc = load_crt(&ca->crt, dir, "ca", why);

	if (rc != CERTS_OK)
		return rc;
	rc = load(dir, "ca", ".key", &data, why);
	if (rc != CERTS_OK)
		return rc;
	if (gnutls_x509_privkey_init(&ca->key) < 0 ||
	    gnutls_x509_privkey_import2(
		ca->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0) < 0) {
		snprintf(why, CERTS_WHY, "%s/ca.key holds no key", dir);
		rc = CERTS_NO_INPUT;
	}
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	return rc;
}

static enum certs_rc
load_crl(gnutls_x509_crl_t *crl, const char *dir, char *why)
{
	gnutls_datum_t data;
	enum certs_rc rc = load(dir, "crl", ".pem", &data, why);

	if (rc != CERTS_OK)
		return rc;
	if (gnutls_x509_crl_init(crl) < 0 ||
	    gnutls_x509_crl_import(*crl, &data, GNUTLS_X509_FMT_PEM) < 0) {
		snprintf(why, CERTS_WHY, "%s/crl.pem holds no list", dir);
		rc = CERTS_NO_INPUT;
	}
	gnutls_free(data.data);
	return rc;
}

/* True if the authority has signed it, and it is not the authority itself. */
static bool
ours(const struct revoking *r)
{
	return gnutls_x509_crt_check_issuer(r->crt, r->ca.crt) == 1 &&
	    gnutls_x509_crt_equals(r->crt, r->ca.crt) == 0;
}

/* The list, with the certificate on it, in its place. */
static enum certs_rc
rewrite(struct revoking *r, const char *dir, char *why)
{
	time_t until = gnutls_x509_crt_get_expiration_time(r->ca.crt);
	struct certs_files f;
	gnutls_datum_t out = { 0 };
	enum certs_rc rc;
	int bad;

	bad = gnutls_x509_crl_set_crt(r->crl, r->crt, time(NULL));
	if (bad >= 0)
		bad = certs_sign_crl(r->crl, &r->ca, until);
	if (bad >= 0)
		bad =
		    gnutls_x509_crl_export2(r->crl, GNUTLS_X509_FMT_PEM, &out);
	if (bad < 0) {
		snprintf(why, CERTS_WHY, "cannot sign the list: %s",
		    gnutls_strerror(bad));
		return CERTS_INTERNAL;
	}
	rc = certs_files_open(&f, dir, false, true, why);
	if (rc == CERTS_OK)
		rc = certs_files_put(
		    &f, "crl.pem", 0644, out.data, out.size, why);
	if (rc == CERTS_OK)
		rc = certs_files_commit(&f, why);
	certs_files_close(&f);
	gnutls_free(out.data);
	return rc;
}

enum certs_rc
certs_revoke(const char *dir, const char *name, char why[CERTS_WHY])
{
	struct revoking r = { 0 };
	enum certs_rc rc = load_ca(&r.ca, dir, why);

	if (rc == CERTS_OK)
		rc = load_crt(&r.crt, dir, name, why);
	if (rc == CERTS_OK)
		rc = load_crl(&r.crl, dir, why);
	if (rc == CERTS_OK && !ours(&r)) {
		snprintf(why, CERTS_WHY,
		    "%s/%s.pem is nothing that %s/ca.pem has signed for "
		    "somebody else",
		    dir, name, dir);
		rc = CERTS_USAGE;
	}
	if (rc == CERTS_OK &&
	    gnutls_x509_crt_check_revocation(r.crt, &r.crl, 1) == 0)
		rc = rewrite(&r, dir, why);
	if (r.crl != NULL)
		gnutls_x509_crl_deinit(r.crl);
	if (r.crt != NULL)
		gnutls_x509_crt_deinit(r.crt);
	certs_pair_fini(&r.ca);
	return rc;
}
