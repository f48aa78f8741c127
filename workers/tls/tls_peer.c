/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifies peers and reads their roles. Runs in the workers of type tls, while
 * a handshake ends. The certificate of a resumed session is looked at again
 * the role follows the session, and so does what could be held against
 * it), as far as anything may have changed.
 */
#include "workers/tls/tls_peer.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "workers/rights.h"
#include "workers/tls/tls_role.h"

enum { SUBJECT = 128 };

/* What may be wrong with a certificate, gravest first. */
static const struct fault {
	unsigned status;
	gnutls_alert_description_t alert;
	const char *words;
} faults[] = {
	{ GNUTLS_CERT_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED,
	    "has been revoked" },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA,
	    "is of an unknown authority" },
	{ GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA,
	    "is signed by what is no authority" },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
	    "has a wrong signature" },
	{ GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED, "has expired" },
	{ GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED,
	    "is not valid yet" },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
	    "is not meant for clients" },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
	    "is signed with what is too weak" },
	{ ~0u, GNUTLS_A_BAD_CERTIFICATE, "is not valid" },
};

/* The peer's own certificate, which the caller gives back; NULL: none. */
static gnutls_x509_crt_t
certificate(gnutls_session_t tls)
{
	const gnutls_datum_t *der;
	gnutls_x509_crt_t crt;
	unsigned n = 0;

	der = gnutls_certificate_get_peers(tls, &n);
	if (der == NULL || n == 0 || gnutls_x509_crt_init(&crt) < 0)
		return NULL;
	if (gnutls_x509_crt_import(crt, &der[0], GNUTLS_X509_FMT_DER) == 0)
		return crt;
	gnutls_x509_crt_deinit(crt);
	return NULL;
}

/* Its subject, as it may stand within quotes in a line of the log. */
static const char *
subject(gnutls_x509_crt_t crt, char text[SUBJECT])
{
	size_t len = SUBJECT;

	if (crt == NULL || gnutls_x509_crt_get_dn(crt, text, &len) < 0)
		snprintf(text, SUBJECT, "?");
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\' ||
		    *c == 0x7f)
			*c = '?';
	return text;
}

int
tls_peer_refuse(
    struct tls_session *ts, gnutls_alert_description_t alert, const char *words)
{
	gnutls_x509_crt_t crt = certificate(ts->tls);
	char text[SUBJECT];

	ts->alert = alert;
	snprintf(ts->owner->why, TLS_WHY, "certificate %s, subject %s", words,
	    subject(crt, text));
	if (crt != NULL)
		gnutls_x509_crt_deinit(crt);
	return -1;
}

static bool
has_certificate(gnutls_session_t tls)
{
	unsigned n = 0;

	return gnutls_certificate_get_peers(tls, &n) != NULL && n > 0;
}

/* 0 if there is nothing in status, of enum gnutls_certificate_status_t; else -1
 * after the peer was refused for the gravest of it. */
static int
judge(struct tls_session *ts, unsigned status)
{
	const struct fault *f = faults;

	if (status == 0)
		return 0;
	while ((f->status & status) == 0)
		f++;
	return tls_peer_refuse(ts, f->alert, f->words);
}

/* Chain, trust anchor, time, purpose and revocation (RFC 5280; ). */
static int
verify(struct tls_session *ts)
{
	static const char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (void *)(uintptr_t)client };
	unsigned status = 0;

	if (gnutls_certificate_verify_peers(ts->tls, &purpose, 1, &status) < 0)
		status = GNUTLS_CERT_INVALID;
	return judge(ts, status);
}

static unsigned
outlived_one(const gnutls_datum_t *der, const struct tls_creds *creds)
{
	unsigned status = GNUTLS_CERT_INVALID;
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) < 0)
		return status;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
		status = 0;
		if (gnutls_x509_crt_get_expiration_time(crt) < time(NULL))
			status |= GNUTLS_CERT_EXPIRED;
		if (gnutls_x509_crt_check_revocation(
			crt, creds->crls, creds->ncrls) != 0)
			status |= GNUTLS_CERT_REVOKED;
	}
	gnutls_x509_crt_deinit(crt);
	return status;
}

