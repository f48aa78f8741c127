/* SPDX-License-Identifier: Apache-2.0 */
/* Function codes on registers: 3, 4, 6, 16, 22, 23. */

#include "tests/fc_case.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* Register n of both tables holds n + 0x1000 (input: 0x2000); the tables end
 * at 1000. */
static void
setup(void)
{
	unsigned i;

	fc_setup();
	for (i = 0; i < 65536; i++) {
		fc_fake.regs[0][i] = (uint16_t)(0x1000 + i);
		fc_fake.regs[1][i] = (uint16_t)(0x2000 + i);
	}
	fc_fake.size[MB_HR] = 1000;
	fc_fake.size[MB_IR] = 1000;
}

static const struct fc_case answered[] = {
	{ "fc3 reads one register", "03 0000 0001", "03 02 1000" },
	{ "fc3 reads three registers high byte first", "03 0002 0003",
	    "03 06 1002 1003 1004" },
	{ "fc3 reads the last register", "03 03e7 0001", "03 02 13e7" },
	{ "fc3 rejects an address behind the last", "03 03e8 0001", "83 02" },
	{ "fc3 rejects a range that leaves the table", "03 03e7 0002",
	    "83 02" },
	{ "fc3 rejects a range that leaves all tables", "03 ffff 0002",
	    "83 02" },
	{ "fc3 rejects quantity 0", "03 0000 0000", "83 03" },
	{ "fc3 rejects quantity 126", "03 0000 007e", "83 03" },
	{ "fc3 rejects quantity 65535", "03 0000 ffff", "83 03" },
	{ "fc3 names the quantity when the address is wrong too",
	    "03 ffff 0000", "83 03" },
	{ "fc3 rejects a byte too few", "03 0000 00", "83 03" },
	{ "fc3 rejects a byte too many", "03 0000 0001 00", "83 03" },
	{ "fc4 reads input registers", "04 0001 0002", "04 04 2001 2002" },
	{ "fc4 rejects quantity 0", "04 0000 0000", "84 03" },
	{ "fc4 rejects quantity 126", "04 0000 007e", "84 03" },
	{ "fc4 rejects an address behind the last", "04 03e8 0001", "84 02" },
	{ "fc6 writes and echoes", "06 0005 abcd", "06 0005 abcd" },
	{ "fc6 rejects an address behind the last", "06 03e8 0000", "86 02" },
	{ "fc6 rejects a byte too few", "06 0005 ab", "86 03" },
	{ "fc6 rejects a byte too many", "06 0005 abcd 00", "86 03" },
	{ "fc16 writes and echoes address and quantity",
	    "10 0001 0002 04 000a 0102", "10 0001 0002" },
	{ "fc16 rejects quantity 0", "10 0001 0000 00", "90 03" },
	{ "fc16 rejects quantity 0 with data", "10 0001 0000 02 0001",
	    "90 03" },
	{ "fc16 rejects quantity 124", "10 0001 007c f8 00 x248", "90 03" },
	{ "fc16 rejects a byte count below twice the quantity",
	    "10 0001 0002 02 000a", "90 03" },
	{ "fc16 rejects a byte count above twice the quantity",
	    "10 0001 0001 04 000a 0102", "90 03" },
	{ "fc16 rejects an odd byte count", "10 0001 0002 03 00 x3", "90 03" },
	{ "fc16 rejects a byte count that says more than there is",
	    "10 0001 0002 04 000a 01", "90 03" },
	{ "fc16 rejects bytes behind its data", "10 0001 0002 04 000a 0102 00",
	    "90 03" },
	{ "fc16 rejects a quantity whose byte count would wrap",
	    "10 0001 0081 02 000a", "90 03" },
	{ "fc16 rejects a range that leaves the table",
	    "10 03e7 0002 04 000a 0102", "90 02" },
	{ "fc16 names the byte count when the address is wrong too",
	    "10 ffff 0002 02 000a", "90 03" },
	{ "fc22 echoes", "16 0004 00f2 0025", "16 0004 00f2 0025" },
	{ "fc22 rejects an address behind the last", "16 03e8 0000 0000",
	    "96 02" },
	{ "fc22 rejects a byte too few", "16 0004 00f2 00", "96 03" },
	{ "fc22 rejects a byte too many", "16 0004 00f2 0025 00", "96 03" },
	{ "fc23 reads what it wrote", "17 0003 0002 0004 0001 02 beef",
	    "17 04 1003 beef" },
	{ "fc23 rejects read quantity 0", "17 0003 0000 0004 0001 02 beef",
	    "97 03" },
	{ "fc23 rejects read quantity 126", "17 0003 007e 0004 0001 02 beef",
	    "97 03" },
	{ "fc23 rejects write quantity 0", "17 0003 0001 0004 0000 00",
	    "97 03" },
	{ "fc23 rejects write quantity 122",
	    "17 0003 0001 0004 007a f4 00 x243", "97 03" },
	{ "fc23 rejects a byte count not twice the write quantity",
	    "17 0003 0001 0004 0001 04 beef beef", "97 03" },
	{ "fc23 rejects a right byte count with truncated data",
	    "17 0003 0001 0004 0002 04 beef", "97 03" },
	{ "fc23 rejects a read range that leaves the table",
	    "17 03e7 0002 0004 0001 02 beef", "97 02" },
	{ "fc23 rejects a write range that leaves the table",
	    "17 0003 0001 03e7 0002 04 beef beef", "97 02" },
	{ "fc23 rejects a write below its start that wraps",
	    "17 0003 0001 ffff 0002 04 beef beef", "97 02" },
};

