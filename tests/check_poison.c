/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of requests that workers die of, and of who asks for them: the
 * counting, without anybody's dying. sys_poison.py has workers die.
 */
#include "workers/poison.h"

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>

#include "shm/notice.h"
#include "supervisor/super.h"
#include "tests/lib/worker_fixture.h"

#define S UINT64_C(1000000000)

static struct fx fx;
static struct conns cs;
static struct link l;
static struct shm_batch *batch;

static const uint8_t adu[12] = { 0, 5, 0, 0, 0, 6, 1, 3, 0, 10, 0, 1 };
static const uint8_t other_adu[12] = { 0, 5, 0, 0, 0, 6, 1, 3, 0, 11, 0, 1 };
static const uint8_t third_adu[12] = { 0, 5, 0, 0, 0, 6, 1, 3, 0, 12, 0, 1 };

static void
setup(void)
{
	fx_init(&fx);
	fx.transport.quarantine_s = 60;
	fx.worker.proc = &fx.proc;
	fx.worker.conf = &fx.transport;
	fx.worker.shm = seg_worker(&fx.proc.worker_seg);
	fx.worker.now_ns = 1000 * S;
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_int_eq(link_init(&l, &fx.worker), 0);
	ck_assert_int_eq(conns_init(&cs, &fx.worker), 0);
	batch = seg_batch(fx.worker.shm, 0);
}

static void
teardown(void)
{
	conns_fini(&cs);
	link_fini(&l);
	bind_fini(&fx.worker.bind);
	fx_fini(&fx);
}

static struct acl_peer
host(const char *text)
{
	struct acl_peer p = { .family = AF_INET, .port = 4021 };

	if (strchr(text, ':') != NULL)
		p.family = AF_INET6;
	ck_assert_int_eq(inet_pton(p.family, text, p.addr), 1);
	return p;
}

static struct conn *
from(const char *text)
{
	struct acl_peer p = host(text);
	struct conn *c = conns_open(&cs, -1, &p, false);

	ck_assert_ptr_nonnull(c);
	return c;
}

static void
go(struct conn *c)
{
	conns_close(&cs, c, "over", NULL);
}

/* c has asked for something, and that is in hand. */
static void
ask(struct conn *c, const uint8_t *bytes, size_t len)
{
	unsigned pre = batch_begin(batch, &c->rec);

	memcpy(batch->in + pre, bytes, len);
	atomic_store(&batch->in_len, (uint32_t)(pre + len));
}

static enum poison
die(struct conn *c, unsigned suspect, bool resumes)
{
	struct poison_death d = { .conn = c->rec.shm, .suspect = suspect };

	return poison_judge(&cs, &l, &d, batch, resumes);
}

static struct shm_poison *watched;

static enum poison
meet(struct conn *c, const uint8_t *bytes, unsigned died)
{
	struct frame f = {
		.unit = bytes[6], .pdu = bytes + 7, .pdu_len = 5, .used = 12
	};

	return poison_meet(&fx.worker, c->rec.shm, &f, died, &watched);
}

static bool
shut(const char *text)
{
	struct acl_peer p = host(text);

	return quarantine_shuts(&cs, &p) != SHUT_NOTHING;
}

/* It has died of c's request as often as it takes to know it. */
static void
learn_that(struct conn *c, const uint8_t bytes[12])
{
	ask(c, bytes, 12);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_AGAIN);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_REFUSE);
	ck_assert_int_eq(meet(c, bytes, 2), POISON_REFUSE);
}

static void
learn(struct conn *c)
{
	learn_that(c, adu);
}

START_TEST(twice_refused_and_the_third_time_kept_out)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.8");

	ask(c, adu, sizeof(adu));
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_AGAIN);
	ck_assert(!poison_wary(&fx.worker));
	ck_assert_int_eq(meet(c, adu, 1), POISON_NONE);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_REFUSE);
	ck_assert(poison_wary(&fx.worker));
	ck_assert_int_eq(meet(c, adu, 2), POISON_REFUSE);
	ck_assert_int_eq(meet(c, other_adu, 0), POISON_NONE);
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	ck_assert(!shut("10.0.0.7"));
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
	ck_assert(shut("10.0.0.7"));
	ck_assert(!shut("10.0.0.8"));
	fx.worker.now_ns += 60 * S - 1;
	ck_assert(shut("10.0.0.7"));
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	fx.worker.now_ns += 1;
	ck_assert(!shut("10.0.0.7"));
	ck_assert_int_eq(meet(d, adu, 0), POISON_NONE);
	ck_assert(!poison_wary(&fx.worker));
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.fatal), 2);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.poisoned), 5);
}
END_TEST

