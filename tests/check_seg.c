/* SPDX-License-Identifier: Apache-2.0 */

/* Segments: making, attaching, what is refused, what a device costs. */

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/lib/store_fixture.h"

static struct fixture fix;

static void
setup(void)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 0, 100),
		fix_range(STORE_CO, 8, 16),
	};

	fix_open(&fix, r, 2, false);
}

static void
teardown(void)
{
	fix_close(&fix);
}

START_TEST(an_object_is_named_after_store_kind_and_name)
{
	char buf[SHM_NAME_MAX * 3];

	seg_object_name(buf, sizeof(buf), "plant", SHM_CONTROL, "", 0);
	ck_assert_str_eq(buf, "/holdfast-plant.control");
	seg_object_name(buf, sizeof(buf), "plant", SHM_DEVICE, "plc1", 0);
	ck_assert_str_eq(buf, "/holdfast-plant.device.plc1");
	seg_object_name(buf, sizeof(buf), "plant", SHM_WORKER, "tcp1", 3);
	ck_assert_str_eq(buf, "/holdfast-plant.worker.tcp1.3");
}
END_TEST

static const struct {
	const char *name;
	bool ok;
} names[] = {
	{ "plant", true },
	{ "a", true },
	{ "Plant_1-b", true },
	{ "0123456789012345678901234567890123456789", true },
	{ "01234567890123456789012345678901234567890", false },
	{ "", false },
	{ "a.b", false },
	{ "a/b", false },
	{ "../x", false },
	{ "a b", false },
	{ "\xc3\xa4", false },
};

START_TEST(a_name_is_letters_digits_underscore_and_dash)
{
	struct seg s;

	ck_assert_int_eq(seg_name_ok(names[_i].name), names[_i].ok);
	if (!names[_i].ok) {
		ck_assert_int_eq(
		    seg_create_control(&s, names[_i].name, 1, 1, 1, 1), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
}
END_TEST

START_TEST(an_object_that_exists_is_not_made_again)
{
	struct seg s;
	struct seg_range r = fix_range(STORE_HR, 0, 1);

	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "plc", 0, &r, 1, false), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(seg_create_control(&s, fix.name, 1, 1, 1, 1), -1);
	ck_assert_int_eq(errno, EEXIST);
}
END_TEST

START_TEST(an_object_belongs_to_its_owner_alone_and_has_its_pages)
{
	struct stat st;
	int fd = shm_open(fix.device.object, O_RDONLY, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_uint_eq((uint64_t)st.st_size, fix.device.size);
	ck_assert_uint_ge((uint64_t)st.st_blocks * 512, fix.device.size);
	close(fd);
}
END_TEST

START_TEST(without_room_for_its_pages_nothing_is_made)
{
	struct rlimit small = { 8192, 8192 };
	struct seg_range r = fix_range(STORE_HR, 0, 60000);
	struct seg s;
	int fd;

	/* what a full file system does, done by a limit */
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "big", 0, &r, 1, false), -1);
	ck_assert_int_eq(errno, EFBIG);
	fd = shm_open(s.object, O_RDONLY, 0);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(attaching_shows_the_same_memory)
{
	struct seg s;
	uint8_t in[4] = { 1, 2, 3, 4 }, out[4];
	struct store st;

	ck_assert_int_eq(
	    seg_attach(&s, fix.device.object, SHM_DEVICE, true), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, false, NULL), 0);
	ck_assert_int_eq(fix_write(&fix, STORE_HR, 5, 2, in), STORE_OK);
	ck_assert_int_eq(store_read(&st, STORE_HR, 5, 2, out, NULL), STORE_OK);
	ck_assert_mem_eq(in, out, 4);
	seg_unmap(&s);
	seg_unmap(&s); /* twice is fine */
}
END_TEST

