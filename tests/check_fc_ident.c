/* SPDX-License-Identifier: Apache-2.0 */
/* Who the unit is: function codes 17 and 43/14. */

#include "tests/fc_case.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct mb_object regular[] = {
	{ 0, 1, "v" },
	{ 1, 1, "p" },
	{ 2, 1, "r" },
	{ 3, 1, "u" },
	{ 5, 0, "" },
	{ 6, 1, "a" },
};

static const struct mb_object extended[] = {
	{ 0, 1, "v" },
	{ 1, 1, "p" },
	{ 2, 1, "r" },
	{ 4, 1, "n" },
	{ 0x80, 2, "x\0" },
	{ 0xff, 1, "z" },
};

static void
use(const struct mb_object *o, size_t n)
{
	fc_fake.identity.obj = o;
	fc_fake.identity.n = (unsigned)n;
}

static const struct fc_case basic_cases[] = {
	{ "basic stream", "2b 0e 01 00",
	    "2b 0e 01 81 00 00 03 00 04 41636d65 01 02 4131 02 03 312e30" },
	{ "basic stream from an object on", "2b 0e 01 01",
	    "2b 0e 01 81 00 00 02 01 02 4131 02 03 312e30" },
	{ "a stream from an unknown object begins at 0", "2b 0e 01 77",
	    "2b 0e 01 81 00 00 03 00 04 41636d65 01 02 4131 02 03 312e30" },
	{ "a level above the unit's own is answered with its own",
	    "2b 0e 03 00",
	    "2b 0e 03 81 00 00 03 00 04 41636d65 01 02 4131 02 03 312e30" },
	{ "one object", "2b 0e 04 01", "2b 0e 04 81 00 00 01 01 02 4131" },
	{ "one object that is not there", "2b 0e 04 03", "ab 02" },
	{ "read device id code 0", "2b 0e 00 00", "ab 03" },
	{ "read device id code 5", "2b 0e 05 00", "ab 03" },
	{ "code 0 is named before an unknown object", "2b 0e 00 77", "ab 03" },
	{ "a byte too few", "2b 0e 01", "ab 03" },
	{ "a byte too many", "2b 0e 01 00 00", "ab 03" },
	{ "no MEI type", "2b", "ab 03" },
	{ "MEI type 13", "2b 0d 00 00", "ab 01" },
	{ "MEI type 0", "2b 00", "ab 01" },
	{ "MEI type 15", "2b 0f 01 00", "ab 01" },
	{ "MEI type 255", "2b ff", "ab 01" },
	{ "fc17 text and run status", "11",
	    "11 0c 41636d65 2d 4131 2d 312e30 ff" },
	{ "fc17 rejects data", "11 00", "91 03" },
};

START_TEST(identification_gets_the_answer_of_the_standard)
{
	fc_case_run(&basic_cases[_i]);
}
END_TEST

static const struct fc_case regular_cases[] = {
	{ "basic of a regular unit", "2b 0e 01 00",
	    "2b 0e 01 82 00 00 03 00 01 76 01 01 70 02 01 72" },
	{ "basic from an object of a higher level begins at 0", "2b 0e 01 03",
	    "2b 0e 01 82 00 00 03 00 01 76 01 01 70 02 01 72" },
	{ "regular is all of the standard's objects", "2b 0e 02 00",
	    "2b 0e 02 82 00 00 06 00 01 76 01 01 70 02 01 72 03 01 75 05 00 "
	    "06 01 61" },
	{ "regular from an object on", "2b 0e 02 05",
	    "2b 0e 02 82 00 00 02 05 00 06 01 61" },
	{ "an object without text", "2b 0e 04 05",
	    "2b 0e 04 82 00 00 01 05 00" },
};

START_TEST(a_regular_unit_says_so)
{
	use(regular, LEN(regular));
	fc_case_run(&regular_cases[_i]);
}
END_TEST

static const struct fc_case extended_cases[] = {
	{ "basic of an extended unit", "2b 0e 01 00",
	    "2b 0e 01 83 00 00 03 00 01 76 01 01 70 02 01 72" },
	{ "regular of an extended unit", "2b 0e 02 02",
	    "2b 0e 02 83 00 00 02 02 01 72 04 01 6e" },
	{ "extended", "2b 0e 03 02",
	    "2b 0e 03 83 00 00 04 02 01 72 04 01 6e 80 02 7800 ff 01 7a" },
	{ "a private object", "2b 0e 04 80",
	    "2b 0e 04 83 00 00 01 80 02 7800" },
	{ "the last object", "2b 0e 04 ff", "2b 0e 04 83 00 00 01 ff 01 7a" },
};

START_TEST(an_extended_unit_says_so)
{
	use(extended, LEN(extended));
	fc_case_run(&extended_cases[_i]);
}
END_TEST

static char text[255];

static const struct mb_object large[] = {
	{ 0, 100, text },
	{ 1, 100, text },
	{ 2, 100, text },
	{ 3, 255, text },
	{ 4, 40, text },
};

