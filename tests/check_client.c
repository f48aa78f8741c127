/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as a client builds them, replies as it checks them. */

#include "tests/fc_case.h"
#include "workers/proto/client.h"
#include "workers/proto/fc.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

static uint8_t req[MB_PDU_MAX], rsp[MB_PDU_MAX];
static struct mb_reply reply;

static void
setup(void)
{
	unsigned i;

	fc_setup();
	for (i = 0; i < 65536; i++) {
		fc_fake.regs[0][i] = (uint16_t)(0x1000 + i);
		fc_fake.bits[0][i] = i % 3 == 0;
	}
	for (i = 0; i < MB_FILE_RECORDS; i++)
		fc_fake.file[0][i] = (uint16_t)(0x2000 + i);
	fc_fake.fifo_count[0] = 2;
	fc_fake.fifo[0][1] = 0x4321;
}

/* Has the fake unit answer the request of n bytes; the reply's length. */
static size_t
ask(size_t n)
{
	size_t len;

	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(mb_request_len(&fc_fcs, req, n), (int)n);
	len = mb_serve(&fc_fcs, &fc_fake.unit, false, req, n, rsp);
	ck_assert_msg(
	    mb_reply_check(&fc_fcs, req, n, rsp, len, &reply) == MB_REPLY_OK,
	    "fc%u: %s", req[0], reply.why == NULL ? "exception" : reply.why);
	return len;
}

START_TEST(what_is_asked_for_is_read)
{
	ask(mb_ask_read(req, 3, 16, 125));
	ck_assert_uint_eq(reply.len, 250);
	ck_assert_uint_eq(mb_reply_reg(&reply, 0), 0x1010);
	ck_assert_uint_eq(mb_reply_reg(&reply, 124), 0x1010 + 124);
	ck_assert_uint_eq(mb_reply_reg(&reply, 125), 0);
	ask(mb_ask_read(req, 1, 3, 10));
	ck_assert(mb_reply_bit(&reply, 0));
	ck_assert(!mb_reply_bit(&reply, 1));
	ck_assert(mb_reply_bit(&reply, 9));
	ck_assert(!mb_reply_bit(&reply, 16));
	ask(mb_ask_read(req, 2, 0, 2000));
	ask(mb_ask_read(req, 4, 0, 1));
	ask(mb_ask_fifo(req, 0));
	ck_assert_uint_eq(reply.len, 4);
	ck_assert_uint_eq(mb_reply_reg(&reply, 1), 0x4321);
}
END_TEST

START_TEST(what_is_asked_for_is_written)
{
	static const uint16_t values[] = { 0xabcd, 0x0123 };
	static const uint8_t bits[] = { 0xff, 0xff };

	ask(mb_ask_write_reg(req, 1, 0x5555));
	ck_assert_uint_eq(fc_fake.regs[0][1], 0x5555);
	ask(mb_ask_write_coil(req, 1, true));
	ck_assert_uint_eq(fc_fake.bits[0][1], 1);
	ask(mb_ask_write_regs(req, 2, 2, values));
	ck_assert_uint_eq(fc_fake.regs[0][3], 0x0123);
	ask(mb_ask_write_coils(req, 4, 9, bits));
	ck_assert_uint_eq(req[7], 0x01); /* bits behind the last are 0 */
	ck_assert_uint_eq(fc_fake.bits[0][12], 1);
	ck_assert_uint_eq(fc_fake.bits[0][13], 0);
	ask(mb_ask_mask(req, 1, 0x00f0, 0x0001));
	ck_assert_uint_eq(fc_fake.regs[0][1], 0x0051);
	ask(mb_ask_read_write(req, 10, 3, 11, 2, values));
	ck_assert_uint_eq(reply.len, 6);
	ck_assert_uint_eq(mb_reply_reg(&reply, 2), 0x0123);
}
END_TEST

