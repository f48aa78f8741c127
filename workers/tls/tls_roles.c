/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the file of roles. Runs in the workers of type tls, when they start and
 * when the operator says that files have changed. A file with a mistake leaves
 * the rights as they are.
 */
#include "workers/tls/tls_roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0, or -1 with the first mistake in why. */
static int
read_own(const struct proc *p, struct tls_roles *r, char *why, size_t size)
{
	char *text = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&text, &len);
	int rc;

	if (err == NULL) {
		snprintf(why, size, "not enough memory");
		return -1;
	}
	rc = conf_roles_load(
	    p->conf, p->transport->tls.roles.path, &r->own, err);
	fclose(err);
	if (rc == 0)
		r->now = &r->own;
	else
		snprintf(why, size, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	return rc;
}

struct tls_roles *
tls_roles_load(const struct proc *p, bool first, char *why, size_t size)
{
	struct tls_roles *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		snprintf(why, size, "not enough memory");
		return NULL;
	}
	r->refs = 1;
	r->now = &p->transport->tls.roles;
	if (r->now->path == NULL || read_own(p, r, why, size) == 0)
		return r;
	if (first) {
		log_warnx(
		    "roles are those that the daemon began with: %s", why);
		return r;
	}
	tls_roles_unref(r);
	return NULL;
}

struct tls_roles *
tls_roles_ref(struct tls_roles *r)
{
	r->refs++;
	return r;
}

void
tls_roles_unref(struct tls_roles *r)
{
	if (r == NULL || --r->refs > 0)
		return;
	conf_roles_free(&r->own);
	free(r);
}
