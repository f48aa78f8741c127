/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of connections: order of use, of waiting, of peers, and what lies
 * in shared memory about them.
 */
#include "workers/conns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "tests/lib/worker_fixture.h"
#include "workers/conns_wait.h"
#include "workers/resume.h"

static struct fx fx;
static struct conns cs;

#define SECOND 1000000000ull

static void
setup(void)
{
	fx_init(&fx);
	fx.transport.idle_timeout_s = 10;
	fx.transport.frame_timeout_ms = 500;
	ck_assert_int_eq(conns_init(&cs, &fx.worker), 0);
}

static void
teardown(void)
{
	conns_fini(&cs);
	fx_fini(&fx);
}

static struct acl_peer
host(unsigned last, unsigned port)
{
	struct acl_peer p = { .family = AF_INET,
		.port = (uint16_t)port,
		.addr = { 10, 0, 0, (uint8_t)last } };

	return p;
}

static struct conn *
open_from(unsigned last, bool priority)
{
	struct acl_peer p = host(last, 4000 + last);
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	struct conn *c;

	ck_assert_int_ge(fd, 0);
	fx.worker.now_ns += SECOND;
	c = conns_open(&cs, fd, &p, priority);
	if (c == NULL)
		close(fd);
	return c;
}

static void
end(struct conn *c)
{
	conns_close(&cs, c, "test", NULL);
}

START_TEST(a_record_tells_peer_serial_and_operation)
{
	struct conn *c;
	struct shm_conn *r;

	atomic_store(seg_done(fx.proc.env.control, FX_AUTHOR), 41);
	c = open_from(7, false);
	r = c->rec.shm;
	ck_assert_int_eq(atomic_load(&r->used), CONN_USED);
	ck_assert_int_eq(r->family, AF_INET);
	ck_assert_int_eq(r->port, 4007);
	ck_assert_int_eq(r->addr[3], 7);
	ck_assert_uint_eq(batch_half(r)->op, 41 + BATCH_OPS_MAX);
	ck_assert_uint_eq(batch_half(r)->left, 0);
	ck_assert_uint_ne(atomic_load(&r->serial), 0);
	ck_assert_uint_gt(atomic_load(&r->since_ms), 1600000000000ull);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.conns_open), 1);
	end(c);
	ck_assert_int_eq(atomic_load(&r->used), CONN_FREE);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.conns_open), 0);
}
END_TEST

START_TEST(closing_closes_the_socket)
{
	struct conn *c = open_from(1, false);
	int fd = c->fd;

	end(c);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_serial_is_never_used_twice_and_finds_its_connection)
{
	uint64_t seen[20];

	for (int i = 0; i < 20; i++) {
		struct conn *c = open_from(1, i % 2 == 0);

		seen[i] = atomic_load(&c->rec.shm->serial);
		for (int k = 0; k < i; k++)
			ck_assert_uint_ne(seen[i], seen[k]);
		ck_assert_ptr_eq(conns_by_serial(&cs, seen[i]), c);
		end(c);
		ck_assert_ptr_null(conns_by_serial(&cs, seen[i]));
	}
}
END_TEST

START_TEST(a_record_used_again_has_another_generation)
{
	struct conn *c = open_from(1, false);
	struct shm_conn *r = c->rec.shm;
	struct shm_batch *b = seg_batch(fx.worker.shm, 0);

	batch_begin(b, &c->rec);
	ck_assert(batch_in_force(fx.worker.shm, b));
	end(c);
	ck_assert(!batch_in_force(fx.worker.shm, b));
	c = open_from(2, false);
	ck_assert_ptr_eq(c->rec.shm, r);
	ck_assert(!batch_in_force(fx.worker.shm, b));
	end(c);
}
END_TEST

static uint64_t
first_op(struct conns *pool)
{
	struct acl_peer p = host(1, 1);
	struct conn *c = conns_open(
	    pool, fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), &p, false);
	uint64_t op = batch_half(c->rec.shm)->op;

	conns_close(pool, c, "test", NULL);
	return op;
}

