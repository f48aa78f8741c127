/* SPDX-License-Identifier: Apache-2.0 */
/* The framers "socket" and "tls", which share the MBAP header. */

#include "tests/frame_case.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct framer *const both[] = { &frame_mbap, &frame_tls };

static const struct {
	const char *title, *in, *frames;
} streams[] = {
	{ "one frame", "0001 0000 0006 11 03 006b 0003", "11:03006b0003" },
	{ "two frames", "0001 0000 0002 11 07 0002 0000 0002 12 0b",
	    "11:07 12:0b" },
	{ "the shortest frame", "ffff 0000 0002 00 01", "00:01" },
	{ "a frame and half of one", "0001 0000 0002 11 07 0002 0000 0002 12",
	    "11:07" },
	{ "a header alone", "0001 0000 0006 11", "" },
	{ "a length that its function does not call for",
	    "0001 0000 0004 11 03 006b 0002 0000 0002 12 0b",
	    "11:03006b 12:0b" },
	{ "a second command hidden behind the first stays data",
	    "0001 0000 000e 11 03 006b 0003 0002 0000 0002 12 0b",
	    "11:03006b0003000200000002120b" },
};

START_TEST(a_stream_gives_its_frames_however_it_is_cut)
{
	uint8_t in[STREAM_MAX];
	size_t len = fc_hex(streams[_i].in, in);
	int i;

	for (i = 0; i < LEN(both); i++)
		frames_expect(
		    streams[_i].title, both[i], 0, in, len, streams[_i].frames);
}
END_TEST

START_TEST(a_frame_has_its_transaction_and_its_place)
{
	uint8_t in[STREAM_MAX];
	size_t len = fc_hex("abcd 0000 0006 11 03 006b 0003 00", in);
	struct frame f;

	ck_assert_int_eq(frame_mbap.stream(&fc_fcs, 0, in, len, &f), FRAME_OK);
	ck_assert_uint_eq(f.tid, 0xabcd);
	ck_assert_uint_eq(f.unit, 0x11);
	ck_assert_ptr_eq(f.pdu, in + 7);
	ck_assert_uint_eq(f.pdu_len, 5);
	ck_assert_uint_eq(f.used, 12);
	ck_assert_uint_eq(f.errors, 0);
	ck_assert_uint_eq(f.foreign, 0);
}
END_TEST

static const unsigned lengths[] = { 0, 1, 2, 3, 253, 254, 255, 256, 257, 512,
	65535 };

START_TEST(only_lengths_of_2_to_254_are_frames)
{
	uint8_t in[6 + 65535] = { 0 };
	unsigned n = lengths[_i];
	enum frame_rc want = n >= 2 && n <= 254 ? FRAME_OK : FRAME_BAD;
	struct frame f;

	in[4] = (uint8_t)(n >> 8);
	in[5] = (uint8_t)n;
	f.why = NULL;
	ck_assert_int_eq(
	    frame_mbap.stream(&fc_fcs, 0, in, sizeof(in), &f), want);
	ck_assert_int_eq(frame_mbap.stream(&fc_fcs, 0, in, 6, &f),
	    want == FRAME_OK ? FRAME_MORE : FRAME_BAD);
	if (want == FRAME_OK) {
		ck_assert_uint_eq(f.used, 0);
		ck_assert_int_eq(
		    frame_mbap.datagram(&fc_fcs, 0, in, 6 + n, &f), FRAME_OK);
		ck_assert_uint_eq(f.pdu_len, n - 1);
	} else {
		ck_assert_str_eq(f.why, "length is not 2..254");
	}
}
END_TEST

START_TEST(another_protocol_is_hopeless)
{
	static const char *const c[] = { "0001 0001 0006 11 03 006b 0003",
		"0001 0100 0006 11 03 006b 0003", "474554202f20 48545450" };
	uint8_t in[STREAM_MAX];
	struct frame f;
	size_t len;
	int i;

	for (i = 0; i < LEN(c); i++) {
		len = fc_hex(c[i], in);
		ck_assert_int_eq(
		    frame_mbap.stream(&fc_fcs, 0, in, len, &f), FRAME_BAD);
		ck_assert_str_eq(f.why, "protocol id is not 0");
		ck_assert_int_eq(
		    frame_mbap.datagram(&fc_fcs, 0, in, len, &f), FRAME_BAD);
	}
}
END_TEST

