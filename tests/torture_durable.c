/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker of type tcp at every instruction of writes to a durable range,
 * from their first byte to their acknowledged replies, and lets a successor go
 * on. The harness is the disk: what it has seen of the registers when it tells
 * that all is saved is what a failure of the power leaves. No reply may come
 * before what it acknowledges is there, none may be lost, and each write is
 * carried out once.
 *
 *	torture_durable [--mode M,...] [--stride N] [--seed N] [--at K]
 *
 *	ask	the requests come, and the disk stands still until the worker
 *		has died: up to where they wait
 *	told	they wait, and the disk has them: up to the replies
 *	failed	they wait, and it has not: up to the exceptions in their place,
 *		or the replies of a successor that has asked once more
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/durable.h"
#include "tests/lib/torture_deaths.h"
#include "tests/lib/torture_oracle.h"
#include "tests/lib/torture_trace.h"
#include "tests/lib/torture_wire.h"
#include "workers/resume.h"

enum {
	PEERS = 2,
	BYTES = 64,
	REGS_EACH = 10,
	PATIENCE_MS = 60000,
	FINDINGS_MAX = 5,
};

struct peer {
	int fd;
	unsigned base; /* of its registers */
	uint16_t tid, count, before;
	/* all that is to come: if it is saved, if it is not */
	uint8_t good[BYTES], bad[BYTES], got[BYTES + 1];
	size_t ngood, nbad, ngot, nfirst; /* up to the second write's reply */
};

static struct wire w;
static struct peer peers[PEERS];
static struct shm_saved *disk;
static uint64_t told; /* tickets */
static uint16_t saved[PEERS]; /* what a failure of the power leaves */
static int bell = -1;
static const char *wrong;
static long points, findings, refused;

static void
be_wrong(const char *what)
{
	if (wrong == NULL)
		wrong = what;
}

/* ---- the disk ---- */

static void
tell(int error)
{
	uint64_t ticket = durable_asked(disk);

	for (int i = 0; error == 0 && i < PEERS; i++)
		saved[i] = wire_get(&w, peers[i].base);
	told = ticket;
	durable_tell(disk, ticket, error);
	durable_ring(disk, &bell);
	if (bell >= 0)
		wire_mine(bell);
}

static void
go_on(void)
{
	if (durable_asked(disk) != told || durable_fails(disk))
		tell(0);
}

/* ---- peers ---- */

static size_t
put(uint8_t *to, uint16_t tid, const uint8_t *pdu, size_t len)
{
	const uint8_t head[] = { (uint8_t)(tid >> 8), (uint8_t)tid, 0, 0, 0,
		(uint8_t)(len + 1), 1 };

	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), pdu, len);
	return sizeof(head) + len;
}

/* An increment, and a read behind it, whose reply comes in its order. */
static void
ask(struct peer *p, bool more)
{
	uint8_t out[BYTES];
	size_t n = 0;

	p->before = p->count;
	p->ngood = p->nbad = p->ngot = 0;
	for (int i = 0; i < (more ? 2 : 1); i++) {
		const uint8_t inc[] = { WIRE_INC, 0, (uint8_t)p->base };
		const uint8_t get[] = { 3, 0, (uint8_t)p->base, 0, 1 };
		uint8_t hi, lo;

		p->count++;
		hi = (uint8_t)(p->count >> 8);
		lo = (uint8_t)p->count;
		n += put(out + n, ++p->tid, inc, sizeof(inc));
		p->ngood += put(p->good + p->ngood, p->tid,
		    (uint8_t[]){ WIRE_INC, hi, lo }, 3);
		p->nbad += put(p->bad + p->nbad, p->tid,
		    (uint8_t[]){ WIRE_INC | 0x80, 4 }, 2);
		if (i > 0)
			continue;
		n += put(out + n, ++p->tid, get, sizeof(get));
		p->ngood += put(
		    p->good + p->ngood, p->tid, (uint8_t[]){ 3, 2, hi, lo }, 4);
		p->nbad += put(
		    p->bad + p->nbad, p->tid, (uint8_t[]){ 3, 2, hi, lo }, 4);
		p->nfirst = p->ngood;
	}
	if (send(p->fd, out, n, 0) != (ssize_t)n)
		trace_broken("send");
}

static bool
begins(const struct peer *p, const uint8_t *all, size_t n)
{
	return p->ngot <= n && memcmp(p->got, all, p->ngot) == 0;
}

static void
show(const struct peer *p)
{
	printf("came, of %u:", p->count);
	for (size_t i = 0; i < p->ngot; i++)
		printf(" %02x", p->got[i]);
	printf("\n");
}

/* Takes what has come, and looks whether it might. */
static void
take(int i)
{
	struct peer *p = &peers[i];
	ssize_t n = recv(
	    p->fd, p->got + p->ngot, sizeof(p->got) - p->ngot, MSG_DONTWAIT);

	if (n == 0)
		be_wrong("a connection has ended");
	if (n <= 0)
		return;
	p->ngot += (size_t)n;
	if (begins(p, p->good, p->ngood)) {
		/* a successor may have the first of two saved by itself */
		if (saved[i] < (p->ngot > p->nfirst ? p->count : p->before + 1))
			be_wrong("an acknowledged write is not on the disk");
	} else if (!begins(p, p->bad, p->nbad)) {
		if (wrong == NULL)
			show(p);
		be_wrong("a reply that nothing was to be answered");
	}
}

