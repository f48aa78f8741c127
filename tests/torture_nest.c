/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Kills those who recover. A writer is stepped through a request and every
 * memory image that its death could leave behind is kept; on each of them a
 * recoverer is stepped, and every image that its death could leave behind is
 * kept, too; and so on until nothing new turns up. Then each image must be
 * recoverable without anything being lost, torn or done twice.
 *
 *	torture_nest [--request R] [--seconds N] [--seed N] [--chain C]
 *	             [--first]
 *
 * There are two recoverers: r, the supervisor, which reaps; and p, a writer
 * that finds the dead owner and goes on to write itself. The images of p are
 * made from all that r can leave, and r is let loose on those as well.
 *
 * When --seconds is over (0: never) the rest is left out, and said so; which
 * images are taken first is then up to --seed. --chain replays one finding:
 * v12,r7,p30 is the image of a victim dead after 12 instructions, then a
 * reaper after 7, then a writer after 30.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/torture_finding.h"
#include "tests/lib/torture_holds.h"
#include "tests/lib/torture_seed.h"
#include "tests/lib/torture_trace.h"

enum {
	LINE = 64,
	LINES_MAX = 256, /* that ever change */
	HASH = 1 << 20,
	IMAGES_MAX = HASH / 2,
	CHAIN_MAX = 400,
};

/* What a death leaves behind: all lines that can have changed, and who had
 * been told that his write was done. The lines follow. */
struct image {
	long parent; /* -1: of the victim */
	int step; /* how far the last one got */
	char kind; /* v, r or p */
	uint8_t acked; /* bit 0 the victim, bit 1 the peer */
	bool had_peer; /* a p is among its ancestors */
	bool reaped; /* an r has been let loose on it */
	uint8_t lines[];
};

static struct world w;
static struct findings found;
static struct point point;
static const struct request *request;

static uint8_t *line_at[LINES_MAX]; /* where they are in the segments */
static size_t nlines;
static struct image *images[IMAGES_MAX];
static long nimages, checked, steps, table[HASH];
static bool table_full;
static uint64_t seed, me_reaper, me_peer;
static bool first_only;

static uint64_t
draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* ---- lines ---- */

static bool
is_hot(const uint8_t *line)
{
	for (size_t i = 0; i < nlines; i++)
		if (line_at[i] == line)
			return true;
	return false;
}

/* Notes every line of a segment that is not as `base` has it; how many were
 * new. */
static size_t
note_lines(const struct seg *s, const uint8_t *base)
{
	uint8_t *at = s->at;
	size_t before = nlines;

	for (size_t off = 0; off + LINE <= s->size; off += LINE) {
		if (memcmp(at + off, base + off, LINE) == 0 || is_hot(at + off))
			continue;
		if (nlines == LINES_MAX)
			trace_broken("more lines change than foreseen");
		line_at[nlines++] = at + off;
	}
	return nlines - before;
}

static size_t
note_all_lines(void)
{
	return note_lines(&w.control, w.base_control) +
	    note_lines(&w.device, w.base_device);
}

/* A field of the segments within an image; NULL if its line never changes. */
static void *
in_image(struct image *im, const void *field)
{
	const uint8_t *p = field;

	for (size_t i = 0; i < nlines; i++)
		if (p >= line_at[i] && p < line_at[i] + LINE)
			return im->lines + i * LINE + (p - line_at[i]);
	return NULL;
}

static void
set_word(struct image *im, const _Atomic uint64_t *field, uint64_t v)
{
	uint64_t *to = in_image(im, (const void *)(uintptr_t)field);

	if (to)
		*to = v;
}

/*
 * What makes no difference to what follows is made the same: which recoverer
 * it was that died, how many tokens beyond a few there are, counters. Without
 * it there would be no end of images.
 */
