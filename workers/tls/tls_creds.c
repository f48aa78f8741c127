/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of certificates, keys, authorities, revocations and OCSP answers into
 * what GnuTLS works with, and roles with them. Runs in the workers of type
 * tls, when they start and when the operator says that files have changed.
 * Whatever is wrong is said with the file's name, and nothing half-read comes
 * into force.
 */
#include "workers/tls/tls_creds.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/plain.h"

enum {
	FILE_MAX = 1 << 28, /* that of a list of millions of revocations */
	DAY_S = 24 * 60 * 60,
	WARN_DAYS = 30, /* before a certificate ends */
};

struct load {
	const struct proc *proc;
	const struct conf_tls *conf;
	const struct tls_keys *old; /* in force until all has been read */
	struct tls_keys *keys; /* those that were read; NULL: the old one */
	struct tls_creds *creds;
	bool first;
	char *why;
	size_t size;
};

static int LOG_FMT(2, 3) fail(struct load *l, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, l->size, fmt, ap);
	va_end(ap);
	errno = err;
	return -1;
}

/* Memory of our own. */
static int
read_file(struct load *l, const char *path, gnutls_datum_t *d)
{
	size_t len = 0;

	d->data = plain_read(path, FILE_MAX, &len);
	d->size = (unsigned)len;
	return d->data != NULL ? 0 : fail(l, "%s: %s", path, plain_why(errno));
}

/* A secret file, from wherever it is to be had: memory of our own. */
static int
read_secret(struct load *l, const char *path, gnutls_datum_t *d)
{
	const uint8_t *at;
	size_t len = 0;

	if (!l->first)
		return read_file(l, path, d);
	at = proc_file(l->proc, path, &len);
	if (at == NULL)
		return fail(l, "%s: %s", path, plain_why(errno));
	d->data = malloc(len + 1);
	if (d->data == NULL)
		return fail(l, "not enough memory");
	memcpy(d->data, at, len);
	d->data[len] = '\0';
	d->size = (unsigned)len;
	return 0;
}

static void
wipe(gnutls_datum_t *d)
{
	if (d->data != NULL)
		explicit_bzero(d->data, d->size);
	free(d->data);
}

/* The keys' password in text, which holds it all; NULL if there is none. */
static int
read_password(struct load *l, gnutls_datum_t *text, const char **password)
{
	*password = l->conf->password;
	if (l->conf->password_file == NULL)
		return 0;
	if (read_secret(l, l->conf->password_file, text) == -1)
		return -1;
	text->data[strcspn((char *)text->data, "\r\n")] = '\0';
	*password = (char *)text->data;
	return 0;
}

static int
key_failed(struct load *l, const char *path, const char *password, int rc)
{
	if (rc == GNUTLS_E_DECRYPTION_FAILED && password == NULL)
		return fail(l,
		    "%s: the key is encrypted, and neither \"password\" nor "
		    "\"password_file\" is given",
		    path);
	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		return fail(l, "%s: the password is not that of the key", path);
	return fail(l, "%s: no private key: %s", path, gnutls_strerror(rc));
}

/* Key i into its place, if it can be read and is one. */
static int
load_key(struct load *l, size_t i)
{
	const char *path = l->conf->key.at[i], *password;
	gnutls_datum_t data = { NULL, 0 }, text = { NULL, 0 };
	gnutls_x509_privkey_t key = NULL;
	int rc = -1;

	if (read_secret(l, path, &data) == -1 ||
	    read_password(l, &text, &password) == -1) {
		/* the user of the worker may not be allowed to */
		if (!l->first && (errno == EACCES || errno == EPERM))
			rc = 0;
		goto out;
	}
	if (gnutls_x509_privkey_init(&key) < 0) {
		fail(l, "not enough memory");
		goto out;
	}
	rc = gnutls_x509_privkey_import2(
	    key, &data, GNUTLS_X509_FMT_PEM, password, 0);
	if (rc < 0) {
		rc = key_failed(l, path, password, rc);
		gnutls_x509_privkey_deinit(key);
		goto out;
	}
	l->keys->at[i] = key;
	rc = 0;
out:
	wipe(&data);
	wipe(&text);
	return rc;
}

static void
free_list(gnutls_x509_crt_t *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
}