START_TEST(another_request_of_the_batch_has_its_own_count)
{
	struct batch_prog p = { .done = 12, .ops = 1 };
	struct conn *c = from("10.0.0.7");
	uint8_t both[24];

	memcpy(both, adu, 12);
	memcpy(both + 12, other_adu, 12);
	fx.transport.quarantine_s = 0;
	ask(c, both, sizeof(both));
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_AGAIN);
	batch_prog_set(batch, &p);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_AGAIN);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_REFUSE);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_CLOSE);
	/* and a batch that is begun anew begins at none */
	ask(c, adu, sizeof(adu));
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_AGAIN);
	/* with a quarantine of 0 nothing was remembered */
	ck_assert(!poison_wary(&fx.worker));
	ck_assert(!shut("10.0.0.7"));
}
END_TEST

START_TEST(three_deaths_of_anything_shut)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.7");

	learn(c);
	ask(d, other_adu, sizeof(other_adu));
	ck_assert_int_eq(die(d, SUSPECT_FAULT, true), POISON_SHUT);
	ck_assert(shut("10.0.0.7"));
}
END_TEST

START_TEST(what_is_forgiven_does_not_count)
{
	struct conn *c = from("10.0.0.7");

	for (int i = 0; i < 10; i++) {
		ask(c, adu, sizeof(adu));
		ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_AGAIN);
		ck_assert_int_eq(meet(c, adu, 1), POISON_NONE);
		quarantine_forgive(watched, true);
	}
	ck_assert(!shut("10.0.0.7"));
}
END_TEST

START_TEST(an_end_and_what_is_not_gone_on_with_close)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.8");

	ask(c, adu, sizeof(adu));
	ck_assert_int_eq(die(c, SUSPECT_ENDED, true), POISON_CLOSE);
	ck_assert(!poison_wary(&fx.worker));
	ask(c, adu, sizeof(adu));
	ck_assert_int_eq(die(c, SUSPECT_FAULT, false), POISON_CLOSE);
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
}
END_TEST

START_TEST(what_is_no_request_yet_closes)
{
	struct conn *c = from("10.0.0.7");

	ck_assert_int_eq(poison_judge(&cs, &l,
			     &(struct poison_death){
				 .conn = c->rec.shm, .suspect = SUSPECT_FAULT },
			     NULL, true),
	    POISON_CLOSE);
	ask(c, adu, 0);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_CLOSE);
}
END_TEST

START_TEST(a_host_of_ipv6_is_its_network)
{
	struct conn *c = from("2001:db8:1:2::7");

	learn(c);
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
	ck_assert(shut("2001:db8:1:2:ffff::1"));
	ck_assert(!shut("2001:db8:1:3::7"));
	ck_assert(!shut("32.1.13.184"));
}
END_TEST

START_TEST(a_host_of_a_link_is_itself)
{
	struct conn *c = from("fe80::1234:5678:9abc:def0");

	learn(c);
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
	ck_assert(shut("fe80::1234:5678:9abc:def0"));
	ck_assert(!shut("fe80::1"));
	ck_assert(!shut("2001:db8:1:2::1"));
}
END_TEST

START_TEST(one_that_is_forgotten_lets_no_other_in)
{
	struct conn *c = from("192.0.2.7");
	struct shm_worker *w = fx.worker.shm;
	uint64_t until;

	learn(c);
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
	ck_assert(shut("192.0.2.7"));
	until = atomic_load(&w->shut_ns);
	atomic_store(&w->poison[1].until_ns, 0);
	quarantine_shut(&fx.worker, &w->poison[1], SHUT_NEW);
	ck_assert_uint_eq(atomic_load(&w->shut_ns), until);
	ck_assert(shut("192.0.2.7"));
}
END_TEST