static void
make_canonical(struct image *im)
{
	struct shm_device *d = w.store.dev;
	uint64_t *owner = in_image(im, (void *)(uintptr_t)&d->owner);
	uint32_t *gate = in_image(im, w.store.gate); /* value, waiters */
	static const unsigned recoverers[] = { PEER, REAPER };

	if (owner && (*owner == me_reaper || *owner == me_peer))
		*owner = SLOT_ID(FORMER, 0);
	if (gate) {
		gate[0] = gate[0] > 3 ? 3 : gate[0];
		gate[1] = 0;
	}
	set_word(im, &d->writes, 0);
	set_word(im, &d->repairs, 0);
	for (int i = 0; i < 2; i++)
		set_word(im, &seg_slot(w.env.control, recoverers[i])->claim, 0);
}

static void
restore(const struct image *im)
{
	world_reset(&w);
	for (size_t i = 0; im && i < nlines; i++)
		memcpy(line_at[i], im->lines + i * LINE, LINE);
	if (im) {
		w.board->acked = im->acked & 1;
		w.board->peer_acked = im->acked >> 1;
	}
}

/* ---- the set of images ---- */

static uint64_t
hash_of(const struct image *im)
{
	uint64_t h = 14695981039346656037ull + im->acked + 2 * im->had_peer;
	uint64_t x;

	for (size_t i = 0; i < nlines * LINE; i += 8) {
		memcpy(&x, im->lines + i, 8);
		h = (h ^ x) * 1099511628211ull;
		h ^= h >> 29;
	}
	return h;
}

static bool
same_image(const struct image *a, const struct image *b)
{
	return a->acked == b->acked && a->had_peer == b->had_peer &&
	    memcmp(a->lines, b->lines, nlines * LINE) == 0;
}

/* Keeps what a death at this very moment would leave behind, if it is new. */
static void
keep(long parent, char kind, int step)
{
	struct image *im = malloc(sizeof(*im) + nlines * LINE);
	uint64_t h;

	if (!im)
		trace_broken("memory");
	im->parent = parent;
	im->kind = kind;
	im->step = step;
	im->acked = (uint8_t)(w.board->acked | w.board->peer_acked << 1);
	im->reaped = false;
	im->had_peer = kind == 'p' || (parent >= 0 && images[parent]->had_peer);
	for (size_t i = 0; i < nlines; i++)
		memcpy(im->lines + i * LINE, line_at[i], LINE);
	make_canonical(im);
	for (h = hash_of(im); table[h % HASH]; h++) {
		if (same_image(images[table[h % HASH] - 1], im)) {
			free(im);
			return;
		}
	}
	if (nimages == IMAGES_MAX) {
		table_full = true;
		free(im);
		return;
	}
	images[nimages++] = im;
	table[h % HASH] = nimages;
}

/* ---- who is stepped ---- */

static pid_t
spawn(char kind)
{
	pid_t p = fork();

	if (p) {
		trace_await(p);
		return p;
	}
	world_join(&w, kind == 'v' ? VICTIM : kind == 'r' ? REAPER : PEER);
	trace_ready();
	if (kind == 'v') {
		w.board->acked =
		    world_request(&w, request, OP, WRITER_MS) == STORE_OK;
	} else if (kind == 'r') {
		world_reap(&w, w.victim);
		world_reap(&w, SLOT_ID(FORMER, 0));
	} else {
		w.board->peer_acked =
		    world_peer_write(&w, WRITER_MS) <= STORE_REPLAYED;
	}
	_exit(0);
}

/* The peer takes the device from owners that have been declared dead; that
 * they are is not left to its own inquiries, which take time. */
static void
set_stage(const struct image *im, char kind)
{
	restore(im);
	if (kind == 'p')
		slot_declare_dead(w.env.control, w.victim);
}

/* Steps one child on an image and keeps what it could leave. */
static void
explore(long parent, char kind)
{
	const struct image *from = parent < 0 ? NULL : images[parent];
	static uint8_t last[LINES_MAX * LINE];
	int step = 0, acked = 0;
	pid_t p;

	set_stage(from, kind);
	p = spawn(kind);
	do {
		bool moved =
		    step == 0 || acked != w.board->acked + w.board->peer_acked;

		for (size_t i = 0; i < nlines; i++) {
			if (memcmp(last + i * LINE, line_at[i], LINE) != 0) {
				memcpy(last + i * LINE, line_at[i], LINE);
				moved = true;
			}
		}
		acked = w.board->acked + w.board->peer_acked;
		if (moved)
			keep(parent, kind, step);
		step++;
	} while (trace_step(p, 0) != TRACE_EXITED);
	steps += step;
	if (note_all_lines() > 0)
		trace_broken("a line changed that had not been foreseen");
}

