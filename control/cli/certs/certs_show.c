/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a certificate says, in the words in which a server that refuses it would
 * put it. Runs in `holdfast certs show`.
 */
#include "control/cli/certs/certs_show.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 1024 };

/* Where lines about one certificate go. */
struct show {
	certs_line_fn *line;
	void *arg;
	unsigned n;
	gnutls_x509_crt_t crt;
	bool roleless; /* is for no client: nobody misses a role */
};

static void
line(const struct show *s, const char *field, const char *value)
{
	s->line(s->arg, s->n, field, value);
}

static void
show_names(const struct show *s)
{
	char text[TEXT_MAX], out[INET6_ADDRSTRLEN];
	size_t len;
	int type;

	for (unsigned i = 0;; i++) {
		len = sizeof(text) - 1;
		type = gnutls_x509_crt_get_subject_alt_name(
		    s->crt, i, text, &len, NULL);
		if (type < 0)
			return;
		text[len] = '\0';
		if (type == GNUTLS_SAN_DNSNAME)
			line(s, "name", text);
		else if (type == GNUTLS_SAN_IPADDRESS &&
		    (len == 4 || len == 16) &&
		    inet_ntop(len == 4 ? AF_INET : AF_INET6, text, out,
			sizeof(out)) != NULL)
			line(s, "name", out);
	}
}

static void
show_subject(const struct show *s)
{
	gnutls_datum_t dn = { 0 };
	char serial[200];
	unsigned char bytes[64];
	size_t len = sizeof(bytes), hex = sizeof(serial);
	gnutls_datum_t in = { .data = bytes };

	if (gnutls_x509_crt_get_dn3(s->crt, &dn, 0) >= 0)
		line(s, "subject", (const char *)dn.data);
	gnutls_free(dn.data);
	dn.data = NULL;
	if (gnutls_x509_crt_get_issuer_dn3(s->crt, &dn, 0) >= 0)
		line(s, "issuer", (const char *)dn.data);
	gnutls_free(dn.data);
	if (gnutls_x509_crt_get_serial(s->crt, bytes, &len) < 0)
		return;
	in.size = (unsigned)len;
	if (gnutls_hex_encode(&in, serial, &hex) >= 0)
		line(s, "serial", serial);
}

static void
show_time(const struct show *s, const char *field, time_t when)
{
	char text[40];
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return;
	line(s, field, text);
}

static void
show_dates(const struct show *s)
{
	time_t from = gnutls_x509_crt_get_activation_time(s->crt);
	time_t until = gnutls_x509_crt_get_expiration_time(s->crt);
	time_t now = time(NULL);

	show_time(s, "from", from);
	show_time(s, "until", until);
	if (now < from)
		line(s, "note", "not valid yet");
	if (until != (time_t)-1 && now > until)
		line(s, "note", "expired");
}

/* The extension with that number, if it holds a role. */
static bool
is_role(gnutls_x509_crt_t crt, unsigned i, bool *more)
{
	char oid[128];
	size_t len = sizeof(oid);
	unsigned critical;
	int rc =
	    gnutls_x509_crt_get_extension_info(crt, i, oid, &len, &critical);

	*more = rc != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	return rc >= 0 && strcmp(oid, MB_ROLE_OID) == 0;
}

static void
show_role(const struct show *s)
{
	gnutls_datum_t der = { 0 };
	char role[MB_ROLE_MAX + 1];
	const char *bad;
	unsigned found = 0;
	bool more = true;

	for (unsigned i = 0; more; i++) {
		if (!is_role(s->crt, i, &more))
			continue;
		found++;
		if (gnutls_x509_crt_get_extension_data2(s->crt, i, &der) < 0)
			continue;
		bad = mb_role_parse(der.data, der.size, role);
		line(
		    s, bad == NULL ? "role" : "note", bad == NULL ? role : bad);
		gnutls_free(der.data);
		der.data = NULL;
	}
	if (found > 1)
		line(s, "note", "it names more than one role");
	if (found == 0 && !s->roleless)
		line(s, "note", "no role");
}

static void
show_use(struct show *s)
{
	bool server = false, other = false;
	char oid[128];
	size_t len = sizeof(oid);

	s->roleless = gnutls_x509_crt_get_ca_status(s->crt, NULL) > 0;
	if (s->roleless)
		line(s, "use", "authority");
	for (unsigned i = 0; gnutls_x509_crt_get_key_purpose_oid(
				 s->crt, i, oid, &len, NULL) >= 0;
	     i++, len = sizeof(oid)) {
		if (strcmp(oid, GNUTLS_KP_TLS_WWW_SERVER) == 0) {
			line(s, "use", "server");
			server = true;
			continue;
		}
		other = true;
		line(s, "use",
		    strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT) == 0 ? "client"
							       : oid);
	}
	s->roleless = s->roleless || (server && !other);
}

static void
show_key(const struct show *s)
{
	unsigned bits = 0;
	int algorithm = gnutls_x509_crt_get_pk_algorithm(s->crt, &bits);
	const char *name = gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm);
	char text[100];

	if (algorithm < 0 || name == NULL)
		return;
	snprintf(text, sizeof(text), "%s %u bits", name, bits);
	line(s, "key", text);
}

/* All of a file: PEM, or one certificate in DER. */
static enum certs_rc
load(const char *path, gnutls_x509_crt_t **crt, unsigned *n, char *why)
{
	gnutls_datum_t data = { 0 };
	int rc;

	if (gnutls_load_file(path, &data) < 0) {
		snprintf(why, CERTS_WHY, "cannot read %s: %s", path,
		    strerror(errno));
		return CERTS_NO_INPUT;
	}
	rc =
	    gnutls_x509_crt_list_import2(crt, n, &data, GNUTLS_X509_FMT_PEM, 0);
	if (rc == GNUTLS_E_NO_CERTIFICATE_FOUND) {
		rc = gnutls_x509_crt_list_import2(
		    crt, n, &data, GNUTLS_X509_FMT_DER, 0);
		if (rc < 0)
			rc = GNUTLS_E_NO_CERTIFICATE_FOUND;
	}
	gnutls_free(data.data);
	if (rc >= 0 && *n > 0)
		return CERTS_OK;
	/* such as an extension that is there twice: two roles */
	snprintf(why, CERTS_WHY, "%s: %s", path,
	    gnutls_strerror(rc < 0 ? rc : GNUTLS_E_NO_CERTIFICATE_FOUND));
	return CERTS_NO_INPUT;
}

enum certs_rc
certs_show(const char *path, certs_line_fn *fn, void *arg, char why[CERTS_WHY])
{
	struct show s = { .line = fn, .arg = arg };
	gnutls_x509_crt_t *crt = NULL;
	unsigned n = 0;
	enum certs_rc rc = load(path, &crt, &n, why);

	if (rc != CERTS_OK)
		return rc;
	for (unsigned i = 0; i < n; i++) {
		s.n = i + 1;
		s.crt = crt[i];
		show_subject(&s);
		show_names(&s);
		show_use(&s);
		show_key(&s);
		show_dates(&s);
		show_role(&s);
		gnutls_x509_crt_deinit(crt[i]);
	}
	gnutls_free(crt);
	return CERTS_OK;
}
