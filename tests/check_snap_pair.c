/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots that replace each other. A model of a disk that syncs no more than
 * it is told to cuts the power after each step, with any of the changes since
 * then made or not, and each write torn at each byte: what is found then is
 * whole, and no older than what was last said to be saved. The same for a saver
 * that is killed at each of its system calls, or meets an error at one.
 */

#include "shm/snap_pair.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "tests/lib/store_fixture.h"

enum {
	NAMES = 4,
	INODES = 64,
	PENDING = 16,
	BYTES = 512,
	REGS = 20,
	PLACE = 64,
	PATHS = 96,
	WRONG = 10, /* states: enough to be noticed */
};

static const char *const ends[NAMES] = { "", ".old", ".new", ".bad" };

static struct fixture fix;
static char live[PLACE], crash[PLACE]; /* directories */
static char live_path[PATHS], crash_path[PATHS];

static void
path_of(char *out, const char *dir, int name)
{
	snprintf(out, PATHS, "%s/s%s", dir, ends[name]);
}

static void
clear(const char *dir)
{
	char path[PATHS];

	for (int i = 0; i < NAMES; i++) {
		path_of(path, dir, i);
		unlink(path);
	}
}

/* Named after the suite's process, so that it can clear away what a failed
 * test has left. */
static void
name_place(char *out, const char *where)
{
	snprintf(out, PLACE, "%s/hf-pair-%d-XXXXXX", where, (int)fix_suite);
}