START_TEST(a_good_frame_before_hopeless_bytes_is_found)
{
	uint8_t in[STREAM_MAX];
	size_t len = fc_hex("0001 0000 0002 11 07 0001 0001 0002 11 07", in);
	static struct frames all;
	size_t step;

	for (step = 0; step <= len; step++) {
		frames_read(&frame_mbap, 0, in, len, step, &all);
		ck_assert(all.bad);
		ck_assert_str_eq(all.text, "11:07");
	}
}
END_TEST

START_TEST(a_datagram_is_exactly_one_frame)
{
	uint8_t in[STREAM_MAX];
	size_t n, len = fc_hex("0001 0000 0006 11 03 006b 0003 00", in);
	struct frame f;
	int i;

	for (i = 0; i < LEN(both); i++) {
		for (n = 0; n <= len; n++) {
			f.why = NULL;
			if (both[i]->datagram(&fc_fcs, 0, in, n, &f) ==
			    FRAME_OK)
				ck_assert_uint_eq(n, 12);
			else
				ck_assert_ptr_nonnull(f.why);
		}
		ck_assert_int_eq(
		    both[i]->datagram(&fc_fcs, 0, in, 12, &f), FRAME_OK);
	}
}
END_TEST

START_TEST(a_sealed_reply_is_a_frame_again)
{
	struct frame req = { .unit = 0xf7, .tid = 0xbeef }, f;
	const struct framer *fr = both[_i];
	uint8_t adu[FRAME_ADU_MAX], pdu[MB_PDU_MAX];
	size_t n, len;

	for (n = 1; n <= MB_PDU_MAX; n++) {
		memset(pdu, (int)n, n);
		memcpy(adu + fr->head, pdu, n);
		len = fr->seal(&req, 0, adu, n);
		ck_assert_uint_eq(len, n + 7);
		ck_assert_uint_le(len, fr->adu_max);
		ck_assert_int_eq(
		    fr->datagram(&fc_fcs, 0, adu, len, &f), FRAME_OK);
		ck_assert_uint_eq(f.unit, req.unit);
		ck_assert_uint_eq(f.tid, req.tid);
		ck_assert_uint_eq(f.pdu_len, n);
		ck_assert_mem_eq(f.pdu, pdu, n);
	}
}
END_TEST

START_TEST(framers_are_found_by_name)
{
	ck_assert_ptr_eq(framer_find("socket"), &frame_mbap);
	ck_assert_ptr_eq(framer_find("tls"), &frame_tls);
	ck_assert_ptr_eq(framer_find("rtu"), &frame_rtu);
	ck_assert_ptr_eq(framer_find("ascii"), &frame_ascii);
	ck_assert_ptr_null(framer_find("binary"));
	ck_assert_ptr_null(framer_find(""));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("frame_mbap");
	TCase *t = tcase_create("mbap");

	tcase_add_checked_fixture(t, fc_setup, NULL);
	tcase_add_loop_test(
	    t, a_stream_gives_its_frames_however_it_is_cut, 0, LEN(streams));
	tcase_add_test(t, a_frame_has_its_transaction_and_its_place);
	tcase_add_loop_test(
	    t, only_lengths_of_2_to_254_are_frames, 0, LEN(lengths));
	tcase_add_test(t, another_protocol_is_hopeless);
	tcase_add_test(t, a_good_frame_before_hopeless_bytes_is_found);
	tcase_add_test(t, a_datagram_is_exactly_one_frame);
	tcase_add_loop_test(t, a_sealed_reply_is_a_frame_again, 0, LEN(both));
	tcase_add_test(t, framers_are_found_by_name);
	suite_add_tcase(s, t);
	return suite_run(s);
}
