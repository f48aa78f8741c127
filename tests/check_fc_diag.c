/* SPDX-License-Identifier: Apache-2.0 */
/* Function codes about the line: 7, 8, 11, 12; counters and event log. */

#include "tests/fc_case.h"
#include "workers/proto/fc.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct fc_case answered[] = {
	{ "fc7 answers eight bits", "07", "07 00" },
	{ "fc7 rejects data", "07 00", "87 03" },
	{ "fc8/0 echoes one word", "08 0000 a537", "08 0000 a537" },
	{ "fc8/0 echoes several words", "08 0000 0102 0304 0506",
	    "08 0000 0102 0304 0506" },
	{ "fc8/0 echoes an odd number of bytes", "08 0000 010203",
	    "08 0000 010203" },
	{ "fc8/0 echoes what fills the frame", "08 0000 5a x250",
	    "08 0000 5a x250" },
	{ "fc8/0 rejects no data", "08 0000", "88 03" },
	{ "fc8/0 rejects half a word", "08 0000 01", "88 03" },
	{ "fc8 rejects half a sub-function", "08 00", "88 03" },
	{ "fc8 rejects no sub-function", "08", "88 03" },
	{ "fc8/1 restarts", "08 0001 0000", "08 0001 0000" },
	{ "fc8/1 restarts and clears the log", "08 0001 ff00", "08 0001 ff00" },
	{ "fc8/1 rejects other data", "08 0001 0001", "88 03" },
	{ "fc8/1 rejects half of its data's bits", "08 0001 0f00", "88 03" },
	{ "fc8/2 answers the diagnostic register", "08 0002 0000",
	    "08 0002 0000" },
	{ "fc8/2 rejects data", "08 0002 0001", "88 03" },
	{ "fc8/3 takes a delimiter", "08 0003 2300", "08 0003 2300" },
	{ "fc8/3 rejects a second character", "08 0003 2323", "88 03" },
	{ "fc8/4 rejects data", "08 0004 0001", "88 03" },
	{ "fc8/5 is unknown", "08 0005 0000", "88 01" },
	{ "fc8/9 is unknown", "08 0009 0000", "88 01" },
	{ "fc8/10 clears", "08 000a 0000", "08 000a 0000" },
	{ "fc8/10 rejects data", "08 000a ff00", "88 03" },
	{ "fc8/11 counts itself", "08 000b 0000", "08 000b 0001" },
	{ "fc8/12 answers 0 at first", "08 000c 0000", "08 000c 0000" },
	{ "fc8/13 answers 0 at first", "08 000d 0000", "08 000d 0000" },
	{ "fc8/14 counts itself", "08 000e 0000", "08 000e 0001" },
	{ "fc8/15 answers 0 at first", "08 000f 0000", "08 000f 0000" },
	{ "fc8/16 answers 0 at first", "08 0010 0000", "08 0010 0000" },
	{ "fc8/17 answers 0 at first", "08 0011 0000", "08 0011 0000" },
	{ "fc8/18 answers 0 at first", "08 0012 0000", "08 0012 0000" },
	{ "fc8/11 rejects data", "08 000b 0100", "88 03" },
	{ "fc8/18 rejects data", "08 0012 0001", "88 03" },
	{ "fc8/19 is unknown", "08 0013 0000", "88 01" },
	{ "fc8/20 clears the overruns", "08 0014 0000", "08 0014 0000" },
	{ "fc8/20 rejects data", "08 0014 0001", "88 03" },
	{ "fc8/21 is unknown", "08 0015 0003", "88 01" },
	{ "fc8/65535 is unknown", "08 ffff 0000", "88 01" },
	{ "fc8 rejects a second data word", "08 0002 0000 0000", "88 03" },
	{ "fc8 rejects half a data word", "08 0002 00", "88 03" },
	{ "fc11 answers status and count", "0b", "0b 0000 0000" },
	{ "fc11 rejects data", "0b 00", "8b 03" },
	{ "fc12 lists its own receipt", "0c", "0c 07 0000 0000 0001 80" },
	{ "fc12 rejects data", "0c 00", "8c 03" },
};