static void
clear_places(const char *where)
{
	char pattern[PLACE];
	glob_t g;

	snprintf(pattern, PLACE, "%s/hf-pair-%d-*", where, (int)fix_suite);
	if (glob(pattern, 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		clear(g.gl_pathv[i]);
		rmdir(g.gl_pathv[i]);
	}
	globfree(&g);
}

static void
setup(void)
{
	struct seg_range r[] = { fix_range(STORE_HR, 100, REGS) };

	fix_open(&fix, r, 1, false);
	name_place(live, "/tmp");
	name_place(crash, "/dev/shm"); /* so many of them */
	ck_assert_ptr_nonnull(mkdtemp(live));
	ck_assert_ptr_nonnull(mkdtemp(crash));
	path_of(live_path, live, 0);
	path_of(crash_path, crash, 0);
}

static void
teardown(void)
{
	clear(live);
	clear(crash);
	ck_assert_int_eq(rmdir(live), 0);
	ck_assert_int_eq(rmdir(crash), 0);
	fix_close(&fix);
}

/* ---- snapshots whose registers all hold their sequence ---- */

static void
make(struct snap *s, uint64_t sequence)
{
	struct store_picture p;
	uint8_t values[2 * REGS];

	memset(values, (int)sequence, sizeof(values));
	fix_write(&fix, STORE_HR, 100, REGS, values);
	ck_assert_int_eq(store_picture_take(&fix.store, 1000000, &p), STORE_OK);
	snap_begin(
	    s, "plant", sequence, &(struct snap_place){ .sequence = sequence });
	snap_add(s, "plc", &p);
	ck_assert_int_eq(snap_end(s), 0);
	store_picture_free(&p);
}

/* The sequence of what is found at a path, 0 none; UINT64_MAX: there is
 * something, and none of it is whole. */
static uint64_t
found_at(const char *path)
{
	struct snap s = { 0 };
	struct snap_device d;
	struct snap_block b;
	char why[SNAP_WHY];
	const char *ending;
	enum snap_pair_rc rc = snap_pair_load(path, &s, &ending, why);
	uint64_t sequence = 0;
	size_t at = 0;

	if (rc == SNAP_PAIR_FOUND) {
		sequence = snap_place(&s).sequence;
		ck_assert(snap_next_device(&s, &at, &d));
		ck_assert(snap_next_block(&s, &d, &b));
		for (int i = 0; i < 2 * REGS; i++)
			ck_assert_uint_eq(b.values[i], sequence & 0xff);
	}
	snap_free(&s);
	return rc == SNAP_PAIR_BAD ? UINT64_MAX : sequence;
}

/* ---- the model of a disk ---- */

/* Written to by appending, as snapshots are. */
struct inode {
	uint8_t data[BYTES];
	size_t len, synced;
};

/* One name in the directory gets another inode, or none: -1. */
struct change {
	int name, inode;
};

static struct {
	struct inode inode[INODES];
	int n;
	int now[NAMES], synced[NAMES]; /* inodes by name */
	struct change pending[PENDING];
	int npending;
	int fd, open; /* the file that is being written, and its inode */
	bool no_swap;
	int fail_at, calls; /* the call that fails; 0: none */
	uint64_t saved; /* what was last said to be on the disk */
	uint64_t next; /* what is being saved */
	unsigned long states;
	bool exploring;
	unsigned stride; /* of the states after which a saver goes on */
	bool deep; /* this one does */
	bool tolerant; /* what should not be is counted */
	unsigned long wrong;
} disk;

/* Saves the next one; its sequence, 0 with errno. */
static uint64_t
save(struct snap_pair *p)
{
	struct snap s = { 0 };
	uint64_t sequence;
	int rc, e;

	if (snap_pair_look(p) == -1)
		return 0;
	sequence = p->sequence;
	disk.next = sequence;
	make(&s, sequence);
	rc = snap_pair_save(p, &s);
	e = errno;
	snap_free(&s);
	errno = e;
	return rc == 0 ? sequence : 0;
}

static void
must_save(const char *path, int times)
{
	struct snap_pair p = { .path = path, .io = &snap_io_system };

	for (int i = 0; i < times; i++)
		ck_assert_uint_ne(save(&p), 0);
}

/* What is in a directory is on the disk, all of it. */
static void
disk_begin(const char *dir)
{
	char path[PATHS];
	FILE *f;

	disk.n = disk.npending = 0;
	disk.fd = -1;
	for (int i = 0; i < NAMES; i++) {
		struct inode *to = &disk.inode[disk.n];

		path_of(path, dir, i);
		f = fopen(path, "r");
		disk.now[i] = disk.synced[i] = f == NULL ? -1 : disk.n;
		if (f == NULL)
			continue;
		to->len = to->synced = fread(to->data, 1, BYTES, f);
		fclose(f);
		disk.n++;
	}
}

enum { ZEROS = -1, TAIL = -2 }; /* ways to be torn that are no length */

static void
put_file(int name, const struct inode *in, long torn)
{
	uint8_t data[BYTES];
	size_t len = torn < 0 ? in->len : (size_t)torn;
	char path[PATHS];
	FILE *f;

	memcpy(data, in->data, in->len);
	/* blocks that were never written, before a length that was */
	if (torn == ZEROS)
		memset(data + in->synced, 0, len - in->synced);
	if (torn == TAIL)
		memset(data + in->synced, 0, (len - in->synced) / 2);
	path_of(path, crash, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void go_on_from_here(void);

/* The power fails, and comes back. */
static void
cut(const int names[NAMES], long torn)
{
	uint64_t found;

	clear(crash);
	for (int i = 0; i < NAMES; i++) {
		if (names[i] == -1)
			continue;
		put_file(i, &disk.inode[names[i]],
		    names[i] == disk.open ? torn
					  : (long)disk.inode[names[i]].len);
	}
	disk.states++;
	found = found_at(crash_path);
	if (disk.tolerant && found - disk.saved > 1) {
		disk.wrong++;
		return;
	}
	ck_assert_msg(found == disk.saved || found == disk.next,
	    "saved was %lu, found is %ld", (unsigned long)disk.saved,
	    (long)found);
	if (disk.stride > 0 && disk.states % disk.stride == 0)
		go_on_from_here();
}

/* Every state that the disk may be in after what has been done so far. */
static void
cut_anywhere(void)
{
	const struct inode *in = disk.open < 0 ? NULL : &disk.inode[disk.open];
	int names[NAMES];

	if (!disk.exploring || disk.wrong > WRONG)
		return;
	for (unsigned made = 0; made < 1u << disk.npending; made++) {
		bool refers = false;

		memcpy(names, disk.synced, sizeof(names));
		for (int i = 0; i < disk.npending; i++)
			if (made >> i & 1)
				names[disk.pending[i].name] =
				    disk.pending[i].inode;
		for (int i = 0; i < NAMES; i++)
			refers |= in != NULL && names[i] == disk.open;
		if (!refers || in->len == in->synced) {
			cut(names, in == NULL ? 0 : (long)in->len);
			continue;
		}
		for (size_t torn = in->synced; torn <= in->len; torn++)
			cut(names, (long)torn);
		cut(names, ZEROS);
		cut(names, TAIL);
	}
}

static bool
fails(void)
{
	if (++disk.calls != disk.fail_at)
		return false;
	errno = EIO;
	return true;
}

static int
name_index(const char *name)
{
	for (int i = 0; i < NAMES; i++)
		if (strcmp(name + 1, ends[i]) == 0)
			return i;
	ck_abort_msg("name %s", name);
}

static void
change(const char *name, int inode)
{
	int i = name_index(name);

	ck_assert_int_lt(disk.npending, PENDING);
	disk.pending[disk.npending++] =
	    (struct change){ .name = i, .inode = inode };
	disk.now[i] = inode;
}

static int
model_create(int dir, const char *name)
{
	if (fails())
		return -1;
	ck_assert_int_lt(disk.n, INODES);
	disk.fd = snap_io_system.create(dir, name);
	ck_assert_int_ge(disk.fd, 0);
	disk.open = disk.n++;
	memset(&disk.inode[disk.open], 0, sizeof(disk.inode[0]));
	change(name, disk.open);
	cut_anywhere();
	return disk.fd;
}

/* Not all at once. */
static ssize_t
model_write(int fd, const void *data, size_t len)
{
	struct inode *in = &disk.inode[disk.open];

	if (fails())
		return -1;
	ck_assert_int_eq(fd, disk.fd);
	len = len > 100 ? 100 : len;
	ck_assert_uint_le(in->len + len, BYTES);
	memcpy(in->data + in->len, data, len);
	in->len += len;
	ck_assert_int_eq(snap_io_system.write(fd, data, len), (ssize_t)len);
	cut_anywhere();
	return (ssize_t)len;
}

static int
model_sync(int fd)
{
	if (fails())
		return -1;
	if (fd == disk.fd) {
		disk.inode[disk.open].synced = disk.inode[disk.open].len;
		disk.fd = -1;
	} else {
		memcpy(disk.synced, disk.now, sizeof(disk.now));
		disk.npending = 0;
	}
	cut_anywhere();
	return 0;
}

static int
model_swap(int dir, const char *a, const char *b)
{
	int was = disk.now[name_index(a)];

	if (fails())
		return -1;
	if (disk.no_swap) {
		errno = EINVAL;
		return -1;
	}
	ck_assert_int_eq(snap_io_system.swap(dir, a, b), 0);
	change(a, disk.now[name_index(b)]);
	change(b, was);
	cut_anywhere();
	return 0;
}

static int
model_rename(int dir, const char *from, const char *to)
{
	if (fails())
		return -1;
	ck_assert_int_eq(snap_io_system.rename(dir, from, to), 0);
	/* even in halves */
	change(to, disk.now[name_index(from)]);
	change(from, -1);
	cut_anywhere();
	return 0;
}

static int
model_unlink(int dir, const char *name)
{
	if (fails())
		return -1;
	if (snap_io_system.unlink(dir, name) == -1)
		return -1;
	change(name, -1);
	cut_anywhere();
	return 0;
}

static const struct snap_io model = {
	.create = model_create,
	.write = model_write,
	.sync = model_sync,
	.swap = model_swap,
	.rename = model_rename,
	.unlink = model_unlink,
};

/* A new saver after a failure of the power, which fails once more. */
static void
go_on_from_here(void)
{
	static __typeof__(disk) was;
	char crash_was[sizeof(crash)], path_was[sizeof(crash_path)];
	char again[PLACE];
	struct snap_pair p = { .io = &model };
	unsigned long states;

	if (disk.deep)
		return;
	was = disk;
	memcpy(crash_was, crash, sizeof(crash));
	memcpy(path_was, crash_path, sizeof(crash_path));
	name_place(again, "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(again));
	disk_begin(crash);
	disk.open = -1;
	disk.deep = true;
	disk.saved = found_at(crash_path);
	p.path = path_was;
	memcpy(crash, again, sizeof(again));
	path_of(crash_path, crash, 0);
	ck_assert_uint_gt(save(&p), disk.saved);
	clear(again);
	ck_assert_int_eq(rmdir(again), 0);
	memcpy(crash, crash_was, sizeof(crash));
	memcpy(crash_path, path_was, sizeof(crash_path));
	states = disk.states;
	disk = was;
	disk.states = states;
}

/* One saver that saves so often, the power failing all the time. */
static void
run_model(int times)
{
	struct snap_pair p = { .path = live_path, .io = &model };
	uint64_t sequence;

	disk_begin(live);
	disk.open = -1;
	disk.exploring = true;
	for (int i = 0; i < times; i++) {
		sequence = save(&p);
		ck_assert_uint_eq(sequence, disk.saved + 1);
		disk.saved = sequence;
		cut_anywhere();
	}
}

static unsigned
stride(void)
{
	const char *env = getenv("HOLDFAST_PAIR_STRIDE");

	return env != NULL ? (unsigned)atoi(env) : 397;
}

START_TEST(whatever_the_disk_has_done_of_it_there_is_a_whole_one)
{
	memset(&disk, 0, sizeof(disk));
	disk.no_swap = _i & 1;
	disk.stride = _i & 2 ? stride() : 0;
	run_model(4);
	printf("%s, %s: %lu states\n",
	    disk.no_swap ? "names that cannot change places" : "names that can",
	    disk.stride ? "cut off twice" : "cut off once", disk.states);
	ck_assert_uint_gt(disk.states, 1000);
}
END_TEST

static int
no_sync_of_files(int fd)
{
	if (fd != disk.fd)
		return model_sync(fd);
	disk.fd = -1;
	return 0;
}

static int
no_sync_of_folders(int fd)
{
	return fd == disk.fd ? model_sync(fd) : 0;
}

START_TEST(the_model_notices_a_sync_that_is_missing)
{
	struct snap_io careless = model;
	struct snap_pair p = { .path = live_path, .io = &careless };

	careless.sync = _i == 0 ? no_sync_of_files : no_sync_of_folders;
	memset(&disk, 0, sizeof(disk));
	disk_begin(live);
	disk.open = -1;
	disk.exploring = disk.tolerant = true;
	for (int i = 0; i < 3; i++)
		disk.saved = save(&p);
	printf("%lu of %lu states wrong\n", disk.wrong, disk.states);
	ck_assert_uint_gt(disk.wrong, WRONG);
}
END_TEST

/* ---- errors ---- */

START_TEST(an_error_at_any_call_leaves_what_was_saved)
{
	for (int k = 1;; k++) {
		struct snap_pair p = { .path = live_path, .io = &model };
		uint64_t got;

		clear(live);
		must_save(live_path, 3);
		memset(&disk, 0, sizeof(disk));
		disk_begin(live);
		disk.no_swap = _i;
		disk.fail_at = k;
		got = save(&p);
		if (disk.calls < k)
			break;
		ck_assert_uint_ge(found_at(live_path), 3);
		ck_assert(got == 0 || got == 4);
		/* the same saver, and after it a new one */
		ck_assert_uint_ge(save(&p), 4);
		must_save(live_path, 1);
		ck_assert_uint_ge(found_at(live_path), 5);
		ck_assert_int_lt(k, 50);
	}
}
END_TEST

/* ---- a saver that is killed ---- */

static void
be_killed(const struct snap *s)
{
	struct snap_pair p = { .path = live_path, .io = &snap_io_system };

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	_exit(snap_pair_look(&p) == -1 ||
	    p.sequence != snap_place(s).sequence ||
	    snap_pair_save(&p, s) == -1);
}

/* Goes on to the k-th beginning or end of a system call and kills it there;
 * false if it had ended before. */
static bool
kill_at(pid_t pid, int k)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < k; i++) {
		ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			ck_assert_int_eq(WEXITSTATUS(status), 0);
			return false;
		}
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return true;
}

START_TEST(who_is_killed_at_any_system_call_leaves_a_whole_one)
{
	uint64_t before, after;
	bool killed = true;
	pid_t pid;
	int k;

	must_save(live_path, 2);
	for (k = 0; killed; k++) {
		struct snap s = { 0 };

		before = found_at(live_path);
		make(&s, before + 1);
		pid = fork();
		if (pid == 0)
			be_killed(&s);
		snap_free(&s);
		killed = kill_at(pid, k);
		after = found_at(live_path);
		ck_assert(after == before || after == before + 1);
		must_save(live_path, 1);
		ck_assert_uint_gt(found_at(live_path), after);
	}
	printf("killed at %d places\n", k - 1);
	ck_assert_int_gt(k, 40);
	/* and none of them has left anything for long */
	ck_assert_int_eq(access(live_path, F_OK), 0);
	path_of(crash_path, live, 2);
	ck_assert_int_eq(access(crash_path, F_OK), -1);
}
END_TEST

/* ---- whose files they are ---- */

static void
write_text(int name, const char *text, size_t len)
{
	char path[PATHS];
	FILE *f;

	path_of(path, live, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	fclose(f);
}

START_TEST(what_is_no_snapshot_is_not_replaced)
{
	struct snap_pair p = { .path = live_path, .io = &snap_io_system };

	write_text(0, "dear diary", 10);
	ck_assert_uint_eq(save(&p), 0);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_uint_eq(found_at(live_path), UINT64_MAX);
	unlink(live_path);
	ck_assert_uint_eq(save(&p), 1);
	/* nor later on */
	write_text(0, "dear diary", 10);
	ck_assert_uint_eq(save(&p), 0);
	ck_assert_int_eq(errno, EEXIST);
}
END_TEST

START_TEST(what_a_power_cut_may_have_left_of_one_is)
{
	static const struct {
		const char *text;
		size_t len;
	} left[] = { { "", 0 }, { "\0\0\0\0\0\0\0\0\0\0", 10 },
		{ "HOLDSNAP", 8 }, { "HOL", 3 } };
	struct snap_pair p = { .path = live_path, .io = &snap_io_system };

	must_save(live_path, 2);
	write_text(0, left[_i].text, left[_i].len);
	ck_assert_uint_eq(found_at(live_path), 1);
	ck_assert_uint_eq(save(&p), 2);
	ck_assert_uint_eq(found_at(live_path), 2);
	path_of(crash_path, live, 3);
	ck_assert_int_eq(access(crash_path, F_OK), 0);
}
END_TEST

START_TEST(what_somebody_else_puts_there_stays)
{
	struct snap_pair one = { .path = live_path, .io = &snap_io_system };
	struct snap_pair other = one;

	ck_assert_uint_eq(save(&one), 1);
	ck_assert_uint_eq(save(&other), 2);
	ck_assert_uint_eq(save(&one), 0);
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_uint_eq(found_at(live_path), 2);
	ck_assert_uint_eq(save(&other), 3);
	/* a link is somebody else's idea, too */
	unlink(live_path);
	ck_assert_int_eq(symlink("/tmp/x", live_path), 0);
	ck_assert_uint_eq(save(&other), 0);
	unlink(live_path);
	ck_assert_uint_ne(save(&other), 0);
}
END_TEST

START_TEST(a_backup_that_was_put_back_counts_though_it_is_older)
{
	struct snap s = { 0 };

	must_save(live_path, 5);
	make(&s, 2);
	ck_assert_int_eq(snap_write(&s, live_path), 0);
	snap_free(&s);
	ck_assert_uint_eq(found_at(live_path), 2);
	must_save(live_path, 1);
	ck_assert_uint_eq(found_at(live_path), 5);
}
END_TEST

START_TEST(of_two_that_are_left_the_newer_counts)
{
	char path[PATHS];
	struct snap s = { 0 };

	must_save(live_path, 3);
	make(&s, 9);
	path_of(path, live, 2);
	ck_assert_int_eq(snap_write(&s, path), 0);
	ck_assert_uint_eq(found_at(live_path), 3);
	unlink(live_path);
	ck_assert_uint_eq(found_at(live_path), 9);
	/* and gets its place before anything else is done */
	must_save(live_path, 1);
	ck_assert_uint_eq(found_at(live_path), 10);
	unlink(live_path);
	ck_assert_uint_eq(found_at(live_path), 9);
	path_of(path, live, 1);
	unlink(path);
	ck_assert_uint_eq(found_at(live_path), 0);
	snap_free(&s);
}
END_TEST

START_TEST(a_directory_that_is_missing_is_no_first_start)
{
	struct snap_pair p = { .path = "/nowhere/at/all",
		.io = &snap_io_system };

	ck_assert_uint_eq(found_at(p.path), UINT64_MAX);
	ck_assert_uint_eq(save(&p), 0);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("snap_pair");
	TCase *tc = tcase_create("snap_pair");
	int rc;

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 3600);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
	    tc, whatever_the_disk_has_done_of_it_there_is_a_whole_one, 0, 4);
	tcase_add_loop_test(tc, the_model_notices_a_sync_that_is_missing, 0, 2);
	tcase_add_loop_test(
	    tc, an_error_at_any_call_leaves_what_was_saved, 0, 2);
	tcase_add_test(tc, who_is_killed_at_any_system_call_leaves_a_whole_one);
	tcase_add_test(tc, what_is_no_snapshot_is_not_replaced);
	tcase_add_loop_test(tc, what_a_power_cut_may_have_left_of_one_is, 0, 4);
	tcase_add_test(tc, what_somebody_else_puts_there_stays);
	tcase_add_test(
	    tc, a_backup_that_was_put_back_counts_though_it_is_older);
	tcase_add_test(tc, of_two_that_are_left_the_newer_counts);
	tcase_add_test(tc, a_directory_that_is_missing_is_no_first_start);
	rc = fix_run(s);
	clear_places("/tmp");
	clear_places("/dev/shm");
	return rc;
}
