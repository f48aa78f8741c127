/* SPDX-License-Identifier: Apache-2.0 */
/* Function codes on file records and queues: 20, 21, 24. */

#include "tests/fc_case.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* Record n of file m holds m << 12 | n; queue 1 has three values, 2 as many
 * as can be, 3 one more. */
static void
setup(void)
{
	unsigned i, n;

	fc_setup();
	for (i = 0; i < FAKE_FILES; i++)
		for (n = 0; n < MB_FILE_RECORDS; n++)
			fc_fake.file[i][n] = (uint16_t)((i + 1) << 12 | n);
	fc_fake.fifo_count[1] = 3;
	fc_fake.fifo_count[2] = MB_FIFO_MAX;
	fc_fake.fifo_count[3] = MB_FIFO_MAX + 1;
	for (n = 0; n < MB_FIFO_MAX; n++) {
		fc_fake.fifo[1][n] = (uint16_t)(0x100 + n);
		fc_fake.fifo[2][n] = (uint16_t)(0x200 + n);
	}
}

static const struct fc_case answered[] = {
	{ "fc20 reads one group", "14 07 06 0001 0002 0002",
	    "14 06 05 06 1002 1003" },
	{ "fc20 reads two groups of two files",
	    "14 0e 06 0001 0001 0001 06 0003 0009 0002",
	    "14 0a 03 06 1001 05 06 3009 300a" },
	{ "fc20 reads the last record", "14 07 06 0001 270f 0001",
	    "14 04 03 06 370f" },
	{ "fc20 rejects record 10000", "14 07 06 0001 2710 0001", "94 02" },
	{ "fc20 rejects a range behind record 9999", "14 07 06 0001 270f 0002",
	    "94 02" },
	{ "fc20 rejects file 0", "14 07 06 0000 0000 0001", "94 02" },
	{ "fc20 rejects a file that is not there", "14 07 06 0004 0000 0001",
	    "94 02" },
	{ "fc20 rejects reference type 5", "14 07 05 0001 0000 0001", "94 02" },
	{ "fc20 rejects one wrong group of two",
	    "14 0e 06 0001 0001 0001 06 0009 0009 0002", "94 02" },
	{ "fc20 rejects no groups", "14 00", "94 03" },
	{ "fc20 rejects no byte count", "14", "94 03" },
	{ "fc20 rejects byte count 6", "14 06 06 0001 0000 00", "94 03" },
	{ "fc20 rejects byte count 8", "14 08 06 0001 0000 0001 00", "94 03" },
	{ "fc20 rejects a byte count above its data", "14 0e 06 0001 0000 0001",
	    "94 03" },
	{ "fc20 rejects a byte count below its data",
	    "14 07 06 0001 0000 0001 06 0001 0000 0001", "94 03" },
	{ "fc20 rejects byte count 252", "14 fc 06 x251", "94 03" },
	{ "fc20 rejects length 0", "14 07 06 0001 0000 0000", "94 03" },
	{ "fc20 rejects a reply of 252 data bytes", "14 07 06 0001 0000 007d",
	    "94 03" },
	{ "fc20 rejects two groups that do not fit one reply",
	    "14 0e 06 0001 0000 0064 06 0001 0000 001a", "94 03" },
	{ "fc20 rejects lengths whose sum would wrap",
	    "14 0e 06 0001 0000 ffff 06 0001 0000 0001", "94 03" },
	{ "fc20 names the length when the file is wrong too",
	    "14 07 06 0000 0000 007d", "94 03" },
	{ "fc21 echoes one group", "15 0d 06 0001 0007 0003 06af 04be 100d",
	    "15 0d 06 0001 0007 0003 06af 04be 100d" },
	{ "fc21 echoes two groups",
	    "15 12 06 0001 0007 0001 06af 06 0002 0000 0001 04be",
	    "15 12 06 0001 0007 0001 06af 06 0002 0000 0001 04be" },
	{ "fc21 rejects file 0", "15 09 06 0000 0007 0001 06af", "95 02" },
	{ "fc21 rejects reference type 7", "15 09 07 0001 0007 0001 06af",
	    "95 02" },
	{ "fc21 rejects record 10000", "15 09 06 0001 2710 0001 06af",
	    "95 02" },
	{ "fc21 rejects length 0", "15 07 06 0001 0007 0000", "95 03" },
	{ "fc21 rejects length 0 beside a good group",
	    "15 10 06 0001 0007 0001 06af 06 0001 0007 0000", "95 03" },
	{ "fc21 rejects byte count 8", "15 08 06 0001 0007 0001 06", "95 03" },
	{ "fc21 rejects byte count 252", "15 fc 06 x251", "95 03" },
	{ "fc21 rejects no byte count", "15", "95 03" },
	{ "fc21 rejects a length above its data",
	    "15 09 06 0001 0007 0002 06af", "95 03" },
	{ "fc21 rejects a length below its data",
	    "15 0b 06 0001 0007 0001 06af 04be", "95 03" },
	{ "fc21 rejects a byte count below its data",
	    "15 09 06 0001 0007 0001 06af 04", "95 03" },
	{ "fc21 rejects a byte count above its data",
	    "15 0a 06 0001 0007 0001 06af", "95 03" },
	{ "fc24 answers an empty queue", "18 0000", "18 0002 0000" },
	{ "fc24 answers three values", "18 0001",
	    "18 0008 0003 0100 0101 0102" },
	{ "fc24 rejects a queue of 32", "18 0003", "98 03" },
	{ "fc24 rejects a pointer to nothing", "18 0004", "98 02" },
	{ "fc24 rejects a byte too few", "18 00", "98 03" },
	{ "fc24 rejects a byte too many", "18 0001 00", "98 03" },
};