START_TEST(a_worker_begins_behind_all_numbers_of_its_predecessor_once)
{
	_Atomic uint64_t *done = seg_done(fx.proc.env.control, FX_AUTHOR);
	uint64_t op = first_op(&cs);
	struct conns next;

	ck_assert_uint_eq(op, BATCH_OPS_MAX);
	ck_assert_uint_eq(first_op(&cs), op);
	atomic_store(done, op + 7);
	ck_assert_uint_eq(first_op(&cs), op + 7);
	ck_assert_int_eq(conns_init(&next, &fx.worker), 0);
	ck_assert_uint_eq(first_op(&next), op + 7 + BATCH_OPS_MAX);
	conns_fini(&next);
	ck_assert_int_eq(conns_init(&next, &fx.worker), 0);
	ck_assert_uint_eq(first_op(&next), op + 7 + 2 * BATCH_OPS_MAX);
	conns_fini(&next);
}
END_TEST

START_TEST(scribbled_segments_lead_nowhere_else)
{
	struct shm_transport *t = seg_transport(fx.proc.env.control, 0);
	struct conn *c[FX_CONNS];

	t->first_author = UINT32_MAX;
	t->nconns = UINT32_MAX;
	fx.worker.shm->nconns = UINT32_MAX;
	for (unsigned i = 0; i < FX_CONNS; i++) {
		c[i] = open_from(i, false);
		ck_assert_uint_eq(c[i]->author, FX_AUTHOR + i);
		memset(c[i]->rec.shm->addr, (int)i, 16);
		batch_half(c[i]->rec.shm)->left = UINT32_MAX;
		ck_assert_uint_eq(
		    batch_begin(seg_batch(fx.worker.shm, 0), &c[i]->rec), 0);
	}
	ck_assert_ptr_null(open_from(9, false));
	for (unsigned i = 0; i < FX_CONNS; i++)
		end(c[i]);
	for (unsigned i = 0; i < cs.npeers; i++)
		ck_assert(TAILQ_EMPTY(&cs.peers[i]));
}
END_TEST

START_TEST(a_worker_does_not_start_on_segments_that_contradict_each_other)
{
	struct shm_transport *t = seg_transport(fx.proc.env.control, 0);
	const unsigned authors = seg_authors(fx.proc.env.control);
	struct conns next;

	t->first_author = authors - FX_CONNS;
	ck_assert_int_eq(conns_init(&next, &fx.worker), 0);
	conns_fini(&next);
	t->first_author++;
	ck_assert_int_eq(conns_init(&next, &fx.worker), -1);
	ck_assert_ptr_nonnull(fx.worker.why);
	t->first_author = UINT32_MAX;
	ck_assert_int_eq(conns_init(&next, &fx.worker), -1);
	t->first_author = FX_AUTHOR;
	fx.worker.shm->nconns++;
	ck_assert_int_eq(conns_init(&next, &fx.worker), -1);
	fx.worker.shm->nconns = 0;
	ck_assert_int_eq(conns_init(&next, &fx.worker), -1);
}
END_TEST

START_TEST(the_pool_has_as_many_as_the_segment)
{
	struct conn *c[FX_CONNS];

	for (int i = 0; i < FX_CONNS; i++) {
		ck_assert(!conns_full(&cs));
		ck_assert_ptr_nonnull(c[i] = open_from((unsigned)i, false));
	}
	ck_assert(conns_full(&cs));
	ck_assert_ptr_null(open_from(99, false));
	end(c[3]);
	ck_assert(!conns_full(&cs));
	ck_assert_ptr_nonnull(open_from(99, false));
}
END_TEST

START_TEST(full_is_what_the_configuration_says)
{
	cs.max = 2;
	open_from(1, false);
	ck_assert(!conns_full(&cs));
	open_from(2, false);
	ck_assert(conns_full(&cs));
}
END_TEST

