/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of a tls transport: bytes through GnuTLS, which is asked never
 * to wait. Runs in the workers of type tls. Who the peer is: tls_peer.c.
 */
#include "workers/tls/tls_session.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "workers/tls/tls_peer.h"

enum {
	/* Tickets are good for this long. GnuTLS derives the key that seals
	 * them from ours and the time, another one each three of these, and
	 * still takes those of the one before (its stek.c). */
	TICKET_S = 3600,
	MESSAGE_MAX = 1 << 16, /* of a handshake: chains fit, floods do not */
	STEPS = 8, /* of a handshake or a read that brought nothing for us */
	PIECES = 64, /* of a message in one step: others wait */
	EXT_MAX_FRAGMENT_LENGTH = 1, /* as IANA has numbered them */
	EXT_SUPPORTED_VERSIONS = 43,
};

static struct tls *
tls_of(const struct conn *c)
{
	return ((struct stream *)c->owner)->arg;
}

struct hello {
	unsigned fragment;
	bool v13; /* knows TLS 1.3 */
};

static int
extension(void *arg, unsigned id, const unsigned char *data, unsigned len)
{
	struct hello *h = arg;

	if (id == EXT_MAX_FRAGMENT_LENGTH && len == 1 && data[0] >= 1 &&
	    data[0] <= 4)
		h->fragment = 256u << data[0]; /* RFC 6066, 4 */
	/* a byte of length, then two for each version */
	for (unsigned i = 1; id == EXT_SUPPORTED_VERSIONS && i + 1 < len;
	     i += 2)
		h->v13 |= data[i] == 3 && data[i + 1] == 4;
	return 0;
}

/*
 * sessions are resumed by tickets. The server keeps nothing of a
 * session, so there is nothing that it could drop when one ends in a fatal
 * alert: a handshake that fails never comes to a ticket, and a peer that
 * is sent an alert has to forget its own (RFC 5246, 7.2.2). One that does not
 * gains nothing: its certificate is looked at again at each resumption, and its
 * role taken from there.
 *
 * GnuTLS takes part in the negotiation of smaller fragments, but in
 * TLS 1.2 (3.7) forgets the size when it begins to encrypt, and cuts neither
 * its ticket nor our data. We cut the data; there is no ticket then.
 */
static void
heed_hello(struct tls_session *ts, const gnutls_datum_t *hello)
{
	struct hello h = { .fragment = 0 };

	if (gnutls_ext_raw_parse(
		&h, extension, hello, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO) < 0)
		return;
	ts->fragment = h.fragment;
	if (h.fragment == 0 || h.v13)
		gnutls_session_ticket_enable_server(ts->tls,
		    &(gnutls_datum_t){
			ts->creds->ticket, sizeof(ts->creds->ticket) });
}

/* A message of the handshake has come in. */
static int
message(gnutls_session_t s, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *msg)
{
	struct tls_session *ts = gnutls_session_get_ptr(s);

	if (!incoming)
		return 0;
	if (type == GNUTLS_HANDSHAKE_CLIENT_HELLO && when == GNUTLS_HOOK_PRE)
		heed_hello(ts, msg);
	/* whoever has not signed has not shown that a certificate is its own */
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY)
		ts->proved = true;
	return 0;
}

static void
demand(struct tls_session *ts, enum conf_client_cert how)
{
	static const gnutls_certificate_request_t words[] = {
		[CONF_CERT_REQUIRE] = GNUTLS_CERT_REQUIRE, /* R-02, 06, 07 */
		[CONF_CERT_REQUEST] = GNUTLS_CERT_REQUEST,
		[CONF_CERT_NONE] = GNUTLS_CERT_IGNORE,
	};

	gnutls_certificate_server_set_request(ts->tls, words[how]);
}

static ssize_t
pull(gnutls_transport_ptr_t arg, void *to, size_t room)
{
	const struct conn *c = arg;

	return tls_ahead_recv(&tls_of(c)->ahead, c->rec.index, c->fd, to, room);
}

