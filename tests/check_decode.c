/* SPDX-License-Identifier: Apache-2.0 */
/* Frames taken apart: every function code both ways, and what is cut. */

#include "tests/fc_case.h"

#include "workers/proto/decode.h"

struct decode_case {
	const char *request, *reply; /* PDUs in hex; NULL: there is none */
	const char *asks, *answers; /* the lines for a person */
};

static const struct decode_case cases[] = {
	{ "01 000a 0003", "01 01 05", "read 3 coils from 10",
	    "3 coils from 10: 1 0 1" },
	{ "02 0000 0009", "02 02 01 01", "read 9 discrete inputs from 0",
	    "9 discrete inputs from 0: 1 0 0 0 0 0 0 0 1" },
	{ "03 0064 0002", "03 04 0007 ffff",
	    "read 2 holding registers from 100",
	    "2 holding registers from 100: 7 65535" },
	{ "04 0064 0001", "04 02 0007", "read input register 100",
	    "input register 100: 7" },
	{ "03 0000 0012", "03 24 00 01x36", "read 18 holding registers from 0",
	    "18 holding registers from 0: 1 257 257 257 257 257 257 257 257 "
	    "257 257 257 257 257 257 257 and 2 more (malformed)" },
	{ "05 0007 ff00", "05 0007 ff00", "write coil 7: 1",
	    "coil 7 written: 1" },
	{ "05 0007 0000", "05 0007 0000", "write coil 7: 0",
	    "coil 7 written: 0" },
	{ "06 0007 0123", "06 0007 0123", "write holding register 7: 291",
	    "holding register 7 written: 291" },
	{ "07", "07 6d", "read exception status", "exception status 6d" },
	{ "08 0000 a537", "08 0000 a537",
	    "diagnostics: return query data a5 37",
	    "diagnostics: return query data a5 37" },
	{ "08 000b 0000", "08 000b 0102", "diagnostics: bus messages 00 00",
	    "diagnostics: bus messages 01 02" },
	{ "08 0063 0000", "88 01", "diagnostics 99 00 00",
	    "exception 1, illegal function" },
	{ "0b", "0b ffff 0108", "read event counter", "busy, 264 events" },
	{ "0c", "0c 08 0000 0108 0121 2000", "read event log",
	    "ready, 264 events, 289 messages: 20 00" },
	{ "0f 0013 000a 02 cd01", "0f 0013 000a",
	    "write 10 coils from 19: 1 0 1 1 0 0 1 1 1 0",
	    "10 coils from 19 written" },
	{ "10 0001 0002 04 000a 0102", "10 0001 0002",
	    "write 2 holding registers from 1: 10 258",
	    "2 holding registers from 1 written" },
	{ "11", "11 05 41420a44 ff", "read server id",
	    "server id: AB\\x0aD\\xff" },
	{ "14 0e 06 0004 0001 0002 06 0003 0009 0002",
	    "14 0c 05 06 0dfe 0020 05 06 33cd 0040",
	    "read file 4: 2 records from 1",
	    "file 4: 2 records from 1: 05 06 0d fe 00 20 05 06 33 cd 00 40" },
	{ "15 09 06 0004 0007 0001 06af", "15 09 06 0004 0007 0001 06af",
	    "write file 4: 1 records from 7: 1711",
	    "file 4: 1 records from 7 written: 1711" },
	{ "16 0004 00f2 0025", "16 0004 00f2 0025",
	    "mask holding register 4: and 00f2 or 0025",
	    "holding register 4 masked: and 00f2 or 0025" },
	{ "17 0003 0002 000e 0001 02 00ff", "17 04 0001 0002",
	    "write holding register 14: 255, then read 2 holding registers "
	    "from 3",
	    "2 holding registers from 3: 1 2" },
	{ "18 04de", "18 0006 0002 01b8 1284", "read FIFO queue 1246",
	    "FIFO queue 1246 holds 2: 440 4740" },
	{ "2b 0e 01 00", "2b 0e 01 01 00 00 02 00 04 41636d65 01 01 07",
	    "read device identification, basic, from object 0",
	    "device identification, basic: 0=\"Acme\" 1=\"\\x07\"" },
	{ "2b 0d 01", "ab 01", "encapsulated interface 13 01",
	    "exception 1, illegal function" },
	{ "64 0102", "64 03", "function 100: 01 02", "function 100: 03" },
	{ "03 0000 0001", "83 02", "read holding register 0",
	    "exception 2, illegal data address" },
	{ "03 0000 0001", "83 63", "read holding register 0",
	    "exception 99, unknown exception" },
	/* cut, or too much */
	{ "03 0000", "03 04 0007", "read holding registers (malformed)",
	    "holding registers (malformed)" },
	{ "03", "03", "read holding registers (malformed)",
	    "holding registers (malformed)" },
	{ "03 0000 0001 00", "83", "read holding register 0 (malformed)",
	    "exception 0, unknown exception (malformed)" },
	{ "10 0001 0002 03 000a 01", "10 0001 00",
	    "write 2 holding registers from 1 (malformed)",
	    "holding registers written (malformed)" },
	{ "17 0003 0002", "17 01",
	    "write holding registers, then read "
	    "holding registers (malformed)",
	    "holding registers (malformed)" },
	{ "14 07 06 0004", "14", "read records of a file (malformed)",
	    "records of a file" },
};

