/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS handshakes: --conns clients at a time connect, shake hands, ask once,
 * say goodbye and begin again. Without --resume every session is a new one;
 * with it each client resumes the session of its last connection by ticket. A
 * session that is not what was asked for is an error, as is a wrong reply. What
 * counts as served is a connection.
 */

#include "tests/lib/bench_load.h"
#include "tests/bench_tls.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CLIENTS_MAX = 64, TURN = 64, REPLY_BYTES = 11 };

static const uint8_t request[] = { 0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1 };

struct client {
	int fd;
	bool asked; /* the handshake is over */
	unsigned left; /* bytes of the reply so far */
	uint64_t began;
	gnutls_session_t tls;
	gnutls_datum_t ticket; /* of the last session; data NULL: none */
	uint8_t in[REPLY_BYTES];
};

static struct {
	const char *where, *tls;
	struct sockaddr_in to;
	unsigned conns;
	double seconds, warm;
	bool resume;
} opt = { .conns = 8, .seconds = 1, .warm = 0.1 };

static struct client client[CLIENTS_MAX];
static uint64_t begin_ns, end_ns, last_ns;
static int ep;

/* Goes on with the handshake and then asks. False if that has failed. */
static bool
shake(struct client *c)
{
	bool resumed;
	int e;

	do
		e = gnutls_handshake(c->tls);
	while (e < 0 && e != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(e));
	if (e == GNUTLS_E_AGAIN)
		return true;
	if (e < 0) {
		load_wrong(gnutls_strerror(e));
		return false;
	}
	resumed = gnutls_session_is_resumed(c->tls) != 0;
	if (resumed != (c->ticket.data != NULL)) {
		load_wrong(resumed ? "a session that was resumed"
				   : "a session that was not resumed");
		return false;
	}
	c->asked = true;
	if (gnutls_record_send(c->tls, request, sizeof(request)) !=
	    (ssize_t)sizeof(request)) {
		load_wrong("cannot ask");
		return false;
	}
	return true;
}

static void
open_client(struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	c->began = load_now();
	c->asked = false;
	c->left = 0;
	if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&opt.to, sizeof(opt.to)) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		err(1, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->tls = tls_session(c->fd, GNUTLS_CLIENT);
	if (c->ticket.data != NULL)
		gnutls_session_set_data(c->tls, c->ticket.data, c->ticket.size);
	tls_in.off = tls_in.len = 0;
	tls_in.end = false;
	shake(c);
}

/* Ends a connection, keeps its ticket if there shall be a next one. */
static void
close_client(struct client *c, bool fine)
{
	if (c->ticket.data != NULL)
		gnutls_free(c->ticket.data);
	c->ticket.data = NULL;
	if (fine && opt.resume)
		gnutls_session_get_data2(c->tls, &c->ticket);
	if (fine)
		gnutls_bye(c->tls, GNUTLS_SHUT_WR);
	gnutls_deinit(c->tls);
	close(c->fd);
	c->fd = -1;
}

/* A whole connection is over: the next one. */
static void
next(struct client *c, bool fine)
{
	uint64_t t = last_ns = load_now();

	if (fine) {
		load_sum.served++;
		if (c->began >= begin_ns && c->began < end_ns)
			load_took(t - c->began);
	}
	close_client(c, fine);
	if (t < end_ns && !load_told_to_end)
		open_client(c);
}

static void
readable(struct client *c)
{
	ssize_t n;

	tls_fill(c->fd);
	if (!c->asked && !shake(c)) {
		next(c, false);
		return;
	}
	while (c->asked) {
		n = gnutls_record_recv(
		    c->tls, c->in + c->left, REPLY_BYTES - c->left);
		if (n == 0 || (n < 0 && gnutls_error_is_fatal((int)n))) {
			load_wrong("closed before the reply");
			next(c, false);
			return;
		}
		c->left += n > 0 ? (unsigned)n : 0;
		if (c->left == REPLY_BYTES) {
			if (memcmp(c->in, request, 4) != 0 || c->in[7] != 3)
				load_wrong("wrong reply");
			next(c, true);
			return;
		}
		if (n == GNUTLS_E_AGAIN && tls_in.off == tls_in.len)
			return;
	}
}

static void
turn(void)
{
	struct epoll_event got[TURN];
	int i, n = epoll_wait(ep, got, TURN, 20);

	for (i = 0; i < n; i++)
		readable(got[i].data.ptr);
}

static bool
some_open(void)
{
	unsigned i;

	for (i = 0; i < opt.conns; i++)
		if (client[i].fd >= 0)
			return true;
	return false;
}

int
main(int argc, char **argv)
{
	const struct load_option options[] = {
		{ "connect", .text = &opt.where },
		{ "tls", .text = &opt.tls },
		{ "conns", .number = &opt.conns },
		{ "seconds", .real = &opt.seconds },
		{ "warm", .real = &opt.warm },
		{ "resume", .flag = &opt.resume },
		{ 0 },
	};
	unsigned i;

	(void)argc;
	load_options(argv, options);
	opt.to = load_address(opt.where);
	if (opt.conns - 1 >= CLIENTS_MAX || opt.tls == NULL)
		errx(64, "--tls DIR and at most %d clients, please",
		    CLIENTS_MAX);
	tls_begin(opt.tls, "client");
	if ((ep = epoll_create1(0)) < 0)
		err(1, "epoll");
	signal(SIGTERM, load_end_early);
	last_ns = begin_ns =
	    load_now() + (uint64_t)(opt.warm * (double)LOAD_SECOND);
	end_ns = begin_ns + (uint64_t)(opt.seconds * (double)LOAD_SECOND);
	for (i = 0; i < opt.conns; i++)
		open_client(&client[i]);
	while (
	    some_open() && load_now() < last_ns + LOAD_SILENT_S * LOAD_SECOND)
		turn();
	for (i = 0; i < opt.conns; i++)
		if (client[i].fd >= 0) {
			load_wrong("a connection without a reply");
			close_client(&client[i], false);
		}
	return load_report((double)(end_ns - begin_ns) / (double)LOAD_SECOND);
}