START_TEST(who_has_no_address_is_let_in)
{
	struct acl_peer p = { .family = AF_UNSPEC, .text = "somebody" };
	struct conn *c = conns_open(&cs, -1, &p, false);

	learn(c);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(meet(c, adu, 0), POISON_REFUSE);
	ck_assert_uint_eq(quarantine_shuts(&cs, &p), SHUT_NOTHING);
	p.addr[0] = 7; /* a plugin tells it from others */
	c = conns_open(&cs, -1, &p, false);
	learn_that(c, other_adu);
	ck_assert_int_eq(meet(c, other_adu, 0), POISON_SHUT);
	ck_assert_uint_eq(quarantine_shuts(&cs, &p), SHUT_NEW);
	p.addr[0] = 8;
	ck_assert_uint_eq(quarantine_shuts(&cs, &p), SHUT_NOTHING);
}
END_TEST

START_TEST(more_hosts_than_there_is_room_for)
{
	char text[32];

	for (int i = 1; i <= POISON_PEERS + 3; i++) {
		uint8_t own[12];
		struct conn *c;

		memcpy(own, adu, sizeof(own));
		own[9] = (uint8_t)i;
		snprintf(text, sizeof(text), "10.0.0.%d", i);
		c = from(text);
		learn_that(c, own);
		ck_assert_int_eq(meet(c, own, 0), POISON_SHUT);
		go(c);
		fx.worker.now_ns += S;
	}
	ck_assert(shut("10.0.0.19"));
	ck_assert(shut("10.0.0.4"));
	ck_assert(!shut("10.0.0.3")); /* the oldest are forgotten */
}
END_TEST

static enum poison
die_as(enum poison_way way, struct conn *c, const uint8_t *bytes, unsigned n)
{
	struct shm_deaths deaths = { .died = n - 1 };
	struct frame f = {
		.unit = bytes[6], .pdu = bytes + 7, .pdu_len = 5, .used = 12
	};
	struct poison_death d = { .way = way,
		.conn = c->rec.shm,
		.frame = &f,
		.bytes = bytes,
		.len = 12,
		.suspect = SUSPECT_FAULT,
		.deaths = n != 0 ? &deaths : NULL };

	return poison_died(&cs, &d);
}

START_TEST(over_udp_twice_is_enough)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.8");
	struct acl_peer p = host("10.0.0.7");

	ck_assert_int_eq(die_as(POISON_DGRAM, c, adu, 1), POISON_AGAIN);
	ck_assert(!shut("10.0.0.7"));
	ck_assert_int_eq(die_as(POISON_DGRAM, c, adu, 2), POISON_SHUT);
	ck_assert_uint_eq(quarantine_shuts(&cs, &p), SHUT_NEW);
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
	ck_assert_uint_eq(quarantine_shuts(&cs, &p), SHUT_NEW);
	/* a third one: nothing is looked at that it had asked before either */
	ck_assert_int_eq(die_as(POISON_DGRAM, c, other_adu, 1), POISON_SHUT);
	ck_assert_uint_eq(quarantine_shuts(&cs, &p), SHUT_ALL);
	ck_assert(!shut("10.0.0.8"));
}
END_TEST

START_TEST(on_a_line_each_request_counts_by_itself)
{
	struct acl_peer p = { .family = AF_UNSPEC, .text = "/dev/tty9" };
	struct conn *c = conns_open(&cs, -1, &p, false);

	ck_assert_int_eq(die_as(POISON_LINE, c, adu, 0), POISON_AGAIN);
	ck_assert_int_eq(die_as(POISON_LINE, c, other_adu, 0), POISON_AGAIN);
	ck_assert_int_eq(meet(c, adu, 0), POISON_NONE);
	ck_assert_int_eq(die_as(POISON_LINE, c, adu, 0), POISON_REFUSE);
	ck_assert_int_eq(meet(c, other_adu, 0), POISON_NONE);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(meet(c, adu, 0), POISON_REFUSE);
	ck_assert_uint_eq(quarantine_shuts(&cs, &p), SHUT_NOTHING);
	/* to ask makes it no longer: then it is tried again */
	fx.worker.now_ns += 60 * S - 1;
	ck_assert_int_eq(meet(c, adu, 0), POISON_REFUSE);
	fx.worker.now_ns++;
	ck_assert_int_eq(meet(c, adu, 0), POISON_NONE);
}
END_TEST

