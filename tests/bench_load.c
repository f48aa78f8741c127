/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for Modbus/TCP and, with --tls DIR, for Modbus/TLS: one
 * process, one epoll. Every connection keeps --depth requests outstanding
 * (closed loop), or all of them together send --rate a second whatever comes
 * back (open loop, and then a reply's time counts from when its request was
 * due). Every reply is checked for its transaction, unit, function and length;
 * --verify compares its data too. Prints one line of JSON at the end. What
 * fails is an error and is never tried again; --reconnect counts lost
 * connections apart and opens new ones instead. SIGTERM ends the measurement
 * early.
 */

#include "tests/lib/bench_load.h"
#include "tests/bench_tls.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 1024, /* a power of two */
	IN_BYTES = 65536,
	TURN = 256,
};

struct conn {
	int fd; /* -1: ended in an error */
	gnutls_session_t tls; /* NULL: plain TCP */
	unsigned sent, answered; /* requests; their difference is outstanding */
	unsigned left; /* bytes of an unfinished reply */
	bool idle; /* one request, then nothing more */
	uint64_t due[DEPTH_MAX]; /* when the outstanding ones were sent */
	uint8_t in[LOAD_ADU_MAX];
};

static struct {
	const char *where, *tls;
	struct sockaddr_in to;
	unsigned conns, depth, fc, count, addr, unit, idle;
	double seconds, warm, rate;
	bool verify, hold, reconnect;
} opt = { .conns = 1,
	.depth = 1,
	.fc = 3,
	.count = 125,
	.unit = 1,
	.seconds = 1,
	.warm = 0.1 };

static uint8_t request[LOAD_ADU_MAX];
static unsigned request_len, reply_len;
static uint8_t expected[LOAD_ADU_MAX]; /* data of the first reply */
static bool have_expected;
static uint64_t begin_ns, end_ns, last_reply_ns;
static unsigned idle_answered;
static int ep;

static void
make_request(void)
{
	unsigned pdu;
	uint8_t *p = request + LOAD_HEAD;

	p[0] = (uint8_t)opt.fc;
	load_put16(p + 1, opt.addr);
	load_put16(p + 3, opt.count);
	pdu = 5;
	reply_len = LOAD_HEAD + 5;
	if (opt.fc == 16) {
		p[5] = (uint8_t)(2 * opt.count);
		pdu = 6 + 2 * opt.count;
	} else {
		reply_len = LOAD_HEAD + 2 + 2 * opt.count;
	}
	load_put16(request + 4, pdu + 1);
	request[6] = (uint8_t)opt.unit;
	request_len = LOAD_HEAD + pdu;
}

/* The handshake, waited for. */
static void
shake(struct conn *c)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	int e;

	c->tls = tls_session(c->fd, GNUTLS_CLIENT);
	while ((e = gnutls_handshake(c->tls)) < 0) {
		if (e != GNUTLS_E_AGAIN && gnutls_error_is_fatal(e))
			errx(1, "handshake: %s", gnutls_strerror(e));
		if (tls_in.off < tls_in.len)
			continue;
		if (poll(&pfd, 1, LOAD_SILENT_S * 1000) != 1)
			errx(1, "handshake: the server says nothing");
		tls_fill(c->fd);
	}
	/* a ticket may have come along */
	while (tls_in.off < tls_in.len)
		if (gnutls_record_recv(c->tls, c->in, 1) != GNUTLS_E_AGAIN)
			errx(1, "handshake: more than that");
}

/* Reads what has come: how many bytes, 0 at the end of the connection, -1 with
 * errno set. */
static ssize_t
receive(struct conn *c, uint8_t *to, size_t room)
{
	size_t len = 0;
	ssize_t n;

	if (c->tls == NULL)
		return recv(c->fd, to, room, 0);
	tls_fill(c->fd);
	while (len < room) {
		n = gnutls_record_recv(c->tls, to + len, room - len);
		if (n > 0)
			len += (size_t)n;
		else if (n == 0 || gnutls_error_is_fatal((int)n))
			break;
		else if (tls_in.off == tls_in.len)
			break;
	}
	if (len == 0 && n < 0)
		errno = gnutls_error_is_fatal((int)n) ? EPROTO : EAGAIN;
	return len > 0 || n == 0 ? (ssize_t)len : -1;
}

static ssize_t
transmit(struct conn *c, const uint8_t *from, size_t len)
{
	size_t gone = 0;
	ssize_t n;

	if (c->tls == NULL)
		return send(c->fd, from, len, MSG_NOSIGNAL);
	while (gone < len) {
		n = gnutls_record_send(c->tls, from + gone, len - gone);
		if (n <= 0)
			return -1;
		gone += (size_t)n;
	}
	return (ssize_t)gone;
}

