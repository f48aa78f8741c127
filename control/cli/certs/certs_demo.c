/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole demonstration: who is certified and what lies in which file. Runs in
 * `holdfast certs demo`. Nothing is replaced unless that was asked for, and
 * nothing is left half done.
 */
#include "control/cli/certs/certs_demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/certs/certs_file.h"
#include "control/cli/certs/certs_issue.h"
#include "control/cli/certs/certs_text.h"

enum {
	NAMES_MAX = 64,
	HOST_MAX = 256,
	BACKDATED_S = 3600, /* for clients whose clock is behind */
	DAY_S = 86400,
	CERT_MODE = 0644,
	KEY_MODE = 0600,
};

/* One that is being made. */
struct making {
	const struct certs_demo *wish;
	char *why;
	struct certs_files files;
	struct certs_pair ca;
	time_t from, until;
	const char *name[NAMES_MAX]; /* of the server */
	size_t nnames;
	char host[HOST_MAX];
	char *split; /* a copy of wish->names, cut up */
};

static const struct {
	const char *name, *role;
} clients[] = {
	{ "operator", "operator" },
	{ "viewer", "viewer" },
	{ "norole", NULL },
};

enum { NCLIENTS = sizeof(clients) / sizeof(clients[0]) };

static enum certs_rc
internal(struct making *m, int bad)
{
	snprintf(m->why, CERTS_WHY, "cannot make a certificate: %s",
	    gnutls_strerror(bad));
	return CERTS_INTERNAL;
}

/* ---- before anything is written ---- */

static enum certs_rc
take_names(struct making *m)
{
	char *rest, *name;

	m->name[m->nnames++] = "localhost";
	m->name[m->nnames++] = "127.0.0.1";
	m->name[m->nnames++] = "::1";
	if (gethostname(m->host, sizeof(m->host) - 1) == 0 &&
	    certs_name_ok(m->host) && strcmp(m->host, "localhost") != 0)
		m->name[m->nnames++] = m->host;
	if (m->wish->names == NULL)
		return CERTS_OK;
	rest = m->split = strdup(m->wish->names);
	while (rest != NULL && (name = strsep(&rest, ",")) != NULL) {
		if (!certs_name_ok(name) || m->nnames == NAMES_MAX) {
			snprintf(m->why, CERTS_WHY,
			    m->nnames == NAMES_MAX
				? "--names: \"%.80s\" is one too many"
				: "--names: \"%.80s\" is no name or address of "
				  "a host",
			    name);
			return CERTS_USAGE;
		}
		m->name[m->nnames++] = name;
	}
	return CERTS_OK;
}

/* A role of one's own is the name of a file and a key of roles.json too. */
static enum certs_rc
check_role(struct making *m, size_t i)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	const char *role = m->wish->role[i];
	size_t len = strlen(role);
	bool taken = strcmp(role, "ca") == 0 || strcmp(role, "crl") == 0 ||
	    strcmp(role, "server") == 0;

	if (len == 0 || len > CERTS_NAME_MAX || strspn(role, letters) != len) {
		snprintf(m->why, CERTS_WHY,
		    "--role: \"%.80s\" must be letters, digits, \"_\" and "
		    "\"-\", at most %d",
		    role, CERTS_NAME_MAX);
		return CERTS_USAGE;
	}
	for (size_t j = 0; j < NCLIENTS; j++)
		taken = taken || strcmp(role, clients[j].name) == 0;
	for (size_t j = 0; j < i; j++)
		taken = taken || strcmp(role, m->wish->role[j]) == 0;
	if (!taken)
		return CERTS_OK;
	snprintf(m->why, CERTS_WHY, "--role: there is \"%s\" already", role);
	return CERTS_USAGE;
}

/* The names that one certificate takes are free. */
static enum certs_rc
check_pair(struct making *m, const char *name)
{
	char file[CERTS_NAME_MAX + 8];
	enum certs_rc rc;

	snprintf(file, sizeof(file), "%s.pem", name);
	rc = certs_files_free(&m->files, file, m->why);
	if (rc != CERTS_OK)
		return rc;
	snprintf(file, sizeof(file), "%s.key", name);
	return certs_files_free(&m->files, file, m->why);
}

static enum certs_rc
check_files(struct making *m)
{
	static const char *const others[] = { "crl.pem", "roles.json",
		"holdfast.json", "try.py", "README" };
	enum certs_rc rc = check_pair(m, "ca");

	if (rc == CERTS_OK)
		rc = check_pair(m, "server");
	for (size_t i = 0; i < NCLIENTS && rc == CERTS_OK; i++)
		rc = check_pair(m, clients[i].name);
	for (size_t i = 0; i < m->wish->nroles && rc == CERTS_OK; i++)
		rc = check_pair(m, m->wish->role[i]);
	for (size_t i = 0;
	     i < sizeof(others) / sizeof(others[0]) && rc == CERTS_OK; i++)
		rc = certs_files_free(&m->files, others[i], m->why);
	return rc;
}

/* ---- making ---- */