START_TEST(who_has_priority_is_not_shut_out)
{
	struct conf_cidr lan = {
		.family = AF_INET, .addr = { 10, 0, 0, 0 }, .bits = 8
	};
	struct conn *c = from("10.0.0.7");

	fx.transport.priority = (struct conf_cidrs){ .at = &lan, .n = 1 };
	learn(c);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(meet(c, adu, 0), POISON_REFUSE);
	ck_assert_int_eq(die_as(POISON_DGRAM, c, other_adu, 1), POISON_AGAIN);
	ck_assert_int_eq(die_as(POISON_DGRAM, c, other_adu, 2), POISON_REFUSE);
	ck_assert(!shut("10.0.0.7"));
	/* nor by a neighbour of its network */
	fx.transport.priority.n = 0;
	c = from("2001:db8:1:2::7");
	learn_that(c, third_adu);
	ck_assert_int_eq(meet(c, third_adu, 0), POISON_SHUT);
	lan = (struct conf_cidr){
		.family = AF_INET6, .addr = { 0x20, 1, 0xd, 0xb8 }, .bits = 32
	};
	ck_assert(shut("2001:db8:1:2::8"));
	fx.transport.priority.n = 1;
	ck_assert(!shut("2001:db8:1:2::8"));
}
END_TEST

START_TEST(what_an_operator_lifts_is_forgotten)
{
	struct conn *c = from("10.0.0.7");

	learn(c);
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
	for (int i = 0; i < POISON_PEERS; i++)
		atomic_store(&fx.worker.shm->poison[i].until_ns, 0);
	ck_assert(!shut("10.0.0.7"));
	ck_assert_int_eq(meet(c, adu, 0), POISON_NONE);
	ck_assert(!poison_wary(&fx.worker));
	learn(c);
}
END_TEST

START_TEST(it_is_told)
{
	struct shm_control *control = fx.proc.env.control;
	struct conn *c = from("10.0.0.7");
	uint64_t pos = notice_end(control, FX_SLOT);
	struct notice n;

	ask(c, adu, sizeof(adu));
	die(c, SUSPECT_FAULT, true);
	ck_assert_int_eq(notice_next(control, FX_SLOT, &pos, &n), 1);
	ck_assert_uint_eq(n.kind, NOTICE_POISON);
	ck_assert_uint_eq(NOTICE_POISON_UNIT(n.b), 1);
	ck_assert_uint_eq(NOTICE_POISON_FC(n.b), 3);
	ck_assert_uint_eq(NOTICE_POISON_COUNT(n.b), 1);
	ck_assert_uint_eq(NOTICE_POISON_WHAT(n.b), POISON_AGAIN);
	ck_assert_uint_eq(NOTICE_POISON_LEN(n.b), strlen("10.0.0.7:4021"));
	ck_assert_str_eq(n.text, "10.0.0.7:40210005000000060103000a0001");
}
END_TEST

/* Somebody kills n workers with that in hand. */
static void
killed(struct conn *c, unsigned n, bool resumes)
{
	while (n-- > 0)
		ck_assert_int_eq(die(c, SUSPECT_KILLED, resumes), POISON_AGAIN);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.fatal), 0);
}

START_TEST(kills_in_a_row_are_taken_for_two_deaths)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.8");

	ask(c, adu, sizeof(adu));
	killed(c, POISON_KILLS - 1, true);
	ck_assert(!poison_wary(&fx.worker));
	ck_assert_int_eq(die(c, SUSPECT_KILLED, true), POISON_REFUSE);
	ck_assert_int_eq(meet(c, adu, 2), POISON_REFUSE);
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.fatal), 1);
}
END_TEST

START_TEST(a_kill_with_another_request_in_hand_begins_a_row)
{
	struct batch_prog p = { .done = 12, .ops = 1 };
	struct conn *c = from("10.0.0.7");
	uint8_t both[24];

	memcpy(both, adu, 12);
	memcpy(both + 12, other_adu, 12);
	ask(c, both, sizeof(both));
	killed(c, POISON_KILLS - 1, true);
	batch_prog_set(batch, &p);
	killed(c, POISON_KILLS - 1, true);
	ask(c, adu, sizeof(adu)); /* and so does the same, asked anew */
	killed(c, POISON_KILLS - 1, true);
}
END_TEST

START_TEST(a_request_whose_peer_has_gone_is_dropped_sooner)
{
	struct conn *c = from("10.0.0.7");
	struct poison_death d = {
		.conn = c->rec.shm, .suspect = SUSPECT_KILLED, .gone = true
	};

	ask(c, adu, sizeof(adu));
	killed(c, POISON_KILLS_GONE - 1, true);
	ck_assert_int_eq(poison_judge(&cs, &l, &d, batch, true), POISON_CLOSE);
	ck_assert_int_eq(meet(c, adu, 0), POISON_REFUSE);
}
END_TEST