START_TEST(line_requests_get_the_answer_of_the_standard)
{
	fc_case_run(&answered[_i]);
}
END_TEST

START_TEST(no_line_request_touches_the_model)
{
	fc_case_run(&answered[_i]);
	ck_assert_uint_eq(fc_fake.calls, 0);
}
END_TEST

START_TEST(fc7_and_fc8_2_show_what_was_set)
{
	fc_fake.diag.exception_status = 0x6d;
	fc_fake.diag.diag_register = 0x1234;
	fc_expect("fc7", "07", "07 6d");
	fc_expect("fc8/2", "08 0002 0000", "08 0002 1234");
	fc_expect("fc8/10", "08 000a 0000", "08 000a 0000");
	fc_expect("fc8/2", "08 0002 0000", "08 0002 0000");
}
END_TEST

START_TEST(fc8_3_changes_the_delimiter_and_0_restores_it)
{
	fc_expect("set", "08 0003 2300", "08 0003 2300");
	ck_assert_uint_eq(fc_fake.diag.ascii_delimiter, '#');
	fc_expect("back", "08 0003 0000", "08 0003 0000");
	ck_assert_uint_eq(fc_fake.diag.ascii_delimiter, 0);
}
END_TEST

START_TEST(a_read_only_unit_lets_nobody_change_the_line)
{
	fc_fake.unit.read_only = true;
	fc_expect("fc8/0", "08 0000 a537", "08 0000 a537");
	fc_expect("fc8/2", "08 0002 0000", "08 0002 0000");
	fc_expect("fc8/1", "08 0001 0000", "88 01");
	fc_expect("fc8/3", "08 0003 2300", "88 01");
	fc_expect("fc8/4", "08 0004 0000", "88 01");
	fc_expect("fc8/10", "08 000a 0000", "88 01");
	fc_expect("fc8/20", "08 0014 0000", "88 01");
	ck_assert_uint_eq(fc_fake.diag.ascii_delimiter, 0);
	fc_expect("still answers", "03 0000 0001", "03 02 0000");
}
END_TEST

START_TEST(what_is_for_serial_lines_only_can_be_taken_out)
{
	mb_fcs_drop(&fc_fcs, FC_SERIAL);
	fc_expect("fc7", "07", "87 01");
	fc_expect("fc8", "08 0000 a537", "88 01");
	fc_expect("fc11", "0b", "8b 01");
	fc_expect("fc12", "0c", "8c 01");
	fc_expect("fc17", "11", "91 01");
	fc_expect("fc3 stays", "03 0000 0001", "03 02 0000");
}
END_TEST

START_TEST(the_event_counter_counts_messages_that_went_well)
{
	fc_expect("fc3", "03 0000 0001", "03 02 0000");
	fc_expect("fc11", "0b", "0b 0000 0001");
	fc_expect("fc11 does not count itself", "0b", "0b 0000 0001");
	fc_expect("exceptions do not count", "03 0000 0000", "83 03");
	fc_expect("nor do unknown codes", "64", "e4 01");
	fc_expect("fc11", "0b", "0b 0000 0001");
	fc_expect("fc6", "06 0000 0001", "06 0000 0001");
	fc_expect("fc11", "0b", "0b 0000 0002");
	fc_fake.diag.busy = 1;
	fc_expect("busy", "0b", "0b ffff 0002");
}
END_TEST