static int
begin(struct conn *c)
{
	struct tls *t = tls_of(c);
	struct tls_session *ts = &t->sessions[c->rec.index];

	memset(ts, 0, sizeof(*ts));
	if (gnutls_init(&ts->tls,
		GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
		c->why = "not enough memory";
		return -1;
	}
	c->session = ts;
	ts->owner = t;
	ts->creds = tls_creds_ref(t->creds);
	ts->roles = tls_roles_ref(t->roles);
	gnutls_session_set_ptr(ts->tls, ts);
	gnutls_transport_set_int(ts->tls, c->fd);
	gnutls_transport_set_ptr2(
	    ts->tls, c, (gnutls_transport_ptr_t)(intptr_t)c->fd);
	gnutls_transport_set_pull_function(ts->tls, pull);
	demand(ts, t->worker->conf->tls.client_cert);
	gnutls_handshake_set_max_packet_length(ts->tls, MESSAGE_MAX);
	gnutls_db_set_cache_expiration(ts->tls, TICKET_S);
	gnutls_handshake_set_hook_function(
	    ts->tls, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, message);
	if (gnutls_priority_set(ts->tls, t->priority) == 0 &&
	    gnutls_credentials_set(
		ts->tls, GNUTLS_CRD_CERTIFICATE, ts->creds->cred) == 0)
		return 0;
	c->why = "not enough memory";
	return -1;
}

static enum io
wanted(const struct tls_session *ts)
{
	return gnutls_record_get_direction(ts->tls) != 0 ? IO_WANT_WRITE
							 : IO_WANT_READ;
}

/* True for what says that this is all for now. */
static bool
waits(int rc)
{
	return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED;
}

/* The same, although what comes next has been read: GnuTLS says so after each
 * piece of a message that has come in several. */
static bool
goes_on(const struct conn *c, int rc)
{
	const struct tls_session *ts = c->session;

	return waits(rc) && wanted(ts) == IO_WANT_READ &&
	    tls_ahead_has(&ts->owner->ahead, c->rec.index);
}

static void
say_alert(struct tls_session *ts, int rc)
{
	bool v13 = gnutls_protocol_get_version(ts->tls) == GNUTLS_TLS1_3;

	if (ts->alert == GNUTLS_A_CERTIFICATE_REQUIRED && !v13)
		ts->alert = GNUTLS_A_HANDSHAKE_FAILURE;
	if (ts->alert != 0)
		gnutls_alert_send(ts->tls, GNUTLS_AL_FATAL, ts->alert);
	else
		gnutls_alert_send_appropriate(ts->tls, rc);
}

/* What is wrong, in words; the peer is told, too. */
static enum io
failed(struct conn *c, int rc)
{
	struct tls_session *ts = c->session;
	struct tls *t = ts->owner;

	ts->broken = true;
	switch (rc) {
	case GNUTLS_E_PREMATURE_TERMINATION: /* ended without close_notify */
		return IO_EOF;
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		c->why = NULL;
		return IO_FAIL;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		snprintf(t->why, TLS_WHY, "peer says: %s",
		    gnutls_alert_get_name(gnutls_alert_get(ts->tls)));
		break;
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		ts->alert = GNUTLS_A_CERTIFICATE_REQUIRED; /* */
		snprintf(t->why, TLS_WHY, "certificate is missing");
		break;
	case GNUTLS_E_X509_DUPLICATE_EXTENSION:
		/* two roles are no certificate at all (R-65, RFC 5280 4.2) */
		tls_peer_refuse(
		    ts, GNUTLS_A_BAD_CERTIFICATE, "has an extension twice");
		break;
	case GNUTLS_E_KEY_USAGE_VIOLATION:
		tls_peer_refuse(ts, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
		    "is not meant for signing");
		break;
	case GNUTLS_E_CERTIFICATE_ERROR:
		if (ts->alert == 0)
			tls_peer_refuse(
			    ts, GNUTLS_A_BAD_CERTIFICATE, "cannot be read");
		break;
	default:
		if (ts->alert == 0)
			snprintf(t->why, TLS_WHY, "%s", gnutls_strerror(rc));
	}
	if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED)
		say_alert(ts, rc);
	c->why = t->why;
	return IO_FAIL;
}

static enum io
admit(struct conn *c)
{
	struct tls_session *ts = c->session;

	struct shm_stats *s = &ts->owner->worker->shm->stats;

	ts->up = true;
	if (tls_peer_admit(c) == -1)
		return failed(c, GNUTLS_E_CERTIFICATE_ERROR);
	worker_count(&s->handshakes, 1);
	if (gnutls_session_is_resumed(ts->tls))
		worker_count(&s->handshakes_resumed, 1);
	return IO_DONE;
}

