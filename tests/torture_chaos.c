/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Kills at full speed: writers add one to counters in three devices as fast
 * as they can, readers and followers of changes watch, and all the while
 * writers are killed, stopped, and left dead for others to find; supervisors
 * are killed while they recover. In the end each counter must show exactly
 * the requests that were carried out.
 *
 *	torture_chaos [--seconds N] [--writers N] [--seed N]
 *
 * An addition is a CHECK of the old value and WRITEs of the new one, as one
 * step; a successor repeats the request that its predecessor was at. So one
 * lost or doubled request is one too few or too many for ever.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/seg.h"
#include "shm/slot.h"
#include "shm/store.h"
#include "shm/store_reap.h"
#include "tests/lib/torture_seed.h"
#include "tests/lib/torture_trace.h"

enum {
	WRITERS_MAX = 8,
	DEVICES = 3, /* two busy ones, and one whose changes never overflow */
	QUIET = DEVICES - 1,
	QUIET_EVERY = 1024,
	SUPER = 0,
	FIRST_WRITER = 1, /* slots, and authors of the same numbers */
	RECOVERER = FIRST_WRITER + WRITERS_MAX,
	SLOTS,
	BUDGET_MS = 2000,
	WAITS = 6,
	COPIES_MAX = 10,
};

/* Where a device keeps its counter: eight bytes, again and again. */
static const struct shape {
	uint32_t reg_at, reg_copies, bit_at, bit_copies;
} shapes[DEVICES] = {
	{ 0, 10, 0, 2 },
	{ 3, 9, 5, 1 }, /* across words */
	{ 1, 1, 7, 1 },
};

static const struct {
	int64_t below_us;
	const char *name;
} wait_classes[WAITS] = {
	{ 10, "10 us" },
	{ 1000, "1 ms" },
	{ 3000, "3 ms" },
	{ 10000, "10 ms" },
	{ 50000, "50 ms" },
	{ INT64_MAX, "more" },
};

/* One a process; each line is written by one process alone. */
struct tally {
	_Alignas(64) _Atomic uint64_t op; /* the request it is at */
	_Atomic uint64_t carried_out, replayed, mismatched;
	_Atomic uint64_t gave_up, wrong;
	_Atomic uint64_t waited[WAITS];
	_Atomic int64_t worst_us;
};

struct board {
	struct tally writer[WRITERS_MAX];
	/* the reader */
	_Alignas(64) _Atomic uint64_t pictures, torn, backwards, too_far, busy;
	/* the follower */
	_Alignas(64) _Atomic uint64_t changes, disordered, damaged;
	_Atomic uint64_t lost[DEVICES], quiet_sum;
	_Atomic int stop;
};

static char name[32], lock_path[256];
static struct seg control, device[DEVICES], view[DEVICES];
static struct slot_env env;
static struct store store[DEVICES], reader[DEVICES];
static struct board *board;
static int writers = 3;
static uint64_t seed;
static pid_t writer_pid[WRITERS_MAX];
static long kills, owning, stops, left_alone, recoverer_kills, ok_count,
    bad_count;

static uint64_t
draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void
count(_Atomic uint64_t *n)
{
	/* each is its process's own */
	atomic_store_explicit(n,
	    atomic_load_explicit(n, memory_order_relaxed) + 1,
	    memory_order_relaxed);
}

/* ---- counters in registers ---- */

static void
put_copies(uint8_t *out, uint64_t v, uint32_t copies)
{
	for (uint32_t i = 0; i < copies * 8; i++)
		out[i] = (uint8_t)(v >> (56 - i % 8 * 8));
}

/* False if the copies are not all alike. */
static bool
get_copies(const uint8_t *in, uint32_t copies, uint64_t *v)
{
	*v = 0;
	for (int i = 0; i < 8; i++)
		*v = *v << 8 | in[i];
	for (uint32_t i = 8; i < copies * 8; i++)
		if (in[i] != in[i % 8])
			return false;
	return true;
}