START_TEST(the_longest_unused_is_the_first_to_go)
{
	struct conn *a = open_from(1, false), *b = open_from(2, false),
		    *c = open_from(3, false);

	ck_assert_ptr_eq(conns_oldest(&cs), a);
	fx.worker.now_ns += SECOND;
	conns_used(&cs, a);
	ck_assert_ptr_eq(conns_oldest(&cs), b);
	conns_used(&cs, b);
	conns_used(&cs, b);
	ck_assert_ptr_eq(conns_oldest(&cs), c);
	end(c);
	ck_assert_ptr_eq(conns_oldest(&cs), a);
}
END_TEST

START_TEST(priority_connections_are_never_chosen)
{
	struct conn *p = open_from(1, true), *c;

	ck_assert_ptr_null(conns_oldest(&cs));
	c = open_from(2, false);
	conns_used(&cs, c);
	ck_assert_ptr_eq(conns_oldest(&cs), c);
	end(c);
	ck_assert_ptr_null(conns_oldest(&cs));
	end(p);
}
END_TEST

START_TEST(connections_of_a_peer_are_counted_whatever_their_port)
{
	struct conn *a = open_from(1, false), *b, *found;
	struct acl_peer p = host(1, 1);
	unsigned n;

	open_from(2, false);
	b = open_from(1, true);
	found = conns_oldest_of(&cs, &p, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_ptr_eq(found, a);
	fx.worker.now_ns += SECOND;
	conns_used(&cs, a);
	ck_assert_ptr_eq(conns_oldest_of(&cs, &p, &n), b);
	end(b);
	end(a);
	ck_assert_ptr_null(conns_oldest_of(&cs, &p, &n));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(a_peer_without_an_address_is_told_in_words)
{
	static const char word[] = "uid:7/pid:8";
	char words[sizeof(word)], text[ACL_TEXT_MAX];
	struct acl_peer p = { .family = AF_UNSPEC, .addr = { 7 } }, got;
	struct acl_peer other = { .family = AF_UNSPEC, .addr = { 8 } };
	unsigned n;
	struct conn *c;

	memcpy(words, word, sizeof(word));
	p.text = words;
	c = conns_open(&cs, -1, &p, false);
	memset(words, 'x', sizeof(words) - 1); /* they were borrowed */
	conns_peer(c, &got);
	ck_assert_str_eq(acl_peer_text(&got, text), word);
	ck_assert_ptr_eq(conns_oldest_of(&cs, &p, &n), c);
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_eq(conns_oldest_of(&cs, &other, &n), NULL);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(one_is_found_by_its_address_and_port)
{
	struct conn *c[FX_CONNS];
	struct conns found;

	ck_assert_int_eq(conns_init(&found, &fx.worker), 0);
	ck_assert_int_eq(conns_find_init(&found), 0);
	for (unsigned i = 0; i < FX_CONNS; i++) {
		/* two hosts, three ports */
		struct acl_peer p = host(i % 2, 4000 + i / 2);

		ck_assert_ptr_null(conns_find(&found, &p));
		c[i] = conns_open(&found, -1, &p, false);
		ck_assert_ptr_nonnull(c[i]);
		ck_assert_int_eq(c[i]->rec.shm->fd, -1);
	}
	for (unsigned i = 0; i < FX_CONNS; i++) {
		struct acl_peer p = host(i % 2, 4000 + i / 2);

		ck_assert_ptr_eq(conns_find(&found, &p), c[i]);
		p.port += 100;
		ck_assert_ptr_null(conns_find(&found, &p));
		p.port -= 100;
		p.family = AF_INET6;
		ck_assert_ptr_null(conns_find(&found, &p));
		p.family = AF_INET;
		conns_close(&found, c[i], "test", NULL);
		ck_assert_ptr_null(conns_find(&found, &p));
	}
	conns_fini(&found);
}
END_TEST

START_TEST(idle_connections_expire_by_their_last_request)
{
	struct conn *a = open_from(1, false), *b = open_from(2, false);
	bool idle;

	ck_assert_uint_eq(conns_next_ns(&cs), a->used_ns + 10 * SECOND);
	fx.worker.now_ns = a->used_ns + 10 * SECOND - 1;
	ck_assert_ptr_null(conns_expired(&cs, &idle));
	fx.worker.now_ns++;
	ck_assert_ptr_eq(conns_expired(&cs, &idle), a);
	ck_assert(idle);
	conns_used(&cs, a);
	ck_assert_ptr_null(conns_expired(&cs, &idle));
	ck_assert_uint_eq(conns_next_ns(&cs), b->used_ns + 10 * SECOND);
	fx.worker.now_ns = b->used_ns + 10 * SECOND;
	ck_assert_ptr_eq(conns_expired(&cs, &idle), b);
}
END_TEST

START_TEST(a_transport_may_have_an_idle_time_of_its_own)
{
	struct conn *c = open_from(1, false);
	bool idle;

	cs.idle_s = 3;
	ck_assert_uint_eq(conns_next_ns(&cs), c->used_ns + 10 * SECOND);
	fx.transport.idle_timeout_s = 0;
	ck_assert_uint_eq(conns_next_ns(&cs), c->used_ns + 3 * SECOND);
	fx.worker.now_ns = c->used_ns + 3 * SECOND - 1;
	ck_assert_ptr_null(conns_expired(&cs, &idle));
	fx.worker.now_ns++;
	ck_assert_ptr_eq(conns_expired(&cs, &idle), c);
	/* what it has are no connections: they end, whosever they are */
	cs.idle_s = 0;
	fx.transport.idle_timeout_s = 10;
	conns_close(&cs, c, "test", NULL);
	c = open_from(1, true);
	fx.worker.now_ns = c->used_ns + 10 * SECOND;
	ck_assert_ptr_null(conns_expired(&cs, &idle));
	cs.idle_s = 3;
	ck_assert_ptr_eq(conns_expired(&cs, &idle), c);
	ck_assert_uint_eq(conns_next_ns(&cs), c->used_ns + 10 * SECOND);
}
END_TEST

START_TEST(priority_connections_may_be_idle_but_not_unfinished)
{
	struct conn *c = open_from(1, true);
	bool idle;

	ck_assert_uint_eq(conns_next_ns(&cs), 0);
	fx.worker.now_ns += 1000000 * SECOND;
	ck_assert_ptr_null(conns_expired(&cs, &idle));
	conns_slow(&cs, c);
	fx.worker.now_ns += 1000000 * SECOND;
	ck_assert_ptr_eq(conns_expired(&cs, &idle), c);
	ck_assert(!idle);
}
END_TEST

START_TEST(priority_connections_are_the_last_to_go_for_not_reading)
{
	struct conn *a = open_from(1, true), *b = open_from(2, false);

	ck_assert_ptr_null(conns_deafest(&cs));
	conns_park(&cs, a, seg_batch(fx.worker.shm, 0));
	ck_assert_ptr_eq(conns_deafest(&cs), a);
	conns_park(&cs, b, seg_batch(fx.worker.shm, 1));
	ck_assert_ptr_eq(conns_deafest(&cs), b);
	conns_unpark(&cs, b);
	ck_assert_ptr_eq(conns_deafest(&cs), a);
	conns_unpark(&cs, a);
}
END_TEST

START_TEST(unfinished_requests_expire_in_order)
{
	struct conn *a = open_from(1, false), *b = open_from(2, false);
	uint64_t at;
	bool idle;

	fx.worker.now_ns += SECOND;
	conns_slow(&cs, b);
	fx.worker.now_ns += 1000;
	conns_slow(&cs, a);
	at = b->since_ns + SECOND / 2;
	ck_assert_uint_eq(conns_next_ns(&cs), at);
	fx.worker.now_ns = at - 1;
	ck_assert_ptr_null(conns_expired(&cs, &idle));
	fx.worker.now_ns = at;
	ck_assert_ptr_eq(conns_expired(&cs, &idle), b);
	ck_assert(!idle);
	conns_not_slow(&cs, b);
	ck_assert_ptr_null(conns_expired(&cs, &idle));
	conns_not_slow(&cs, b);
	conns_slow(&cs, a);
	ck_assert_uint_eq(a->since_ns, at);
}
END_TEST

START_TEST(nothing_expires_without_a_limit)
{
	bool idle;

	fx.transport.idle_timeout_s = 0;
	fx.transport.frame_timeout_ms = 0;
	conns_slow(&cs, open_from(1, false));
	open_from(2, false);
	fx.worker.now_ns += 1000000 * SECOND;
	ck_assert_uint_eq(conns_next_ns(&cs), 0);
	ck_assert_ptr_null(conns_expired(&cs, &idle));
}
END_TEST

START_TEST(output_that_waits_is_ordered_by_its_last_progress)
{
	struct conn *a = open_from(1, false), *b = open_from(2, false);
	bool idle;

	conns_slow(&cs, a);
	conns_park(&cs, a, seg_batch(fx.worker.shm, 0));
	conns_park(&cs, b, seg_batch(fx.worker.shm, 1));
	fx.worker.now_ns += SECOND;
	ck_assert_msg(conns_expired(&cs, &idle) == NULL,
	    "a request that waits for its reader is not slow");
	ck_assert_ptr_eq(TAILQ_FIRST(&cs.parked), a);
	conns_park(&cs, a, a->held);
	ck_assert_ptr_eq(TAILQ_FIRST(&cs.parked), b);
	conns_unpark(&cs, b);
	conns_unpark(&cs, a);
	ck_assert(TAILQ_EMPTY(&cs.parked));
	ck_assert_ptr_null(a->held);
}
END_TEST

START_TEST(what_a_dead_worker_left_is_wiped)
{
	struct conn *c = open_from(1, false);
	struct shm_batch *b = seg_batch(fx.worker.shm, 1);
	struct shm_conn *r = c->rec.shm;
	uint64_t serial = atomic_load(&r->serial), pos = 0;
	struct notice n = { .kind = 0 };
	struct conns next;
	int fd = c->fd;

	batch_begin(b, &c->rec);
	open_from(2, false);
	pos = notice_end(fx.proc.env.control, FX_SLOT);
	ck_assert_int_eq(conns_init(&next, &fx.worker), 0);
	ck_assert_int_eq(resume_wipe(&next, NULL, -1), 0);
	ck_assert_int_eq(atomic_load(&r->used), CONN_FREE);
	ck_assert_uint_eq(atomic_load(&b->own), 0);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.conns_open), 0);
	ck_assert_msg(fcntl(fd, F_GETFD) != -1,
	    "a number of the dead worker's is not ours to close");
	ck_assert_int_eq(
	    notice_next(fx.proc.env.control, FX_SLOT, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_CONN_CLOSE);
	ck_assert_uint_eq(CONN_ID_SERIAL(n.a), serial);
	conns_fini(&next);
}
END_TEST

START_TEST(opening_and_closing_are_told_as_notices)
{
	struct shm_control *control = fx.proc.env.control;
	uint64_t pos = notice_end(control, FX_SLOT);
	struct conn *c = open_from(9, false);
	uint64_t serial = atomic_load(&c->rec.shm->serial);
	struct shm_stats *s = &fx.worker.shm->stats;
	struct notice n;

	ck_assert_int_eq(notice_next(control, FX_SLOT, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_CONN_OPEN);
	ck_assert_uint_eq(n.a, CONN_ID(0, 0, serial));
	ck_assert_str_eq(n.text, "10.0.0.9:4009");
	atomic_store(&c->rec.shm->requests, 5);
	conns_close(&cs, c, "idle", &s->conns_idle);
	ck_assert_int_eq(notice_next(control, FX_SLOT, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_CONN_CLOSE);
	ck_assert_uint_eq(n.a, CONN_ID(0, 0, serial));
	ck_assert_uint_eq(n.b, 5);
	ck_assert_str_eq(n.text, "idle");
	ck_assert_uint_eq(atomic_load(&s->conns_idle), 1);
}
END_TEST

/* what a reader would show of it */
static const char *
role_of(const struct conn *c)
{
	static char text[CONN_ROLE_MAX + 1];
	unsigned len = atomic_load(&c->who->role_len);

	if (len == 0)
		return NULL;
	memcpy(text, c->who->role, len - 1);
	text[len - 1] = '\0';
	return text;
}

START_TEST(a_crowd_of_newcomers_gives_way_itself)
{
	struct conn *served = open_from(1, false), *c[2];

	cs.max = 8;
	served->ready = true;
	fx.worker.now_ns += SECOND;
	for (int i = 0; i < 2; i++) {
		c[i] = open_from(2 + i, false);
		conns_slow(&cs, c[i]);
		cs.unready++;
		fx.worker.now_ns += SECOND;
		/* up to a quarter, it is age that counts */
		ck_assert_ptr_eq(conns_oldest(&cs), i == 0 ? served : c[0]);
	}
	c[0]->priority = true;
	ck_assert_ptr_eq(conns_oldest(&cs), c[1]);
	c[0]->priority = false;
	/* unfinished requests are no beginnings */
	for (int i = 0; i < 2; i++) {
		c[i]->ready = true;
		cs.unready--;
	}
	ck_assert_ptr_eq(conns_oldest(&cs), served);
}
END_TEST

START_TEST(a_role_is_shown_and_cut_at_a_whole_character)
{
	struct conn *c;
	char cut[CONN_ROLE_MAX + 8];

	fx.transport.type = CONF_TLS;
	c = open_from(9, false);
	ck_assert_ptr_null(role_of(c));
	conns_role(c, "");
	ck_assert_str_eq(role_of(c), "");
	conns_role(c, "operator");
	ck_assert_str_eq(role_of(c), "operator");
	memset(cut, 'x', sizeof(cut));
	cut[CONN_ROLE_MAX] = '\0';
	conns_role(c, cut);
	ck_assert_uint_eq(strlen(role_of(c)), CONN_ROLE_MAX);
	/* e-acute, one byte of which would have had room */
	strcpy(cut + CONN_ROLE_MAX - 1, "\xc3\xa9");
	conns_role(c, cut);
	ck_assert_uint_eq(strlen(role_of(c)), CONN_ROLE_MAX - 1);
	conns_close(&cs, c, "test", NULL);
	ck_assert_ptr_eq(open_from(8, false), c);
	ck_assert_msg(role_of(c) == NULL, "a role outlives its connection");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conns");
	TCase *tc = tcase_create("conns");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_record_tells_peer_serial_and_operation);
	tcase_add_test(tc, closing_closes_the_socket);
	tcase_add_test(tc, a_peer_without_an_address_is_told_in_words);
	tcase_add_test(
	    tc, a_serial_is_never_used_twice_and_finds_its_connection);
	tcase_add_test(tc, a_record_used_again_has_another_generation);
	tcase_add_test(
	    tc, a_worker_begins_behind_all_numbers_of_its_predecessor_once);
	tcase_add_test(tc, scribbled_segments_lead_nowhere_else);
	tcase_add_test(
	    tc, a_worker_does_not_start_on_segments_that_contradict_each_other);
	tcase_add_test(tc, the_pool_has_as_many_as_the_segment);
	tcase_add_test(tc, full_is_what_the_configuration_says);
	tcase_add_test(tc, the_longest_unused_is_the_first_to_go);
	tcase_add_test(tc, priority_connections_are_never_chosen);
	tcase_add_test(
	    tc, connections_of_a_peer_are_counted_whatever_their_port);
	tcase_add_test(tc, one_is_found_by_its_address_and_port);
	tcase_add_test(tc, a_transport_may_have_an_idle_time_of_its_own);
	tcase_add_test(tc, idle_connections_expire_by_their_last_request);
	tcase_add_test(tc, priority_connections_may_be_idle_but_not_unfinished);
	tcase_add_test(
	    tc, priority_connections_are_the_last_to_go_for_not_reading);
	tcase_add_test(tc, unfinished_requests_expire_in_order);
	tcase_add_test(tc, nothing_expires_without_a_limit);
	tcase_add_test(tc, output_that_waits_is_ordered_by_its_last_progress);
	tcase_add_test(tc, a_crowd_of_newcomers_gives_way_itself);
	tcase_add_test(tc, a_role_is_shown_and_cut_at_a_whole_character);
	tcase_add_test(tc, what_a_dead_worker_left_is_wiped);
	tcase_add_test(tc, opening_and_closing_are_told_as_notices);
	return fx_report(s);
}
