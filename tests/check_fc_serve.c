/* SPDX-License-Identifier: Apache-2.0 */
/* mb_serve() as such, and the table's rules on length, names and limits. */

#include <errno.h>

#include "tests/fc_case.h"
#include "workers/proto/fc.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* One good request of each function code, with its reply. */
static const struct fc_case good[] = {
	{ "fc1", "01 0000 0008", "01 01 00" },
	{ "fc2", "02 0000 0008", "02 01 00" },
	{ "fc3", "03 0000 0001", "03 02 0000" },
	{ "fc4", "04 0000 0001", "04 02 0000" },
	{ "fc5", "05 0000 ff00", "05 0000 ff00" },
	{ "fc6", "06 0000 1234", "06 0000 1234" },
	{ "fc7", "07", "07 00" },
	{ "fc8", "08 0000 1234", "08 0000 1234" },
	{ "fc11", "0b", "0b 0000 0000" },
	{ "fc12", "0c", "0c 07 0000 0000 0001 80" },
	{ "fc15", "0f 0000 0009 02 ff01", "0f 0000 0009" },
	{ "fc16", "10 0000 0002 04 1234 5678", "10 0000 0002" },
	{ "fc17", "11", "11 0c 41636d65 2d 4131 2d 312e30 ff" },
	{ "fc20", "14 07 06 0001 0000 0001", "14 04 03 06 0000" },
	{ "fc21", "15 09 06 0001 0000 0001 1234",
	    "15 09 06 0001 0000 0001 1234" },
	{ "fc22", "16 0000 1234 5678", "16 0000 1234 5678" },
	{ "fc23", "17 0000 0001 0000 0002 04 1234 5678", "17 02 1234" },
	{ "fc24", "18 0000", "18 0002 0000" },
	{ "fc43", "2b 0e 04 01", "2b 0e 04 81 00 00 01 01 02 4131" },
};

static bool
writes(uint8_t fc)
{
	return (fc_fcs.row[fc]->flags & FC_WRITE) != 0;
}

START_TEST(a_good_request_gets_its_reply)
{
	fc_case_run(&good[_i]);
}
END_TEST

START_TEST(a_request_cut_anywhere_is_answered_03_and_changes_nothing)
{
	uint8_t pdu[MB_PDU_MAX], out[MB_PDU_MAX], *cut;
	size_t len = fc_hex(good[_i].request, pdu), n;

	for (n = 1; n < len; n++) {
		cut = malloc(n);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut, pdu, n);
		ck_assert_uint_eq(
		    mb_serve(&fc_fcs, &fc_fake.unit, false, cut, n, out), 2);
		free(cut);
		ck_assert_uint_eq(out[0], pdu[0] | 0x80);
		ck_assert_uint_eq(out[1], MB_EX_VALUE);
	}
	ck_assert_uint_eq(fc_fake.calls, 0);
}
END_TEST

START_TEST(a_request_with_a_byte_more_is_answered_03)
{
	uint8_t pdu[MB_PDU_MAX + 1] = { 0 }, out[MB_PDU_MAX];
	size_t len = fc_hex(good[_i].request, pdu);

	if (pdu[0] == 8)
		return; /* echoes any length */
	ck_assert_uint_eq(
	    mb_serve(&fc_fcs, &fc_fake.unit, false, pdu, len + 1, out), 2);
	ck_assert_uint_eq(out[0], pdu[0] | 0x80);
	ck_assert_uint_eq(out[1], MB_EX_VALUE);
	ck_assert_uint_eq(fc_fake.calls, 0);
}
END_TEST

START_TEST(each_byte_as_function_code_is_known_or_answered_01)
{
	uint8_t pdu[2] = { (uint8_t)_i }, out[MB_PDU_MAX];
	size_t len = mb_serve(&fc_fcs, &fc_fake.unit, false, pdu, 1, out);
	bool known = _i < 128 && fc_fcs.row[_i] != NULL;

	if (known) {
		ck_assert(out[0] == _i ||
		    (len == 2 && out[0] == (_i | 0x80) &&
			out[1] == MB_EX_VALUE));
	} else {
		ck_assert_uint_eq(len, 2);
		ck_assert_uint_eq(out[0], _i | 0x80);
		ck_assert_uint_eq(out[1], MB_EX_FUNCTION);
	}
}
END_TEST