/* Lets a child run through while the whole of both segments is looked at
 * after every step. */
static void
learn_lines_of(char kind)
{
	pid_t p = spawn(kind);

	do {
		note_all_lines();
	} while (trace_step(p, 0) != TRACE_EXITED);
	note_all_lines();
}

/* Finds out which lines can change at all. */
static void
learn_lines(void)
{
	set_stage(NULL, 'p');
	learn_lines_of('p');
	restore(NULL);
	learn_lines_of('r');
	restore(NULL);
	learn_lines_of('v');
	learn_lines_of('p');
	/* a recoverer with something to repair writes to all of a side */
	for (uint32_t i = 0; i < w.store.words * 2; i++) {
		_Atomic uint64_t *word = w.store.data[i & 1] + i / 2;
		uint8_t *at =
		    (uint8_t *)((uintptr_t)word & ~(uintptr_t)(LINE - 1));

		if (!is_hot(at) && nlines < LINES_MAX)
			line_at[nlines++] = at;
	}
}

/* ---- what must hold ---- */

static void
tell_chain(long i, char *out, size_t size)
{
	long chain[CHAIN_MAX];
	int n = 0;
	size_t len = 0;

	out[0] = '\0';
	for (; i >= 0 && n < CHAIN_MAX; i = images[i]->parent)
		chain[n++] = i;
	while (n-- > 0 && len + 16 < size) {
		len += (size_t)snprintf(out + len, size - len, "%s%c%d",
		    len ? "," : "", images[chain[n]]->kind,
		    images[chain[n]]->step);
	}
}

/* What a reader sees must be one of the whole states. */
static bool
is_whole(const struct picture *seen)
{
	struct picture want;

	for (int k = 0; k < 4; k++) {
		world_expect(&w, request, k & 1, k & 2, &want);
		if (oracle_same(seen, &want))
			return true;
	}
	return false;
}

static const char *
check_image(const struct image *im)
{
	struct picture seen;
	const char *what;
	bool peer;
	enum store_rc rc;

	restore(im);
	if (!world_picture(&w.reader, &seen))
		return "a reader is held up";
	if (!is_whole(&seen))
		return "a reader sees a torn write";
	if (!holds_changes(&w, &seen))
		return "changes do not match what is committed";
	world_reap(&w, SLOT_ID(FORMER, 0));
	world_reap(&w, w.victim);
	peer = *seg_done(w.env.control, PEER) == 1;
	if ((im->acked & 2) && !peer)
		return "the other writer's acknowledged write is lost";
	if ((what = holds_recovered(&w, request, &seen, peer)))
		return what;
	rc = world_peer_write(&w, WRITER_MS);
	if (rc != (peer ? STORE_REPLAYED : STORE_OK))
		return "the other writer's request is not done exactly once";
	return holds_rest(&w);
}

static void
check_one(long i)
{
	static char chain[CHAIN_MAX * 8];
	const char *what = check_image(images[i]);

	if (what) {
		tell_chain(i, chain, sizeof(chain));
		point.chain = chain;
		finding_add(&found, &point, what);
	}
	finding_next(&found);
}

/* Looks at the images that have come up since; false: that is enough. */
static bool
check_new(void)
{
	while (checked < nimages && !(first_only && found.bad_points))
		check_one(checked++);
	return !(first_only && found.bad_points);
}

/* ---- all of it ---- */

/* Gives every image that kind has not had yet to one of that kind, and those
 * that come up meanwhile, in any order. How many were left when the time was
 * up. */
static long
close_under(char kind, int64_t until_ns)
{
	static long todo[IMAGES_MAX];
	long n = 0, known = 0, k, i;

	for (;;) {
		for (; known < nimages; known++)
			if (kind == 'r' ? !images[known]->reaped
					: !images[known]->had_peer)
				todo[n++] = known;
		if (n == 0 || (until_ns && trace_now_ns() > until_ns))
			return n;
		k = (long)(draw() % (uint64_t)n);
		i = todo[k];
		todo[k] = todo[--n];
		images[i]->reaped |= kind == 'r';
		explore(i, kind);
		if (first_only && !check_new())
			return n;
	}
}