static enum store_rc
read_counter(
    const struct store *st, int d, uint64_t *v, uint64_t *seq, bool *whole)
{
	uint8_t buf[COPIES_MAX * 8];
	enum store_rc rc = store_read(
	    st, STORE_HR, shapes[d].reg_at, shapes[d].reg_copies * 4, buf, seq);

	*whole = get_copies(buf, shapes[d].reg_copies, v);
	return rc;
}

static int
device_of(uint64_t op)
{
	return op % QUIET_EVERY == 0 ? QUIET : (int)(op & 1);
}

/* How many of the operations 1..op went to a device. */
static uint64_t
share_of(uint64_t op, int d)
{
	uint64_t quiet = op / QUIET_EVERY;

	if (d == QUIET)
		return quiet;
	return d == 1 ? (op + 1) / 2 : op / 2 - quiet;
}

/* ---- the processes ---- */

static void
join(unsigned slot)
{
	env.lock_fd = slot_lock_open(lock_path);
	if (env.lock_fd < 0 || slot_lock_take(env.lock_fd, slot) != 0)
		_exit(98);
	env.me = slot_next_id(env.control, slot);
}

static enum store_rc
add_one(int d, unsigned author, uint64_t op, bool *wrong)
{
	const struct shape *s = &shapes[d];
	uint8_t was[8], regs[COPIES_MAX * 8], bits[16], now[8];
	const struct store_step step[] = {
		{ .op = STORE_CHECK,
		    .table = STORE_HR,
		    .addr = s->reg_at,
		    .count = 4,
		    .in = was },
		{ .op = STORE_WRITE,
		    .table = STORE_HR,
		    .addr = s->reg_at,
		    .count = s->reg_copies * 4,
		    .in = regs },
		{ .op = STORE_WRITE,
		    .table = STORE_CO,
		    .addr = s->bit_at,
		    .count = s->bit_copies * 64,
		    .in = bits },
		{ .op = STORE_READ,
		    .table = STORE_HR,
		    .addr = s->reg_at,
		    .count = 4,
		    .out = now },
	};
	const struct store_who who = {
		.author = author, .op = op, .budget_ns = BUDGET_MS * 1000000ull
	};
	enum store_rc rc;
	uint64_t v;
	bool whole;

	*wrong = false;
	rc = read_counter(&store[d], d, &v, NULL, &whole);
	if (rc != STORE_OK)
		return rc;
	put_copies(was, v, 1);
	put_copies(regs, v + 1, s->reg_copies);
	put_copies(bits, v + 1, s->bit_copies);
	rc = store_apply(&store[d], &who, step, 4, NULL);
	*wrong = !whole || (rc == STORE_OK && memcmp(now, regs, 8) != 0);
	return rc;
}

static void
note_wait(struct tally *t, int64_t ns)
{
	int64_t us = ns / 1000;
	int i = 0;

	while (us >= wait_classes[i].below_us)
		i++;
	count(&t->waited[i]);
	if (us > t->worst_us)
		t->worst_us = us;
}

static void
be_writer(int i)
{
	struct tally *t = &board->writer[i];
	uint64_t op = t->op ? t->op : 1; /* what was under way, again */
	bool wrong;

	join(FIRST_WRITER + (unsigned)i);
	for (;;) {
		int64_t began = trace_now_ns();

		atomic_store_explicit(&t->op, op, memory_order_release);
		switch (add_one(
		    device_of(op), FIRST_WRITER + (unsigned)i, op, &wrong)) {
		case STORE_OK:
			count(&t->carried_out);
			op++;
			break;
		case STORE_REPLAYED:
			count(&t->replayed);
			op++;
			break;
		case STORE_MISMATCH:
			count(&t->mismatched); /* another one was faster */
			break;
		default:
			count(&t->gave_up);
		}
		if (wrong)
			count(&t->wrong);
		note_wait(t, trace_now_ns() - began);
	}
}

/* Looks at pictures: whole, and never older than the one before. Each commit
 * adds one, so a value cannot run ahead of the commits either. */
