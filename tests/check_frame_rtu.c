/* SPDX-License-Identifier: Apache-2.0 */
/* The framer "rtu", and the CRC of the serial line. */

#include "tests/frame_case.h"

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* The CRC bit by bit, as SL 6.2.2 draws it. */
static uint16_t
slow_crc(const uint8_t *p, size_t len)
{
	unsigned crc = 0xffff, bit;

	while (len-- > 0) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
	}
	return (uint16_t)crc;
}

/*
 * Bytes of a stream in a small language: words of hex; "(" starts a message
 * and ")" ends it with its CRC, ")!" with a wrong one.
 */
static size_t
build(const char *words, uint8_t *out)
{
	size_t n = 0, start[4], depth = 0, len;
	char word[600];
	uint16_t crc;

	for (; *words != '\0'; words += len + strspn(words + len, " ")) {
		len = strcspn(words, " ");
		memcpy(word, words, len);
		word[len] = '\0';
		if (word[0] == '(') {
			start[depth++] = n;
		} else if (word[0] == ')') {
			depth--;
			crc = slow_crc(out + start[depth], n - start[depth]);
			if (word[1] == '!')
				crc ^= 0x0100;
			out[n++] = (uint8_t)crc;
			out[n++] = (uint8_t)(crc >> 8);
		} else {
			n += fc_hex(word, out + n);
		}
	}
	return n;
}

/* A table's request that reads two registers, in short. */
#define READ "( 11 03 006b 0003 )"
#define GOT "11:03006b0003"