static void
forget_images(void)
{
	for (long i = 0; i < nimages; i++)
		free(images[i]);
	nimages = checked = 0;
	memset(table, 0, sizeof(table));
}

/* One request: to closure, or for so long. */
static void
nest(int64_t seconds)
{
	int64_t began = trace_now_ns(), part = seconds * 1000000000 / 4;
	long victims, reaped, left[3], bad_before = found.bad_points;

	steps = 0;
	nlines = 0;
	learn_lines();
	explore(-1, 'v');
	victims = nimages;
	if (first_only && !check_new()) {
		forget_images();
		return;
	}
	left[0] = close_under('r', part ? began + 2 * part : 0);
	reaped = nimages;
	left[1] = left[2] = 0;
	if (!first_only || !found.bad_points) {
		left[1] = close_under('p', part ? began + 3 * part : 0);
		left[2] = close_under('r', part ? began + 4 * part : 0);
	}
	check_new();
	printf("%-12s %ld images of a dead writer, %ld with reapers, %ld with "
	       "writers that recover; %ld kill points, %ld bad, %.1f s\n",
	    request->name, victims, reaped, nimages, steps,
	    found.bad_points - bad_before,
	    (double)(trace_now_ns() - began) / 1e9);
	if (left[0] + left[1] + left[2]) {
		printf("%-12s time was up: not gone into %ld + %ld + %ld\n",
		    request->name, left[0], left[1], left[2]);
	}
	if (table_full)
		trace_broken("too many images");
	forget_images();
}

/* v12,r7,p30 */
static bool
replay_chain(const char *chain)
{
	long parent = -1;
	char kind;
	int step, used;

	learn_lines();
	for (; sscanf(chain, "%c%d%n", &kind, &step, &used) == 2;
	     chain += used + (chain[used] == ',')) {
		pid_t p;

		set_stage(parent < 0 ? NULL : images[parent], kind);
		p = spawn(kind);
		for (int i = 0; i < step; i++)
			if (trace_step(p, 0) != TRACE_STOPPED)
				return false;
		memset(table, 0, sizeof(table));
		keep(parent, kind, step);
		parent = nimages - 1;
		trace_slay(p);
	}
	if (*chain || parent < 0)
		return false;
	check_one(parent);
	return true;
}

static bool
run_request(const struct request *r, const char *chain, int64_t seconds)
{
	bool ok = true;

	request = r;
	point.request = r->name;
	world_map(&w, "nest");
	world_prepare(&w, r);
	me_reaper = slot_next_id(w.env.control, REAPER);
	me_peer = slot_next_id(w.env.control, PEER);
	if (chain)
		ok = replay_chain(chain);
	else
		nest(seconds);
	world_unmake(&w);
	return ok;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "request", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "chain", required_argument, NULL, 'c' },
		{ "first", no_argument, NULL, 'f' },
		{ 0 },
	};
	const char *chain = NULL, *names = "mask transaction";
	int64_t seconds = 0;
	int c;

	seed = torture_seed();
	point.program = argv[0];
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			names = optarg;
			break;
		case 't':
			seconds = atol(optarg);
			break;
		case 's':
			seed = (uint64_t)atol(optarg);
			break;
		case 'c':
			chain = optarg;
			break;
		case 'f':
			first_only = true;
			break;
		default:
			return 64;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	trace_pin();
	if (seconds)
		printf("--seconds %ld --seed %ld\n", (long)seconds, (long)seed);
	seed = seed * 2654435761u + 1;
	for (int i = 0; i < ORACLE_REQUESTS; i++) {
		if (oracle_names(names, oracle_requests[i].name) &&
		    !run_request(&oracle_requests[i], chain, seconds)) {
			fprintf(stderr, "the chain cannot be followed\n");
			return 64;
		}
	}
	finding_sum(&found);
	return found.bad_points || !found.points;
}