static void
be_reader(void)
{
	uint64_t last_v[DEVICES] = { 0 }, last_q[DEVICES] = { 0 }, v, q;
	bool whole, known[DEVICES] = { false };

	for (unsigned i = 0; !board->stop; i++) {
		int d = (int)(i % DEVICES);

		if (read_counter(&reader[d], d, &v, &q, &whole) != STORE_OK) {
			count(&board->busy);
			continue;
		}
		count(&board->pictures);
		if (!whole)
			count(&board->torn);
		else if (known[d] && (v < last_v[d] || q < last_q[d]))
			count(&board->backwards);
		else if (known[d] && v - last_v[d] > q - last_q[d])
			count(&board->too_far);
		known[d] = true;
		last_v[d] = v;
		last_q[d] = q;
	}
	_exit(0);
}

/* What a follower knows of one device. */
struct trail {
	uint64_t pos, seq, last[2]; /* of registers and of coils */
	bool known[2];
};

static void
follow_change(struct trail *t, int d, const struct store_change *c)
{
	bool bits = c->table == STORE_CO;
	uint32_t copies = bits ? shapes[d].bit_copies : shapes[d].reg_copies;
	uint64_t was, is;

	if ((c->table != STORE_HR && !bits) ||
	    c->addr != (bits ? shapes[d].bit_at : shapes[d].reg_at) ||
	    c->count != copies * (bits ? 64 : 4) ||
	    !get_copies(c->was, copies, &was) ||
	    !get_copies(c->is, copies, &is) || is != was + 1) {
		count(&board->damaged);
		return;
	}
	count(&board->changes);
	if (c->seq < t->seq || (t->known[bits] && was != t->last[bits]))
		count(&board->disordered);
	t->seq = c->seq;
	t->known[bits] = true;
	t->last[bits] = is;
	if (d == QUIET && !bits)
		count(&board->quiet_sum);
}

static void
be_follower(void)
{
	static uint8_t buf[STORE_CHANGE_BYTES];
	struct trail trail[DEVICES] = { 0 };
	struct store_change c;
	bool stop, any;

	do {
		stop = board->stop; /* one more round after it */
		any = false;
		for (int d = 0; d < DEVICES; d++) {
			struct trail *t = &trail[d];
			int rc, n = 0;

			while (n++ < 64 &&
			    (rc = store_next_change(
				 &reader[d], &t->pos, &c, buf)) != 0) {
				any = true;
				if (rc > 0) {
					follow_change(t, d, &c);
					continue;
				}
				count(&board->lost[d]);
				t->known[0] = t->known[1] = false;
			}
		}
		if (!any && !stop)
			trace_nap_us(200);
	} while (!stop || any);
	_exit(0);
}

static void
reap_everywhere(uint64_t id)
{
	slot_declare_dead(env.control, id);
	for (int d = 0; d < DEVICES; d++)
		store_reap(&store[d], id);
}

static void
be_recoverer(uint64_t before, uint64_t dead)
{
	join(RECOVERER);
	if (before)
		reap_everywhere(before);
	reap_everywhere(dead);
	for (;;)
		pause();
}

static pid_t
start(void (*be)(int), int arg)
{
	pid_t p = fork();

	if (p < 0)
		trace_broken("fork");
	if (p == 0) {
		close(env.lock_fd); /* the parent's byte is the parent's */
		be(arg);
		_exit(97);
	}
	return p;
}

static void
be_watcher(int which)
{
	if (which == 0)
		be_reader();
	be_follower();
}

/* ---- killing ---- */

static void
slay(pid_t p)
{
	int st;

	kill(p, SIGKILL);
	if (waitpid(p, &st, 0) != p || !WIFSIGNALED(st)) {
		printf("FAIL a process ended by itself, status %x\n", st);
		bad_count++;
	}
}

