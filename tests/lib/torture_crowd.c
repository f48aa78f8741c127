/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that are processes of their own, for harnesses that kill the server
 * under them. Runs in those processes and, to begin and to end them, in the
 * harness.
 */
#include "tests/lib/torture_crowd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_peer.h"
#include "tests/lib/torture_trace.h"

enum { PATIENCE_MS = 20000 };

static struct {
	_Atomic int quit;
	struct crowd_told told[CROWD_MAX];
} * board;

static pid_t pids[CROWD_MAX];
static unsigned npids;
static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* ---- a client ---- */

static struct peer me;
static struct sockaddr_in to;
static bool slow;

static void
dial(struct crowd_told *t)
{
	t->connections++;
	if (peer_dial(&me, &to, slow) < 0)
		peer_wrong(&me, "cannot connect");
}

static void
ask_some(void)
{
	int n = 1 + (int)draw(slow ? 60 : 16);

	for (int i = 0; i < n; i++) {
		uint64_t x = draw(100);

		if (x < 55)
			peer_ask(
			    &me, PEER_INC, x < 45 ? 0 : (unsigned)draw(120), 0);
		else if (x < 75)
			peer_ask(&me, PEER_RW, 0, 0);
		else
			peer_ask(&me, PEER_READ,
			    slow && x < 95 ? 125 : 4 + (unsigned)draw(120), 0);
	}
}

/* Takes what is there, or waits for it. */
static void
take(int ms)
{
	struct pollfd pfd = { .fd = me.fd, .events = POLLIN };

	if (poll(&pfd, 1, ms) > 0)
		peer_take(&me, -1);
}

/* Sends all, in pieces; what comes meanwhile is read, or is not. */
static void
send_all(void)
{
	int64_t until = trace_now_ns() + PATIENCE_MS * 1000000ll;

	while (me.nout != 0 && me.wrong == NULL && !me.ended) {
		size_t len = draw(3) != 0 ? me.nout : 1 + draw(me.nout);
		ssize_t n = peer_send(&me, len);
		struct pollfd pfd = { .fd = me.fd, .events = POLLIN | POLLOUT };

		if (n > 0) {
			until = trace_now_ns() + PATIENCE_MS * 1000000ll;
			if (draw(4) == 0)
				trace_nap_us((long)draw(300));
			if (!slow)
				take(0);
			continue;
		}
		if (errno != EAGAIN)
			peer_wrong(&me, "cannot send");
		if (slow)
			trace_nap_us(2000);
		poll(&pfd, 1, 50);
		peer_take(&me, -1);
		if (trace_now_ns() > until)
			peer_wrong(&me, "nobody reads what is asked");
	}
}

static void
collect(bool end)
{
	int64_t until = trace_now_ns() + PATIENCE_MS * 1000000ll;

	while (me.wrong == NULL && !me.ended && (end || me.got != me.sent)) {
		uint16_t got = me.got;

		take(50);
		if (got != me.got)
			until = trace_now_ns() + PATIENCE_MS * 1000000ll;
		if (trace_now_ns() > until)
			peer_wrong(&me,
			    end ? "a connection is not closed"
				: "a request is not answered");
	}
	if (me.ended && (!end || me.got != me.sent))
		peer_wrong(&me, "a connection was closed");
	if (me.nin != 0)
		peer_wrong(&me, "more came than was asked for");
}

static void __attribute__((__noreturn__)) be_client(unsigned n)
{
	struct crowd_told *t = &board->told[n];

	seed += 7919 * (n + 1);
	slow = n % 4 == 1;
	me.base = n * CROWD_REGS;
	dial(t);
	for (long burst = 1; !board->quit && me.wrong == NULL; burst++) {
		bool again = burst % 24 == 0 && n % 2 == 0;
		bool half = again && n % 4 == 0;

		ask_some();
		if (!half && draw(16) == 0 && me.nout > 1) {
			/* an urgent byte is a byte like others */
			if (send(me.fd, me.out, 1, MSG_OOB | MSG_NOSIGNAL) == 1)
				memmove(me.out, me.out + 1, --me.nout);
		}
		send_all();
		if (half) {
			shutdown(me.fd, SHUT_WR);
			t->halves++;
		}
		if (slow)
			trace_nap_us((long)draw(1000));
		collect(half);
		if (again && me.wrong == NULL) {
			peer_hang_up(&me, draw(2) == 0);
			dial(t);
		}
		t->replies = me.replies;
	}
	t->count = me.count;
	t->replies = me.replies;
	if (me.wrong != NULL)
		snprintf(t->wrong, sizeof(t->wrong), "%s", me.wrong);
	_exit(0);
}

/* ---- all of them ---- */

void
crowd_start(
    const struct sockaddr_in *at, unsigned n, uint64_t with, int listen_fd)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		trace_broken("memory");
	to = *at;
	seed = with;
	for (npids = 0; npids < n; npids++) {
		pids[npids] = fork();
		if (pids[npids] < 0)
			trace_broken("fork");
		if (pids[npids] != 0)
			continue;
		if (listen_fd >= 0)
			close(listen_fd);
		be_client(npids);
	}
}

bool
crowd_wrong(void)
{
	for (unsigned i = 0; i < npids; i++)
		if (board->told[i].wrong[0] != '\0')
			return true;
	return false;
}

void
crowd_stop(void)
{
	board->quit = 1;
	for (unsigned i = 0; i < npids; i++)
		waitpid(pids[i], NULL, 0);
}

const struct crowd_told *
crowd_told(unsigned i)
{
	return &board->told[i];
}

struct crowd_told
crowd_all(void)
{
	struct crowd_told all = { 0 };

	for (unsigned i = 0; i < npids; i++) {
		all.replies += board->told[i].replies;
		all.connections += board->told[i].connections;
		all.halves += board->told[i].halves;
	}
	return all;
}