START_TEST(file_requests_get_the_answer_of_the_standard)
{
	fc_case_run(&answered[_i]);
}
END_TEST

START_TEST(fc20_reads_what_fills_a_reply)
{
	uint8_t out[MB_PDU_MAX];

	/* 124 registers and their head; 125 would be one byte too many */
	ck_assert_uint_eq(fc_serve("14 07 06 0001 0000 007c", false, out), 252);
	ck_assert_uint_eq(out[1], 250);
	ck_assert_uint_eq(out[2], 249);
	ck_assert_uint_eq(fake_get(out + 4 + 2 * 123), 0x1000 + 123);
	ck_assert_uint_eq(fc_fake.calls, 1);
}
END_TEST

START_TEST(fc20_reads_35_groups_in_one_call)
{
	uint8_t pdu[MB_PDU_MAX] = { 0x14, 35 * 7 }, out[MB_PDU_MAX];
	unsigned i;

	for (i = 0; i < 35; i++) {
		pdu[2 + 7 * i] = 6;
		fake_put(pdu + 3 + 7 * i, (uint16_t)(1 + i % 3));
		fake_put(pdu + 5 + 7 * i, (uint16_t)i);
		fake_put(pdu + 7 + 7 * i, 1);
	}
	ck_assert_uint_eq(
	    mb_serve(&fc_fcs, &fc_fake.unit, false, pdu, 2 + 35 * 7, out),
	    2 + 35 * 4);
	for (i = 0; i < 35; i++)
		ck_assert_uint_eq(
		    fake_get(out + 4 + 4 * i), (1 + i % 3) << 12 | i);
	ck_assert_uint_eq(fc_fake.calls, 1);
	ck_assert_uint_eq(fc_fake.steps, 35);
}
END_TEST

START_TEST(fc21_writes_its_groups_in_one_call)
{
	fc_expect("fc21",
	    "15 14 06 0001 0007 0001 06af 06 0002 0000 0002 04be 1234",
	    "15 14 06 0001 0007 0001 06af 06 0002 0000 0002 04be 1234");
	ck_assert_uint_eq(fc_fake.file[0][7], 0x06af);
	ck_assert_uint_eq(fc_fake.file[1][0], 0x04be);
	ck_assert_uint_eq(fc_fake.file[1][1], 0x1234);
	ck_assert_uint_eq(fc_fake.calls, 1);
	ck_assert_uint_eq(fc_fake.steps, 2);
}
END_TEST

START_TEST(fc21_writes_nothing_when_one_group_is_wrong)
{
	fc_expect("last group",
	    "15 12 06 0001 0007 0001 06af 06 0009 0000 0001 04be", "95 02");
	fc_expect("length of the last group",
	    "15 12 06 0001 0007 0001 06af 06 0002 0000 0002 04be", "95 03");
	ck_assert_uint_eq(fc_fake.file[0][7], 0x1007);
	ck_assert_uint_eq(fc_fake.writes, 0);
}
END_TEST

START_TEST(fc21_writes_what_fills_a_request)
{
	fc_expect("fc21", "15 fb 06 0001 0000 007a ab x244",
	    "15 fb 06 0001 0000 007a ab x244");
	ck_assert_uint_eq(fc_fake.file[0][121], 0xabab);
	ck_assert_uint_eq(fc_fake.file[0][122], 0x1000 + 122);
}
END_TEST

START_TEST(fc24_answers_31_values_and_does_not_consume_them)
{
	uint8_t out[MB_PDU_MAX];
	unsigned i, n;

	for (n = 0; n < 2; n++) {
		ck_assert_uint_eq(fc_serve("18 0002", false, out), 67);
		ck_assert_uint_eq(fake_get(out + 1), 64);
		ck_assert_uint_eq(fake_get(out + 3), 31);
		for (i = 0; i < 31; i++)
			ck_assert_uint_eq(fake_get(out + 5 + 2 * i), 0x200 + i);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fc_file");
	TCase *t = tcase_create("files");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(
	    t, file_requests_get_the_answer_of_the_standard, 0, LEN(answered));
	tcase_add_test(t, fc20_reads_what_fills_a_reply);
	tcase_add_test(t, fc20_reads_35_groups_in_one_call);
	tcase_add_test(t, fc21_writes_its_groups_in_one_call);
	tcase_add_test(t, fc21_writes_nothing_when_one_group_is_wrong);
	tcase_add_test(t, fc21_writes_what_fills_a_request);
	tcase_add_test(t, fc24_answers_31_values_and_does_not_consume_them);
	suite_add_tcase(s, t);
	return suite_run(s);
}