START_TEST(each_byte_with_data_stays_within_a_reply)
{
	uint8_t pdu[MB_PDU_MAX], out[MB_PDU_MAX];
	size_t n, len;
	unsigned fill;

	for (fill = 0; fill < 256; fill += 15) {
		memset(pdu, (int)fill, sizeof(pdu));
		pdu[0] = (uint8_t)_i;
		for (n = 1; n <= MB_PDU_MAX; n++) {
			len = mb_serve(
			    &fc_fcs, &fc_fake.unit, false, pdu, n, out);
			if (len < 2 || len > MB_PDU_MAX ||
			    (out[0] | 0x80) != (_i | 0x80))
				ck_abort_msg("%zu bytes of %02x", n, fill);
		}
	}
}
END_TEST

START_TEST(the_standard_set_is_complete_and_no_more)
{
	static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16,
		17, 20, 21, 22, 23, 24, 43 };
	unsigned fc, i = 0;

	for (fc = 0; fc < 128; fc++) {
		if (fc_fcs.row[fc] == NULL)
			continue;
		ck_assert_int_lt((int)i, LEN(want));
		ck_assert_uint_eq(want[i], fc);
		i++;
	}
	ck_assert_int_eq((int)i, LEN(want));
}
END_TEST

static enum mb_ex
refuse(void *arg, struct mb_step *s, unsigned n)
{
	(void)s;
	(void)n;
	*(unsigned *)arg += 1;
	return MB_EX_NONE;
}