START_TEST(both_sides_of_an_exchange_are_told)
{
	const struct decode_case *c = &cases[_i];
	struct mb_decoded req, rsp;
	uint8_t pdu[MB_PDU_MAX], back[MB_PDU_MAX];
	size_t len = fc_hex(c->request, pdu);
	char text[256];

	mb_decode_request(pdu, len, &req);
	ck_assert_str_eq(mb_decode_text(&req, text, sizeof(text)), c->asks);
	len = fc_hex(c->reply, back);
	mb_decode_reply(&req, back, len, &rsp);
	ck_assert_str_eq(mb_decode_text(&rsp, text, sizeof(text)), c->answers);
}
END_TEST

START_TEST(a_reply_without_its_request_tells_what_it_has)
{
	static const uint8_t bits[] = { 1, 1, 5 }, regs[] = { 4, 2, 0, 9 },
			     mask[] = { 22, 0, 4, 0, 1, 0, 2 };
	struct mb_decoded other, d;
	char text[100];

	mb_decode_request(mask, sizeof(mask), &other);
	mb_decode_reply(&other, bits, sizeof(bits), &d);
	ck_assert_int_eq(d.addr, -1);
	ck_assert_str_eq(
	    mb_decode_text(&d, text, sizeof(text)), "coils: 1 0 1 0 0 0 0 0");
	mb_decode_reply(NULL, regs, sizeof(regs), &d);
	ck_assert_str_eq(
	    mb_decode_text(&d, text, sizeof(text)), "input registers: 9");
	ck_assert_uint_eq(d.nvalues, 1);
	ck_assert_uint_eq(mb_decoded_value(&d, 0), 9);
}
END_TEST

/* ---- framing ---- */

static const struct {
	const struct framer *framer;
	const char *bytes; /* hex; ASCII as it is */
	int tid;
	int unit; /* -1: no frame */
} framed[] = {
	{ &frame_mbap, "1234 0000 0002 11 07", 0x1234, 17 },
	{ &frame_tls, "1234 0000 0002 11 07", 0x1234, 17 },
	{ &frame_mbap, "1234 0000 0003 11 07", 0, -1 },
	{ &frame_mbap, "1234 0001 0002 11 07", 0, -1 },
	{ &frame_mbap, "1234 0000 0001 11", 0, -1 },
	{ &frame_rtu, "11 07 4c22", -1, 17 },
	{ &frame_rtu, "ff ff 11 07 4c22", -1, 17 },
	{ &frame_rtu, "11 07 4c23", 0, -1 },
	{ &frame_rtu, "11 4c22", 0, -1 },
	{ &frame_ascii, ":1107E8\r\n", -1, 17 },
	{ &frame_ascii, "xx:1107E8\r\n", -1, 17 },
	{ &frame_ascii, ":1107e8\r!", -1, 17 },
	{ &frame_ascii, ":1107E9\r\n", 0, -1 },
	{ &frame_ascii, ":1107E\r\n", 0, -1 },
	{ &frame_ascii, "1107E8\r\n", 0, -1 },
	{ &frame_ascii, ":\r\n", 0, -1 },
	{ &frame_ascii, ":1G\r\n", 0, -1 },
};

START_TEST(framing_comes_off_if_it_is_right)
{
	const char *text = framed[_i].bytes;
	uint8_t raw[64];
	struct mb_adu a;
	size_t len;
	bool is;

	if (framed[_i].framer == &frame_ascii) {
		len = strlen(text);
		memcpy(raw, text, len);
	} else {
		len = fc_hex(text, raw);
	}
	is = mb_adu_open(framed[_i].framer, raw, len, &a);
	ck_assert_int_eq(is, framed[_i].unit != -1);
	if (!is)
		return;
	ck_assert_int_eq(a.tid, framed[_i].tid);
	ck_assert_int_eq(a.unit, framed[_i].unit);
	ck_assert_uint_eq(a.pdu_len, 1);
	ck_assert_uint_eq(a.pdu[0], 7);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("decode");
	TCase *tc = tcase_create("decode");

	tcase_add_loop_test(tc, both_sides_of_an_exchange_are_told, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, a_reply_without_its_request_tells_what_it_has);
	tcase_add_loop_test(tc, framing_comes_off_if_it_is_right, 0,
	    sizeof(framed) / sizeof(framed[0]));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