static void
open_conn(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	c->tls = NULL;
	if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&opt.to, sizeof(opt.to)) < 0)
		err(1, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (opt.tls != NULL)
		shake(c);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		err(1, "epoll_ctl");
}

/* The connection has ended; or it must end, for what it sent was wrong. */
static void lost(struct conn *, const char *why, bool wrong);

/* Every write is a block of one value, so that a reader sees a torn one. */
static void
fill_in(unsigned value)
{
	unsigned i;

	load_put16(request, value);
	for (i = 0; opt.fc == 16 && i < opt.count; i++)
		load_put16(request + LOAD_HEAD + 6 + 2 * i, value);
}

/* Sends n requests in one go, all due at one time. */
static void
ask(struct conn *c, unsigned n, uint64_t due)
{
	static uint8_t out[DEPTH_MAX * LOAD_ADU_MAX];
	size_t len = 0;

	if (!n || c->fd < 0)
		return;
	for (; n; n--) {
		fill_in(c->sent);
		memcpy(out + len, request, request_len);
		len += request_len;
		c->due[c->sent++ % DEPTH_MAX] = due;
	}
	if (transmit(c, out, len) != (ssize_t)len)
		lost(c, "cannot send all", false);
}

static void
lost(struct conn *c, const char *why, bool wrong)
{
	if (c->tls != NULL)
		gnutls_deinit(c->tls);
	close(c->fd);
	c->fd = -1;
	if (wrong || !opt.reconnect || c->idle) {
		load_wrong(why);
		return;
	}
	load_sum.reopened++;
	if (end_ns && load_now() >= end_ns)
		return;
	open_conn(c);
	c->sent = c->answered = c->left = 0;
	if (opt.rate == 0)
		ask(c, opt.depth, load_now());
}

static bool
reply_fine(struct conn *c, const uint8_t *p)
{
	const uint8_t *pdu = p + LOAD_HEAD;
	unsigned data = reply_len - LOAD_HEAD;

	if (load_get16(p) != (c->answered & 0xffff) || load_get16(p + 2) != 0 ||
	    load_get16(p + 4) != reply_len - 6 || p[6] != opt.unit ||
	    pdu[0] != opt.fc)
		return false;
	if (!opt.verify)
		return true;
	if (opt.fc == 16)
		return memcmp(pdu, request + LOAD_HEAD, 5) == 0;
	if (!have_expected) {
		memcpy(expected, pdu, data);
		have_expected = true;
	}
	return memcmp(expected, pdu, data) == 0;
}

static void
count_reply(struct conn *c, uint64_t t)
{
	uint64_t due = c->due[c->answered % DEPTH_MAX];

	if (c->idle)
		idle_answered++;
	if (c->idle || !begin_ns || due < begin_ns || due >= end_ns)
		return;
	load_took(t > due ? t - due : 0);
}

static void
readable(struct conn *c)
{
	static uint8_t in[LOAD_ADU_MAX + IN_BYTES];
	size_t len, off = 0;
	unsigned n, fresh = 0;
	ssize_t got;
	uint64_t t;

	memcpy(in, c->in, c->left);
	got = receive(c, in + c->left, IN_BYTES);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		lost(c, got ? strerror(errno) : "closed by the server", false);
		return;
	}
	t = last_reply_ns = load_now();
	len = c->left + (size_t)got;
	while (len - off > LOAD_HEAD) {
		n = load_get16(in + off + 4) + 6u;
		if (n > LOAD_ADU_MAX || c->answered == c->sent) {
			lost(c, "not a reply", true);
			return;
		}
		if (len - off < n)
			break;
		if (n != reply_len || !reply_fine(c, in + off)) {
			lost(c, "wrong reply", true);
			return;
		}
		count_reply(c, t);
		c->answered++;
		load_sum.served++;
		fresh++;
		off += n;
	}
	c->left = (unsigned)(len - off);
	memcpy(c->in, in + off, c->left);
	if (!c->idle && opt.rate == 0 && (!end_ns || t < end_ns))
		ask(c, fresh, t);
}

static void
turn(int timeout_ms)
{
	struct epoll_event got[TURN];
	struct conn *c;
	int i, n;

	n = epoll_wait(ep, got, TURN, timeout_ms);
	for (i = 0; i < n; i++) {
		c = got[i].data.ptr;
		if (c->fd >= 0)
			readable(c);
	}
}