/* Supervisors that die over the recovery of a writer; the last one lives. */
static void
recover(uint64_t dead)
{
	uint64_t before = 0;

	while (draw(2)) {
		uint64_t me = slot_next_id(env.control, RECOVERER);
		pid_t p = fork();

		if (p == 0) {
			close(env.lock_fd);
			be_recoverer(before, dead);
		}
		if (draw(4))
			trace_nap_us((long)draw(400));
		slay(p);
		recoverer_kills++;
		slot_declare_dead(env.control, me);
		before = me;
	}
	if (before)
		reap_everywhere(before);
	reap_everywhere(dead);
}

static void
kill_one(void)
{
	int i = (int)draw((uint64_t)writers);
	uint64_t dead = slot_next_id(env.control, FIRST_WRITER + (unsigned)i);

	if (draw(8) == 0) {
		kill(writer_pid[i], SIGSTOP);
		trace_nap_us((long)draw(3000));
		stops++;
		if (draw(2)) {
			kill(writer_pid[i], SIGCONT);
			return;
		}
	}
	slay(writer_pid[i]);
	kills++;
	for (int d = 0; d < DEVICES; d++)
		owning += store[d].dev->owner == dead;
	if (draw(8) == 0) {
		trace_nap_us(
		    5000); /* the others are to find out by themselves */
		left_alone++;
	}
	recover(dead);
	writer_pid[i] = start(be_writer, i);
}

/* ---- the verdict ---- */

static void
verdict(bool ok, const char *title)
{
	printf("%-4s %s\n", ok ? "ok" : "FAIL", title);
	*(ok ? &ok_count : &bad_count) += 1;
}

static uint64_t
total(size_t field)
{
	uint64_t sum = 0;

	for (int i = 0; i < writers; i++) {
		sum +=
		    *(_Atomic uint64_t *)((uintptr_t)&board->writer[i] + field);
	}
	return sum;
}

static bool
at_rest(int d)
{
	const struct shm_device *dev = store[d].dev;
	bool same = dev->side[0].tag == dev->side[1].tag &&
	    dev->side[0].events == dev->side[1].events;

	for (uint32_t i = 0; i < dev->words; i++)
		same &= store[d].data[0][i] == store[d].data[1][i];
	return same && dev->owner == 0 && dev->seq % 2 == 0;
}

static void
judge(uint64_t *quiet)
{
	bool exact = true, rest = true, whole;

	for (int d = 0; d < DEVICES; d++) {
		uint64_t want = 0, v = 0;

		for (int i = 0; i < writers; i++) {
			want += share_of(
			    *seg_done(env.control, FIRST_WRITER + (unsigned)i),
			    d);
		}
		exact &=
		    read_counter(&reader[d], d, &v, NULL, &whole) == STORE_OK &&
		    whole && v == want;
		rest &= at_rest(d);
		*quiet = v;
		printf("     device %d: %lu requests carried out, the counter "
		       "says %lu\n",
		    d, (unsigned long)want, (unsigned long)v);
	}
	verdict(exact, "every request was carried out exactly once");
	verdict(rest, "the devices are free and the same on both sides");
}

static void
judge_watchers(uint64_t quiet)
{
	verdict(board->torn == 0, "no picture was torn");
	verdict(board->backwards == 0, "no picture was older than the last");
	verdict(board->too_far == 0, "no value ran ahead of the commits");
	verdict(board->busy == 0, "no reader gave up");
	verdict(board->pictures > 0 && board->changes > 0, "there was a watch");
	verdict(board->damaged == 0, "every change is one addition");
	verdict(board->disordered == 0, "changes come in order, without gaps");
	verdict(board->lost[QUIET] == 0 && board->quiet_sum == quiet,
	    "each commit of the quiet device left its change");
	verdict(total(offsetof(struct tally, wrong)) == 0,
	    "a step reads what it wrote");
	verdict(total(offsetof(struct tally, gave_up)) == 0,
	    "no writer waited in vain");
}