static const struct {
	const char *title, *in, *frames;
	unsigned errors, foreign; /* when it comes whole */
} streams[] = {
	{ "one frame", READ, GOT, 0, 0 },
	{ "two frames", READ " ( 12 06 0001 0002 )", GOT " 12:0600010002", 0,
	    0 },
	{ "a frame and half of one", READ " 11 03 00", GOT, 0, 0 },
	{ "frames of four bytes", "( 11 07 ) ( 11 0b ) ( 11 0c ) ( 11 11 )",
	    "11:07 11:0b 11:0c 11:11", 0, 0 },
	{ "byte counts",
	    "( 01 10 0000 0002 04 1234 5678 ) ( 01 0f 0000 0009 02 ff01 ) "
	    "( 01 17 0000 0001 0000 0002 04 1234 5678 ) "
	    "( 01 14 07 06 0001 0000 0001 ) "
	    "( 01 15 09 06 0001 0000 0001 1234 )",
	    "01:10000000020412345678 01:0f0000000902ff01 "
	    "01:1700000001000000020412345678 01:140706000100000001 "
	    "01:1509060001000000011234",
	    0, 0 },
	{ "other fixed lengths",
	    "( 01 16 0000 1234 5678 ) ( 01 18 0000 ) ( 01 2b 0e 01 00 ) "
	    "( 01 08 0000 a537 )",
	    "01:16000012345678 01:180000 01:2b0e0100 01:080000a537", 0, 0 },
	{ "a wrong CRC alone", "( 11 03 006b 0003 )!", "", 0, 0 },
	{ "a wrong CRC before a frame", "( 11 03 006b 0003 )! " READ, GOT, 1,
	    0 },
	{ "two wrong CRCs before a frame",
	    "( 11 06 006b 0003 )! ( 11 06 006b 0003 )! " READ, GOT, 1, 0 },
	{ "noise before a frame", "ff ff " READ, GOT, 1, 0 },
	{ "a zero before a frame", "00 " READ, GOT, 1, 0 },
	{ "the head of a frame before a frame", "01 03 " READ, GOT, 1, 0 },
	{ "much noise before a frame", "ffx300 " READ, GOT, 2, 0 },
	{ "unknown codes before a frame", "64x300 " READ, GOT, 2, 0 },
	{ "noise between frames", READ " ff 00 ff " READ, GOT " " GOT, 1, 0 },
	{ "noise behind a frame", READ " ff ff ff", GOT, 0, 0 },
	{ "a length that no request can have", "01 10 0000 00ff ff " READ, GOT,
	    1, 0 },
	{ "a wrong CRC of a request that looks like a reply to be",
	    "( 11 03 f06b 0003 )! " READ " " READ, GOT " " GOT, 1, 0 },
	{ "a wrong CRC before a frame of four bytes",
	    "( 11 03 006b 0003 )! ( 0a 07 )", "0a:07", 1, 0 },
	{ "another station's reply of registers",
	    "( 05 03 006b 0003 ) ( 05 03 06 0102 0304 0506 ) " READ,
	    "05:03006b0003 " GOT, 0, 1 },
	{ "another station's reply of one register",
	    "( 05 03 006b 0001 ) ( 05 03 02 1234 ) " READ, "05:03006b0001 " GOT,
	    0, 1 },
	{ "another station's reply of one coil",
	    "( 05 01 006b 0001 ) ( 05 01 01 01 ) " READ, "05:01006b0001 " GOT,
	    0, 1 },
	{ "another station's echo of a write",
	    "( 05 06 0001 0002 ) ( 05 06 0001 0002 ) " READ,
	    "05:0600010002 05:0600010002 " GOT, 0, 0 },
	{ "another station's reply to a write of several",
	    "( 05 10 0000 0002 04 1234 5678 ) ( 05 10 0000 0002 ) " READ,
	    "05:10000000020412345678 " GOT, 0, 1 },
	{ "another station's reply to fc15",
	    "( 05 0f 0000 0009 02 ff01 ) ( 05 0f 0000 0009 ) " READ,
	    "05:0f0000000902ff01 " GOT, 0, 1 },
	{ "another station's exception",
	    "( 05 03 006b 0003 ) ( 05 83 02 ) " READ, "05:03006b0003 " GOT, 0,
	    1 },
	{ "another station's exception to an unknown code",
	    "( 05 e4 01 ) " READ, GOT, 0, 1 },
	{ "another station's replies of each kind",
	    "( 05 07 6d ) ( 05 0b 0000 0102 ) "
	    "( 05 0c 08 0000 0108 0121 2000 ) "
	    "( 05 11 05 41424344 ff ) ( 05 17 02 1234 ) "
	    "( 05 18 0006 0002 0102 0304 ) "
	    "( 05 2b 0e 01 81 00 00 02 00 01 41 01 02 4243 ) " READ,
	    GOT, 0, 7 },
	{ "a write inside another station's reply stays data",
	    "( 05 03 08 ( 11 06 0001 0002 ) ) " READ, GOT, 0, 1 },
	{ "a write inside a write stays data",
	    "( 11 10 0000 0004 08 ( 11 06 0001 0002 ) ) " READ, NULL, 0, 0 },
	{ "a wrong byte count with a good CRC is a frame",
	    "( 11 10 0000 0002 06 1234 5678 9abc ) " READ,
	    "11:100000000206123456789abc " GOT, 0, 0 },
	{ "a write inside a wrong byte count's data stays data",
	    "( 11 10 0000 0002 0c ( 11 06 0001 0002 ) 9abcdef0 ) " READ, NULL,
	    0, 0 },
	{ "a wrong byte count behind noise is noise",
	    "ff ( 11 10 0000 0002 0c ( 11 06 0001 0002 ) 9abcdef0 ) " READ,
	    "11:0600010002 " GOT, 2, 0 },
	{ "a wrong byte count across the end of much noise is noise",
	    "ffx246 ( 2a 17 0003 0001 0004 0001 04 beefbeef ) " READ, GOT, 2,
	    0 },
	{ "a request answered 03 goes before a longer reply",
	    "( ( 11 03 06aa 0000 ) 55 ) " READ, "11:0306aa0000 " GOT, 1, 0 },
	{ "an unknown code is a frame",
	    "( 11 64 ) ( 11 64 01 ) ( 11 64 01020304 ) " READ,
	    "11:64 11:6401 11:6401020304 " GOT, 0, 0 },
	{ "another MEI type is a frame", "( 11 2b 0d 00 00 ) " READ,
	    "11:2b0d0000 " GOT, 0, 0 },
};