START_TEST(objects_that_do_not_fit_follow_unsplit)
{
	uint8_t out[MB_PDU_MAX];
	size_t len;

	memset(text, 't', sizeof(text));
	use(large, LEN(large));
	len = fc_serve("2b 0e 02 00", false, out);
	ck_assert_uint_eq(len, 7 + 2 * 102);
	ck_assert_uint_eq(out[4], 0xff);
	ck_assert_uint_eq(out[5], 2);
	ck_assert_uint_eq(out[6], 2);
	len = fc_serve("2b 0e 02 02", false, out);
	ck_assert_uint_eq(len, 7 + 102);
	ck_assert_uint_eq(out[4], 0xff);
	ck_assert_uint_eq(out[5], 3);
	ck_assert_uint_eq(out[6], 1);
	len = fc_serve("2b 0e 02 03", false, out);
	ck_assert_uint_eq(len, MB_PDU_MAX); /* cut to what a reply holds */
	ck_assert_uint_eq(out[8], 244);
	ck_assert_uint_eq(out[4], 0xff);
	ck_assert_uint_eq(out[5], 4);
	len = fc_serve("2b 0e 02 04", false, out);
	ck_assert_uint_eq(len, 7 + 42);
	ck_assert_uint_eq(out[4], 0);
	ck_assert_uint_eq(out[5], 0);
	ck_assert_uint_eq(fc_serve("2b 0e 04 03", false, out), MB_PDU_MAX);
}
END_TEST

START_TEST(a_reply_is_filled_to_its_last_byte)
{
	struct mb_object o[] = { { 0, 100, text }, { 1, 100, text },
		{ 2, 40, text } };
	uint8_t out[MB_PDU_MAX];

	use(o, LEN(o));
	ck_assert_uint_eq(fc_serve("2b 0e 01 00", false, out), MB_PDU_MAX);
	ck_assert_uint_eq(out[4], 0);
	ck_assert_uint_eq(out[6], 3);
	o[2].len = 41; /* one more than fits */
	ck_assert_uint_eq(fc_serve("2b 0e 01 00", false, out), 7 + 2 * 102);
	ck_assert_uint_eq(out[4], 0xff);
	ck_assert_uint_eq(out[6], 2);
}
END_TEST

START_TEST(a_client_that_follows_sees_every_object_once)
{
	uint8_t pdu[4] = { 0x2b, 0x0e, 3, 0 }, out[MB_PDU_MAX];
	unsigned rounds = 0, objects = 0;

	use(large, LEN(large));
	do {
		mb_serve(&fc_fcs, &fc_fake.unit, false, pdu, 4, out);
		ck_assert_uint_eq(out[7], objects);
		objects += out[6];
		pdu[3] = out[5];
	} while (out[4] == 0xff && ++rounds < 10);
	ck_assert_uint_eq(objects, LEN(large));
}
END_TEST

START_TEST(fc17_cuts_a_text_that_does_not_fit)
{
	uint8_t out[MB_PDU_MAX];

	use(large, LEN(large));
	ck_assert_uint_eq(fc_serve("11", false, out), MB_PDU_MAX);
	ck_assert_uint_eq(out[1], 251);
	ck_assert_uint_eq(out[252], 0xff);
}
END_TEST

START_TEST(fc17_leaves_out_what_has_no_text)
{
	static const struct mb_object some[] = { { 0, 0, "" }, { 1, 1, "p" },
		{ 2, 1, "r" } };

	use(some, LEN(some));
	fc_expect("fc17", "11", "11 04 70 2d 72 ff");
}
END_TEST

START_TEST(a_unit_without_objects_answers_too)
{
	use(NULL, 0);
	fc_expect("fc17", "11", "11 01 ff");
	fc_expect("stream", "2b 0e 01 00", "2b 0e 01 81 00 00 00");
	fc_expect("one object", "2b 0e 04 00", "ab 02");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fc_ident");
	TCase *t = tcase_create("identity");

	tcase_add_checked_fixture(t, fc_setup, NULL);
	tcase_add_loop_test(t, identification_gets_the_answer_of_the_standard,
	    0, LEN(basic_cases));
	tcase_add_loop_test(t, a_regular_unit_says_so, 0, LEN(regular_cases));
	tcase_add_loop_test(
	    t, an_extended_unit_says_so, 0, LEN(extended_cases));
	tcase_add_test(t, objects_that_do_not_fit_follow_unsplit);
	tcase_add_test(t, a_reply_is_filled_to_its_last_byte);
	tcase_add_test(t, a_client_that_follows_sees_every_object_once);
	tcase_add_test(t, fc17_cuts_a_text_that_does_not_fit);
	tcase_add_test(t, fc17_leaves_out_what_has_no_text);
	tcase_add_test(t, a_unit_without_objects_answers_too);
	suite_add_tcase(s, t);
	return suite_run(s);
}