static void
tell(int64_t seconds)
{
	int64_t worst = 0;

	printf("     %ld s, %d writers: %ld kills, %ld of them while owning, "
	       "%ld stops, %ld left to the others; %ld supervisors killed\n",
	    (long)seconds, writers, kills, owning, stops, left_alone,
	    recoverer_kills);
	printf("     %lu requests, %lu replayed, %lu tried again; "
	       "%lu pictures; %lu changes, overrun %lu times\n     waits",
	    (unsigned long)total(offsetof(struct tally, carried_out)),
	    (unsigned long)total(offsetof(struct tally, replayed)),
	    (unsigned long)total(offsetof(struct tally, mismatched)),
	    (unsigned long)board->pictures, (unsigned long)board->changes,
	    (unsigned long)(board->lost[0] + board->lost[1]));
	for (int i = 0; i < WAITS; i++) {
		printf(" <%s %lu", wait_classes[i].name,
		    (unsigned long)total(
			offsetof(struct tally, waited) + (size_t)i * 8));
	}
	for (int i = 0; i < writers; i++) {
		worst = board->writer[i].worst_us > worst
		    ? board->writer[i].worst_us
		    : worst;
	}
	printf(", worst %.1f ms\n", (double)worst / 1000);
}

/* ---- */

static void
make_world(void)
{
	struct seg_range range[2] = {
		{ .range = { .count = 48, .table = STORE_HR } },
		{ .range = { .count = 160, .table = STORE_CO } },
	};

	snprintf(name, sizeof(name), "torture-chaos-%d", getpid());
	trace_scratch(lock_path, sizeof(lock_path), name);
	if (seg_create_control(&control, name, SLOTS, 1, DEVICES, SLOTS))
		trace_broken("control segment");
	env.control = seg_control(&control);
	join(SUPER);
	for (int d = 0; d < DEVICES; d++) {
		char dev[] = { 'd', (char)('0' + d), '\0' };

		if (seg_create_device(
			&device[d], name, dev, (unsigned)d, range, 2, false) ||
		    seg_attach(&view[d], device[d].object, SHM_DEVICE, false) ||
		    store_open(
			&store[d], device[d].at, device[d].size, true, &env) ||
		    store_open(
			&reader[d], view[d].at, view[d].size, false, NULL))
			trace_broken("device segment");
	}
	seg_unlink_store(name); /* everybody inherits the mappings */
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		trace_broken("memory");
}

static void
run(int64_t seconds)
{
	int64_t end = trace_now_ns() + seconds * 1000000000;
	pid_t watcher[2];
	uint64_t quiet = 0;
	int st;

	for (int i = 0; i < 2; i++)
		watcher[i] = start(be_watcher, i);
	for (int i = 0; i < writers; i++)
		writer_pid[i] = start(be_writer, i);
	while (trace_now_ns() < end) {
		trace_nap_us(200 + (long)draw(1500));
		kill_one();
	}
	for (int i = 0; i < writers; i++) {
		uint64_t dead =
		    slot_next_id(env.control, FIRST_WRITER + (unsigned)i);

		slay(writer_pid[i]);
		reap_everywhere(dead);
	}
	board->stop = 1;
	for (int i = 0; i < 2; i++) {
		waitpid(watcher[i], &st, 0);
		verdict(WIFEXITED(st) && WEXITSTATUS(st) == 0,
		    i ? "the follower lives" : "the reader lives");
	}
	judge(&quiet);
	judge_watchers(quiet);
	tell(seconds);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "writers", required_argument, NULL, 'w' },
		{ "seed", required_argument, NULL, 's' },
		{ 0 },
	};
	int64_t seconds = 10;
	int c;

	seed = torture_seed();
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			seconds = atol(optarg);
			break;
		case 'w':
			writers = atoi(optarg);
			break;
		case 's':
			seed = (uint64_t)atol(optarg);
			break;
		default:
			return 64;
		}
	}
	if (seconds < 1 || writers < 1 || writers > WRITERS_MAX)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("     replay: %s --seconds %ld --writers %d --seed %lu\n",
	    argv[0], (long)seconds, writers, (unsigned long)seed);
	seed = seed * 2654435761u + 1;
	make_world();
	run(seconds);
	unlink(lock_path);
	printf("%ld passed, %ld failed\n", ok_count, bad_count);
	return bad_count != 0;
}
