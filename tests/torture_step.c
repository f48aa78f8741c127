/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Kills a process of the store at every instruction, and looks whether any of
 * the promises of shm/layout.h is broken. Not a unit test: the parent drives a
 * child by single steps, and what counts is what the child leaves behind.
 *
 *	torture_step [--mode M] [--request R] [--stride N] [--seed N] [--at K]
 *	    [--first]
 *
 * kill   a writer dies; the supervisor reaps
 * stop   a writer stands still: readers see old or new values all the while
 * wait   as kill, while a live writer waits for the device
 * self   as wait, but nobody reaps: the waiting one must find out by itself
 * hold   a writer stands still with the device in hand: that is not death, and
 *        nobody may take it away
 * read   a reader stands still while a writer dies half-way, goes on a bit, and
 *        stands still again while that is repaired
 * birth  a writer dies while it takes its slot and then writes
 * reap   who dies is the reaper of a dead writer
 * wkill  a waiter dies before, in or after its sleep, another one behind it;
 *        only in a build whose sleeps have no end (STORE_SLICE_NS)
 *
 * --stride takes every N-th instruction, beginning with --seed mod N; --at one.
 * --first ends with the first finding (for the seeded defects). A sanitizer
 * makes ten instructions out of one and a fork dear: fewer points are taken.
 */

#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/store_own.h"
#include "tests/lib/torture_finding.h"
#include "tests/lib/torture_holds.h"
#include "tests/lib/torture_seed.h"
#include "tests/lib/torture_trace.h"

