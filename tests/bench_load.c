/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for Modbus/TCP: one process, one epoll. Every connection
 * keeps --depth requests outstanding (closed loop), or all of them together
 * send --rate a second whatever comes back (open loop, and then a reply's
 * time counts from when its request was due). Every reply is checked for its
 * transaction, unit, function and length; --verify compares its data too.
 * Prints one line of JSON at the end. What fails is an error and is never tried
 * again; --reconnect counts lost connections apart and opens new ones instead.
 * SIGTERM ends the measurement early.
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD = 7,
	ADU_MAX = 260,
	DEPTH_MAX = 1024, /* a power of two */
	IN_BYTES = 65536,
	TURN = 256,
	/* latencies: 64 steps to a doubling of the nanoseconds */
	STEP_BITS = 6,
	BUCKETS = 64 << STEP_BITS,
	SILENT_S = 5, /* that a server may take for a reply */
};

static const uint64_t SECOND = 1000000000;

struct conn {
	int fd; /* -1: ended in an error */
	unsigned sent, answered; /* requests; their difference is outstanding */
	unsigned left; /* bytes of an unfinished reply */
	bool idle; /* one request, then nothing more */
	uint64_t due[DEPTH_MAX]; /* when the outstanding ones were sent */
	uint8_t in[ADU_MAX];
};

static struct {
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

static uint8_t request[ADU_MAX];
static unsigned request_len, reply_len;
static uint8_t expected[ADU_MAX]; /* data of the first reply */
static bool have_expected;
static uint64_t latency[BUCKETS];
/* served: every reply; replies: those that were measured */
static uint64_t longest, served, replies, errors, reopened, begin_ns, end_ns,
    last_reply_ns;
static unsigned idle_answered;
static int ep;
static volatile sig_atomic_t told_to_end;

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned
bucket(uint64_t ns)
{
	unsigned msb;

	if (ns < 1u << STEP_BITS)
		return (unsigned)ns;
	msb = 63 - (unsigned)__builtin_clzll(ns);
	return ((msb - STEP_BITS + 1) << STEP_BITS) +
	    (unsigned)(ns >> (msb - STEP_BITS) & ((1 << STEP_BITS) - 1));
}

static double
bucket_us(unsigned b)
{
	unsigned e = b >> STEP_BITS, m = b & ((1 << STEP_BITS) - 1);

	if (e == 0)
		return m / 1e3;
	return (double)((uint64_t)(m + (1 << STEP_BITS)) << (e - 1)) / 1e3;
}

static double
percentile(double part)
{
	uint64_t sum = 0, want = (uint64_t)((double)replies * part);
	unsigned b;

	for (b = 0; b < BUCKETS; b++) {
		sum += latency[b];
		if (sum > want)
			return bucket_us(b);
	}
	return 0;
}

static void
make_request(void)
{
	unsigned pdu;
	uint8_t *p = request + HEAD;

	p[0] = (uint8_t)opt.fc;
	put16(p + 1, opt.addr);
	put16(p + 3, opt.count);
	pdu = 5;
	reply_len = HEAD + 5;
	if (opt.fc == 16) {
		p[5] = (uint8_t)(2 * opt.count);
		pdu = 6 + 2 * opt.count;
	} else {
		reply_len = HEAD + 2 + 2 * opt.count;
	}
	put16(request + 4, pdu + 1);
	request[6] = (uint8_t)opt.unit;
	request_len = HEAD + pdu;
}

static void
open_conn(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&opt.to, sizeof(opt.to)) < 0)
		err(1, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
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

	put16(request, value);
	for (i = 0; opt.fc == 16 && i < opt.count; i++)
		put16(request + HEAD + 6 + 2 * i, value);
}