/* NAME.pem with the whole chain up to the root, and NAME.key. */
static enum certs_rc
put_pair(struct making *m, const char *name, const struct certs_pair *p)
{
	char file[CERTS_NAME_MAX + 8], chain[16384];
	gnutls_datum_t crt = { 0 }, ca = { 0 }, key = { 0 };
	enum certs_rc rc;
	int bad, len;

	bad = gnutls_x509_crt_export2(p->crt, GNUTLS_X509_FMT_PEM, &crt);
	if (bad >= 0 && p != &m->ca)
		bad = gnutls_x509_crt_export2(
		    m->ca.crt, GNUTLS_X509_FMT_PEM, &ca);
	if (bad >= 0)
		bad = gnutls_x509_privkey_export2_pkcs8(
		    p->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &key);
	len = snprintf(chain, sizeof(chain), "%s%s",
	    crt.data != NULL ? (const char *)crt.data : "",
	    ca.data != NULL ? (const char *)ca.data : "");
	if (bad < 0 || len >= (int)sizeof(chain)) {
		rc = internal(m, bad < 0 ? bad : GNUTLS_E_SHORT_MEMORY_BUFFER);
		goto out;
	}
	snprintf(file, sizeof(file), "%s.pem", name);
	rc = certs_files_put(
	    &m->files, file, CERT_MODE, chain, (size_t)len, m->why);
	if (rc != CERTS_OK)
		goto out;
	snprintf(file, sizeof(file), "%s.key", name);
	rc = certs_files_put(
	    &m->files, file, KEY_MODE, key.data, key.size, m->why);
out:
	if (key.data != NULL)
		gnutls_memset(key.data, 0, key.size);
	gnutls_free(key.data);
	gnutls_free(ca.data);
	gnutls_free(crt.data);
	return rc;
}

static enum certs_rc
make_pair(struct making *m, const char *name, const struct certs_wish *what)
{
	struct certs_pair p = { 0 };
	enum certs_rc rc;
	int bad = certs_issue(&p, what, &m->ca);

	rc = bad < 0 ? internal(m, bad) : put_pair(m, name, &p);
	certs_pair_fini(&p);
	return rc;
}

static enum certs_rc
make_client(struct making *m, const char *name, const char *role)
{
	struct certs_wish what = {
		.common_name = name,
		.from = m->from,
		.until = m->until,
		.role = role,
	};

	return make_pair(m, name, &what);
}

static enum certs_rc
make_pairs(struct making *m)
{
	struct certs_wish server = {
		.common_name = "localhost",
		.from = m->from,
		.until = m->until,
		.server = true,
		.names = m->name,
		.nnames = m->nnames,
	};
	enum certs_rc rc;
	int bad = certs_issue_ca(&m->ca, m->from, m->until);

	rc = bad < 0 ? internal(m, bad) : put_pair(m, "ca", &m->ca);
	if (rc == CERTS_OK)
		rc = make_pair(m, "server", &server);
	for (size_t i = 0; i < NCLIENTS && rc == CERTS_OK; i++)
		rc = make_client(m, clients[i].name, clients[i].role);
	for (size_t i = 0; i < m->wish->nroles && rc == CERTS_OK; i++)
		rc = make_client(m, m->wish->role[i], m->wish->role[i]);
	return rc;
}

static enum certs_rc
make_crl(struct making *m)
{
	gnutls_x509_crl_t crl = NULL;
	gnutls_datum_t out = { 0 };
	enum certs_rc rc;
	int bad = certs_issue_crl(&crl);

	if (bad >= 0)
		bad = certs_sign_crl(crl, &m->ca, m->until);
	if (bad >= 0)
		bad = gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &out);
	rc = bad < 0 ? internal(m, bad)
		     : certs_files_put(&m->files, "crl.pem", CERT_MODE,
			   out.data, out.size, m->why);
	gnutls_free(out.data);
	if (crl != NULL)
		gnutls_x509_crl_deinit(crl);
	return rc;
}

static enum certs_rc
put_text(struct making *m, const char *name, mode_t mode, const char *text)
{
	return certs_files_put(
	    &m->files, name, mode, text, strlen(text), m->why);
}

static enum certs_rc
make_texts(struct making *m)
{
	char *roles = certs_text_roles(m->wish->role, m->wish->nroles);
	enum certs_rc rc;

	if (roles == NULL) {
		snprintf(m->why, CERTS_WHY, "out of memory");
		return CERTS_INTERNAL;
	}
	rc = put_text(m, "roles.json", 0644, roles);
	if (rc == CERTS_OK)
		rc = put_text(m, "holdfast.json", 0644, certs_text_conf);
	if (rc == CERTS_OK)
		rc = put_text(m, "try.py", 0755, certs_text_try);
	if (rc == CERTS_OK)
		rc = put_text(m, "README", 0644, certs_text_readme);
	free(roles);
	return rc;
}

static enum certs_rc
make(struct making *m)
{
	enum certs_rc rc;

	rc = certs_files_open(
	    &m->files, m->wish->dir, true, m->wish->force, m->why);
	if (rc == CERTS_OK)
		rc = check_files(m);
	if (rc == CERTS_OK)
		rc = make_pairs(m);
	if (rc == CERTS_OK)
		rc = make_crl(m);
	if (rc == CERTS_OK)
		rc = make_texts(m);
	if (rc == CERTS_OK)
		rc = certs_files_commit(&m->files, m->why);
	certs_files_close(&m->files);
	return rc;
}

enum certs_rc
certs_demo(const struct certs_demo *wish, char why[CERTS_WHY])
{
	struct making m = {
		.wish = wish,
		.why = why,
		.from = time(NULL) - BACKDATED_S,
	};
	enum certs_rc rc;

	m.until = m.from + BACKDATED_S + (time_t)wish->days * DAY_S;
	rc = take_names(&m);
	for (size_t i = 0; i < wish->nroles && rc == CERTS_OK; i++)
		rc = check_role(&m, i);
	if (rc == CERTS_OK)
		rc = make(&m);
	certs_pair_fini(&m.ca);
	free(m.split);
	return rc;
}