static bool
is_answered(const struct peer *p)
{
	return p->ngot != 0 &&
	    p->ngot == (begins(p, p->good, p->ngood) ? p->ngood : p->nbad);
}

static void
take_all(void)
{
	for (int i = 0; i < PEERS; i++)
		take(i);
}

static bool
all_answered(void)
{
	for (int i = 0; i < PEERS; i++)
		if (!is_answered(&peers[i]))
			return false;
	return true;
}

/* Until something is so, with a disk that runs or one that stands still. */
static void
await(bool (*is)(void), bool runs, const char *else_what)
{
	int64_t until = trace_now_ns() + PATIENCE_MS * 1000000ll;
	int status;

	while (wrong == NULL && !is()) {
		if (waitpid(w.pid, &status, WNOHANG) == w.pid)
			trace_broken("a worker died by itself");
		if (trace_now_ns() > until)
			be_wrong(else_what);
		if (runs)
			go_on();
		trace_nap_us(200);
		take_all();
	}
}

/* ---- scenes ---- */

static void
ask_all(void)
{
	ask(&peers[0], true);
	ask(&peers[1], false);
}

static bool
all_wait(void)
{
	return durable_asked(disk) >= told + PEERS;
}

static void
nothing(void)
{
}

static void
ask_before(void)
{
	ask_all();
	await(all_wait, false, "a write does not wait for the disk");
}

static void
tell_good(void)
{
	tell(0);
}

static void
tell_bad(void)
{
	tell(EIO);
}

static const struct scene {
	const char *name;
	void (*before)(void), (*fire)(void);
} scenes[] = {
	{ "ask", nothing, ask_all },
	{ "told", ask_before, tell_good },
	{ "failed", ask_before, tell_bad },
};

static void
start(void)
{
	wire_make_durable(&w);
	disk = &w.env.control->saved;
	told = 0;
	wire_launch(&w, false);
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];

		*p = (struct peer){ .base = (unsigned)i * REGS_EACH };
		saved[i] = 0;
		p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(p->fd, (struct sockaddr *)&w.at, sizeof(w.at)) < 0)
			trace_broken("connect");
		wire_mine(p->fd);
	}
	/* both are at rest then, and what is needed once has been made */
	for (int k = 0; k < 2; k++) {
		ask_all();
		await(all_answered, true, "a request is not answered");
	}
}

static void
bury(void)
{
	wire_bury(&w);
}

static void
end(void)
{
	trace_slay(w.pid);
	for (int i = 0; i < PEERS; i++) {
		wire_not_mine(peers[i].fd);
		close(peers[i].fd);
	}
	bury();
	wire_unmake(&w);
}

/* ---- one point ---- */

static void
launch_traced(void)
{
	wire_launch(&w, true);
}

static void
fire(void *arg)
{
	((const struct scene *)arg)->fire();
}

static const struct deaths_ops ops = {
	.pid = &w.pid,
	.takes_over = (const void *)resume_connections,
	.launch = launch_traced,
	.fire = fire,
	.bury = bury,
};

static void
verdict(const struct scene *s, long k)
{
	points++;
	for (int i = 0; wrong == NULL && i < PEERS; i++) {
		const struct peer *p = &peers[i];

		refused += !begins(p, p->good, p->ngood);
		if (wire_get(&w, p->base) != p->count ||
		    wire_get(&w, p->base + 1) != p->count)
			be_wrong("a write is not carried out once");
	}
	if (wrong == NULL)
		return;
	findings++;
	printf("FAIL %s\n     replay: torture_durable --mode %s --at %ld\n",
	    wrong, s->name, k);
	fflush(stdout);
	wrong = NULL;
	end();
	start();
}

/* All that has come before the disk goes on has been looked at; then it does,
 * and a successor ends what was begun. */
static void
judge(const struct scene *s, long k)
{
	take_all();
	wire_launch(&w, false);
	await(all_answered, true, "a request is not answered");
	go_on(); /* what failed has been mended */
	take_all();
	verdict(s, k);
}

static void
scan(const struct scene *s)
{
	struct deaths d = { .n = 0 };

	start();
	s->before();
	deaths_learn(&d, &ops, (void *)(uintptr_t)s);
	judge(s, -1);
	d.k = deaths_from(deaths_opt.at);
	for (; findings < FINDINGS_MAX && d.k <= d.path.n;
	     d.k += deaths_opt.stride) {
		s->before();
		deaths_point(&d, &ops, (void *)(uintptr_t)s);
		judge(s, d.k);
		if (deaths_opt.at >= 0)
			break;
	}
	printf("%-7s of %ld instructions\n", s->name, d.path.n);
	fflush(stdout);
	end();
	deaths_forget(&d);
}

int
main(int argc, char **argv)
{
	deaths_opt.modes = "ask,told,failed";
	deaths_options(argc, argv);
	trace_pin();
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (oracle_names(deaths_opt.modes, scenes[i].name))
			scan(&scenes[i]);
	printf("%ld deaths, %ld off the path; %ld refused\n", w.deaths,
	    deaths_strayed, refused);
	printf("%ld passed, %ld failed\n", points - findings, findings);
	return findings != 0;
}
