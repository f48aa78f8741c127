/* SPDX-License-Identifier: Apache-2.0 */
/* The framer "ascii". */

#include "tests/frame_case.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct {
	const char *title, *in, *frames;
	uint8_t delimiter;
	unsigned errors; /* when it comes whole */
} streams[] = {
	{ "one frame", ":1103006B00037E\r\n", "11:03006b0003", 0, 0 },
	{ "lower case", ":1103006b00037e\r\n", "11:03006b0003", 0, 0 },
	{ "a frame of nine characters", ":0107F8\r\n", "01:07", 0, 0 },
	{ "fc11 in nine characters", ":010BF4\r\n", "01:0b", 0, 0 },
	{ "fc12 in nine characters", ":010CF3\r\n", "01:0c", 0, 0 },
	{ "fc17 in nine characters", ":0111EE\r\n", "01:11", 0, 0 },
	{ "an unknown function code", ":01649B\r\n", "01:64", 0, 0 },
	{ "two frames", ":0107F8\r\n:020BF3\r\n", "01:07 02:0b", 0, 0 },
	{ "a frame and half of one", ":0107F8\r\n:020BF", "01:07", 0, 0 },
	{ "noise before", "xyz\r\n:0107F8\r\n", "01:07", 0, 1 },
	{ "noise between", ":0107F8\r\n0107F8\r\n:020BF3\r\n", "01:07 02:0b", 0,
	    1 },
	{ "a new colon begins anew", ":0103:0107F8\r\n", "01:07", 0, 1 },
	{ "colons", "::::0107F8\r\n", "01:07", 0, 3 },
	{ "a colon behind CR begins anew", ":0107F8\r:020BF3\r\n", "02:0b", 0,
	    1 },
	{ "a wrong LRC", ":0107F9\r\n:020BF3\r\n", "02:0b", 0, 1 },
	{ "an odd number of digits", ":0107F80\r\n:020BF3\r\n", "02:0b", 0, 1 },
	{ "no digits", ":\r\n:020BF3\r\n", "02:0b", 0, 1 },
	{ "a unit and an LRC alone", ":01FF\r\n:020BF3\r\n", "02:0b", 0, 1 },
	{ "not hex", ":01G7F8\r\n:020BF3\r\n", "02:0b", 0, 1 },
	{ "a blank inside", ":01 07F8\r\n:020BF3\r\n", "02:0b", 0, 1 },
	{ "CR alone does not end it", ":0107F8\r:020BF3\r\n", "02:0b", 0, 1 },
	{ "LF alone does not end it", ":0107F8\n:020BF3\r\n", "02:0b", 0, 1 },
	{ "a delimiter of one's own", ":0107F8\r#:020BF3\r#", "01:07 02:0b",
	    '#', 0 },
	{ "LF no longer ends it then", ":0107F8\r\n:020BF3\r#", "02:0b", '#',
	    1 },
	{ "a colon as delimiter", ":0107F8\r::020BF3\r:", "01:07 02:0b", ':',
	    0 },
	{ "a digit as delimiter", ":0107F8\rA:020BF3\rA", "01:07 02:0b", 'A',
	    0 },
};

START_TEST(a_stream_gives_its_frames_however_it_is_cut)
{
	const uint8_t *in = (const uint8_t *)streams[_i].in;
	size_t len = strlen(streams[_i].in);
	static struct frames all;

	frames_expect(streams[_i].title, &frame_ascii, streams[_i].delimiter,
	    in, len, streams[_i].frames);
	frames_read(&frame_ascii, streams[_i].delimiter, in, len, 0, &all);
	ck_assert_msg(all.errors == streams[_i].errors, "%s: %u errors",
	    streams[_i].title, all.errors);
}
END_TEST

/* A frame of n PDU bytes in hex; its length. */
static size_t
seal(size_t n, uint8_t delimiter, uint8_t *adu)
{
	struct frame req = { .unit = 0xb1 };
	size_t i;

	for (i = 0; i < n; i++)
		adu[frame_ascii.head + i] = (uint8_t)(0xff - i);
	return frame_ascii.seal(&req, delimiter, adu, n);
}