/* Sends n requests in one go, all due at one time. */
static void
ask(struct conn *c, unsigned n, uint64_t due)
{
	static uint8_t out[DEPTH_MAX * ADU_MAX];
	size_t len = 0;

	if (!n || c->fd < 0)
		return;
	for (; n; n--) {
		fill_in(c->sent);
		memcpy(out + len, request, request_len);
		len += request_len;
		c->due[c->sent++ % DEPTH_MAX] = due;
	}
	if (send(c->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
		lost(c, "cannot send all", false);
}

static void
lost(struct conn *c, const char *why, bool wrong)
{
	close(c->fd);
	c->fd = -1;
	if (wrong || !opt.reconnect || c->idle) {
		if (errors++ < 3)
			fprintf(stderr, "bench_load: connection: %s\n", why);
		return;
	}
	reopened++;
	if (end_ns && now() >= end_ns)
		return;
	open_conn(c);
	c->sent = c->answered = c->left = 0;
	if (opt.rate == 0)
		ask(c, opt.depth, now());
}

static bool
reply_fine(struct conn *c, const uint8_t *p)
{
	const uint8_t *pdu = p + HEAD;
	unsigned data = reply_len - HEAD;

	if (get16(p) != (c->answered & 0xffff) || get16(p + 2) != 0 ||
	    get16(p + 4) != reply_len - 6 || p[6] != opt.unit ||
	    pdu[0] != opt.fc)
		return false;
	if (!opt.verify)
		return true;
	if (opt.fc == 16)
		return memcmp(pdu, request + HEAD, 5) == 0;
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
	latency[bucket(t > due ? t - due : 0)]++;
	if (t > due && t - due > longest)
		longest = t - due;
	replies++;
}

static void
readable(struct conn *c)
{
	static uint8_t in[ADU_MAX + IN_BYTES];
	size_t len, off = 0;
	unsigned n, fresh = 0;
	ssize_t got;
	uint64_t t;

	memcpy(in, c->in, c->left);
	got = recv(c->fd, in + c->left, IN_BYTES, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		lost(c, got ? strerror(errno) : "closed by the server", false);
		return;
	}
	t = last_reply_ns = now();
	len = c->left + (size_t)got;
	while (len - off > HEAD) {
		n = get16(in + off + 4) + 6u;
		if (n > ADU_MAX || c->answered == c->sent) {
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
		served++;
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
	uint64_t until = now() + 60 * SECOND;
	unsigned i;

	for (i = 0; i < opt.idle; i++) {
		c[i].idle = true;
		open_conn(&c[i]);
		ask(&c[i], 1, 0);
		turn(0);
	}
	while (idle_answered < opt.idle && !errors && now() < until)
		turn(100);
	if (idle_answered < opt.idle)
		errx(1, "%u of %u idle connections answered", idle_answered,
		    opt.idle);
}

static void
run_closed(struct conn *c)
{
	unsigned i;
	uint64_t t = now();

	for (i = 0; i < opt.conns; i++)
		ask(&c[i], opt.depth, t);
	last_reply_ns = t;
	while ((t = now()) < end_ns && !told_to_end &&
	    t - last_reply_ns < SILENT_S * SECOND)
		turn(20);
}

/* Spins rather than sleeps: a late request would be the generator's fault. */
static void
run_open(struct conn *c)
{
	uint64_t gap = (uint64_t)((double)SECOND / opt.rate), due = now();
	unsigned i = 0;

	while (due < end_ns && !told_to_end) {
		turn(0);
		for (; due <= now() && due < end_ns; due += gap) {
			if (c[i].sent - c[i].answered < DEPTH_MAX)
				ask(&c[i], 1, due);
			else
				errors++;
			i = (i + 1) % opt.conns;
		}
	}
}

/* What was asked in time is waited for; what does not come is an error. */
static void
collect(struct conn *c)
{
	uint64_t until = now() + SILENT_S * SECOND;
	unsigned i, missing;

	do {
		missing = 0;
		for (i = 0; i < opt.conns; i++)
			if (c[i].fd >= 0)
				missing += c[i].sent - c[i].answered;
		if (missing)
			turn(100);
	} while (missing && now() < until);
	errors += missing;
}

static void
report(double seconds)
{
	struct rusage ru;
	static const double parts[] = { 0.5, 0.9, 0.99, 0.999 };
	static const char *names[] = { "p50", "p90", "p99", "p999" };
	unsigned i;

	getrusage(RUSAGE_SELF, &ru);
	printf("{\"rps\": %.0f, \"requests\": %llu, \"errors\": %llu, "
	       "\"served\": %llu, "
	       "\"reopened\": %llu",
	    (double)replies / seconds, (unsigned long long)replies,
	    (unsigned long long)errors, (unsigned long long)served,
	    (unsigned long long)reopened);
	for (i = 0; i < 4; i++)
		printf(", \"%s\": %.1f", names[i], percentile(parts[i]));
	printf(", \"max\": %.1f, \"cpu_s\": %.3f}\n", (double)longest / 1e3,
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		(double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	fflush(stdout);
}

static void
connect_to(char *where)
{
	char *colon = strrchr(where, ':');

	if (!colon)
		errx(64, "%s: ADDRESS:PORT, please", where);
	*colon = '\0';
	opt.to.sin_family = AF_INET;
	opt.to.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, where, &opt.to.sin_addr) != 1)
		errx(64, "%s: not an address", where);
}

static void
parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "connect", 1, NULL, 'c' },
		{ "conns", 1, NULL, 'n' },
		{ "depth", 1, NULL, 'd' },
		{ "seconds", 1, NULL, 's' },
		{ "warm", 1, NULL, 'w' },
		{ "fc", 1, NULL, 'f' },
		{ "count", 1, NULL, 'q' },
		{ "addr", 1, NULL, 'a' },
		{ "unit", 1, NULL, 'u' },
		{ "rate", 1, NULL, 'r' },
		{ "open-idle", 1, NULL, 'i' },
		{ "verify", 0, NULL, 'v' },
		{ "hold", 0, NULL, 'h' },
		{ "reconnect", 0, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned *number[128] = { ['n'] = &opt.conns,
		['d'] = &opt.depth,
		['f'] = &opt.fc,
		['q'] = &opt.count,
		['a'] = &opt.addr,
		['u'] = &opt.unit,
		['i'] = &opt.idle };
	double *real[128] = {
		['s'] = &opt.seconds, ['w'] = &opt.warm, ['r'] = &opt.rate
	};
	int ch;

	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (ch == 'c')
			connect_to(optarg);
		else if (ch == 'v')
			opt.verify = true;
		else if (ch == 'h')
			opt.hold = true;
		else if (ch == 'e')
			opt.reconnect = true;
		else if (ch < 128 && number[ch])
			*number[ch] = (unsigned)strtoul(optarg, NULL, 10);
		else if (ch < 128 && real[ch])
			*real[ch] = strtod(optarg, NULL);
		else
			exit(64);
	if (!opt.to.sin_port || optind != argc || !opt.depth ||
	    opt.depth > DEPTH_MAX || opt.count < 1 ||
	    (opt.fc != 3 && opt.fc != 16) ||
	    opt.count > (opt.fc == 3 ? 125 : 123))
		errx(64,
		    "usage: bench_load --connect ADDRESS:PORT [--conns N] "
		    "[--depth D] [--seconds S] [--warm S] [--fc 3|16]\n\t"
		    "[--count C] [--addr A] [--unit U] [--rate R] "
		    "[--open-idle N] [--verify] [--hold] [--reconnect]");
}

static void
end_early(int sig)
{
	(void)sig;
	told_to_end = 1;
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	struct conn *conns, *idle;
	unsigned i;

	parse(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	conns = calloc(opt.conns + 1, sizeof(*conns));
	idle = calloc(opt.idle + 1, sizeof(*idle));
	if (!conns || !idle || (ep = epoll_create1(0)) < 0)
		err(1, "start");
	signal(SIGTERM, end_early);
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
	begin_ns = now() + (uint64_t)(opt.warm * (double)SECOND);
	end_ns = begin_ns + (uint64_t)(opt.seconds * (double)SECOND);
	if (opt.rate > 0)
		run_open(conns);
	else
		run_closed(conns);
	if (told_to_end)
		end_ns = now() > begin_ns ? now() : begin_ns + 1;
	collect(conns);
	report((double)(end_ns - begin_ns) / (double)SECOND);
	free(conns);
	free(idle);
	return errors ? 1 : 0;
}