START_TEST(the_model_is_never_asked_for_what_cannot_exist)
{
	static const char *const c[] = { "01 ffff 0002", "02 fff9 0008",
		"03 ffff 0002", "04 ff84 007d", "0f ffff 0002 01 03",
		"10 ffff 0002 04 00000000", "17 ffff 0002 0000 0001 02 0000",
		"17 0000 0001 ffff 0002 04 00000000", "14 07 06 0000 0000 0001",
		"14 07 06 0001 2710 0001", "14 07 06 0001 270f 0002",
		"14 07 05 0001 0000 0001", "15 09 06 0000 0000 0001 0000",
		"15 09 06 0001 2710 0001 0000",
		"15 09 05 0001 0000 0001 0000" };
	uint8_t out[MB_PDU_MAX];
	unsigned asked = 0;
	int i;

	fc_fake.unit.step = refuse;
	fc_fake.unit.arg = &asked;
	for (i = 0; i < LEN(c); i++) {
		ck_assert_uint_eq(fc_serve(c[i], false, out), 2);
		ck_assert_uint_eq(out[1], MB_EX_ADDRESS);
	}
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(no_byte_at_all_and_too_many_are_answered_03)
{
	uint8_t pdu[MB_PDU_MAX + 1] = { 8 }, out[MB_PDU_MAX];

	ck_assert_uint_eq(
	    mb_serve(&fc_fcs, &fc_fake.unit, false, pdu, 0, out), 2);
	ck_assert_uint_eq(out[0], 0x80);
	ck_assert_uint_eq(out[1], MB_EX_VALUE);
	ck_assert_uint_eq(
	    mb_serve(&fc_fcs, &fc_fake.unit, false, pdu, MB_PDU_MAX + 1, out),
	    2);
	ck_assert_uint_eq(out[0], 0x88);
	ck_assert_uint_eq(out[1], MB_EX_VALUE);
}
END_TEST

START_TEST(a_read_only_unit_answers_01_to_what_writes)
{
	uint8_t out[MB_PDU_MAX], pdu[MB_PDU_MAX];
	size_t len;

	fc_fake.unit.read_only = true;
	fc_hex(good[_i].request, pdu);
	if (!writes(pdu[0])) {
		fc_case_run(&good[_i]);
		return;
	}
	len = fc_serve(good[_i].request, false, out);
	ck_assert_uint_eq(len, 2);
	ck_assert_uint_eq(out[0], pdu[0] | 0x80);
	ck_assert_uint_eq(out[1], MB_EX_FUNCTION);
	ck_assert_uint_eq(fc_fake.calls, 0);
	ck_assert_uint_eq(fc_serve("10 0000", false, out), 2);
	ck_assert_uint_eq(out[1], MB_EX_FUNCTION);
}
END_TEST

START_TEST(a_broadcast_is_never_answered_and_only_carried_out_if_it_writes)
{
	uint8_t out[MB_PDU_MAX], pdu[MB_PDU_MAX];
	bool allowed;

	fc_hex(good[_i].request, pdu);
	allowed = writes(pdu[0]) && pdu[0] != 23;
	ck_assert_uint_eq(fc_serve(good[_i].request, true, out), 0);
	ck_assert_uint_eq(fc_fake.calls, allowed);
	ck_assert_uint_eq(
	    mb_diag_get(&fc_fake.diag, MB_CPT_EXCEPTIONS), !allowed);
	ck_assert_uint_eq(mb_diag_get(&fc_fake.diag, MB_CPT_NO_REPLY), 1);
	ck_assert_uint_eq(mb_diag_events(&fc_fake.diag), allowed);
}
END_TEST

START_TEST(each_request_is_one_call_of_the_model_at_most)
{
	uint8_t out[MB_PDU_MAX];

	fc_serve(good[_i].request, false, out);
	ck_assert_uint_le(fc_fake.calls, 1);
}
END_TEST

START_TEST(the_table_tells_a_requests_length_from_its_first_bytes)
{
	uint8_t pdu[MB_PDU_MAX], part[MB_PDU_MAX];
	int len = (int)fc_hex(good[_i].request, pdu), n, want = 0;

	memset(part, 0xff, sizeof(part)); /* what has not come yet */
	ck_assert_int_eq(mb_request_len(&fc_fcs, part, 0), 0);
	for (n = 1; n <= len; n++) {
		memcpy(part, pdu, (size_t)n);
		want = mb_request_len(&fc_fcs, part, (size_t)n);
		ck_assert(want == 0 || want == len);
	}
	ck_assert_int_eq(want, len);
	ck_assert(mb_fc_plausible(&fc_fcs, pdu, (size_t)len));
}
END_TEST

START_TEST(the_table_tells_a_replys_length_from_its_first_bytes)
{
	uint8_t pdu[MB_PDU_MAX], part[MB_PDU_MAX];
	int len = (int)fc_hex(good[_i].reply, pdu), n, want = 0;

	memset(part, 0xff, sizeof(part)); /* what has not come yet */
	ck_assert_int_eq(mb_reply_len(&fc_fcs, part, 0), 0);
	for (n = 1; n <= len; n++) {
		memcpy(part, pdu, (size_t)n);
		want = mb_reply_len(&fc_fcs, part, (size_t)n);
		ck_assert(want == 0 || want == len);
	}
	ck_assert_int_eq(want, len);
}
END_TEST

START_TEST(lengths_that_no_pdu_can_have_are_refused)
{
	static const struct {
		const char *pdu;
		int request, reply;
	} c[] = {
		{ "00", -1, -1 },
		{ "80", -1, -1 },
		{ "83", -1, 2 },
		{ "ff", -1, 2 },
		{ "64", -1, -1 },
		{ "2b", 0, 0 },
		{ "2b 0d", -1, -1 },
		{ "10 0000 0001 f7", 253, 5 },
		{ "10 0000 0001 f8", -1, 5 },
		{ "17 0000 0001 0000 0001 f3", 253, -1 },
		{ "17 0000 0001 0000 0001 f4", -1, -1 },
		{ "03 00", 5, -1 }, /* replies of nothing */
		{ "03 03", 5, -1 },
		{ "03 fb", 5, -1 },
		{ "03 fa", 5, 252 },
		{ "03 fc", 5, -1 },
		{ "01 01", 5, 3 },
		{ "0c 05", 1, -1 },
		{ "0c 06", 1, 8 },
		{ "18 0001", 3, -1 },
		{ "18 0003", 3, -1 },
		{ "18 0002", 3, 5 },
		{ "18 0040", 3, 67 },
		{ "18 0042", 3, -1 },
		{ "2b 0e 01 81 00 00 01 00 f4", 4, 253 },
		{ "2b 0e 01 81 00 00 01 00 f5", 4, -1 },
		{ "2b 0e 01 81 00 00 ff 00 00", 4, 0 },
	};
	uint8_t pdu[MB_PDU_MAX];
	size_t n, i;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		n = fc_hex(c[i].pdu, pdu);
		ck_assert_int_eq(mb_request_len(&fc_fcs, pdu, n), c[i].request);
		ck_assert_int_eq(mb_reply_len(&fc_fcs, pdu, n), c[i].reply);
	}
}
END_TEST