START_TEST(what_does_not_exist_cannot_be_attached)
{
	struct seg s;

	ck_assert_int_eq(
	    seg_attach(&s, "/holdfast-none.control", SHM_CONTROL, false), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static void
bad_magic(struct seg *s)
{
	((struct shm_head *)s->at)->magic ^= 1;
}

static void
no_magic(struct seg *s)
{
	((struct shm_head *)s->at)->magic = 0;
}

static void
other_layout(struct seg *s)
{
	((struct shm_head *)s->at)->layout++;
}

static void
other_size(struct seg *s)
{
	((struct shm_head *)s->at)->size += 4096;
}

static void
endless_name(struct seg *s)
{
	memset(((struct shm_head *)s->at)->name, 'x', SHM_NAME_MAX);
}

static void
other_kind(struct seg *s)
{
	struct shm_head *h = s->at;

	h->kind = h->kind == SHM_DEVICE ? SHM_WORKER : SHM_DEVICE;
}

static void
too_many_slots(struct seg *s)
{
	((struct shm_control *)s->at)->nslots = 1000;
}

static void
no_slots(struct seg *s)
{
	((struct shm_control *)s->at)->nslots = 0;
}

static void
too_many_transports(struct seg *s)
{
	((struct shm_control *)s->at)->ntransports = 0xffffffff;
}

static void
too_many_devices(struct seg *s)
{
	((struct shm_control *)s->at)->ndevices = 0x10001;
}

static const struct {
	void (*spoil)(struct seg *);
	bool control;
	int error;
} hostile[] = {
	{ bad_magic, true, EINVAL },
	{ no_magic, false, EINVAL },
	{ other_layout, true, EPROTO },
	{ other_layout, false, EPROTO },
	{ other_size, true, EINVAL },
	{ other_size, false, EINVAL },
	{ endless_name, false, EINVAL },
	{ other_kind, true, EINVAL },
	{ other_kind, false, EINVAL },
	{ too_many_slots, true, EINVAL },
	{ no_slots, true, EINVAL },
	{ too_many_transports, true, EINVAL },
	{ too_many_devices, true, EINVAL },
};

enum { NHOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

START_TEST(a_header_that_lies_is_refused)
{
	struct seg *victim = hostile[_i].control ? &fix.control : &fix.device;
	enum shm_kind kind = hostile[_i].control ? SHM_CONTROL : SHM_DEVICE;
	struct seg s;

	ck_assert_int_eq(seg_attach(&s, victim->object, kind, false), 0);
	seg_unmap(&s);
	hostile[_i].spoil(victim);
	ck_assert_int_eq(seg_attach(&s, victim->object, kind, false), -1);
	ck_assert_int_eq(errno, hostile[_i].error);
	ck_assert_ptr_null(s.at);
}
END_TEST

START_TEST(an_object_too_short_for_a_header_is_refused)
{
	static const off_t sizes[] = { 0, 1, sizeof(struct shm_head) - 1,
		sizeof(struct shm_head), sizeof(struct shm_device) - 1 };
	struct seg s;
	char object[64];
	int fd;

	snprintf(object, sizeof(object), "/holdfast-%s.short", fix.name);
	fd = shm_open(object, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, sizes[_i]), 0);
	if (sizes[_i] >= (off_t)sizeof(struct shm_head)) {
		struct shm_head h;

		memcpy(&h, fix.device.at, sizeof(h));
		h.size = (uint64_t)sizes[_i];
		ck_assert_int_eq(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	}
	close(fd);
	ck_assert_int_eq(seg_attach(&s, object, SHM_DEVICE, false), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* Does this access end the process by a signal? */
static int
dies(void (*touch)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct sigaction dfl = { .sa_handler = SIG_DFL };

		/* the sanitizers would report what is meant to happen */
		sigaction(SIGSEGV, &dfl, NULL);
		sigaction(SIGBUS, &dfl, NULL);
		touch(arg);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
touch_seq(void *at)
{
	atomic_fetch_add(&((struct shm_device *)at)->seq, 2);
}

START_TEST(a_mapping_made_read_only_stays_so)
{
	void *before = fix.device.at;
	size_t size = fix.device.size;

	ck_assert_int_eq(dies(touch_seq, fix.device.at), 0);
	ck_assert_int_eq(seg_make_readonly(&fix.device), 0);
	ck_assert_ptr_eq(fix.device.at, before);
	ck_assert(!fix.device.writable);
	ck_assert_int_eq(dies(touch_seq, fix.device.at), SIGSEGV);
	ck_assert_int_eq(
	    mprotect(fix.device.at, size, PROT_READ | PROT_WRITE), -1);
	ck_assert_int_eq(errno, EACCES);
}
END_TEST

START_TEST(a_read_only_attachment_cannot_be_made_writable)
{
	struct seg s;

	ck_assert_int_eq(
	    seg_attach(&s, fix.device.object, SHM_DEVICE, false), 0);
	ck_assert_int_eq(mprotect(s.at, s.size, PROT_READ | PROT_WRITE), -1);
	ck_assert_int_eq(dies(touch_seq, s.at), SIGSEGV);
	seg_unmap(&s);
}
END_TEST

START_TEST(an_object_that_was_replaced_is_not_mapped_in_its_place)
{
	struct seg_range r = fix_range(STORE_HR, 0, 100);
	struct seg other;

	ck_assert_int_eq(shm_unlink(fix.device.object), 0);
	ck_assert_int_eq(
	    seg_create_device(&other, fix.name, "plc", 0, &r, 1, false), 0);
	ck_assert_int_eq(seg_make_readonly(&fix.device), -1);
	ck_assert_int_eq(errno, ESTALE);
	seg_unmap(&other);
}
END_TEST

START_TEST(unlinking_a_store_removes_its_objects_and_no_others)
{
	struct seg other, worker;
	char near[40];

	snprintf(near, sizeof(near), "%sx", fix.name);
	ck_assert_int_eq(seg_create_control(&other, near, 1, 0, 0, 1), 0);
	ck_assert_int_eq(
	    seg_create_worker(&worker, fix.name, "tcp1", 0, 0, 4, 1, 0), 0);
	ck_assert_int_eq(seg_unlink_store(fix.name), 3);
	ck_assert_int_eq(seg_unlink_store(fix.name), 0);
	ck_assert_int_eq(seg_unlink_store(near), 1);
	/* what is mapped stays */
	ck_assert_uint_eq(seg_worker(&worker)->nconns, 4);
	seg_unmap(&other);
	seg_unmap(&worker);
}
END_TEST

START_TEST(the_parts_of_a_control_segment_do_not_overlap)
{
	struct seg s;
	struct shm_control *c;
	struct {
		char *at;
		size_t size;
	} p[3 * 8];
	int n = 0;

	ck_assert_int_eq(seg_create_control(&s, fix.name, 3, 2, 2, 5), -1);
	seg_unlink_store(fix.name);
	ck_assert_int_eq(seg_create_control(&s, fix.name, 3, 2, 2, 5), 0);
	c = seg_control(&s);
	ck_assert_uint_eq(seg_slots(c), 3);
	ck_assert_uint_eq(seg_authors(c), 5);
	for (unsigned i = 0; i < 3; i++) {
		p[n].at = (char *)seg_slot(c, i);
		p[n++].size = sizeof(struct shm_slot);
		p[n].at = (char *)seg_notices(c, i);
		p[n++].size = sizeof(struct shm_ring) + SHM_RING_BYTES;
	}
	for (unsigned i = 0; i < 2; i++) {
		p[n].at = (char *)seg_transport(c, i);
		p[n++].size = sizeof(struct shm_transport);
		p[n].at = seg_device_name(c, i);
		p[n++].size = SHM_NAME_MAX;
		p[n].at = seg_diag(c, i, 0);
		p[n++].size = SHM_DIAG_BYTES;
		p[n].at = seg_diag(c, i, 1);
		p[n++].size = SHM_DIAG_BYTES;
	}
	for (unsigned i = 0; i < 5; i++) {
		p[n].at = (char *)(uintptr_t)seg_done(c, i);
		p[n++].size = 8;
	}
	for (int i = 0; i < n; i++) {
		ck_assert(p[i].at >= (char *)c + sizeof(*c));
		ck_assert(p[i].at + p[i].size <= (char *)c + s.size);
		for (int k = 0; k < i; k++) {
			ck_assert(p[k].at + p[k].size <= p[i].at ||
			    p[i].at + p[i].size <= p[k].at);
		}
	}
	seg_unmap(&s);
}
END_TEST

START_TEST(a_slot_starts_with_generation_one_and_an_empty_ring)
{
	struct shm_control *c = seg_control(&fix.control);

	for (unsigned i = 0; i < FIX_SLOTS; i++) {
		ck_assert_uint_eq(seg_slot(c, i)->gen, 1);
		ck_assert_uint_eq(
		    seg_notices(c, i)->head, seg_notices(c, i)->oldest);
		ck_assert_ptr_eq((char *)c + seg_slot(c, i)->ring_off,
		    (char *)seg_notices(c, i));
	}
	ck_assert_int_eq(seg_transport(c, 1)->last_exit, -1);
	ck_assert_str_eq(c->head.store, fix.name);
	ck_assert_uint_eq(strlen(c->boot), 36);
}
END_TEST

START_TEST(an_index_that_does_not_exist_stays_inside_the_segment)
{
	struct shm_control *c = seg_control(&fix.control);

	ck_assert_ptr_eq(seg_slot(c, FIX_SLOTS), seg_slot(c, 0));
	ck_assert_ptr_eq(seg_slot(c, UINT32_MAX), seg_slot(c, 0));
	ck_assert_ptr_eq(seg_transport(c, 2), seg_transport(c, 0));
	ck_assert_ptr_eq(seg_done(c, FIX_AUTHORS), seg_done(c, 0));
	ck_assert_ptr_eq(seg_diag(c, 99, 99), seg_diag(c, 0, 0));
	ck_assert_ptr_eq(seg_device_name(c, 1), seg_device_name(c, 0));
}
END_TEST

START_TEST(a_header_scribbled_on_later_changes_no_address)
{
	struct shm_control *c = seg_control(&fix.control);
	struct shm_slot *slot = seg_slot(c, 5);
	_Atomic uint64_t *done = seg_done(c, 7);
	unsigned ndevices = c->ndevices;

	memset(c, 0xff, sizeof(*c));
	ck_assert_ptr_eq(seg_slot(c, 5), slot);
	ck_assert_ptr_eq(seg_done(c, 7), done);
	ck_assert_uint_eq(seg_slots(c), FIX_SLOTS);
	ck_assert_uint_eq(seg_ndevices(c), ndevices);
}
END_TEST

START_TEST(a_worker_segment_holds_what_was_asked_for)
{
	struct seg s, again;
	struct shm_worker *w;

	ck_assert_int_eq(
	    seg_create_worker(&s, fix.name, "tcp1", 4, 2, 100, 8, 100000), 0);
	w = seg_worker(&s);
	ck_assert_uint_eq(w->transport, 4);
	ck_assert_uint_eq(w->worker, 2);
	ck_assert_str_eq(w->head.name, "tcp1");
	ck_assert_uint_eq(seg_trace_bytes(seg_trace(w)), 131072);
	ck_assert_int_eq(seg_conn(w, 99)->fd, -1);
	ck_assert_ptr_eq(seg_conn(w, 100), seg_conn(w, 0));
	ck_assert((char *)seg_cold(w, 0) >= (char *)(seg_conn(w, 99) + 1));
	ck_assert((char *)seg_who(w, 0) >= (char *)(seg_cold(w, 99) + 1));
	ck_assert((char *)seg_batch(w, 0) >= (char *)(seg_who(w, 99) + 1));
	ck_assert((char *)(seg_batch(w, 7) + 1) <= (char *)s.at + s.size);
	ck_assert_uint_eq((uintptr_t)seg_batch(w, 3) % SHM_LINE, 0);
	ck_assert_int_eq(seg_attach(&again, s.object, SHM_WORKER, false), 0);
	ck_assert_uint_eq(
	    seg_trace_bytes(seg_trace(seg_worker(&again))), 131072);
	seg_unmap(&again);
	w->trace_bytes = 1 << 20; /* would reach beyond the end */
	ck_assert_int_eq(seg_attach(&again, s.object, SHM_WORKER, false), -1);
	ck_assert_int_eq(errno, EINVAL);
	seg_unmap(&s);
}
END_TEST

START_TEST(a_device_costs_what_it_defines_twice)
{
	/* far apart in address, near in memory */
	struct seg_range r[] = {
		fix_range(STORE_HR, 65000, 8),
		fix_range(STORE_HR, 0, 5),
		fix_range(STORE_CO, 60000, 65),
	};
	struct seg s;
	struct shm_device *d;

	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "sparse", 0, r, 3, false), 0);
	d = s.at;
	ck_assert_uint_eq(d->words, 2 + 2 + 2);
	ck_assert_uint_le(s.size, d->events_size + 8192);
	seg_unmap(&s);
}
END_TEST

START_TEST(ranges_that_touch_are_one_run)
{
	struct seg_range r[] = {
		fix_range(STORE_HR, 10, 5),
		fix_range(STORE_HR, 0, 10),
		fix_range(STORE_HR, 16, 1),
		fix_range(STORE_IR, 15, 1),
	};
	struct seg s;
	struct store st;

	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "runs", 0, r, 4, false), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	ck_assert_uint_eq(st.nextents[STORE_HR], 2);
	ck_assert_uint_eq(st.nextents[STORE_IR], 1);
	ck_assert_uint_eq(st.nextents[STORE_CO], 0);
	ck_assert(store_has(&st, STORE_HR, 3, 12));
	ck_assert(!store_has(&st, STORE_HR, 14, 2));
	seg_unmap(&s);
}
END_TEST

static const struct {
	struct {
		enum store_table table;
		uint32_t addr, count;
	} r[2];
	size_t n;
} wrong_ranges[] = {
	{ { { STORE_HR, 0, 0 } }, 1 },
	{ { { STORE_HR, 65535, 2 } }, 1 },
	{ { { STORE_CO, 65536, 1 } }, 1 },
	{ { { STORE_HR, 0, UINT32_MAX } }, 1 },
	{ { { STORE_HR, UINT32_MAX, UINT32_MAX } }, 1 },
	{ { { (enum store_table)6, 0, 1 } }, 1 },
	{ { { STORE_FILE, UINT32_MAX, 2 } }, 1 },
	{ { { STORE_HR, 0, 10 }, { STORE_HR, 9, 1 } }, 2 },
	{ { { STORE_DI, 5, 1 }, { STORE_DI, 5, 1 } }, 2 },
};

START_TEST(ranges_that_overlap_or_leave_the_table_are_refused)
{
	struct seg_range r[2];
	struct seg s;

	for (int i = 0; i < 2; i++) {
		r[i] = fix_range(wrong_ranges[_i].r[i].table,
		    wrong_ranges[_i].r[i].addr, wrong_ranges[_i].r[i].count);
	}
	ck_assert_int_eq(seg_create_device(&s, fix.name, "wrong", 0, r,
			     wrong_ranges[_i].n, _i % 2),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	/* nothing is left lying about */
	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "wrong", 0, NULL, 0, false), 0);
	seg_unmap(&s);
}
END_TEST

START_TEST(initial_values_stand_on_both_sides)
{
	static const uint8_t regs[] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc };
	static const uint8_t bits[] = { 0xff, 0xa5 };
	struct seg_range r[] = {
		fix_range(STORE_HR, 7, 3),
		fix_range(STORE_HR, 4, 3),
		fix_range(STORE_DI, 3, 13),
	};
	struct seg s;
	struct store st;
	uint8_t out[8];

	r[0].init = regs;
	r[2].init = bits;
	ck_assert_int_eq(
	    seg_create_device(&s, fix.name, "init", 0, r, 3, false), 0);
	ck_assert_int_eq(store_open(&st, s.at, s.size, true, &fix.env), 0);
	for (int side = 0; side < 2; side++) {
		atomic_store(&st.dev->seq, (uint64_t)side);
		store_read(&st, STORE_HR, 7, 3, out, NULL);
		ck_assert_mem_eq(out, regs, 6);
		store_read(&st, STORE_HR, 4, 3, out, NULL);
		ck_assert_mem_eq(out, "\0\0\0\0\0\0", 6);
		store_read(&st, STORE_DI, 3, 13, out, NULL);
		ck_assert_uint_eq(out[0], 0xff);
		ck_assert_uint_eq(out[1], 0x05); /* beyond the count: 0 */
	}
	seg_unmap(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("seg");
	TCase *t = tcase_create("seg");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_object_is_named_after_store_kind_and_name);
	tcase_add_loop_test(t, a_name_is_letters_digits_underscore_and_dash, 0,
	    sizeof(names) / sizeof(names[0]));
	tcase_add_test(t, an_object_that_exists_is_not_made_again);
	tcase_add_test(
	    t, an_object_belongs_to_its_owner_alone_and_has_its_pages);
	tcase_add_test(t, without_room_for_its_pages_nothing_is_made);
	tcase_add_test(t, attaching_shows_the_same_memory);
	tcase_add_test(t, what_does_not_exist_cannot_be_attached);
	tcase_add_loop_test(t, a_header_that_lies_is_refused, 0, NHOSTILE);
	tcase_add_loop_test(
	    t, an_object_too_short_for_a_header_is_refused, 0, 5);
	tcase_add_test(t, a_mapping_made_read_only_stays_so);
	tcase_add_test(t, a_read_only_attachment_cannot_be_made_writable);
	tcase_add_test(
	    t, an_object_that_was_replaced_is_not_mapped_in_its_place);
	tcase_add_test(t, unlinking_a_store_removes_its_objects_and_no_others);
	tcase_add_test(t, the_parts_of_a_control_segment_do_not_overlap);
	tcase_add_test(t, a_slot_starts_with_generation_one_and_an_empty_ring);
	tcase_add_test(
	    t, an_index_that_does_not_exist_stays_inside_the_segment);
	tcase_add_test(t, a_header_scribbled_on_later_changes_no_address);
	tcase_add_test(t, a_worker_segment_holds_what_was_asked_for);
	tcase_add_test(t, a_device_costs_what_it_defines_twice);
	tcase_add_test(t, ranges_that_touch_are_one_run);
	tcase_add_loop_test(t,
	    ranges_that_overlap_or_leave_the_table_are_refused, 0,
	    sizeof(wrong_ranges) / sizeof(wrong_ranges[0]));
	tcase_add_test(t, initial_values_stand_on_both_sides);
	suite_add_tcase(s, t);
	return fix_run(s);
}