START_TEST(a_stream_gives_its_frames_however_it_is_cut)
{
	static struct frames all;
	uint8_t in[STREAM_MAX];
	size_t len = build(streams[_i].in, in), i;
	char want[200];

	if (streams[_i].frames != NULL) {
		snprintf(want, sizeof(want), "%s", streams[_i].frames);
	} else {
		/* the frame is everything before the last one, less its CRC */
		i = (size_t)sprintf(want, "11:");
		for (size_t n = 1; n < len - 8 - 2; n++)
			i += (size_t)sprintf(want + i, "%02x", in[n]);
		sprintf(want + i, " " GOT);
	}
	frames_expect(streams[_i].title, &frame_rtu, 0, in, len, want);
	frames_read(&frame_rtu, 0, in, len, 0, &all);
	ck_assert_msg(all.errors == streams[_i].errors, "%s: %u errors",
	    streams[_i].title, all.errors);
	ck_assert_msg(all.foreign == streams[_i].foreign, "%s: %u foreign",
	    streams[_i].title, all.foreign);
}
END_TEST

START_TEST(noise_that_claims_to_be_long_holds_frames_but_loses_none)
{
	static struct frames all;
	uint8_t in[STREAM_MAX];
	size_t claim = fc_hex("01 10 0000 007b f6", in), len = claim, n;

	/* 255 bytes are claimed: 31 requests behind the head and one more */
	for (n = 0; n < 32; n++)
		len += build(READ, in + len);
	frames_read(&frame_rtu, 0, in, claim + 31 * 8 - 1, 0, &all);
	ck_assert_uint_eq(all.n, 0);
	frames_read(&frame_rtu, 0, in, len, 0, &all);
	ck_assert_uint_eq(all.n, 32);
	ck_assert_uint_eq(all.left, 0);
	frames_read(&frame_rtu, 0, in, len, 1, &all);
	ck_assert_uint_eq(all.n, 32);
}
END_TEST

START_TEST(a_write_whose_first_bytes_are_a_good_reply_is_a_request)
{
	static struct frames all;
	uint8_t in[STREAM_MAX];
	unsigned addr, found = 0;
	uint16_t crc;
	size_t len;

	/* look for writes of one register whose byte count and first data
	 * byte are the CRC of what precedes them */
	for (addr = 0; addr < 65536 && found < 4; addr++) {
		len = fc_hex("11 10 0000 0001", in);
		fake_put(in + 2, (uint16_t)addr);
		crc = slow_crc(in, 6);
		if ((crc & 0xff) != 2)
			continue;
		in[6] = 2;
		in[7] = (uint8_t)(crc >> 8);
		in[8] = 0x55;
		crc = slow_crc(in, 9);
		in[9] = (uint8_t)crc;
		in[10] = (uint8_t)(crc >> 8);
		for (len = 0; len <= 11; len++) {
			frames_read(&frame_rtu, 0, in, 11, len, &all);
			ck_assert_uint_eq(all.n, 1);
			ck_assert_uint_eq(all.foreign, 0);
		}
		found++;
	}
	ck_assert_uint_eq(found, 4);
}
END_TEST

START_TEST(no_single_read_request_is_lost_to_a_shorter_reply)
{
	static struct frames all;
	uint8_t in[8];
	unsigned addr, count;
	uint16_t crc;

	for (addr = 0x0200; addr < 0x0300; addr++) {
		for (count = 1; count <= MB_READ_REGS_MAX; count++) {
			fc_hex("11 03", in);
			fake_put(in + 2, (uint16_t)addr);
			fake_put(in + 4, (uint16_t)count);
			crc = slow_crc(in, 6);
			in[6] = (uint8_t)crc;
			in[7] = (uint8_t)(crc >> 8);
			frames_read(&frame_rtu, 0, in, 8, 1, &all);
			ck_assert_uint_eq(all.n, 1);
		}
	}
}
END_TEST

