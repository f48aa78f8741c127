/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_TLS_H
#define TESTS_BENCH_TLS_H

/*
 * TLS for the bare server and the load generators, so that both ends of every
 * measurement offer one choice alone: TLS 1.3, AES-128-GCM, P-256, both sides
 * with a certificate. Bytes are read from a socket in one go into one buffer
 * of the process; GnuTLS is given them from there until it has had them all.
 */

#include <err.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static gnutls_certificate_credentials_t tls_cred;
static gnutls_priority_t tls_prio;

static struct {
	uint8_t at[65536];
	size_t len, off;
	bool end; /* the peer has closed */
} tls_in;

/* Reads ca.pem, WHO.pem and WHO.key of a directory. */
static inline void
tls_begin(const char *dir, const char *who)
{
	char ca[512], cert[512], key[512];
	int e;

	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	snprintf(cert, sizeof(cert), "%s/%s.pem", dir, who);
	snprintf(key, sizeof(key), "%s/%s.key", dir, who);
	if ((e = gnutls_certificate_allocate_credentials(&tls_cred)) < 0 ||
	    (e = gnutls_certificate_set_x509_trust_file(
		 tls_cred, ca, GNUTLS_X509_FMT_PEM)) < 0 ||
	    (e = gnutls_certificate_set_x509_key_file(
		 tls_cred, cert, key, GNUTLS_X509_FMT_PEM)) < 0 ||
	    (e = gnutls_priority_init(&tls_prio,
		 "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:"
		 "-GROUP-ALL:+GROUP-SECP256R1",
		 NULL)) < 0)
		errx(1, "%s: %s", dir, gnutls_strerror(e));
}

static inline ssize_t
tls_pull(gnutls_transport_ptr_t ptr, void *to, size_t room)
{
	size_t n = tls_in.len - tls_in.off;

	(void)ptr;
	if (n == 0) {
		errno = EAGAIN;
		return tls_in.end ? 0 : -1;
	}
	n = n < room ? n : room;
	memcpy(to, tls_in.at + tls_in.off, n);
	tls_in.off += n;
	return (ssize_t)n;
}

/* Reads once what has come; it must then be given out until GnuTLS wants
 * more. */
static inline void
tls_fill(int fd)
{
	ssize_t n = recv(fd, tls_in.at, sizeof(tls_in.at), MSG_DONTWAIT);

	tls_in.off = 0;
	tls_in.len = n > 0 ? (size_t)n : 0;
	tls_in.end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* A session on a non-blocking socket; flags: GNUTLS_SERVER or _CLIENT. */
static inline gnutls_session_t
tls_session(int fd, unsigned flags)
{
	gnutls_session_t s;

	if (gnutls_init(&s, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
	    gnutls_priority_set(s, tls_prio) < 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, tls_cred) < 0)
		errx(1, "TLS session");
	if ((flags & GNUTLS_SERVER) != 0)
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
	else
		gnutls_server_name_set(s, GNUTLS_NAME_DNS, "localhost", 9);
	gnutls_session_set_verify_cert(s, NULL, 0);
	gnutls_transport_set_int(s, fd);
	gnutls_transport_set_pull_function(s, tls_pull);
	return s;
}

#endif
