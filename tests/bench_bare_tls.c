/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a Modbus/TLS server can do: bench_bare.c with GnuTLS in
 * between. All records of one recv are opened, all replies leave in one
 * record. Clients need a certificate; sessions are resumed by ticket.
 *
 *	bench_bare_tls PORT DIR	DIR holds ca.pem, server.pem, server.key;
 *				prints the port once it listens
 */

#include "tests/lib/bench_bare.h"
#include "tests/bench_tls.h"

#include <unistd.h>

enum {
	IN_BYTES = 65536,
	RECORD_BYTES = 16384,
	OUT_BYTES = (IN_BYTES + RECORD_BYTES) / 12 * BARE_ADU_MAX,
};

struct conn {
	int fd;
	bool open; /* the handshake is over */
	unsigned left; /* bytes of an unfinished request */
	gnutls_session_t tls;
	uint8_t in[BARE_ADU_MAX];
};

static uint8_t in[BARE_ADU_MAX + IN_BYTES + RECORD_BYTES];
static uint8_t out[OUT_BYTES + BARE_ADU_MAX];
static gnutls_datum_t ticket_key;

static void
drop(struct conn *c)
{
	if (c->open)
		gnutls_bye(c->tls, GNUTLS_SHUT_WR);
	gnutls_deinit(c->tls);
	close(c->fd);
	free(c);
}

/* One step of the handshake; true once it is over. */
static bool
shake(struct conn *c)
{
	int e;

	do
		e = gnutls_handshake(c->tls);
	while (e < 0 && e != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(e));
	if (e < 0 && e != GNUTLS_E_AGAIN)
		drop(c);
	else
		c->open = e == 0;
	return e == 0;
}

/* Opens all records that tls_fill() has read; how many bytes were in them, or
 * -1 when the connection is over. */
static ssize_t
open_records(struct conn *c, uint8_t *to)
{
	size_t len = 0;
	ssize_t n;

	/* what was read gives no more than that */
	while (len <= IN_BYTES) {
		n = gnutls_record_recv(c->tls, to + len, RECORD_BYTES);
		if (n == GNUTLS_E_AGAIN && tls_in.off == tls_in.len)
			return tls_in.end ? -1 : (ssize_t)len;
		if (n == 0 || (n < 0 && gnutls_error_is_fatal((int)n)))
			return -1;
		if (n > 0)
			len += (size_t)n;
	}
	return -1;
}

/* All replies, as many records as they need. */
static bool
send_all(struct conn *c, const uint8_t *from, size_t len)
{
	ssize_t n;

	for (; len > 0; from += n, len -= (size_t)n) {
		n = gnutls_record_send(c->tls, from, len);
		if (n <= 0)
			return false;
	}
	return true;
}

static void
readable(void *what)
{
	struct conn *c = what;
	ssize_t n, used;
	size_t len, outlen;

	tls_fill(c->fd);
	if (!c->open && !shake(c))
		return;
	memcpy(in, c->in, c->left);
	if ((n = open_records(c, in + c->left)) < 0) {
		drop(c);
		return;
	}
	len = c->left + (size_t)n;
	used = bare_stream(in, len, out, &outlen);
	if (used < 0 || !send_all(c, out, outlen)) {
		drop(c);
		return;
	}
	c->left = (unsigned)(len - (size_t)used);
	memcpy(c->in, in + used, c->left);
}

static void
accept_one(int ep, int lfd)
{
	struct conn *c;
	int fd = bare_accept(lfd);

	if (fd < 0)
		return;
	if (!(c = calloc(1, sizeof(*c))))
		err(1, "calloc");
	c->fd = fd;
	c->tls = tls_session(fd, GNUTLS_SERVER);
	gnutls_session_ticket_enable_server(c->tls, &ticket_key);
	bare_watch(ep, fd, c);
}

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: bench_bare_tls PORT DIR\n");
		return 64;
	}
	tls_begin(argv[2], "server");
	if (gnutls_session_ticket_key_generate(&ticket_key) < 0)
		errx(1, "no ticket key");
	bare_turns(argv[1], accept_one, readable);
	return 0;
}