enum {
	PEER_MS = 2000, /* a live writer that waits longer hangs */
	HOLD_MS = 8, /* some slices */
	SLOW_PER_MILLE = 10, /* so many may wait longer than WRITER_MS */
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { APART = 997 };
#else
enum { APART = 1 };
#endif

static struct world w;
static struct findings found;
static struct trace_path path;
static struct point point = { .program = "torture_step" };
static long stride = 1, seed, only = -1;
static bool first_only;
static const uint8_t *image; /* of the device to begin with; NULL the base */
static long waits, slow_waits, slept, kills, committed, undone;
static int64_t wait_worst_ns, wait_sum_ns;

static void
bad(const char *what)
{
	finding_add(&found, &point, what);
}

/* ---- children ---- */

/* The request, as a worker does it: reply after commit. */
static void
be_victim(const struct request *r)
{
	enum store_rc rc = world_request(&w, r, OP, PEER_MS);

	w.board->acked = rc == STORE_OK;
	_exit(0);
}

static pid_t
spawn_victim(const struct request *r, bool born_already)
{
	pid_t p = fork();

	if (p) {
		trace_await(p);
		return p;
	}
	if (born_already) {
		world_join(&w, VICTIM);
		trace_ready();
	} else {
		trace_ready();
		world_join(&w, VICTIM);
		if (store_open(&w.store, w.device.at, w.device.size, true,
			&w.env) != 0)
			_exit(97);
	}
	be_victim(r);
	return 0;
}

static pid_t
spawn_peer(bool may_probe, long budget_ms)
{
	pid_t p = fork();
	enum store_rc rc;

	if (p)
		return p;
	trace_unpin();
	world_join(&w, PEER);
	if (!may_probe)
		w.env.lock_fd = -1; /* the description stays open */
	w.board->started = 1;
	rc = world_peer_write(&w, budget_ms);
	w.board->finished_ns = trace_now_ns();
	_exit((int)rc);
}

/* True while a child sleeps in the kernel. */
static bool
asleep(pid_t p)
{
	char name[32], line[128], state = '?';
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/stat", p);
	f = fopen(name, "re");
	if (f) {
		if (fgets(line, sizeof(line), f) && strrchr(line, ')'))
			state = strrchr(line, ')')[2];
		fclose(f);
	}
	return state == 'S' || state == 'Z';
}

/* Waits until the peer sleeps at the gate, or is through. */
static void
settle_peer(pid_t p)
{
	int64_t end = trace_now_ns() + 100 * (int64_t)NS_PER_MS;

	while (trace_now_ns() < end && !(w.board->started && asleep(p)))
		trace_nap_us(20);
}

/* The peer must get through; how long it took counts from `since`. */
static void
await_peer(pid_t p, int64_t since)
{
	int64_t end = trace_now_ns() + 2 * PEER_MS * (int64_t)NS_PER_MS, took;
	int st;

	while (waitpid(p, &st, WNOHANG) != p) {
		if (trace_now_ns() > end) {
			kill(p, SIGKILL);
			waitpid(p, &st, 0);
			bad("a live writer hangs");
			return;
		}
		trace_nap_us(30);
	}
	if (!WIFEXITED(st) || WEXITSTATUS(st) != STORE_OK) {
		bad("a live writer gave up");
		return;
	}
	took = w.board->finished_ns - since;
	took = took < 0 ? 0 : took;
	if (took > PEER_MS / 2 * (int64_t)NS_PER_MS)
		bad("a live writer hangs"); /* until its time was up */
	waits++;
	wait_sum_ns += took;
	slow_waits += took > WRITER_MS * (int64_t)NS_PER_MS;
	if (took > wait_worst_ns)
		wait_worst_ns = took;
}

/* ---- what must hold once the victim is dead ---- */

/* Before anybody has recovered anything. */
static bool
check_unrepaired(const struct request *r, struct picture *seen)
{
	struct picture want;
	uint64_t commits;

	if (!world_picture(&w.reader, seen)) {
		bad("a reader is held up");
		return false;
	}
	commits = seen->seq - w.before.seq;
	world_expect(&w, r, commits == 1, false, &want);
	if (commits > 1 || !oracle_same(seen, &want)) {
		bad("a reader sees a torn write");
		return false;
	}
	*(commits ? &committed : &undone) += 1;
	if (w.board->acked && commits != 1)
		bad("an acknowledged write is lost");
	if (!holds_changes(&w, seen))
		bad("changes do not match what is committed");
	return true;
}

static void
check_recovered(const struct request *r, const struct picture *was, bool peer)
{
	const char *what;

	if (was && (world_done(&w) == OP) != (was->seq > w.before.seq))
		bad("what was committed is not noted as done");
	what = holds_recovered(&w, r, was, peer);
	if (what)
		bad(what);
}

static void
check_dead(const struct request *r)
{
	struct picture seen;

	if (check_unrepaired(r, &seen)) {
		world_reap(&w, w.victim);
		check_recovered(r, &seen, false);
	}
}

/* ---- modes ---- */

/* Before each point, and again should it be started over. */
static void
set_scene(void)
{
	world_reset(&w);
	if (image)
		memcpy(w.device.at, image, w.device.size);
}

/* A child behind its k-th instruction; *ended: that was its last. */
static pid_t
child_at(pid_t (*spawn)(const struct request *), const struct request *r,
    long k, bool *ended)
{
	pid_t p;
	enum trace_stop s;

	set_scene();
	p = spawn(r);
	s = trace_go(&path, p, k);
	if (s == TRACE_ASLEEP) { /* left the path: slowly, then */
		set_scene();
		p = spawn(r);
		s = trace_go(NULL, p, k);
	}
	*ended = s == TRACE_EXITED;
	kills += !*ended;
	return p;
}

static bool
chosen(long k, long n)
{
	if (only >= 0)
		return k == only;
	return k == n || k % stride == seed % stride;
}

static bool
enough(void)
{
	finding_next(&found);
	return first_only && found.bad_points > 0;
}

static pid_t
spawn_writer(const struct request *r)
{
	return spawn_victim(r, true);
}

static pid_t
spawn_born(const struct request *r)
{
	return spawn_victim(r, false);
}

static void
learn(pid_t (*spawn)(const struct request *), const struct request *r)
{
	set_scene();
	trace_forget(&path);
	trace_learn(&path, spawn(r));
}

static void
mode_kill(const struct request *r)
{
	bool ended;
	pid_t p;

	learn(spawn_writer, r);
	for (long k = 0; k <= path.n; k++) {
		if (!chosen(k, path.n))
			continue;
		point.at = k;
		p = child_at(spawn_writer, r, k, &ended);
		if (!ended)
			trace_slay(p);
		check_dead(r);
		if (enough())
			return;
	}
}

static void
mode_stop(const struct request *r)
{
	struct picture seen;
	pid_t p;

	/* one pass: the device as it stands is looked at, not harmed */
	learn(spawn_writer, r);
	world_reset(&w);
	p = spawn_writer(r);
	for (long k = 0;; k++) {
		point.at = k;
		if (chosen(k, path.n)) {
			check_unrepaired(r, &seen);
			if (enough()) {
				trace_slay(p);
				return;
			}
		}
		if (trace_step(p, 0) == TRACE_EXITED)
			break;
	}
	check_dead(r);
}

static void
mode_birth(const struct request *r)
{
	bool ended;
	pid_t p;
	int fd;

	learn(spawn_born, r);
	for (long k = 0; k <= path.n; k++) {
		if (!chosen(k, path.n))
			continue;
		point.at = k;
		p = child_at(spawn_born, r, k, &ended);
		if (!ended)
			trace_slay(p);
		fd = slot_lock_open(w.lock_path);
		if (slot_lock_held(w.env.lock_fd, VICTIM))
			bad("a dead process holds its byte");
		else if (fd < 0 || slot_lock_take(fd, VICTIM) != 0)
			bad("a successor cannot take the byte");
		close(fd);
		check_dead(r);
		if (enough())
			return;
	}
}

static void
with_peer(const struct request *r, bool probe)
{
	int64_t died;
	bool ended;
	pid_t p, peer;

	learn(spawn_writer, r);
	for (long k = 0; k <= path.n; k++) {
		if (!chosen(k, path.n))
			continue;
		point.at = k;
		p = child_at(spawn_writer, r, k, &ended);
		peer = spawn_peer(probe, PEER_MS);
		settle_peer(peer);
		died = trace_now_ns();
		if (!ended)
			trace_slay(p);
		if (!probe)
			world_reap(&w, w.victim);
		await_peer(peer, died);
		if (!found.bad) {
			world_reap(&w, w.victim);
			check_recovered(r, NULL, true);
		}
		if (enough())
			return;
	}
}

static void
mode_wait(const struct request *r)
{
	with_peer(r, false);
}

static void
mode_self(const struct request *r)
{
	with_peer(r, true);
}

/* The victim stands still; the peer asks the kernel as often as it can. */
static void
hold_point(const struct request *r, long k)
{
	bool ended, owns;
	pid_t p, peer;
	int st;

	p = child_at(spawn_writer, r, k, &ended);
	if (ended)
		return;
	owns = w.store.dev->owner == w.victim;
	peer = spawn_peer(true, HOLD_MS);
	waitpid(peer, &st, 0);
	if (!WIFEXITED(st) ||
	    WEXITSTATUS(st) != (owns ? STORE_BUSY : STORE_OK)) {
		bad(owns ? "a living owner was robbed"
			 : "a free device cannot be had");
	}
	ptrace(PTRACE_DETACH, p, NULL, NULL);
	waitpid(p, &st, 0);
	if (!w.board->acked)
		bad("a writer that stood still did not get through");
	if (!found.bad) {
		world_reap(&w, w.victim);
		check_recovered(r, NULL, !owns);
	}
}

static void
mode_hold(const struct request *r)
{
	enum { POINTS = 60 };
	long apart;

	learn(spawn_writer, r);
	apart = path.n / POINTS + stride;
	for (long k = seed % apart; k < path.n; k += apart) {
		if (only >= 0)
			k = only;
		point.at = k;
		hold_point(r, k);
		if (enough() || only >= 0)
			return;
	}
}

static pid_t
spawn_reaper(const struct request *r)
{
	pid_t p = fork();

	(void)r;
	if (p) {
		trace_await(p);
		return p;
	}
	world_join(&w, PEER);
	trace_ready();
	world_reap(&w, w.victim);
	_exit(0);
}

/*
 * Devices as a dead victim may leave them in hand, once for each phase of the
 * latch and as far on in it as can be: their images. Returns how many.
 */
static int
left_behind(const struct request *r, uint8_t *left[], int max)
{
	uint64_t last_seq = UINT64_MAX;
	bool ended;
	pid_t p;
	int n = 0;

	learn(spawn_writer, r);
	for (long part = 0; part < 64 && n < max; part++) {
		p = child_at(spawn_writer, r, path.n * part / 64, &ended);
		if (!ended)
			trace_slay(p);
		if (w.store.dev->owner != w.victim)
			continue;
		if (w.store.dev->seq != last_seq)
			left[n++] = malloc(w.device.size);
		if (!left[n - 1])
			trace_broken("memory");
		last_seq = w.store.dev->seq;
		memcpy(left[n - 1], w.device.at, w.device.size);
	}
	return n;
}

/* The reaper dies after k instructions. */
static void
reap_point(const struct request *r, long k)
{
	uint64_t reaper;
	struct picture seen;
	bool ended;
	pid_t p;

	point.at = k;
	set_scene();
	reaper = slot_next_id(w.env.control, PEER);
	if (check_unrepaired(r, &seen)) {
		p = child_at(spawn_reaper, r, k, &ended);
		if (!ended)
			trace_slay(p);
		world_reap(&w, reaper);
		world_reap(&w, w.victim);
		check_recovered(r, &seen, false);
	}
}

static void
mode_reap(const struct request *r)
{
	uint8_t *left[8];
	int n = left_behind(r, left, 8);

	for (int i = 0; i < n; i++) {
		image = left[i];
		learn(spawn_reaper, r);
		for (long k = 0; k <= path.n; k++) {
			if (!chosen(k, path.n))
				continue;
			reap_point(r, k);
			if (enough())
				break;
		}
		free(left[i]);
	}
	image = NULL;
}

/* ---- a reader among the dead ---- */

static pid_t
spawn_reader(const struct request *r)
{
	pid_t p = fork();

	(void)r;
	if (p) {
		trace_await(p);
		return p;
	}
	trace_ready();
	w.board->peer_acked =
	    store_read(&w.reader, STORE_HR, 0, LOW_N, w.board->read,
		&w.board->read_seq) == STORE_OK;
	_exit(0);
}

/* The writer leaves `left` behind when the reader has done k instructions;
 * `more` later it is repaired. False if the reader was through before. */
static bool
read_point(const struct request *r, const uint8_t *left, long k, long more)
{
	enum trace_stop s = TRACE_STOPPED;
	struct picture old = w.before, want;
	bool ended, fresh_one;
	pid_t p;
	int st;

	p = child_at(spawn_reader, r, k, &ended);
	if (ended)
		return false;
	memcpy(w.device.at, left, w.device.size);
	for (long i = 0; i < more && s == TRACE_STOPPED; i++)
		s = trace_step(p, 0);
	world_reap(&w, w.victim);
	if (s == TRACE_STOPPED) {
		ptrace(PTRACE_DETACH, p, NULL, NULL);
		waitpid(p, &st, 0);
	}
	world_expect(&w, r, true, false, &want);
	fresh_one = memcmp(w.board->read, want.hr, LOW_N * 2) == 0;
	if (!w.board->peer_acked)
		bad("a reader is held up");
	else if (!fresh_one && memcmp(w.board->read, old.hr, LOW_N * 2) != 0)
		bad("a reader sees a torn write");
	else if (fresh_one && w.board->read_seq == w.before.seq)
		bad("a reader sees new values under an old number");
	return s == TRACE_STOPPED;
}

static void
mode_read(const struct request *r)
{
	long apart = only >= 0 ? 1 : 11 + stride; /* in either direction */
	uint8_t *left[8];
	int n = left_behind(r, left, 8);

	learn(spawn_reader, r);
	for (int i = 0; i < n; i++) {
		for (long k = seed % apart; k < path.n; k += apart) {
			bool more = only < 0 || k == only;

			point.at = k;
			for (long j = 0; more; j += apart) {
				more =
				    read_point(r, left[i], k, j) && j < path.n;
				if (enough())
					return;
			}
		}
		free(left[i]);
	}
}

/* ---- a waiter dies ---- */

/* The victim is stepped into its sleep at the gate, which the harness holds;
 * a peer queues up behind it; the harness lets go, the victim goes on being
 * stepped and dies after k instructions. False if it had ended before. */
static bool
waiter_at(const struct request *r, long k)
{
	const int64_t patience = 600000;
	enum trace_stop s = TRACE_STOPPED;
	bool held = true;
	pid_t v, peer = 0;
	int64_t died;

	world_reset(&w);
	if (store_own_take(&w.store, 0) != 0)
		trace_broken("taking a free device");
	v = spawn_victim(r, true);
	for (long i = 0; i < k && s == TRACE_STOPPED; i++) {
		s = trace_step(v, held ? patience : 0);
		if (s == TRACE_ASLEEP) {
			peer = spawn_peer(false, PEER_MS);
			settle_peer(peer);
			store_own_release(&w.store);
			held = false;
			slept++;
			s = trace_resume(v);
		}
	}
	died = trace_now_ns();
	if (s == TRACE_STOPPED) {
		kills++;
		trace_slay(v);
	}
	if (!peer) {
		peer = spawn_peer(false, PEER_MS);
		settle_peer(peer);
		died = trace_now_ns();
	}
	if (held)
		store_own_release(&w.store);
	world_reap(&w, w.victim);
	await_peer(peer, died);
	if (!found.bad)
		check_recovered(r, NULL, true);
	return s == TRACE_STOPPED;
}

static void
mode_wkill(const struct request *r)
{
	long first = only >= 0 ? only : seed % stride;

	for (long k = first;; k += stride) {
		bool alive;

		point.at = k;
		alive = waiter_at(r, k);
		if (enough() || !alive || only >= 0)
			return;
	}
}

/* ---- */

static const struct mode {
	const char *name;
	void (*run)(const struct request *);
	bool endless; /* in builds whose sleeps have no end */
	const char *requests; /* that are worth it by default */
} modes[] = {
	{ "kill", mode_kill, false,
	    "regs mask rdwr coils transaction overlap refused "
	    "same wrap" },
	{ "stop", mode_stop, false,
	    "regs mask rdwr coils transaction overlap refused "
	    "same wrap" },
	{ "wait", mode_wait, false, "transaction" },
	{ "self", mode_self, false, "transaction" },
	{ "hold", mode_hold, false, "transaction" },
	{ "read", mode_read, false, "regs" },
	{ "birth", mode_birth, false, "mask" },
	{ "reap", mode_reap, false, "transaction" },
	{ "wkill", mode_wkill, true, "mask" },
};
enum { MODES = sizeof(modes) / sizeof(modes[0]) };

static void
run_mode(const struct mode *m, const struct request *r)
{
	long points = found.points, bad_before = found.bad_points;
	int64_t began = trace_now_ns();

	waits = slow_waits = slept = kills = committed = undone = 0;
	wait_worst_ns = wait_sum_ns = 0;
	point.mode = m->name;
	point.request = r->name;
	world_reset(&w);
	m->run(r);
	if (slow_waits * 1000 > waits * SLOW_PER_MILLE && slow_waits > 2) {
		bad("more than 1 in 100 waiting writers waited over 50 ms");
		finding_next(&found);
	}
	printf("%-6s %-12s %6ld points, %5ld kills, %3ld bad", m->name, r->name,
	    found.points - points, kills, found.bad_points - bad_before);
	if (committed + undone)
		printf(", %ld old, %ld new", undone, committed);
	if (waits) {
		printf(", waited %.2f ms, at worst %.1f",
		    (double)wait_sum_ns / (double)waits / NS_PER_MS,
		    (double)wait_worst_ns / NS_PER_MS);
	}
	if (slept)
		printf(", %ld slept", slept);
	printf(", %.1f s\n", (double)(trace_now_ns() - began) / 1e9);
	fflush(stdout);
}

static void
run_all(const char *mode, const char *request)
{
	bool endless = STORE_SLICE_NS > 1000000000L;

	for (int q = 0; q < ORACLE_REQUESTS; q++) {
		const struct request *r = &oracle_requests[q];

		world_map(&w, "step");
		world_prepare(&w, r);
		for (int i = 0; i < MODES; i++) {
			const struct mode *m = &modes[i];

			if (mode ? !oracle_names(mode, m->name)
				 : m->endless != endless)
				continue;
			if (oracle_names(
				request ? request : m->requests, r->name))
				run_mode(m, r);
			if (first_only && found.bad_points)
				break;
		}
		world_unmake(&w);
		if (first_only && found.bad_points)
			break;
	}
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "request", required_argument, NULL, 'r' },
		{ "stride", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "at", required_argument, NULL, 'a' },
		{ "first", no_argument, NULL, 'f' },
		{ 0 },
	};
	const char *mode = NULL, *request = NULL;
	int c;

	seed = (long)torture_seed();
	point.program = argv[0];
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			mode = optarg;
			break;
		case 'r':
			request = optarg;
			break;
		case 't':
			stride = atol(optarg);
			break;
		case 's':
			seed = atol(optarg);
			break;
		case 'a':
			only = atol(optarg);
			break;
		case 'f':
			first_only = true;
			break;
		default:
			return 64;
		}
	}
	if (stride < 1 || seed < 0)
		return 64;
	stride *= APART;
	setvbuf(stdout, NULL, _IOLBF, 0);
	trace_pin();
	if (stride > 1 && only < 0)
		printf("every %ld-th instruction, --seed %ld\n", stride, seed);
	run_all(mode, request);
	finding_sum(&found);
	return found.bad_points || !found.points;
}
