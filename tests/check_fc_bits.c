/* SPDX-License-Identifier: Apache-2.0 */
/* Function codes on bits: 1, 2, 5, 15. */

#include "tests/fc_case.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* Coils 0..19 are the bits of the standard's example, CD 6B B2 from 20 on;
 * every third input is on; both tables end at 2500. */
static void
setup(void)
{
	static const uint8_t example[] = { 0xcd, 0x6b, 0x05 };
	unsigned i;

	fc_setup();
	for (i = 0; i < 19; i++)
		fc_fake.bits[MB_CO][i] = example[i / 8] >> i % 8 & 1;
	for (i = 0; i < 65536; i += 3)
		fc_fake.bits[MB_DI][i] = 1;
	fc_fake.size[MB_CO] = 2500;
	fc_fake.size[MB_DI] = 2500;
}

static const struct fc_case answered[] = {
	{ "fc1 packs the lowest address into bit 0", "01 0000 0013",
	    "01 03 cd6b05" },
	{ "fc1 leaves the bits behind the last one 0", "01 0000 0003",
	    "01 01 05" },
	{ "fc1 begins anywhere in a byte", "01 0003 000a", "01 02 7901" },
	{ "fc1 answers 8 coils in one byte", "01 0000 0008", "01 01 cd" },
	{ "fc1 answers 9 coils in two bytes", "01 0000 0009", "01 02 cd01" },
	{ "fc1 reads the last coil", "01 09c3 0001", "01 01 00" },
	{ "fc1 rejects an address behind the last", "01 09c4 0001", "81 02" },
	{ "fc1 rejects a range that leaves the table", "01 09c3 0002",
	    "81 02" },
	{ "fc1 rejects a range that leaves all tables", "01 ffff 0002",
	    "81 02" },
	{ "fc1 rejects quantity 0", "01 0000 0000", "81 03" },
	{ "fc1 rejects quantity 2001", "01 0000 07d1", "81 03" },
	{ "fc1 names the quantity when the address is wrong too",
	    "01 ffff 07d1", "81 03" },
	{ "fc1 rejects a byte too few", "01 0000 00", "81 03" },
	{ "fc1 rejects a byte too many", "01 0000 0001 00", "81 03" },
	{ "fc2 reads inputs", "02 0000 0008", "02 01 49" },
	{ "fc2 rejects quantity 0", "02 0000 0000", "82 03" },
	{ "fc2 rejects quantity 2001", "02 0000 07d1", "82 03" },
	{ "fc2 rejects an address behind the last", "02 09c4 0001", "82 02" },
	{ "fc5 switches on and echoes", "05 00ac ff00", "05 00ac ff00" },
	{ "fc5 switches off and echoes", "05 0000 0000", "05 0000 0000" },
	{ "fc5 rejects value 0001", "05 0000 0001", "85 03" },
	{ "fc5 rejects value FFFF", "05 0000 ffff", "85 03" },
	{ "fc5 rejects value FF01", "05 0000 ff01", "85 03" },
	{ "fc5 rejects value 0100", "05 0000 0100", "85 03" },
	{ "fc5 names the value when the address is wrong too", "05 ffff 1234",
	    "85 03" },
	{ "fc5 rejects an address behind the last", "05 09c4 ff00", "85 02" },
	{ "fc5 rejects a byte too few", "05 0000 ff", "85 03" },
	{ "fc5 rejects a byte too many", "05 0000 ff00 00", "85 03" },
	{ "fc15 writes the standard's example", "0f 0013 000a 02 cd01",
	    "0f 0013 000a" },
	{ "fc15 rejects quantity 0", "0f 0000 0000 00", "8f 03" },
	{ "fc15 rejects quantity 1969", "0f 0000 07b1 f7 00 x247", "8f 03" },
	{ "fc15 rejects a byte count too small", "0f 0000 0009 01 ff",
	    "8f 03" },
	{ "fc15 rejects a byte count too large", "0f 0000 0008 02 ffff",
	    "8f 03" },
	{ "fc15 rejects a byte count that says more than there is",
	    "0f 0000 0009 02 ff", "8f 03" },
	{ "fc15 rejects bytes behind its data", "0f 0000 0008 01 ff 00",
	    "8f 03" },
	{ "fc15 rejects a range that leaves the table", "0f 09c3 0002 01 03",
	    "8f 02" },
	{ "fc15 names the byte count when the address is wrong too",
	    "0f ffff 0009 01 ff", "8f 03" },
};

START_TEST(bit_requests_get_the_answer_of_the_standard)
{
	fc_case_run(&answered[_i]);
}
END_TEST

START_TEST(fc1_answers_2000_coils_in_one_step)
{
	uint8_t out[MB_PDU_MAX];

	ck_assert_uint_eq(fc_serve("01 0000 07d0", false, out), 252);
	ck_assert_uint_eq(out[1], 250);
	ck_assert_uint_eq(fc_fake.calls, 1);
	ck_assert_uint_eq(fc_fake.steps, 1);
}
END_TEST

START_TEST(fc15_writes_1968_coils_in_one_step)
{
	unsigned i;

	fc_expect("fc15", "0f 0001 07b0 f6 ff x246", "0f 0001 07b0");
	ck_assert_uint_eq(fc_fake.bits[MB_CO][1969], 0);
	for (i = 1; i < 1969; i++)
		ck_assert_uint_eq(fc_fake.bits[MB_CO][i], 1);
	ck_assert_uint_eq(fc_fake.calls, 1);
}
END_TEST

START_TEST(fc15_ignores_the_bits_behind_its_last_coil)
{
	fc_expect("fc15", "0f 0064 0003 01 ff", "0f 0064 0003");
	ck_assert_uint_eq(fc_fake.bits[MB_CO][0x66], 1);
	ck_assert_uint_eq(fc_fake.bits[MB_CO][0x67], 0);
}
END_TEST

START_TEST(fc5_changes_one_coil_only)
{
	fc_expect("on", "05 0064 ff00", "05 0064 ff00");
	ck_assert_uint_eq(fc_fake.bits[MB_CO][99], 0);
	ck_assert_uint_eq(fc_fake.bits[MB_CO][100], 1);
	ck_assert_uint_eq(fc_fake.bits[MB_CO][101], 0);
	fc_expect("off", "05 0064 0000", "05 0064 0000");
	ck_assert_uint_eq(fc_fake.bits[MB_CO][100], 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fc_bits");
	TCase *t = tcase_create("bits");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(
	    t, bit_requests_get_the_answer_of_the_standard, 0, LEN(answered));
	tcase_add_test(t, fc1_answers_2000_coils_in_one_step);
	tcase_add_test(t, fc15_writes_1968_coils_in_one_step);
	tcase_add_test(t, fc15_ignores_the_bits_behind_its_last_coil);
	tcase_add_test(t, fc5_changes_one_coil_only);
	suite_add_tcase(s, t);
	return suite_run(s);
}
