/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CERTS_H
#define CONTROL_CLI_CERTS_H

/*
 * Certificates for trying out Modbus over TLS: a small authority with a server
 * and clients that bear roles (MODBUS/TCP Security v3.6). All of it is marked
 * as a demonstration; a plant's own authority is no business of this.
 *
 * It is a part of the command line, loaded by `holdfast certs` alone, since
 * GnuTLS costs every other command a millisecond. Depends on nothing else of
 * the command line.
 */

#include <stdbool.h>
#include <stddef.h>

#include "workers/proto/role.h"

enum {
	CERTS_WHY = 400, /* of a sentence that says what went wrong */
	CERTS_ROLES_MAX = 32, /* beside the usual clients */
	CERTS_NAME_MAX = MB_ROLE_MAX, /* of a client, and so of its role */
	CERTS_DAYS = 365, /* for which they are good, if nobody says */
	CERTS_DAYS_MAX = 36500,
};

/* How it went; the values are exit codes of the command line. */
enum certs_rc {
	CERTS_OK = 0,
	CERTS_USAGE = 64, /* what was asked for makes no sense */
	CERTS_NO_INPUT =
	    66, /* a file is not there or is not what it should be */
	CERTS_INTERNAL = 70, /* GnuTLS does not do it */
	CERTS_CANNOT_CREATE = 73,
};

struct certs_demo {
	const char *dir; /* is made if it is not there */
	bool force; /* replace files of an earlier demonstration */
	unsigned days; /* how long they are good: 1..CERTS_DAYS_MAX */
	const char *names; /* further names and addresses of the server, with
			    * commas between, or NULL */
	const char *const *role; /* further clients: name and role in one */
	size_t nroles;
};

/*
 * Takes a line about the certificate with that number of a file (from 1): what
 * it is about ("subject", "role", ...), and what is there.
 */
typedef void certs_line_fn(
    void *arg, unsigned n, const char *field, const char *value);

/* What the part has under the name "certs_part". Everything that fails leaves
 * a sentence in why. */
struct certs_part {
	/* Writes all the files, or none. */
	enum certs_rc (*demo)(const struct certs_demo *, char why[CERTS_WHY]);
	/* Puts the certificate of a client (or "server") on the list of those
	 * that are revoked. */
	enum certs_rc (*revoke)(
	    const char *dir, const char *name, char why[CERTS_WHY]);
	/* Tells what is in a file with one or more certificates. */
	enum certs_rc (*show)(
	    const char *path, certs_line_fn *, void *arg, char why[CERTS_WHY]);
};

extern const struct certs_part certs_part;

#endif