START_TEST(register_requests_get_the_answer_of_the_standard)
{
	fc_case_run(&answered[_i]);
}
END_TEST

START_TEST(fc3_answers_125_registers_in_one_step)
{
	uint8_t out[MB_PDU_MAX];
	unsigned i;

	ck_assert_uint_eq(fc_serve("03 0064 007d", false, out), 252);
	ck_assert_uint_eq(out[1], 250);
	for (i = 0; i < 125; i++)
		ck_assert_uint_eq(fake_get(out + 2 + 2 * i), 0x1064 + i);
	ck_assert_uint_eq(fc_fake.calls, 1);
	ck_assert_uint_eq(fc_fake.steps, 1);
}
END_TEST

START_TEST(fc16_writes_123_registers_in_one_step)
{
	fc_expect("fc16", "10 0000 007b f6 5a x246", "10 0000 007b");
	ck_assert_uint_eq(fc_fake.regs[0][122], 0x5a5a);
	ck_assert_uint_eq(fc_fake.regs[0][123], 0x1000 + 123);
	ck_assert_uint_eq(fc_fake.calls, 1);
	ck_assert_uint_eq(fc_fake.steps, 1);
}
END_TEST

START_TEST(fc22_changes_as_the_standards_example_has_it)
{
	fc_fake.regs[0][4] = 0x12;
	fc_expect("fc22", "16 0004 00f2 0025", "16 0004 00f2 0025");
	ck_assert_uint_eq(fc_fake.regs[0][4], 0x17);
	ck_assert_uint_eq(fc_fake.calls, 1);
}
END_TEST

START_TEST(fc23_is_one_call_that_writes_first)
{
	uint8_t out[MB_PDU_MAX];

	ck_assert_uint_eq(
	    fc_serve("17 0000 007d 0000 0079 f2 33 x242", false, out), 252);
	ck_assert_uint_eq(out[1], 250);
	ck_assert_uint_eq(fake_get(out + 2), 0x3333);
	ck_assert_uint_eq(fake_get(out + 2 + 2 * 120), 0x3333);
	ck_assert_uint_eq(fake_get(out + 2 + 2 * 121), 0x1000 + 121);
	ck_assert_uint_eq(fc_fake.calls, 1);
	ck_assert_uint_eq(fc_fake.steps, 2);
}
END_TEST

START_TEST(a_refused_fc23_changes_nothing)
{
	fc_expect("fc23", "17 03e7 0002 0004 0001 02 beef", "97 02");
	ck_assert_uint_eq(fc_fake.regs[0][4], 0x1004);
	ck_assert_uint_eq(fc_fake.writes, 0);
}
END_TEST

static enum mb_ex
replayed(void *arg, struct mb_step *s, unsigned n)
{
	(void)arg;
	(void)s;
	(void)n;
	return MB_EX_NONE; /* carried out before; reads are left alone */
}

START_TEST(a_replayed_fc23_leaves_the_registers_already_in_the_reply)
{
	uint8_t out[MB_PDU_MAX], first[MB_PDU_MAX];
	const char *req = "17 0003 0002 0004 0001 02 beef";
	size_t len = fc_serve(req, false, out);

	memcpy(first, out, len);
	fc_fake.unit.step = replayed;
	ck_assert_uint_eq(fc_serve(req, false, out), len);
	ck_assert_mem_eq(out, first, len);
}
END_TEST

static const struct fc_case failing[] = {
	{ "fc3", "03 0000 0001", "83" },
	{ "fc4", "04 0000 0001", "84" },
	{ "fc6", "06 0000 0001", "86" },
	{ "fc16", "10 0000 0001 02 0001", "90" },
	{ "fc22", "16 0000 0000 0000", "96" },
	{ "fc23", "17 0000 0001 0000 0001 02 0001", "97" },
};

START_TEST(what_the_model_answers_goes_out_as_the_exception)
{
	static const enum mb_ex ex[] = { MB_EX_ADDRESS, MB_EX_FAILURE,
		MB_EX_BUSY };
	uint8_t out[MB_PDU_MAX];
	int i;

	for (i = 0; i < LEN(ex); i++) {
		fc_fake.fail = ex[i];
		ck_assert_uint_eq(fc_serve(failing[_i].request, false, out), 2);
		ck_assert_uint_eq(out[0], strtoul(failing[_i].reply, NULL, 16));
		ck_assert_uint_eq(out[1], ex[i]);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fc_regs");
	TCase *t = tcase_create("registers");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, register_requests_get_the_answer_of_the_standard,
	    0, LEN(answered));
	tcase_add_test(t, fc3_answers_125_registers_in_one_step);
	tcase_add_test(t, fc16_writes_123_registers_in_one_step);
	tcase_add_test(t, fc22_changes_as_the_standards_example_has_it);
	tcase_add_test(t, fc23_is_one_call_that_writes_first);
	tcase_add_test(t, a_refused_fc23_changes_nothing);
	tcase_add_test(
	    t, a_replayed_fc23_leaves_the_registers_already_in_the_reply);
	tcase_add_loop_test(t, what_the_model_answers_goes_out_as_the_exception,
	    0, LEN(failing));
	suite_add_tcase(s, t);
	return suite_run(s);
}