START_TEST(where_nobody_goes_on_it_counts_as_it_is_asked_again)
{
	struct conn *c = from("10.0.0.7");

	for (int i = 0; i < 3; i++) {
		for (unsigned k = 1; k < POISON_KILLS; k++) {
			ask(c, adu, sizeof(adu));
			killed(c, 1, false);
		}
		ck_assert(poison_wary(&fx.worker));
		/* that ends as it is carried out */
		ck_assert_int_eq(meet(c, adu, 0), POISON_NONE);
		ck_assert_ptr_nonnull(watched);
		quarantine_forgive(watched, false);
		ck_assert_int_eq(meet(c, adu, 0), POISON_NONE);
		ck_assert(!poison_wary(&fx.worker));
	}
	killed(c, POISON_KILLS - 1, false);
	ck_assert_int_eq(die(c, SUSPECT_KILLED, false), POISON_CLOSE);
	ck_assert_int_eq(meet(c, adu, 0), POISON_REFUSE);
	/* without a memory there is none of that either */
	fx.transport.quarantine_s = 0;
	ask(c, other_adu, sizeof(other_adu));
	for (unsigned k = 0; k < 2 * POISON_KILLS; k++)
		ck_assert_int_eq(die(c, SUSPECT_KILLED, false), POISON_AGAIN);
}
END_TEST

/* Another worker of the transport, whose table is empty. */
static struct shm_worker *
sibling(struct seg *seg)
{
	static struct shm_worker w;

	memset(&w, 0, sizeof(w));
	*seg = (struct seg){ .at = &w };
	cs.sibling = seg;
	cs.nsiblings = 1;
	return &w;
}

static void
no_sibling(void)
{
	cs.sibling = NULL;
	cs.nsiblings = 0;
}

START_TEST(what_one_worker_knows_they_all_know)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.8");
	struct seg seg;
	struct shm_worker *other = sibling(&seg);

	learn(c);
	*other = *fx.worker.shm;
	memset(fx.worker.shm->poison, 0, sizeof(other->poison));
	atomic_store(&fx.worker.shm->wary_ns, 0);
	ck_assert(poison_wary(&fx.worker));
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	ck_assert_int_eq(meet(d, other_adu, 0), POISON_NONE);
	ck_assert(poison_wary(&fx.worker));
	ck_assert_int_eq(meet(c, adu, 0), POISON_SHUT);
	ck_assert(shut("10.0.0.7"));
	ck_assert(!shut("10.0.0.8"));
	ck_assert_uint_eq(atomic_load(&other->poison[0].count), 2);
	/* it is gone on with there, and was carried out here meanwhile */
	ck_assert_int_eq(meet(d, adu, 1), POISON_REFUSE);
	no_sibling();
}
END_TEST

START_TEST(what_a_sibling_has_died_of_is_not_tried_again)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.8");
	struct seg seg;
	struct shm_worker *other = sibling(&seg);

	ask(c, adu, sizeof(adu));
	ck_assert_int_eq(die(c, SUSPECT_ENDED, true), POISON_CLOSE);
	ck_assert(!poison_wary(&fx.worker));
	*other = *fx.worker.shm;
	memset(fx.worker.shm->poison, 0, sizeof(other->poison));
	ask(d, adu, sizeof(adu));
	ck_assert_int_eq(die(d, SUSPECT_FAULT, true), POISON_REFUSE);
	ck_assert_uint_eq(batch->deaths.died, 2);
	ck_assert_int_eq(meet(d, adu, 2), POISON_REFUSE);
	ck_assert_int_eq(meet(c, adu, 0), POISON_REFUSE);
	no_sibling();
}
END_TEST

START_TEST(a_second_request_of_a_host_does_not_have_the_first_forgotten)
{
	struct conn *c = from("10.0.0.7"), *d = from("10.0.0.8");

	learn(c);
	ask(c, other_adu, sizeof(other_adu));
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_SHUT);
	ck_assert_int_eq(meet(d, adu, 0), POISON_REFUSE);
	ck_assert_int_eq(meet(d, other_adu, 0), POISON_NONE);
}
END_TEST