START_TEST(the_crc_is_that_of_the_standard)
{
	static const uint8_t example[] = { 0x02, 0x07 };
	uint8_t bytes[300];
	size_t n, i;

	ck_assert_uint_eq(frame_crc16(example, 2), 0x1241);
	ck_assert_uint_eq(frame_crc16(example, 0), 0xffff);
	for (n = 0; n < 256; n++) {
		bytes[0] = (uint8_t)n;
		ck_assert_uint_eq(frame_crc16(bytes, 1), slow_crc(bytes, 1));
		memset(bytes, (int)n, 16);
		for (i = 0; i < 16; i++) {
			bytes[i] ^= 0x80;
			ck_assert_uint_eq(
			    frame_crc16(bytes, 16), slow_crc(bytes, 16));
		}
	}
	for (n = 0; n < sizeof(bytes); n++)
		bytes[n] = (uint8_t)(n * 7 + (n >> 3));
	for (n = 0; n <= sizeof(bytes); n++)
		ck_assert_uint_eq(frame_crc16(bytes, n), slow_crc(bytes, n));
}
END_TEST

START_TEST(a_sealed_reply_is_a_frame_again)
{
	struct frame req = { .unit = 0x2a }, f;
	uint8_t adu[FRAME_ADU_MAX];
	size_t n, len;

	for (n = 1; n <= MB_PDU_MAX; n++) {
		memset(adu + frame_rtu.head, (int)n, n);
		len = frame_rtu.seal(&req, 0, adu, n);
		ck_assert_uint_eq(len, n + 3);
		ck_assert_uint_le(len, frame_rtu.adu_max);
		ck_assert_int_eq(
		    frame_rtu.datagram(&fc_fcs, 0, adu, len, &f), FRAME_OK);
		ck_assert_uint_eq(f.unit, 0x2a);
		ck_assert_uint_eq(f.pdu_len, n);
		ck_assert_ptr_eq(f.pdu, adu + 1);
	}
	adu[frame_rtu.head] = 0x07;
	req.unit = 0x02;
	ck_assert_uint_eq(frame_rtu.seal(&req, 0, adu, 1), 4);
	ck_assert_mem_eq(adu, "\x02\x07\x41\x12", 4);
}
END_TEST

START_TEST(a_datagram_is_exactly_one_frame_of_any_function)
{
	static const struct {
		const char *in;
		size_t pdu_len; /* 0: not a frame */
	} c[] = {
		{ READ, 5 }, { "( 11 64x253 )", 253 }, { "( 11 64x254 )", 0 },
		{ "( 11 07 )", 1 }, { "( 11 )", 0 }, { "( )", 0 }, { "", 0 },
		{ "( 11 03 006b 0003 )!", 0 },
		{ READ " 01", 0 }, /* 00 would leave the CRC good */
		{ "00 " READ, 0 }, { READ " " READ, 0 },
		{ "( 11 08 0000 0102 0304 0506 )", 9 },
		{ "( 11 03 006b )", 3 }, /* answered 03 */
	};
	uint8_t in[STREAM_MAX];
	struct frame f;
	size_t len;
	int i;

	for (i = 0; i < LEN(c); i++) {
		len = build(c[i].in, in);
		f.why = NULL;
		ck_assert_int_eq(frame_rtu.datagram(&fc_fcs, 0, in, len, &f),
		    c[i].pdu_len > 0 ? FRAME_OK : FRAME_BAD);
		if (c[i].pdu_len > 0) {
			ck_assert_uint_eq(f.unit, 0x11);
			ck_assert_uint_eq(f.pdu_len, c[i].pdu_len);
			ck_assert_uint_eq(f.used, len);
		} else {
			ck_assert_ptr_nonnull(f.why);
			ck_assert_uint_eq(f.errors, 1);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("frame_rtu");
	TCase *t = tcase_create("rtu");

	tcase_add_checked_fixture(t, fc_setup, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(
	    t, a_stream_gives_its_frames_however_it_is_cut, 0, LEN(streams));
	tcase_add_test(
	    t, noise_that_claims_to_be_long_holds_frames_but_loses_none);
	tcase_add_test(
	    t, a_write_whose_first_bytes_are_a_good_reply_is_a_request);
	tcase_add_test(t, no_single_read_request_is_lost_to_a_shorter_reply);
	tcase_add_test(t, the_crc_is_that_of_the_standard);
	tcase_add_test(t, a_sealed_reply_is_a_frame_again);
	tcase_add_test(t, a_datagram_is_exactly_one_frame_of_any_function);
	suite_add_tcase(s, t);
	return suite_run(s);
}