/* Clients refuse one that is out of date, and whoever can make another one is
 * to hear of it before they do. */
static void
warn_of_end(const char *path, gnutls_x509_crt_t crt)
{
	time_t end = gnutls_x509_crt_get_expiration_time(crt), now = time(NULL);
	char day[sizeof("2026-12-31")];
	struct tm tm;

	if (end == (time_t)-1 || end - now >= WARN_DAYS * DAY_S ||
	    gmtime_r(&end, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%d", &tm) == 0)
		return;
	if (end < now)
		log_warnx("%s: the certificate expired on %s; clients refuse "
			  "it",
		    path, day);
	else
		log_warnx("%s: the certificate expires on %s", path, day);
}

/* A chain as it stands in its file, all of which is sent. */
static int
load_pair(struct load *l, size_t i)
{
	const char *path = l->conf->cert.at[i];
	gnutls_x509_crt_t *list = NULL;
	gnutls_x509_privkey_t key;
	gnutls_datum_t data;
	unsigned n = 0;
	int rc;

	if (load_key(l, i) == -1 || read_file(l, path, &data) == -1)
		return -1;
	rc = gnutls_x509_crt_list_import2(
	    &list, &n, &data, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
	free(data.data);
	if (rc < 0)
		return fail(
		    l, "%s: no certificate: %s", path, gnutls_strerror(rc));
	for (unsigned c = 0; c < n; c++)
		warn_of_end(path, list[c]);
	key = l->keys->at[i] != NULL ? l->keys->at[i] : l->old->at[i];
	rc = gnutls_certificate_set_x509_key(l->creds->cred, list, (int)n, key);
	free_list(list, n);
	if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return fail(l, "%s: this key is not that of %s",
		    l->conf->key.at[i], path);
	if (rc < 0)
		return fail(l, "%s: %s", path, gnutls_strerror(rc));
	return 0;
}

/* HMAC-SHA-512 gives just as many bytes as GnuTLS wants. */
static int
derive_ticket(struct load *l, const gnutls_datum_t *authorities)
{
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA512, l->proc->ticket_key,
		PROC_TICKET_BYTES, authorities->data, authorities->size,
		l->creds->ticket) < 0)
		return fail(l, "no key for tickets");
	return 0;
}

static int
load_ca(struct load *l, gnutls_x509_trust_list_t trust)
{
	const char *path = l->conf->ca;
	gnutls_x509_crt_t *list = NULL;
	gnutls_datum_t data;
	unsigned n = 0;
	int rc, made;

	if (read_file(l, path, &data) == -1)
		return -1;
	rc = gnutls_x509_crt_list_import2(
	    &list, &n, &data, GNUTLS_X509_FMT_PEM, 0);
	made = derive_ticket(l, &data);
	free(data.data);
	if (rc < 0)
		return fail(
		    l, "%s: no certificate: %s", path, gnutls_strerror(rc));
	/* the certificates become the list's */
	rc = gnutls_x509_trust_list_add_cas(
	    trust, list, n, GNUTLS_TL_USE_IN_TLS | GNUTLS_TL_NO_DUPLICATES);
	gnutls_free(list);
	return rc > 0 ? made : fail(l, "%s: no certificate", path);
}

/* One that is out of date still tells what was revoked by then, and a plant
 * does not stop because nobody has made a new one. */
static void
warn_if_old(const char *path, gnutls_x509_crl_t crl)
{
	time_t next = gnutls_x509_crl_get_next_update(crl);

	if (next != (time_t)-1 && next < time(NULL))
		log_warnx("%s: a newer list of revocations is overdue; this "
			  "one stays in force",
		    path);
}

static int
load_crl(struct load *l, gnutls_x509_trust_list_t trust)
{
	const char *path = l->conf->crl;
	struct tls_creds *c = l->creds;
	gnutls_datum_t data;
	int rc;

	if (read_file(l, path, &data) == -1)
		return -1;
	rc = gnutls_x509_crl_list_import2(
	    &c->crls, &c->ncrls, &data, GNUTLS_X509_FMT_PEM, 0);
	free(data.data);
	if (rc < 0) {
		c->ncrls = 0;
		return fail(l, "%s: no list of revocations: %s", path,
		    gnutls_strerror(rc));
	}
	for (unsigned i = 0; i < c->ncrls; i++)
		warn_if_old(path, c->crls[i]);
	rc = gnutls_x509_trust_list_add_crls(trust, c->crls, c->ncrls, 0, 0);
	if (rc < (int)c->ncrls)
		return fail(l, "%s: %s", path,
		    rc < 0 ? gnutls_strerror(rc) : "not all of it is of use");
	return 0;
}

static int
load_trust(struct load *l)
{
	gnutls_x509_trust_list_t trust;

	if (l->conf->ca == NULL)
		return derive_ticket(l, &(gnutls_datum_t){ NULL, 0 });
	if (gnutls_x509_trust_list_init(&trust, 0) < 0)
		return fail(l, "not enough memory");
	/* goes with it, whatever comes */
	gnutls_certificate_set_trust_list(l->creds->cred, trust, 0);
	if (load_ca(l, trust) == -1)
		return -1;
	return l->conf->crl != NULL ? load_crl(l, trust) : 0;
}

static int
load_ocsp(struct load *l, size_t i)
{
	const char *path = l->conf->ocsp.at[i];
	gnutls_datum_t data;
	bool pem;
	int rc;

	if (read_file(l, path, &data) == -1)
		return -1;
	pem = data.size > 4 && memcmp(data.data, "----", 4) == 0;
	rc = gnutls_certificate_set_ocsp_status_request_mem(l->creds->cred,
	    &data, (unsigned)i,
	    pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER);
	free(data.data);
	if (rc < 0)
		return fail(l, "%s: no OCSP answer for %s: %s", path,
		    i < l->conf->cert.n ? l->conf->cert.at[i] : "anything",
		    gnutls_strerror(rc));
	return 0;
}

static int
load_all(struct load *l)
{
	size_t i;

	for (i = 0; i < l->conf->cert.n; i++)
		if (load_pair(l, i) == -1)
			return -1;
	if (load_trust(l) == -1)
		return -1;
	for (i = 0; i < l->conf->ocsp.n; i++)
		if (load_ocsp(l, i) == -1)
			return -1;
	return 0;
}

static struct tls_creds *
creds_new(void)
{
	struct tls_creds *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->refs = 1;
	if (gnutls_certificate_allocate_credentials(&c->cred) == 0)
		return c;
	free(c);
	return NULL;
}

/* Fresh keys come into force; one that could not be read stays the old one. */
static void
keep(struct tls_keys *keys, struct tls_keys *fresh)
{
	for (size_t i = 0; keys->at != NULL && i < keys->n; i++)
		if (fresh->at[i] == NULL) {
			fresh->at[i] = keys->at[i];
			keys->at[i] = NULL;
		}
	tls_keys_free(keys);
	*keys = *fresh;
}

struct tls_creds *
tls_creds_load(const struct proc *p, struct tls_keys *keys, bool first,
    char *why, size_t size)
{
	struct tls_keys fresh = { NULL, 0 };
	struct load l = {
		.proc = p,
		.conf = &p->transport->tls,
		.old = keys,
		.keys = &fresh,
		.creds = creds_new(),
		.first = first,
		.why = why,
		.size = size,
	};

	fresh.n = l.conf->key.n;
	fresh.at = calloc(fresh.n + 1, sizeof(*fresh.at));
	if (l.creds == NULL || fresh.at == NULL)
		fail(&l, "not enough memory");
	else if (load_all(&l) == 0) {
		keep(keys, &fresh);
		return l.creds;
	}
	tls_keys_free(&fresh);
	tls_creds_unref(l.creds);
	return NULL;
}

struct tls_creds *
tls_creds_ref(struct tls_creds *c)
{
	c->refs++;
	return c;
}

void
tls_creds_unref(struct tls_creds *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	gnutls_certificate_free_credentials(c->cred);
	gnutls_free(c->crls);
	explicit_bzero(c->ticket, sizeof(c->ticket));
	free(c);
}

void
tls_keys_free(struct tls_keys *k)
{
	for (size_t i = 0; k->at != NULL && i < k->n; i++)
		if (k->at[i] != NULL)
			gnutls_x509_privkey_deinit(k->at[i]);
	free(k->at);
}