START_TEST(files_are_read_and_written)
{
	static const uint8_t data[] = { 0x11, 0x22, 0x33, 0x44 };
	const struct mb_records wr[] = { { 1, 5, 2, data }, { 2, 0, 1, data } };
	const struct mb_records rd[] = { { 1, 4, 3, NULL }, { 2, 0, 1, NULL } };
	struct mb_records got;
	struct rbuf b;

	ask(mb_ask_write_file(req, wr, 2));
	ask(mb_ask_read_file(req, rd, 2));
	rbuf_init(&b, reply.data, reply.len);
	ck_assert(mb_reply_next_group(&b, &got));
	ck_assert_uint_eq(got.count, 3);
	ck_assert_mem_eq(got.data, "\x20\x04\x11\x22\x33\x44", 6);
	ck_assert(mb_reply_next_group(&b, &got));
	ck_assert_uint_eq(got.count, 1);
	ck_assert_mem_eq(got.data, "\x11\x22", 2);
	ck_assert(!mb_reply_next_group(&b, &got));
}
END_TEST

START_TEST(the_line_and_the_identity_are_asked_for)
{
	struct mb_object o;
	struct rbuf b;
	int next;

	ask(mb_ask_plain(req, 7));
	ck_assert_uint_eq(reply.len, 1);
	ask(mb_ask_plain(req, 11));
	ck_assert_uint_eq(reply.len, 4);
	ask(mb_ask_plain(req, 12));
	ask(mb_ask_plain(req, 17));
	ck_assert_mem_eq(reply.data, "Acme-A1-1.0\xff", 12);
	ask(mb_ask_diag(req, 0, 0xa537));
	ck_assert_uint_eq(mb_reply_reg(&reply, 0), 0xa537);
	ask(mb_ask_diag(req, 14, 0));
	ck_assert_uint_eq(mb_reply_reg(&reply, 0), 6);
	ask(mb_ask_identity(req, 1, 0));
	rbuf_init(&b, reply.data, reply.len);
	ck_assert(mb_reply_objects(&b, &next));
	ck_assert_int_eq(next, -1);
	ck_assert(mb_reply_next_object(&b, &o));
	ck_assert_uint_eq(o.id, 0);
	ck_assert_uint_eq(o.len, 4);
	ck_assert_mem_eq(o.text, "Acme", 4);
	ck_assert(mb_reply_next_object(&b, &o));
	ck_assert(mb_reply_next_object(&b, &o));
	ck_assert(!mb_reply_next_object(&b, &o));
	ask(mb_ask_identity(req, 4, 2));
}
END_TEST

START_TEST(an_echo_of_any_length_is_a_reply)
{
	size_t n = fc_hex("08 0000 0102 0304 0506", req);

	ck_assert_int_eq(
	    mb_reply_check(&fc_fcs, req, n, req, n, &reply), MB_REPLY_OK);
	memcpy(rsp, req, n);
	rsp[n - 1] ^= 1;
	ck_assert_int_eq(
	    mb_reply_check(&fc_fcs, req, n, rsp, n, &reply), MB_REPLY_BAD);
	ck_assert_int_eq(
	    mb_reply_check(&fc_fcs, req, n, req, n - 2, &reply), MB_REPLY_BAD);
}
END_TEST

