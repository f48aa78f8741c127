/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_AHEAD_H
#define WORKERS_TLS_TLS_AHEAD_H

/*
 * GnuTLS asks for a record's head, five bytes, and then for what it announces:
 * two system calls, each of which costs more than to open the record. So a
 * read takes what there is, as much as fits, and gives it out from memory.
 *
 * One buffer serves all sessions of a worker. As a rule it is empty when
 * another one reads, for whoever reads goes on until there is nothing left.
 * What is left of a connection whose replies wait is set aside.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

enum { TLS_AHEAD = 2048 };

struct tls_ahead {
	unsigned at; /* session whose bytes are in buf */
	size_t off, len; /* they are buf[off..len) */
	uint8_t buf[TLS_AHEAD];
	/* of each session, what was set aside; pages that were never used
	 * take no memory */
	uint8_t (*aside)[TLS_AHEAD];
	uint16_t *naside;
};

/* For sessions numbered below n. 0, or -1: no memory. */
int tls_ahead_init(struct tls_ahead *, unsigned n);
void tls_ahead_fini(struct tls_ahead *);

/* Reads for a session, as recv() from its non-blocking descriptor would. */
ssize_t tls_ahead_recv(
    struct tls_ahead *, unsigned session, int fd, void *to, size_t room);

/* True if bytes of a session have been read and not given out. */
bool tls_ahead_has(const struct tls_ahead *, unsigned session);

/* Forgets those bytes: the session has ended. */
void tls_ahead_drop(struct tls_ahead *, unsigned session);

#endif