/* Opens the idle ones; each proves with one request that it is served. */
static void
open_idle(struct conn *c)
{
	uint64_t until = load_now() + 60 * LOAD_SECOND;
	unsigned i;

	for (i = 0; i < opt.idle; i++) {
		c[i].idle = true;
		open_conn(&c[i]);
		ask(&c[i], 1, 0);
		turn(0);
	}
	while (
	    idle_answered < opt.idle && !load_sum.errors && load_now() < until)
		turn(100);
	if (idle_answered < opt.idle)
		errx(1, "%u of %u idle connections answered", idle_answered,
		    opt.idle);
}

static void
run_closed(struct conn *c)
{
	unsigned i;
	uint64_t t = load_now();

	for (i = 0; i < opt.conns; i++)
		ask(&c[i], opt.depth, t);
	last_reply_ns = t;
	while ((t = load_now()) < end_ns && !load_told_to_end &&
	    t - last_reply_ns < LOAD_SILENT_S * LOAD_SECOND)
		turn(20);
}

/* Spins rather than sleeps: a late request would be the generator's fault. */
static void
run_open(struct conn *c)
{
	uint64_t gap = (uint64_t)((double)LOAD_SECOND / opt.rate),
		 due = load_now();
	unsigned i = 0;

	while (due < end_ns && !load_told_to_end) {
		turn(0);
		for (; due <= load_now() && due < end_ns; due += gap) {
			if (c[i].sent - c[i].answered < DEPTH_MAX)
				ask(&c[i], 1, due);
			else
				load_sum.errors++;
			i = (i + 1) % opt.conns;
		}
	}
}

/* What was asked in time is waited for; what does not come is an error. */
static void
collect(struct conn *c)
{
	uint64_t until = load_now() + LOAD_SILENT_S * LOAD_SECOND;
	unsigned i, missing;

	do {
		missing = 0;
		for (i = 0; i < opt.conns; i++)
			if (c[i].fd >= 0)
				missing += c[i].sent - c[i].answered;
		if (missing)
			turn(100);
	} while (missing && load_now() < until);
	load_sum.errors += missing;
}

static void
parse(char **argv)
{
	const struct load_option options[] = {
		{ "connect", .text = &opt.where },
		{ "tls", .text = &opt.tls },
		{ "conns", .number = &opt.conns },
		{ "depth", .number = &opt.depth },
		{ "seconds", .real = &opt.seconds },
		{ "warm", .real = &opt.warm },
		{ "fc", .number = &opt.fc },
		{ "count", .number = &opt.count },
		{ "addr", .number = &opt.addr },
		{ "unit", .number = &opt.unit },
		{ "rate", .real = &opt.rate },
		{ "open-idle", .number = &opt.idle },
		{ "verify", .flag = &opt.verify },
		{ "hold", .flag = &opt.hold },
		{ "reconnect", .flag = &opt.reconnect },
		{ 0 },
	};

	load_options(argv, options);
	opt.to = load_address(opt.where);
	if (!opt.depth || opt.depth > DEPTH_MAX || opt.count < 1 ||
	    (opt.fc != 3 && opt.fc != 16) ||
	    opt.count > (opt.fc == 3 ? 125 : 123))
		errx(64,
		    "--depth up to %d, --fc 3 or 16, --count up to 125 "
		    "or 123, please",
		    DEPTH_MAX);
	if (opt.tls != NULL)
		tls_begin(opt.tls, "client");
}

static void
end_all(struct conn *c, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (c[i].fd >= 0 && c[i].tls != NULL)
			gnutls_deinit(c[i].tls);
	free(c);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	struct conn *conns, *idle;
	unsigned i;

	(void)argc;
	parse(argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	conns = calloc(opt.conns + 1, sizeof(*conns));
	idle = calloc(opt.idle + 1, sizeof(*idle));
	if (!conns || !idle || (ep = epoll_create1(0)) < 0)
		err(1, "start");
	signal(SIGTERM, load_end_early);
	make_request();
	open_idle(idle);
	for (i = 0; i < opt.conns; i++)
		open_conn(&conns[i]);
	if (opt.hold) {
		puts("open");
		fflush(stdout);
		while (getchar() != EOF)
			continue;
	}
	begin_ns = load_now() + (uint64_t)(opt.warm * (double)LOAD_SECOND);
	end_ns = begin_ns + (uint64_t)(opt.seconds * (double)LOAD_SECOND);
	if (opt.rate > 0)
		run_open(conns);
	else
		run_closed(conns);
	if (load_told_to_end)
		end_ns = load_now() > begin_ns ? load_now() : begin_ns + 1;
	collect(conns);
	end_all(conns, opt.conns);
	end_all(idle, opt.idle);
	return load_report((double)(end_ns - begin_ns) / (double)LOAD_SECOND);
}