START_TEST(requests_that_the_standard_forbids_are_not_built)
{
	static const uint16_t v[200];
	static const uint8_t data[2 * 200];
	struct mb_records r[36];
	int i;

	ck_assert_uint_eq(mb_ask_read(req, 0, 0, 1), 0);
	ck_assert_uint_eq(mb_ask_read(req, 5, 0, 1), 0);
	ck_assert_uint_eq(mb_ask_read(req, 3, 0, 0), 0);
	ck_assert_uint_eq(mb_ask_read(req, 3, 0, 126), 0);
	ck_assert_uint_eq(mb_ask_read(req, 2, 0, 2001), 0);
	ck_assert_uint_eq(mb_ask_write_regs(req, 0, 0, v), 0);
	ck_assert_uint_eq(mb_ask_write_regs(req, 0, 124, v), 0);
	ck_assert_uint_eq(mb_ask_write_regs(req, 0, 123, v), 252);
	ck_assert_uint_eq(mb_ask_write_coils(req, 0, 0, data), 0);
	ck_assert_uint_eq(mb_ask_write_coils(req, 0, 1969, data), 0);
	ck_assert_uint_eq(mb_ask_write_coils(req, 0, 1968, data), 252);
	ck_assert_uint_eq(mb_ask_read_write(req, 0, 126, 0, 1, v), 0);
	ck_assert_uint_eq(mb_ask_read_write(req, 0, 0, 0, 1, v), 0);
	ck_assert_uint_eq(mb_ask_read_write(req, 0, 1, 0, 122, v), 0);
	ck_assert_uint_eq(mb_ask_read_write(req, 0, 1, 0, 121, v), 252);
	ck_assert_uint_eq(mb_ask_plain(req, 8), 0);
	ck_assert_uint_eq(mb_ask_identity(req, 0, 0), 0);
	ck_assert_uint_eq(mb_ask_identity(req, 5, 0), 0);
	for (i = 0; i < LEN(r); i++)
		r[i] = (struct mb_records){ 1, 0, 1, data };
	ck_assert_uint_eq(mb_ask_read_file(req, r, 0), 0);
	ck_assert_uint_eq(mb_ask_read_file(req, r, 35), 2 + 35 * 7);
	ck_assert_uint_eq(mb_ask_read_file(req, r, 36), 0);
	ck_assert_uint_eq(mb_ask_write_file(req, r, 27), 2 + 27 * 9);
	ck_assert_uint_eq(mb_ask_write_file(req, r, 28), 0);
	r[0].count = 0;
	ck_assert_uint_eq(mb_ask_read_file(req, r, 1), 0);
	r[0].count = 125;
	ck_assert_uint_eq(mb_ask_read_file(req, r, 1), 0);
	ck_assert_uint_eq(mb_ask_write_file(req, r, 1), 0);
}
END_TEST

static const struct {
	const char *title, *req, *rsp;
} hostile[] = {
	{ "no reply", "03 0000 0002", "" },
	{ "another function", "03 0000 0002", "04 04 00000000" },
	{ "another function's exception", "03 0000 0002", "84 02" },
	{ "an exception without a code", "03 0000 0002", "83" },
	{ "exception 0", "03 0000 0002", "83 00" },
	{ "an exception and more", "03 0000 0002", "83 02 00" },
	{ "fewer registers", "03 0000 0002", "03 02 0000" },
	{ "more registers", "03 0000 0002", "03 06 000000000000" },
	{ "a byte count above its data", "03 0000 0002", "03 04 0000" },
	{ "a byte count below its data", "03 0000 0002", "03 02 00000000" },
	{ "a byte count alone", "03 0000 0002", "03 fa" },
	{ "an odd byte count", "03 0000 0002", "03 03 000000" },
	{ "fewer bits", "01 0000 0009", "01 01 00" },
	{ "another address", "06 0001 0002", "06 0002 0002" },
	{ "another value", "05 0001 ff00", "05 0001 0000" },
	{ "another quantity", "10 0000 0001 02 0000", "10 0000 0002" },
	{ "another sub-function", "08 000b 0000", "08 000c 0000" },
	{ "a changed echo", "08 0000 a537", "08 0000 a538" },
	{ "a mask that was not sent", "16 0000 0001 0002",
	    "16 0000 0001 0003" },
	{ "an event log below its head", "0c", "0c 05 0000000000" },
	{ "a server id above its data", "11", "11 05 00" },
	{ "other groups", "14 07 06 0001 0000 0002", "14 04 03 06 0000" },
	{ "a group too many", "14 07 06 0001 0000 0001",
	    "14 08 03 06 0000 03 06 0000" },
	{ "a group of another type", "14 07 06 0001 0000 0001",
	    "14 04 03 07 0000" },
	{ "a group above its data", "14 07 06 0001 0000 0001",
	    "14 04 0b 06 0000" },
	{ "another file", "15 09 06 0001 0000 0001 1234",
	    "15 09 06 0002 0000 0001 1234" },
	{ "a queue that counts wrong", "18 0000", "18 0006 0001 0000 0000" },
	{ "another read device id code", "2b 0e 01 00",
	    "2b 0e 02 01 00 00 00" },
	{ "another object", "2b 0e 04 01", "2b 0e 04 81 00 00 01 00 00" },
	{ "two objects for one", "2b 0e 04 01",
	    "2b 0e 04 81 00 00 02 01 00 02 00" },
	{ "an object above its data", "2b 0e 01 00",
	    "2b 0e 01 81 00 00 01 00 ff 00" },
	{ "fewer objects than it says", "2b 0e 01 00",
	    "2b 0e 01 81 00 00 02 00 00" },
	{ "another MEI type", "2b 0e 01 00", "2b 0d 01 81 00 00 00" },
};

