/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_H
#define WORKERS_TLS_TLS_H

/*
 * What the files of the TLS transport have in common. One struct tls a worker,
 * one struct tls_session a connection.
 */

#include <gnutls/gnutls.h>

#include "workers/stream.h"
#include "workers/tls/tls_ahead.h"
#include "workers/tls/tls_creds.h"
#include "workers/tls/tls_roles.h"

enum { TLS_WHY = 256 };

struct tls {
	struct worker *worker;
	gnutls_priority_t priority;
	struct tls_keys keys;
	struct tls_creds *creds; /* in force; sessions may have older ones */
	struct tls_roles *roles; /* likewise */
	struct tls_session *sessions; /* by the connection's index */
	struct tls_ahead ahead; /* by the same */
	char why[TLS_WHY]; /* of the failure that is being handled */
};

struct tls_session {
	gnutls_session_t tls; /* NULL: none */
	struct tls *owner;
	struct tls_creds *creds; /* holds a reference, as to the next */
	struct tls_roles *roles;
	gnutls_alert_description_t alert; /* for a peer that is not let in */
	unsigned fragment; /* that the peer asks for; 0: any */
	bool proved; /* the peer has signed with its certificate's key */
	bool ruled; /* it has been given its rights once */
	bool up; /* the handshake is done */
	bool broken; /* nothing more can be said */
};

#endif
