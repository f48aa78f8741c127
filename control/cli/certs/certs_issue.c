/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates as MODBUS/TCP Security v3.6 wants them: X.509 version 3, keys on
 * P-256, SHA-256, the role in an extension of its own. Runs in `holdfast
 * certs`. Touches no file.
 */
#include "control/cli/certs/certs_issue.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <string.h>

enum {
	SERIAL_BYTES = 16,
	KEY_ID_MAX = 64,
};

/* A number that no other certificate has: positive, and not 0. */
static int
draw_serial(unsigned char serial[SERIAL_BYTES])
{
	int rc = gnutls_rnd(GNUTLS_RND_NONCE, serial, SERIAL_BYTES);

	serial[0] = (serial[0] & 0x7f) | 0x40;
	return rc;
}

static int
make_key(gnutls_x509_privkey_t *key)
{
	int rc = gnutls_x509_privkey_init(key);

	if (rc < 0)
		return rc;
	return gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

static int
set_subject(gnutls_x509_crt_t crt, const char *common_name)
{
	int rc = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME,
	    0, common_name, (unsigned)strlen(common_name));

	if (rc < 0)
		return rc;
	return gnutls_x509_crt_set_dn_by_oid(crt,
	    GNUTLS_OID_X520_ORGANIZATION_NAME, 0, CERTS_ORGANIZATION,
	    sizeof(CERTS_ORGANIZATION) - 1);
}

static int
set_key(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	unsigned char id[KEY_ID_MAX];
	size_t len = sizeof(id);
	int rc = gnutls_x509_crt_set_key(crt, key);

	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &len);
	if (rc < 0)
		return rc;
	return gnutls_x509_crt_set_subject_key_id(crt, id, len);
}

/* What every certificate has: version, number, dates, subject, key. */
static int
begin(struct certs_pair *p, const char *common_name, time_t from, time_t until)
{
	unsigned char serial[SERIAL_BYTES];
	int rc = gnutls_x509_crt_init(&p->crt);

	if (rc < 0)
		return rc;
	rc = make_key(&p->key);
	if (rc < 0)
		return rc;
	rc = draw_serial(serial);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_version(p->crt, 3);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_serial(p->crt, serial, sizeof(serial));
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_activation_time(p->crt, from);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_expiration_time(p->crt, until);
	if (rc < 0)
		return rc;
	rc = set_subject(p->crt, common_name);
	if (rc < 0)
		return rc;
	return set_key(p->crt, p->key);
}

int
certs_issue_ca(struct certs_pair *ca, time_t from, time_t until)
{
	int rc = begin(ca, "Holdfast demonstration CA", from, until);

	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_basic_constraints(ca->crt, 1, 0);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_key_usage(
	    ca->crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
	if (rc < 0)
		return rc;
	return gnutls_x509_crt_sign2(
	    ca->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0);
}

/* 4 or 16 bytes of an address, 0 if it is none. */
static unsigned
address(const char *text, unsigned char bytes[16])
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return 4;
	return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

bool
certs_name_ok(const char *text)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-_.*";
	unsigned char bytes[16];
	size_t len = strlen(text);

	if (address(text, bytes) != 0)
		return true;
	return len > 0 && len < 254 && strspn(text, letters) == len &&
	    text[0] != '.' && text[0] != '-';
}

static int
set_names(gnutls_x509_crt_t crt, const struct certs_wish *w)
{
	unsigned char bytes[16];
	int rc = 0;

	for (size_t i = 0; i < w->nnames && rc >= 0; i++) {
		unsigned len = address(w->names[i], bytes);

		if (len != 0)
			rc = gnutls_x509_crt_set_subject_alt_name(crt,
			    GNUTLS_SAN_IPADDRESS, bytes, len,
			    GNUTLS_FSAN_APPEND);
		else
			rc = gnutls_x509_crt_set_subject_alt_name(crt,
			    GNUTLS_SAN_DNSNAME, w->names[i],
			    (unsigned)strlen(w->names[i]), GNUTLS_FSAN_APPEND);
	}
	return rc;
}

/* Not critical: who does not know it may still use the certificate. */
static int
set_role(gnutls_x509_crt_t crt, const char *role)
{
	uint8_t der[MB_ROLE_DER_MAX];
	size_t len;

	if (role == NULL)
		return 0;
	len = mb_role_put(der, role);
	if (len == 0)
		return GNUTLS_E_INVALID_REQUEST;
	return gnutls_x509_crt_set_extension_by_oid(
	    crt, MB_ROLE_OID, der, len, 0);
}

/* What distinguishes one that is no authority. */
static int
restrict_use(gnutls_x509_crt_t crt, const struct certs_wish *w)
{
	int rc = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);

	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_key_purpose_oid(crt,
	    w->server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT, 0);
	if (rc < 0)
		return rc;
	rc = set_names(crt, w);
	return rc < 0 ? rc : set_role(crt, w->role);
}

int
certs_issue(struct certs_pair *p, const struct certs_wish *w,
    const struct certs_pair *ca)
{
	unsigned char id[KEY_ID_MAX];
	size_t len = sizeof(id);
	int rc = begin(p, w->common_name, w->from, w->until);

	if (rc < 0)
		return rc;
	rc = restrict_use(p->crt, w);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_get_subject_key_id(ca->crt, id, &len, NULL);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_set_authority_key_id(p->crt, id, len);
	if (rc < 0)
		return rc;
	return gnutls_x509_crt_sign2(
	    p->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0);
}

int
certs_issue_crl(gnutls_x509_crl_t *crl)
{
	int rc = gnutls_x509_crl_init(crl);

	return rc < 0 ? rc : gnutls_x509_crl_set_version(*crl, 2);
}

int
certs_sign_crl(gnutls_x509_crl_t crl, const struct certs_pair *ca, time_t until)
{
	unsigned char id[KEY_ID_MAX], number[8];
	size_t len = sizeof(id);
	time_t now = time(NULL);
	int rc;

	for (int i = 0; i < 8; i++) /* lists are numbered upwards */
		number[i] = (unsigned char)((uint64_t)now >> (56 - 8 * i));
	rc = gnutls_x509_crl_set_this_update(crl, now);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crl_set_next_update(crl, until);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crl_set_number(crl, number, sizeof(number));
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crt_get_subject_key_id(ca->crt, id, &len, NULL);
	if (rc < 0)
		return rc;
	rc = gnutls_x509_crl_set_authority_key_id(crl, id, len);
	if (rc < 0)
		return rc;
	return gnutls_x509_crl_sign2(
	    crl, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0);
}

void
certs_pair_fini(struct certs_pair *p)
{
	if (p->crt != NULL)
		gnutls_x509_crt_deinit(p->crt);
	if (p->key != NULL)
		gnutls_x509_privkey_deinit(p->key);
	*p = (struct certs_pair){ 0 };
}