START_TEST(a_reply_that_lies_is_told_apart)
{
	uint8_t *block;
	size_t n = fc_hex(hostile[_i].req, req);
	size_t len = fc_hex(hostile[_i].rsp, rsp);

	block = malloc(len + 1); /* its end is seen by a sanitizer */
	ck_assert_ptr_nonnull(block);
	memcpy(block + 1, rsp, len);
	ck_assert_msg(mb_reply_check(&fc_fcs, req, n, block + 1, len, &reply) ==
		MB_REPLY_BAD,
	    "%s", hostile[_i].title);
	ck_assert_ptr_nonnull(reply.why);
	free(block);
}
END_TEST

START_TEST(an_exception_is_one)
{
	size_t n = mb_ask_read(req, 3, 0, 2);

	ck_assert_int_eq(mb_reply_check(&fc_fcs, req, n,
			     (const uint8_t *)"\x83\x0b", 2, &reply),
	    MB_REPLY_EXCEPTION);
	ck_assert_int_eq(reply.ex, MB_EX_NO_REPLY);
	n = fc_hex("64 00", req); /* codes without a row too */
	ck_assert_int_eq(mb_reply_check(&fc_fcs, req, n,
			     (const uint8_t *)"\xe4\x01", 2, &reply),
	    MB_REPLY_EXCEPTION);
}
END_TEST

START_TEST(a_cut_reply_is_never_taken_for_one)
{
	const struct mb_records rd[] = { { 1, 4, 3, NULL }, { 1, 0, 1, NULL } };
	static const uint16_t v[2];
	size_t lens[8], len, n, i;

	for (i = 0; i < 8; i++) {
		lens[0] = mb_ask_read(req, 3, 0, 4);
		if (i == 1)
			lens[i] = mb_ask_read_file(req, rd, 2);
		if (i == 2)
			lens[i] = mb_ask_identity(req, 1, 0);
		if (i == 3)
			lens[i] = mb_ask_fifo(req, 0);
		if (i == 4)
			lens[i] = mb_ask_plain(req, 12);
		if (i == 5)
			lens[i] = mb_ask_write_regs(req, 0, 2, v);
		if (i == 6)
			lens[i] = mb_ask_diag(req, 14, 0);
		if (i == 7)
			lens[i] = mb_ask_plain(req, 17);
		len = ask(lens[i]);
		for (n = 0; n < len; n++)
			ck_assert_int_eq(mb_reply_check(&fc_fcs, req, lens[i],
					     rsp, n, &reply),
			    MB_REPLY_BAD);
	}
}
END_TEST

START_TEST(a_table_with_other_lengths_is_no_way_out)
{
	static const struct mb_fc shorter = { .name = "shorter" };
	uint8_t *one = malloc(1);
	unsigned fc;

	ck_assert_ptr_nonnull(one);
	for (fc = 1; fc < 128; fc++) {
		ck_assert_int_eq(mb_fcs_set(&fc_fcs, (uint8_t)fc, &shorter), 0);
		memset(req, (int)fc, 6);
		*one = (uint8_t)fc;
		mb_reply_check(&fc_fcs, req, 6, one, 1, &reply);
		ck_assert_uint_eq(reply.len, 0);
	}
	free(one);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("client");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, what_is_asked_for_is_read);
	tcase_add_test(t, what_is_asked_for_is_written);
	tcase_add_test(t, files_are_read_and_written);
	tcase_add_test(t, the_line_and_the_identity_are_asked_for);
	tcase_add_test(t, an_echo_of_any_length_is_a_reply);
	tcase_add_test(t, requests_that_the_standard_forbids_are_not_built);
	tcase_add_loop_test(
	    t, a_reply_that_lies_is_told_apart, 0, LEN(hostile));
	tcase_add_test(t, an_exception_is_one);
	tcase_add_test(t, a_cut_reply_is_never_taken_for_one);
	tcase_add_test(t, a_table_with_other_lengths_is_no_way_out);
	suite_add_tcase(s, t);
	return suite_run(s);
}