START_TEST(an_identification_reply_of_many_empty_objects_has_an_end)
{
	uint8_t pdu[MB_PDU_MAX + 8] = { 0x2b, 0x0e, 1, 0x81, 0, 0, 0xff };

	ck_assert_int_eq(mb_reply_len(&fc_fcs, pdu, sizeof(pdu)), -1);
	pdu[6] = 123;
	ck_assert_int_eq(mb_reply_len(&fc_fcs, pdu, sizeof(pdu)), 253);
}
END_TEST

static enum mb_ex
run_custom(struct mb_call *call)
{
	uint16_t v = rbuf_u16(&call->in);

	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	wbuf_u16(&call->out, (uint16_t)(v + 1));
	return MB_EX_NONE;
}

static enum mb_ex
run_greedy(struct mb_call *call)
{
	unsigned i;

	for (i = 0; i < 200; i++)
		wbuf_u16(&call->out, 0x5555);
	return MB_EX_NONE;
}

START_TEST(a_function_code_of_ones_own_is_served)
{
	static const struct mb_fc custom = { .name = "successor",
		.flags = FC_WRITE,
		.run = run_custom,
		.req = { 2 },
		.rsp = { 2 } };
	uint8_t pdu[] = { 65, 0, 41 };

	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 65, &custom), 0);
	fc_expect("custom", "41 0029", "41 002a");
	fc_expect("cut", "41 00", "c1 03");
	ck_assert_str_eq(mb_fc_name(&fc_fcs, 65), "successor");
	ck_assert_int_eq(mb_request_len(&fc_fcs, pdu, 1), 3);
	fc_fake.unit.read_only = true;
	fc_expect("read-only", "41 0029", "c1 01");
	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 65, NULL), 0);
	fc_expect("taken away", "41 0029", "c1 01");
}
END_TEST

START_TEST(a_handler_that_writes_too_much_is_answered_04)
{
	static const struct mb_fc greedy = { .name = "greedy",
		.run = run_greedy };

	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 100, &greedy), 0);
	fc_expect("greedy", "64", "e4 04");
}
END_TEST

START_TEST(function_codes_outside_1_to_127_are_refused)
{
	static const struct mb_fc custom = { .name = "x", .run = run_custom };

	errno = 0;
	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 0, &custom), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 128, &custom), -1);
	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 255, &custom), -1);
	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 127, &custom), 0);
	ck_assert_int_eq(mb_fcs_set(&fc_fcs, 1, &custom), 0);
}
END_TEST