START_TEST(a_sealed_reply_is_a_frame_again)
{
	uint8_t adu[FRAME_ADU_MAX];
	size_t n, i, len;
	struct frame f;

	for (n = 1; n <= MB_PDU_MAX; n++) {
		len = seal(n, 0, adu);
		ck_assert_uint_eq(len, 2 * n + 7);
		ck_assert_uint_le(len, frame_ascii.adu_max);
		ck_assert_int_eq(
		    frame_ascii.datagram(&fc_fcs, 0, adu, len, &f), FRAME_OK);
		ck_assert_uint_eq(f.unit, 0xb1);
		ck_assert_uint_eq(f.pdu_len, n);
		for (i = 0; i < n; i++)
			ck_assert_uint_eq(f.pdu[i], (uint8_t)(0xff - i));
	}
}
END_TEST

START_TEST(replies_are_in_upper_case_and_end_with_the_delimiter)
{
	uint8_t adu[FRAME_ADU_MAX];

	ck_assert_uint_eq(seal(1, 0, adu), 9);
	ck_assert_mem_eq(adu, ":B1FF50\r\n", 9);
	ck_assert_uint_eq(seal(1, '#', adu), 9);
	ck_assert_mem_eq(adu, ":B1FF50\r#", 9);
}
END_TEST

START_TEST(a_frame_that_is_too_long_is_noise)
{
	uint8_t in[STREAM_MAX];
	static struct frames all;
	size_t n;

	/* 256 bytes that add up to 0: one more than fits */
	in[0] = ':';
	memset(in + 1, '0', 512);
	memcpy(in + 513, "\r\n:0107F8\r\n", 11);
	frames_expect("512 digits", &frame_ascii, 0, in, 524, "01:07");
	/* digits without an end are dropped, not kept for ever */
	memset(in + 1, '0', sizeof(in) - 1);
	for (n = 0; n <= 1; n++) {
		frames_read(&frame_ascii, 0, in, sizeof(in), n * 100, &all);
		ck_assert_uint_eq(all.left, 0);
		ck_assert_uint_eq(all.n, 0);
	}
}
END_TEST

START_TEST(a_datagram_is_exactly_one_frame)
{
	static const char *const bad[] = { "", ":", ":0107F8", ":0107F8\r",
		":0107F9\r\n", ":0107F8\r\n ", " :0107F8\r\n",
		":0107F8\r\n:0107F8\r\n", "::0107F8\r\n", "0107F8\r\n" };
	struct frame f;
	int i;

	for (i = 0; i < LEN(bad); i++) {
		f.why = NULL;
		ck_assert_int_eq(
		    frame_ascii.datagram(&fc_fcs, 0, (const uint8_t *)bad[i],
			strlen(bad[i]), &f),
		    FRAME_BAD);
		ck_assert_ptr_nonnull(f.why);
	}
	ck_assert_int_eq(frame_ascii.datagram(
			     &fc_fcs, 0, (const uint8_t *)":0107F8\r\n", 9, &f),
	    FRAME_OK);
}
END_TEST

START_TEST(the_lrc_makes_the_sum_0)
{
	static const uint8_t b[] = { 0x02, 0x07 };

	ck_assert_uint_eq(frame_lrc(b, 2), 0xf7);
	ck_assert_uint_eq(frame_lrc(b, 0), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("frame_ascii");
	TCase *t = tcase_create("ascii");

	tcase_add_checked_fixture(t, fc_setup, NULL);
	tcase_add_loop_test(
	    t, a_stream_gives_its_frames_however_it_is_cut, 0, LEN(streams));
	tcase_add_test(t, a_sealed_reply_is_a_frame_again);
	tcase_add_test(t, replies_are_in_upper_case_and_end_with_the_delimiter);
	tcase_add_test(t, a_frame_that_is_too_long_is_noise);
	tcase_add_test(t, a_datagram_is_exactly_one_frame);
	tcase_add_test(t, the_lrc_makes_the_sum_0);
	suite_add_tcase(s, t);
	return suite_run(s);
}
