/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_PEER_H
#define WORKERS_TLS_TLS_PEER_H

/*
 * Who a peer is: its certificate against what the transport trusts, and the
 * rights of the role in it.
 */

#include "workers/tls/tls.h"

/* A peer will be refused with that alert, and these words about its
 * certificate are put into the owner's why. -1. */
int tls_peer_refuse(
    struct tls_session *, gnutls_alert_description_t, const char *words);

/* gnutls_certificate_verify_function: refuses with the alert of the session
 * set and words in its owner's why. */
int tls_peer_check(gnutls_session_t);

/*
 * The handshake is done: gives the connection its rights. A resumed session
 * brings the certificate of the one that it resumes, which is looked at again:
 * its time may have come meanwhile. 0, or -1 like tls_peer_check().
 */
int tls_peer_admit(struct conn *);

/* Gives the connection its rights anew: the session's credentials, and the
 * roles with them, are other ones than before. */
void tls_peer_rights(struct conn *);

/* Fresh credentials are in force: false if they have revoked the certificate
 * of this peer. */
bool tls_peer_stays(struct tls_session *, const struct tls_creds *fresh);

#endif