/* What may have come over the certificates of a session since they were
 * verified, which was under the same authorities: see tls_creds.ticket. */
static unsigned
outlived(const struct tls_session *ts, const struct tls_creds *creds)
{
	unsigned n = 0, status = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(ts->tls, &n);

	for (unsigned i = 0; der != NULL && i < n; i++)
		status |= outlived_one(&der[i], creds);
	return status;
}

int
tls_peer_check(gnutls_session_t tls)
{
	/* whether there must be one is GnuTLS's business */
	if (!has_certificate(tls))
		return 0;
	if (verify(gnutls_session_get_ptr(tls)) == 0)
		return 0;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static void
tell_bad_role(struct conn *c, gnutls_x509_crt_t crt, const char *why)
{
	struct stream *st = c->owner;
	char text[SUBJECT], name[ACL_TEXT_MAX];
	struct acl_peer peer;

	if (!conns_may_log(&st->conns))
		return;
	conns_peer(c, &peer);
	log_warnx("certificate gives no rights peer=%s why=\"%s\" "
		  "subject=\"%s\"",
	    acl_peer_text(&peer, name), why, subject(crt, text));
}

/*
 * the role is taken out of the certificate as the handshake ends.
 * one without a role, and whoever has no certificate, has the NULL role,
 * whose rights the roles' file tells. What breaks is nobody at
 * all: the connection stays (only R-10 ends one) and may do nothing.
 */
static void
give_rights(struct conn *c, gnutls_x509_crt_t crt)
{
	struct tls_session *ts = c->session;
	enum tls_role found = TLS_ROLE_NONE;
	char role[TLS_ROLE_MAX + 1] = "";
	const char *why;

	if (crt != NULL)
		found = tls_role_of(crt, role, &why);
	if (found == TLS_ROLE_BAD) {
		c->rights = rights_none(ts->roles->now);
		tell_bad_role(c, crt, why);
		return;
	}
	c->rights = rights_of(ts->roles->now, role);
	if (!ts->ruled)
		conns_role(c, role);
	ts->ruled = true;
}

/* The certificate that the peer stands by, which the caller gives back; NULL:
 * none. A ticket that was not good for resumption leaves its certificate behind
 * in the session; only who has signed may stand for it. */
static gnutls_x509_crt_t
own_certificate(struct tls_session *ts)
{
	if (!ts->proved && !gnutls_session_is_resumed(ts->tls))
		return NULL;
	return certificate(ts->tls);
}

int
tls_peer_admit(struct conn *c)
{
	struct tls_session *ts = c->session;
	struct conf_tls const *conf = &ts->owner->worker->conf->tls;
	gnutls_x509_crt_t crt;

	if (gnutls_session_is_resumed(ts->tls) && has_certificate(ts->tls) &&
	    judge(ts, outlived(ts, ts->creds)) == -1)
		return -1;
	crt = own_certificate(ts);
	if (crt == NULL && conf->client_cert == CONF_CERT_REQUIRE)
		return tls_peer_refuse(ts, GNUTLS_A_CERTIFICATE_REQUIRED,
		    "of the session is missing");
	give_rights(c, crt);
	if (crt != NULL)
		gnutls_x509_crt_deinit(crt);
	return 0;
}

void
tls_peer_rights(struct conn *c)
{
	gnutls_x509_crt_t crt = own_certificate(c->session);

	give_rights(c, crt);
	if (crt != NULL)
		gnutls_x509_crt_deinit(crt);
}

bool
tls_peer_stays(struct tls_session *ts, const struct tls_creds *fresh)
{
	if ((ts->proved || gnutls_session_is_resumed(ts->tls)) &&
	    (outlived(ts, fresh) & GNUTLS_CERT_REVOKED) != 0) {
		judge(ts, GNUTLS_CERT_REVOKED);
		return false;
	}
	return true;
}
