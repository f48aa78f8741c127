/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One datagram, one frame or nothing; what a line's other stations are counted
 * as; and the most requests that may wait for their replies.
 */
#include "workers/link.h"

#include "tests/worker_fixture.h"
#include "workers/conns.h"

static struct fx fx;
static struct conns cs;
static struct link link_;
static struct conn *conn;
static struct link_peer peer;
static uint8_t out[FRAME_ADU_MAX];
static const char *why;

static void
begin(const char *framer, enum conf_type type)
{
	struct acl_peer at = { .family = AF_INET };

	fx_init(&fx);
	fx.transport.framer = strdup(framer);
	fx.transport.type = type;
	fx.transport.silent_units = type == CONF_SERIAL;
	ck_assert_int_eq(bind_init(&fx.worker.bind, &fx.proc), 0);
	ck_assert_int_eq(conns_init(&cs, &fx.worker), 0);
	ck_assert_int_eq(link_init(&link_, &fx.worker), 0);
	conn = conns_open(&cs, -1, &at, false);
	ck_assert_ptr_nonnull(conn);
	peer = (struct link_peer){
		.shm = conn->rec.shm,
		.author = conn->author,
		.op = batch_half(conn->rec.shm)->op,
	};
}

static void
teardown(void)
{
	conns_close(&cs, conn, "test", NULL);
	conns_fini(&cs);
	bind_fini(&fx.worker.bind);
	free(fx.transport.framer);
	fx_fini(&fx);
}

static size_t
give(const void *p, size_t len)
{
	struct frame f = { 0 };

	why = NULL;
	peer.asked = 0; /* came alone */
	if (link_frame(&link_, p, len, &f))
		return link_answer(&link_, &peer, &f, p, out);
	why = f.why != NULL ? f.why : "no request";
	return 0;
}

/* unit, PDU and CRC */
static size_t
rtu(uint8_t *adu, uint8_t unit, const uint8_t *pdu, size_t len)
{
	uint16_t crc;

	adu[0] = unit;
	memcpy(adu + 1, pdu, len);
	crc = frame_crc16(adu, 1 + len);
	adu[1 + len] = (uint8_t)crc;
	adu[2 + len] = (uint8_t)(crc >> 8);
	return len + 3;
}

static uint32_t
count(unsigned device, enum mb_counter c)
{
	return mb_diag_get(fx.worker.bind.device[device].unit.diag, c);
}

static const uint8_t read_one[] = { 0, 7, 0, 0, 0, 6, 1, 3, 0, 5, 0, 1 };
static const uint8_t write_one[] = { 0, 8, 0, 0, 0, 6, 1, 6, 0, 5, 0, 99 };

START_TEST(a_datagram_that_is_a_frame_is_answered)
{
	static const uint8_t reply[] = { 0, 7, 0, 0, 0, 5, 1, 3, 2, 0, 5 };

	begin("socket", CONF_UDP);
	ck_assert_uint_eq(give(read_one, sizeof(read_one)), sizeof(reply));
	ck_assert_mem_eq(out, reply, sizeof(reply));
	ck_assert_ptr_null(why);
	ck_assert_uint_eq(atomic_load(&conn->rec.shm->requests), 1);
	ck_assert_uint_eq(atomic_load(&conn->rec.shm->last_fc), 3);
}
END_TEST

START_TEST(each_write_has_a_number_of_its_own)
{
	uint64_t op;

	begin("socket", CONF_UDP);
	op = peer.op;
	for (unsigned i = 1; i <= 5; i++) {
		ck_assert_uint_eq(
		    give(write_one, sizeof(write_one)), sizeof(write_one));
		ck_assert_uint_eq(out[7], 6); /* and no exception */
		ck_assert_uint_eq(peer.op, op + i);
	}
}
END_TEST

START_TEST(cut_or_joined_frames_are_nothing)
{
	uint8_t two[2 * sizeof(read_one)];

	begin("socket", CONF_UDP);
	for (size_t len = 0; len < sizeof(read_one); len++) {
		ck_assert_uint_eq(give(read_one, len), 0);
		ck_assert_ptr_nonnull(why);
	}
	memcpy(two, read_one, sizeof(read_one));
	memcpy(two + sizeof(read_one), read_one, sizeof(read_one));
	ck_assert_uint_eq(give(two, sizeof(two)), 0);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.frames_bad),
	    sizeof(read_one) + 1);
	ck_assert_uint_eq(atomic_load(&conn->rec.shm->requests), 0);
	ck_assert_uint_eq(
	    give(read_one, sizeof(read_one)), sizeof(read_one) - 1);
}
END_TEST

START_TEST(a_unit_that_is_not_there_is_answered_0b_or_not_at_all)
{
	static const uint8_t other[] = { 0, 7, 0, 0, 0, 6, 9, 3, 0, 5, 0, 1 };

	begin("socket", CONF_UDP);
	ck_assert_uint_eq(give(other, sizeof(other)), 9);
	ck_assert_uint_eq(out[7], 0x83);
	ck_assert_uint_eq(out[8], MB_EX_NO_REPLY);
	fx.transport.silent_units = true;
	ck_assert_uint_eq(give(other, sizeof(other)), 0);
	ck_assert_ptr_null(why);
}
END_TEST

/* SL-09: a message on the bus is counted by every station, one to a station
 * as that station's too, a bad one as an error by all. */
