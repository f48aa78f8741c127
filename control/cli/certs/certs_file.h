/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CERTS_FILE_H
#define CONTROL_CLI_CERTS_FILE_H

/*
 * Several files that appear in a directory together or not at all: each is
 * written under another name first, and only when all of them could be, they
 * get their own. A secret is readable by its owner alone from its first byte.
 */

#include <sys/types.h>

#include "control/cli/certs/certs.h"

/* a certificate and a key for each role, and what is always there */
enum { CERTS_FILES_MAX = 2 * CERTS_ROLES_MAX + 32 };

struct certs_files {
	int dir; /* its descriptor, or -1 */
	const char *path; /* of the directory, as it was given */
	bool force; /* files that are there may be replaced */
	bool made; /* the directory is ours */
	size_t n;
	struct {
		char name[CERTS_NAME_MAX + 8];
	} at[CERTS_FILES_MAX]; /* written, not in place yet */
};

/* Opens the directory; with make, makes it if it is not there. */
enum certs_rc certs_files_open(struct certs_files *, const char *path,
    bool make, bool force, char why[CERTS_WHY]);

/* CERTS_OK if a file of that name may be written: it is not there, or force
 * was given. */
enum certs_rc certs_files_free(
    const struct certs_files *, const char *name, char why[CERTS_WHY]);

/* Writes a file of that mode under its preliminary name. */
enum certs_rc certs_files_put(struct certs_files *, const char *name,
    mode_t mode, const void *data, size_t len, char why[CERTS_WHY]);

/* Puts all that was written in its place. */
enum certs_rc certs_files_commit(struct certs_files *, char why[CERTS_WHY]);

/* Takes away what is not in its place, and a directory that was made for it;
 * closes. */
void certs_files_close(struct certs_files *);

#endif
