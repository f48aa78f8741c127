/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus over TLS (MODBUS/TCP Security v3.6): what all sessions of a worker
 * have in common, from its start to its end. Runs in the workers of type tls,
 * which load the part that it lies in.
 * what is inside is the framer's, unchanged.
 */
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "workers/tls/tls_peer.h"
#include "workers/tls/tls_session.h"

/*
 * TLS 1.2 and 1.3, nothing older.,
 * and the suites of Secure SunSpec Modbus in their order: ECDHE with
 * certificates of ECDSA (P-256) and of RSA, GCM first. R-39 asks for RSA to be
 * there: it is, for authentication; the key exchange of that name, which gives
 * up all that was ever recorded with the key, is for "ciphers" to ask for.
 * only authenticated ciphers with SHA-256
 * or better; no MD5, no SHA-1, no NULL.: "ciphers" may ask for NULL.
 * GnuTLS has no compression.
 */
static const char suites[] =
    "NONE:+CTYPE-X509:+COMP-NULL:+VERS-TLS1.3:+VERS-TLS1.2:"
    "+ECDHE-ECDSA:+ECDHE-RSA:"
    "+AES-128-GCM:+CHACHA20-POLY1305:+AES-128-CCM:+AES-128-CCM-8:"
    "+AES-256-GCM:+AEAD:"
    "+GROUP-SECP256R1:+GROUP-X25519:+GROUP-SECP384R1:"
    "+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256:"
    "+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-SHA256:+SIGN-RSA-SHA256:"
    "+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SECP384R1-SHA384:"
    "+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-SHA384:+SIGN-RSA-SHA384:"
    "+SIGN-RSA-PSS-RSAE-SHA512:+SIGN-RSA-PSS-SHA512:+SIGN-RSA-SHA512:"
    "+SIGN-EDDSA-ED25519:%PROFILE_MEDIUM";

/* Whatever is asked for: no protocol below TLS 1.2, the peer must
 * know RFC 5746, and our order of suites holds. */
static const char always[] =
    ":-VERS-DTLS-ALL:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1"
    ":%SAFE_RENEGOTIATION:%SERVER_PRECEDENCE";

static int
misconfigured(struct worker *w, const char *why)
{
	static char words[TLS_WHY]; /* outlive what they were made in */

	snprintf(words, sizeof(words), "%s", why);
	w->why = words;
	w->code = EX_CONFIG;
	return -1;
}

/* Suites and versions. */
static int
choose(struct tls *t)
{
	const char *own = t->worker->conf->tls.ciphers;
	char text[2048];
	const char *at = NULL;
	int rc;

	snprintf(
	    text, sizeof(text), "%s%s", own != NULL ? own : suites, always);
	rc = gnutls_priority_init(&t->priority, text, &at);
	if (rc == GNUTLS_E_NO_PRIORITIES_WERE_SET)
		return misconfigured(
		    t->worker, "ciphers leave no suite of TLS 1.2 or TLS 1.3");
	if (rc < 0) {
		snprintf(t->why, TLS_WHY,
		    "ciphers are no GnuTLS priority string from here on: "
		    "%.*s",
		    (int)strcspn(at != NULL ? at : text, ":"),
		    at != NULL ? at : text);
		return misconfigured(t->worker, t->why);
	}
	return 0;
}

static struct tls_creds *
load(struct tls *t, bool first)
{
	struct tls_creds *c = tls_creds_load(
	    t->worker->proc, &t->keys, first, t->why, sizeof(t->why));

	if (c != NULL)
		gnutls_certificate_set_verify_function(c->cred, tls_peer_check);
	return c;
}

static void
tls_free(struct tls *t)
{
	tls_creds_unref(t->creds);
	tls_roles_unref(t->roles);
	tls_keys_free(&t->keys);
	if (t->priority != NULL)
		gnutls_priority_deinit(t->priority);
	tls_ahead_fini(&t->ahead);
	free(t->sessions);
	free(t);
}

/* Before anything is served with it. */
static int
read_files(struct tls *t)
{
	struct worker *w = t->worker;

	if (choose(t) == -1)
		return -1;
	t->creds = load(t, true);
	proc_files_wipe(w->proc);
	if (t->creds == NULL)
		return misconfigured(w, t->why);
	t->roles = tls_roles_load(w->proc, true, t->why, sizeof(t->why));
	return t->roles != NULL ? 0 : -1;
}

static int
prepare(struct tls *t)
{
	struct worker *w = t->worker;

	t->sessions = calloc(w->shm->nconns, sizeof(*t->sessions));
	if (t->sessions == NULL ||
	    tls_ahead_init(&t->ahead, w->shm->nconns) == -1)
		return -1;
	return read_files(t);
}

static const char *
check(struct worker *w)
{
	struct tls *t = calloc(1, sizeof(*t));
	bool fine;

	w->why = "not enough memory";
	if (t == NULL)
		return w->why;
	t->worker = w;
	fine = read_files(t) == 0;
	tls_free(t);
	return fine ? NULL : w->why;
}

static int
start(struct worker *w)
{
	struct tls *t = calloc(1, sizeof(*t));

	w->why = "not enough memory";
	if (t == NULL)
		return -1;
	t->worker = w;
	if (prepare(t) == -1) {
		tls_free(t);
		return -1;
	}
	return stream_start(w, &tls_session_ops, w->proc->listen_fd, t);
}

static const char *
refresh(struct worker *w)
{
	struct tls *t = ((struct stream *)w->state)->arg;
	struct tls_creds *creds = load(t, false);
	struct tls_roles *roles;
	bool bad = creds == NULL;

	/* a mistake in the one should not keep the other from its effect: who
	 * has been revoked has to go whatever is wrong with the roles */
	if (bad) {
		log_error("certificates stay what they were: %s", t->why);
	} else {
		tls_creds_unref(t->creds);
		t->creds = creds;
		log_info("certificates have been read again");
	}
	roles = tls_roles_load(w->proc, false, t->why, sizeof(t->why));
	if (roles == NULL) {
		log_error("roles stay what they were: %s", t->why);
		return t->why;
	}
	tls_roles_unref(t->roles);
	t->roles = roles;
	return bad ? t->why : NULL;
}

static void
stop(struct worker *w)
{
	struct tls *t = ((struct stream *)w->state)->arg;

	stream_stop(w);
	tls_free(t);
}

const struct transport_ops transport_tls = {
	.name = "tls",
	.check = check,
	.start = start,
	.drain = stream_drain,
	.kick = stream_kick,
	.refresh = refresh,
	.stop = stop,
};