static enum io
handshake(struct conn *c)
{
	struct tls_session *ts = c->session;
	int rc, n, pieces = 0;

	for (n = 0; n < STEPS; n++) {
		do
			rc = gnutls_handshake(ts->tls);
		while (goes_on(c, rc) && ++pieces < PIECES);
		if (pieces == PIECES)
			return IO_WANT_WRITE; /* which can be at once */
		if (rc == 0)
			return admit(c);
		if (waits(rc))
			return wanted(ts);
		if (gnutls_error_is_fatal(rc))
			return failed(c, rc);
	}
	return failed(c, GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS);
}

static enum io
tls_open(struct conn *c)
{
	struct shm_stats *s = &tls_of(c)->worker->shm->stats;
	enum io io = IO_FAIL;

	c->why = NULL;
	if (c->session != NULL || begin(c) == 0)
		io = handshake(c);
	if (io == IO_FAIL)
		worker_count(&s->handshakes_failed, 1);
	return io;
}

/* Credentials have changed since this session last looked. */
static bool
look_again(struct conn *c)
{
	struct tls_session *ts = c->session;
	struct tls *t = ts->owner;

	if (!tls_peer_stays(ts, t->creds)) {
		failed(c, GNUTLS_E_CERTIFICATE_ERROR);
		return false;
	}
	gnutls_credentials_set(ts->tls, GNUTLS_CRD_CERTIFICATE, t->creds->cred);
	tls_creds_unref(ts->creds);
	ts->creds = tls_creds_ref(t->creds);
	tls_roles_unref(ts->roles);
	ts->roles = tls_roles_ref(t->roles);
	tls_peer_rights(c);
	return true;
}

static enum io
tls_recv(struct conn *c, uint8_t *buf, size_t room, size_t *n)
{
	struct tls_session *ts = c->session;
	ssize_t rc = 0;
	int k, pieces = 0;

	c->why = NULL;
	if ((ts->creds != ts->owner->creds || ts->roles != ts->owner->roles) &&
	    !look_again(c))
		return IO_FAIL;
	for (k = 0; k < STEPS; k++) {
		do
			rc = gnutls_record_recv(ts->tls, buf, room);
		while (goes_on(c, (int)rc) && ++pieces < PIECES);
		if (rc > 0) {
			*n = (size_t)rc;
			return IO_DONE;
		}
		if (rc == 0)
			return IO_EOF;
		if (pieces == PIECES)
			return IO_WANT_WRITE;
		if (waits((int)rc))
			return wanted(ts);
		if (rc == GNUTLS_E_REHANDSHAKE) {
			/* is answered as RFC 5746 has it, and not borne */
			gnutls_alert_send(ts->tls, GNUTLS_AL_WARNING,
			    GNUTLS_A_NO_RENEGOTIATION);
			ts->broken = true;
			c->why = "peer wants to renegotiate";
			return IO_FAIL;
		}
		if (gnutls_error_is_fatal((int)rc))
			return failed(c, (int)rc);
	}
	return failed(c, GNUTLS_E_TOO_MANY_EMPTY_PACKETS);
}

static enum io
tls_send(struct conn *c, const uint8_t *buf, size_t len, size_t *n)
{
	struct tls_session *ts = c->session;
	ssize_t rc;

	c->why = NULL;
	if (ts->fragment != 0 && len > ts->fragment)
		len = ts->fragment;
	rc = gnutls_record_send(ts->tls, buf, len);
	if (rc > 0) {
		*n = (size_t)rc;
		return IO_DONE;
	}
	/* an interrupted send is taken up again just like one that waits */
	return waits((int)rc) ? IO_WANT_WRITE : failed(c, (int)rc);
}

static bool
tls_pending(const struct conn *c)
{
	const struct tls_session *ts = c->session;

	return gnutls_record_check_pending(ts->tls) > 0 ||
	    tls_ahead_has(&ts->owner->ahead, c->rec.index);
}

static void
tls_close(struct conn *c)
{
	struct tls_session *ts = c->session;

	if (ts == NULL)
		return;
	if (ts->up && !ts->broken)
		gnutls_bye(ts->tls, GNUTLS_SHUT_WR);
	gnutls_deinit(ts->tls);
	tls_ahead_drop(&ts->owner->ahead, c->rec.index);
	tls_creds_unref(ts->creds);
	tls_roles_unref(ts->roles);
	memset(ts, 0, sizeof(*ts));
	c->session = NULL;
}

const struct stream_ops tls_session_ops = {
	.open = tls_open,
	.recv = tls_recv,
	.send = tls_send,
	.pending = tls_pending,
	.close = tls_close,
};