START_TEST(the_counters_count_what_their_names_say)
{
	uint8_t out[MB_PDU_MAX];

	fc_serve("03 0000 0000", false, out); /* exception 03 */
	fc_serve("10 0000 0001 02 0001", true, out); /* broadcast */
	fc_serve("03 0000 0001", true, out); /* not allowed in one */
	fc_fake.fail = MB_EX_BUSY;
	fc_serve("03 0000 0001", false, out);
	fc_fake.fail = MB_EX_NAK;
	fc_serve("03 0000 0001", false, out);
	mb_diag_count(&fc_fake.diag, MB_CPT_COMM_ERRORS);
	mb_diag_count(&fc_fake.diag, MB_CPT_COMM_ERRORS);
	mb_diag_count(&fc_fake.diag, MB_CPT_OVERRUNS);
	mb_diag_count(&fc_fake.diag, MB_CPT_BUS_MESSAGES);
	fc_expect("bus messages", "08 000b 0000", "08 000b 0007");
	fc_expect("comm errors", "08 000c 0000", "08 000c 0002");
	fc_expect("exceptions", "08 000d 0000", "08 000d 0004");
	fc_expect("unit messages", "08 000e 0000", "08 000e 0009");
	fc_expect("no reply", "08 000f 0000", "08 000f 0002");
	fc_expect("nak", "08 0010 0000", "08 0010 0001");
	fc_expect("busy", "08 0011 0000", "08 0011 0001");
	fc_expect("overruns", "08 0012 0000", "08 0012 0001");
	fc_expect("clear overruns", "08 0014 0000", "08 0014 0000");
	fc_expect("overruns", "08 0012 0000", "08 0012 0000");
	fc_expect("clear all", "08 000a 0000", "08 000a 0000");
	fc_expect("comm errors", "08 000c 0000", "08 000c 0000");
	fc_expect("exceptions", "08 000d 0000", "08 000d 0000");
	fc_expect("unit messages", "08 000e 0000", "08 000e 0003");
	fc_expect("bus messages", "08 000b 0000", "08 000b 0004");
	fc_expect("event counter", "0b", "0b 0000 0004");
}
END_TEST

START_TEST(counters_wrap_at_16_bits)
{
	fc_fake.diag.count[MB_CPT_COMM_ERRORS] = 0x12345;
	fc_fake.diag.tally = 0x1ffff; /* and this message */
	fc_expect("comm errors", "08 000c 0000", "08 000c 2345");
	fc_fake.diag.tally = 0x1ffff;
	fc_expect("bus messages", "08 000b 0000", "08 000b 0000");
}
END_TEST

START_TEST(the_log_names_what_happened_newest_first)
{
	fc_expect("fine", "03 0000 0001", "03 02 0000"); /* 80 40 */
	fc_expect("exception 3", "03 0000 0000", "83 03"); /* 80 41 */
	fc_fake.fail = MB_EX_FAILURE;
	fc_expect("exception 4", "03 0000 0001", "83 04"); /* 80 42 */
	fc_fake.fail = MB_EX_BUSY;
	fc_expect("exception 6", "03 0000 0001", "83 06"); /* 80 44 */
	fc_fake.fail = MB_EX_NAK;
	fc_expect("exception 7", "03 0000 0001", "83 07"); /* 80 48 */
	fc_fake.fail = MB_EX_NONE;
	mb_diag_count(&fc_fake.diag, MB_CPT_COMM_ERRORS); /* 82 */
	mb_diag_count(&fc_fake.diag, MB_CPT_OVERRUNS); /* 90 */
	fc_expect("fc12", "0c",
	    "0c 13 0000 0001 0006 80 90 82 48 80 44 80 42 80 41 80 40 80");
}
END_TEST

START_TEST(the_log_holds_64_events)
{
	uint8_t out[MB_PDU_MAX];
	unsigned i;

	for (i = 0; i < 100; i++)
		fc_expect("fc7", "07", "07 00");
	ck_assert_uint_eq(fc_serve("0c", false, out), 2 + 6 + 64);
	ck_assert_uint_eq(out[1], 6 + 64);
	for (i = 0; i < 64; i++)
		ck_assert_uint_eq(out[8 + i], i % 2 == 0 ? 0x80 : 0x40);
}
END_TEST

START_TEST(a_restart_clears_the_counters_and_is_logged)
{
	fc_expect("fc3", "03 0000 0001", "03 02 0000");
	fc_expect("fc8/1", "08 0001 0000", "08 0001 0000");
	fc_expect("event counter", "0b", "0b 0000 0000");
	fc_expect(
	    "log stays", "0c", "0c 0e 0000 0000 0002 80 40 80 00 40 80 40 80");
	fc_expect("fc8/1 with FF00", "08 0001 ff00", "08 0001 ff00");
	fc_expect("log is gone", "0c", "0c 08 0000 0000 0001 80 00");
}
END_TEST

