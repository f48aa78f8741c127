/* SPDX-License-Identifier: Apache-2.0 */
/* Records for Wireshark: of frames as trace.read tells them, and of others. */

#include "control/pcap.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The length of a record of an ADU in hexadecimal. */
static size_t
record(const char *adu, size_t len)
{
	uint8_t bytes[PCAP_RECORD_MAX];
	json_t *frame = json_pack("{s:f, s:s, s:s, s:s, s:s, s:o}", "at", 1.5,
	    "direction", "in", "type", "tcp", "framer", "socket", "peer",
	    "10.0.0.7:4021", "adu", json_stringn_nocheck(adu, len));
	size_t n = pcap_record(frame, bytes);

	json_decref(frame);
	return n;
}

START_TEST(hexadecimal_of_both_cases_is_taken_and_nothing_else)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	char adu[] = "00010000000601030000000a";

	ck_assert_uint_gt(record(adu, sizeof(adu) - 1), 12);
	ck_assert_uint_eq(record(adu, sizeof(adu) - 2), 0);
	for (int c = 1; c < 256; c++) {
		adu[21] = (char)c;
		ck_assert_msg((record(adu, sizeof(adu) - 1) != 0) ==
			(strchr(hex, c) != NULL),
		    "%02x", c);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pcap");
	TCase *t = tcase_create("pcap");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_test(t, hexadecimal_of_both_cases_is_taken_and_nothing_else);
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