START_TEST(who_had_begun_nothing_has_died_of_nothing)
{
	struct service service = { .nworkers = 1 };
	struct process p = { .service = &service, .seg = fx.proc.worker_seg };
	struct shm_worker *w = fx.worker.shm;
	uint32_t hand;

	ck_assert(!process_blame(&p, SIGSEGV, false)); /* nothing in hand */
	ck_assert_uint_eq(atomic_load(&w->suspect), SUSPECT_NO);
	atomic_store(&w->hand, 1);
	ck_assert(process_blame(&p, SIGSEGV, false));
	/* the next ones do not even come to look at that */
	ck_assert(!process_blame(&p, SIGKILL, false));
	ck_assert(!process_blame(&p, 3 << 8, false));
	ck_assert_uint_eq(poison_heir(&fx.worker, &hand), SUSPECT_FAULT);
	ck_assert_uint_eq(hand, 1);
	ck_assert(!process_blame(&p, SIGSEGV, false));
	ck_assert_uint_eq(poison_heir(&fx.worker, &hand), SUSPECT_NO);
	for (int i = 0; i < 4; i++) {
		static const struct {
			int status;
			bool ordered;
			unsigned suspect;
		} of[] = {
			{ SIGKILL, false, SUSPECT_KILLED },
			{ SIGKILL, true, SUSPECT_ENDED },
			{ 78 << 8, false, SUSPECT_ENDED },
			{ PROCESS_UNSEEN, false, SUSPECT_KILLED },
		};

		atomic_store(&w->hand, 2);
		ck_assert(!process_blame(&p, of[i].status, of[i].ordered));
		ck_assert_uint_eq(
		    poison_heir(&fx.worker, &hand), of[i].suspect);
	}
}
END_TEST

START_TEST(nonsense_in_the_records_is_bounded)
{
	struct conn *c = from("10.0.0.7");
	struct batch_prog p = { .done = BATCH_IN + 1 };

	ask(c, adu, sizeof(adu));
	atomic_store(&batch->in_len, UINT32_MAX);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_CLOSE);
	atomic_store(&batch->in_len, BATCH_IN);
	batch_prog_set(batch, &p);
	ck_assert_int_eq(die(c, SUSPECT_FAULT, true), POISON_CLOSE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("poison");
	TCase *tc = tcase_create("poison");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, twice_refused_and_the_third_time_kept_out);
	tcase_add_test(tc, another_request_of_the_batch_has_its_own_count);
	tcase_add_test(tc, three_deaths_of_anything_shut);
	tcase_add_test(tc, what_is_forgiven_does_not_count);
	tcase_add_test(tc, an_end_and_what_is_not_gone_on_with_close);
	tcase_add_test(tc, what_is_no_request_yet_closes);
	tcase_add_test(tc, a_host_of_ipv6_is_its_network);
	tcase_add_test(tc, a_host_of_a_link_is_itself);
	tcase_add_test(tc, one_that_is_forgotten_lets_no_other_in);
	tcase_add_test(tc, who_has_no_address_is_let_in);
	tcase_add_test(tc, more_hosts_than_there_is_room_for);
	tcase_add_test(tc, over_udp_twice_is_enough);
	tcase_add_test(tc, on_a_line_each_request_counts_by_itself);
	tcase_add_test(tc, who_has_priority_is_not_shut_out);
	tcase_add_test(tc, what_an_operator_lifts_is_forgotten);
	tcase_add_test(tc, it_is_told);
	tcase_add_test(tc, kills_in_a_row_are_taken_for_two_deaths);
	tcase_add_test(tc, a_kill_with_another_request_in_hand_begins_a_row);
	tcase_add_test(tc, a_request_whose_peer_has_gone_is_dropped_sooner);
	tcase_add_test(tc, where_nobody_goes_on_it_counts_as_it_is_asked_again);
	tcase_add_test(tc, what_one_worker_knows_they_all_know);
	tcase_add_test(tc, what_a_sibling_has_died_of_is_not_tried_again);
	tcase_add_test(
	    tc, a_second_request_of_a_host_does_not_have_the_first_forgotten);
	tcase_add_test(tc, who_had_begun_nothing_has_died_of_nothing);
	tcase_add_test(tc, nonsense_in_the_records_is_bounded);
	return fx_report(s);
}