START_TEST(function_codes_and_exceptions_have_names)
{
	unsigned fc;

	ck_assert_str_eq(mb_fc_name(&fc_fcs, 3), "read_holding_registers");
	ck_assert_ptr_null(mb_fc_name(&fc_fcs, 99));
	ck_assert_ptr_null(mb_fc_name(&fc_fcs, 0));
	ck_assert_ptr_null(mb_fc_name(&fc_fcs, 0x83));
	for (fc = 0; fc < 128; fc++)
		ck_assert(fc_fcs.row[fc] == NULL ||
		    mb_fc_name(&fc_fcs, (uint8_t)fc) != NULL);
	ck_assert_str_eq(mb_ex_name(MB_EX_ADDRESS), "illegal data address");
	ck_assert_str_eq(mb_ex_name(MB_EX_NO_REPLY),
	    "gateway target device failed to respond");
	ck_assert_str_eq(mb_ex_name((enum mb_ex)0x77), "unknown exception");
	ck_assert_str_eq(mb_ex_name((enum mb_ex)9), "unknown exception");
}
END_TEST

START_TEST(what_cannot_be_served_shows_in_its_first_bytes)
{
	static const struct {
		const char *pdu;
		bool plausible;
	} c[] = {
		{ "03 0000", true },
		{ "03 0000 01", false }, /* 256 or more */
		{ "03 0000 00", true },
		{ "03 0000 0000", false },
		{ "03 0000 007d", true },
		{ "03 0000 007e", false },
		{ "01 0000 07", true },
		{ "01 0000 08", false },
		{ "01 0000 07d0", true },
		{ "01 0000 07d1", false },
		{ "10 0000 0001 02", true },
		{ "10 0000 0001 03", false },
		{ "0f 0000 0009 02", true },
		{ "0f 0000 0009 01", false },
		{ "17 0000 0001 0000 0079 f2", true },
		{ "17 0000 0001 0000 007a f4", false },
		{ "17 0000 007e 0000 0001 02", false },
		{ "17 0000 0001 0000 0001 04", false },
		{ "06 ffff ffff", true },
	};
	uint8_t pdu[MB_PDU_MAX];
	size_t n, i;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		n = fc_hex(c[i].pdu, pdu);
		ck_assert_int_eq(
		    mb_fc_plausible(&fc_fcs, pdu, n), c[i].plausible);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fc_serve");
	TCase *t = tcase_create("serve");

	tcase_add_checked_fixture(t, fc_setup, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, a_good_request_gets_its_reply, 0, LEN(good));
	tcase_add_loop_test(t,
	    a_request_cut_anywhere_is_answered_03_and_changes_nothing, 0,
	    LEN(good));
	tcase_add_loop_test(
	    t, a_request_with_a_byte_more_is_answered_03, 0, LEN(good));
	tcase_add_loop_test(
	    t, each_byte_as_function_code_is_known_or_answered_01, 0, 256);
	tcase_add_loop_test(
	    t, each_byte_with_data_stays_within_a_reply, 0, 256);
	tcase_add_test(t, the_standard_set_is_complete_and_no_more);
	tcase_add_test(t, the_model_is_never_asked_for_what_cannot_exist);
	tcase_add_test(t, no_byte_at_all_and_too_many_are_answered_03);
	tcase_add_loop_test(
	    t, a_read_only_unit_answers_01_to_what_writes, 0, LEN(good));
	tcase_add_loop_test(t,
	    a_broadcast_is_never_answered_and_only_carried_out_if_it_writes, 0,
	    LEN(good));
	tcase_add_loop_test(
	    t, each_request_is_one_call_of_the_model_at_most, 0, LEN(good));
	tcase_add_loop_test(t,
	    the_table_tells_a_requests_length_from_its_first_bytes, 0,
	    LEN(good));
	tcase_add_loop_test(t,
	    the_table_tells_a_replys_length_from_its_first_bytes, 0, LEN(good));
	tcase_add_test(t, lengths_that_no_pdu_can_have_are_refused);
	tcase_add_test(
	    t, an_identification_reply_of_many_empty_objects_has_an_end);
	tcase_add_test(t, a_function_code_of_ones_own_is_served);
	tcase_add_test(t, a_handler_that_writes_too_much_is_answered_04);
	tcase_add_test(t, function_codes_outside_1_to_127_are_refused);
	tcase_add_test(t, function_codes_and_exceptions_have_names);
	tcase_add_test(t, what_cannot_be_served_shows_in_its_first_bytes);
	suite_add_tcase(s, t);
	return suite_run(s);
}