START_TEST(every_unit_counts_what_it_hears_on_the_bus)
{
	static const uint8_t read[] = { 3, 0, 0, 0, 1 };
	uint8_t adu[16];
	size_t len;

	begin("rtu", CONF_SERIAL);
	len = rtu(adu, 1, read, sizeof(read));
	ck_assert_uint_eq(give(adu, len), 7);
	ck_assert_uint_eq(count(0, MB_CPT_BUS_MESSAGES), 1);
	ck_assert_uint_eq(count(1, MB_CPT_BUS_MESSAGES), 1);
	ck_assert_uint_eq(count(0, MB_CPT_UNIT_MESSAGES), 1);
	ck_assert_uint_eq(count(1, MB_CPT_UNIT_MESSAGES), 0);
	len = rtu(adu, 77, read, sizeof(read)); /* another station's */
	ck_assert_uint_eq(give(adu, len), 0);
	ck_assert_uint_eq(count(0, MB_CPT_BUS_MESSAGES), 2);
	ck_assert_uint_eq(count(1, MB_CPT_BUS_MESSAGES), 2);
	ck_assert_uint_eq(count(0, MB_CPT_UNIT_MESSAGES), 1);
	adu[2] ^= 1;
	ck_assert_uint_eq(give(adu, len), 0);
	ck_assert_uint_eq(count(0, MB_CPT_COMM_ERRORS), 1);
	ck_assert_uint_eq(count(1, MB_CPT_COMM_ERRORS), 1);
	ck_assert_uint_eq(count(1, MB_CPT_BUS_MESSAGES), 2);
}
END_TEST

START_TEST(others_messages_are_no_bus_messages_where_there_is_no_bus)
{
	begin("socket", CONF_UDP);
	give(read_one, sizeof(read_one));
	ck_assert_uint_eq(count(0, MB_CPT_BUS_MESSAGES), 1);
	ck_assert_uint_eq(count(1, MB_CPT_BUS_MESSAGES), 0);
}
END_TEST

START_TEST(a_broadcast_reaches_every_device_and_is_not_answered)
{
	static const uint8_t all[] = { 0, 8, 0, 0, 0, 6, 0, 6, 0, 5, 0, 99 };
	static const uint8_t ask_b[] = { 0, 7, 0, 0, 0, 6, 2, 3, 0, 5, 0, 1 };
	uint64_t op;

	begin("socket", CONF_UDP);
	fx.transport.broadcast = true;
	op = peer.op;
	ck_assert_uint_eq(give(all, sizeof(all)), 0);
	ck_assert_uint_eq(peer.op, op + 2);
	ck_assert_uint_eq(give(read_one, sizeof(read_one)), 11);
	ck_assert_uint_eq(out[10], 99);
	ck_assert_uint_eq(give(ask_b, sizeof(ask_b)), 11);
	ck_assert_uint_eq(out[10], 99);
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.broadcasts), 1);
}
END_TEST

START_TEST(datagrams_of_one_sender_that_came_together_count_together)
{
	struct frame f;

	begin("socket", CONF_UDP);
	fx.transport.max_transactions = 2;
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(link_frame(&link_, read_one, sizeof(read_one), &f));
		link_answer(&link_, &peer, &f, read_one, out);
		ck_assert_uint_eq(out[7], i < 2 ? 3 : 0x83);
	}
	ck_assert_uint_eq(out[8], MB_EX_BUSY);
	give(read_one, sizeof(read_one));
	ck_assert_uint_eq(out[7], 3);
}
END_TEST

/* TG-07: none free is answered 06; what has been sent makes room. */
START_TEST(more_transactions_than_may_wait_are_told_that_it_is_busy)
{
	struct shm_batch *b;
	unsigned n = 0;

	begin("socket", CONF_TCP);
	fx.transport.max_transactions = 3;
	for (int round = 0; round < 2; round++) {
		b = seg_batch(fx.worker.shm, 0);
		batch_begin(b, &conn->rec);
		for (n = 0; n < 5; n++)
			memcpy(b->in + n * sizeof(write_one), write_one,
			    sizeof(write_one));
		atomic_store(&b->in_len, 5 * sizeof(write_one));
		ck_assert_int_eq(
		    link_run(&link_, conn->rec.shm, conn->author, b, &why),
		    LINK_MORE);
		ck_assert_uint_eq(
		    batch_prog_get(b).out, 3 * sizeof(write_one) + 2 * 9);
		ck_assert_uint_eq(b->out[3 * sizeof(write_one) + 7], 0x86);
		ck_assert_uint_eq(
		    b->out[3 * sizeof(write_one) + 8], MB_EX_BUSY);
		ck_assert_uint_eq(batch_end(b, &conn->rec), 0);
	}
	ck_assert_uint_eq(atomic_load(&fx.worker.shm->stats.busy), 4);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_datagram");
	TCase *tc = tcase_create("link_datagram");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, a_datagram_that_is_a_frame_is_answered);
	tcase_add_test(tc, each_write_has_a_number_of_its_own);
	tcase_add_test(tc, cut_or_joined_frames_are_nothing);
	tcase_add_test(
	    tc, a_unit_that_is_not_there_is_answered_0b_or_not_at_all);
	tcase_add_test(tc, every_unit_counts_what_it_hears_on_the_bus);
	tcase_add_test(
	    tc, others_messages_are_no_bus_messages_where_there_is_no_bus);
	tcase_add_test(
	    tc, a_broadcast_reaches_every_device_and_is_not_answered);
	tcase_add_test(
	    tc, datagrams_of_one_sender_that_came_together_count_together);
	tcase_add_test(
	    tc, more_transactions_than_may_wait_are_told_that_it_is_busy);
	suite_add_tcase(s, tc);
	return fx_report(s);
}