START_TEST(a_unit_that_nobody_may_silence_answers_01)
{
	fc_fake.unit.no_silence = true;
	fc_expect("fc8/4", "08 0004 0000", "88 01");
	fc_expect("still answers", "03 0000 0001", "03 02 0000");
}
END_TEST

START_TEST(listen_only_is_silent_and_changes_nothing)
{
	static const char *const ignored[] = { "06 0001 1234", "03 0000 0001",
		"08 0000 a537", "08 0004 0000", "08 000a 0000", "64", "0b",
		"08 0001 0001", "10 0000 0001 02 0001", "08", "" };
	uint8_t out[MB_PDU_MAX];
	int i;

	ck_assert_uint_eq(fc_serve("08 0004 0000", false, out), 0);
	for (i = 0; i < LEN(ignored); i++)
		ck_assert_uint_eq(fc_serve(ignored[i], false, out), 0);
	ck_assert_uint_eq(fc_serve("06 0001 1234", true, out), 0);
	ck_assert_uint_eq(fc_fake.calls, 0);
	ck_assert_uint_eq(mb_diag_get(&fc_fake.diag, MB_CPT_NO_REPLY), 13);
	ck_assert_uint_eq(fc_serve("08 0001 0000", false, out), 0);
	fc_expect("back", "06 0001 1234", "06 0001 1234");
}
END_TEST

START_TEST(listen_only_is_logged_when_entered_and_while_it_lasts)
{
	uint8_t out[MB_PDU_MAX];

	ck_assert_uint_eq(fc_serve("08 0004 0000", false, out), 0);
	ck_assert_uint_eq(fc_serve("07", false, out), 0);
	ck_assert_uint_eq(fc_serve("08 0001 0000", false, out), 0);
	fc_expect(
	    "fc12", "0c", "0c 0f 0000 0000 0001 80 00 40 a0 60 a0 04 60 80");
}
END_TEST

START_TEST(a_broadcast_is_logged_as_one)
{
	uint8_t out[MB_PDU_MAX];

	ck_assert_uint_eq(fc_serve("06 0001 1234", true, out), 0);
	fc_expect("fc12", "0c", "0c 09 0000 0001 0002 80 40 c0");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fc_diag");
	TCase *t = tcase_create("line");

	tcase_add_checked_fixture(t, fc_setup, NULL);
	tcase_add_loop_test(
	    t, line_requests_get_the_answer_of_the_standard, 0, LEN(answered));
	tcase_add_loop_test(
	    t, no_line_request_touches_the_model, 0, LEN(answered));
	tcase_add_test(t, fc7_and_fc8_2_show_what_was_set);
	tcase_add_test(t, fc8_3_changes_the_delimiter_and_0_restores_it);
	tcase_add_test(t, a_read_only_unit_lets_nobody_change_the_line);
	tcase_add_test(t, what_is_for_serial_lines_only_can_be_taken_out);
	tcase_add_test(t, the_event_counter_counts_messages_that_went_well);
	tcase_add_test(t, the_counters_count_what_their_names_say);
	tcase_add_test(t, counters_wrap_at_16_bits);
	tcase_add_test(t, the_log_names_what_happened_newest_first);
	tcase_add_test(t, the_log_holds_64_events);
	tcase_add_test(t, a_restart_clears_the_counters_and_is_logged);
	tcase_add_test(t, a_unit_that_nobody_may_silence_answers_01);
	tcase_add_test(t, listen_only_is_silent_and_changes_nothing);
	tcase_add_test(
	    t, listen_only_is_logged_when_entered_and_while_it_lasts);
	tcase_add_test(t, a_broadcast_is_logged_as_one);
	suite_add_tcase(s, t);
	return suite_run(s);
}
