/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RTU messages by silence: a bus on which other stations talk, adapters that
 * put pieces together and take them apart, noise, and what looks like requests
 * and is none. We are units 1 and 2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "workers/proto/bus.h"

enum { HEARD = 600, TEXT = 64 };

static struct mb_fcs fcs;
static struct bus bus;

/* What has been heard: "1:3?" a request to unit 1 that is answered, "1:3." one
 * that is not, "o9" another's, "bad", "overrun". */
static char heard[8192];
static unsigned nrequests, nanswers;

static void
hear(void *arg, const struct bus_message *m)
{
	char text[TEXT];

	(void)arg;
	switch (m->kind) {
	case BUS_REQUEST:
		snprintf(text, sizeof(text), "%u:%u%c", m->frame->unit,
		    m->frame->pdu[0], m->answer ? '?' : '.');
		ck_assert_uint_eq(m->frame->used, m->len);
		ck_assert_ptr_eq(m->frame->pdu, m->adu + 1);
		nrequests++;
		nanswers += m->answer;
		break;
	case BUS_OTHER:
		snprintf(text, sizeof(text), "o%u", m->adu[0]);
		break;
	case BUS_BAD:
		snprintf(text, sizeof(text), "bad");
		break;
	default:
		snprintf(text, sizeof(text), "overrun");
	}
	if (strlen(heard) + TEXT < sizeof(heard)) {
		strcat(heard, heard[0] != '\0' ? " " : "");
		strcat(heard, text);
	}
}

static void
setup(void)
{
	mb_fcs_init(&fcs);
	memset(&bus, 0, sizeof(bus));
	bus.fcs = &fcs;
	bus.mine[1] = bus.mine[2] = true;
	bus.heard = hear;
	bus_reset(&bus);
	heard[0] = '\0';
	nrequests = nanswers = 0;
}

/* ---- what is said ---- */

struct bytes {
	uint8_t at[1024];
	size_t len;
};

static void
add(struct bytes *b, const void *p, size_t n)
{
	memcpy(b->at + b->len, p, n);
	b->len += n;
}

/* Ends a message that begins at `from` with its CRC. */
static void
seal(struct bytes *b, size_t from)
{
	uint16_t crc = frame_crc16(b->at + from, b->len - from);
	uint8_t end[2] = { (uint8_t)crc, (uint8_t)(crc >> 8) };

	add(b, end, 2);
}

static void
add_message(struct bytes *b, uint8_t unit, const void *pdu, size_t n)
{
	size_t from = b->len;

	add(b, &unit, 1);
	add(b, pdu, n);
	seal(b, from);
}

static void
add_read(struct bytes *b, uint8_t unit, uint8_t count)
{
	const uint8_t pdu[5] = { 3, 0, 0, 0, count };

	add_message(b, unit, pdu, 5);
}

/* A reply to FC 3 that holds `data`. */
static void
add_reply(struct bytes *b, uint8_t unit, const void *data, uint8_t n)
{
	uint8_t pdu[255] = { 3, n };

	memcpy(pdu + 2, data, n);
	add_message(b, unit, pdu, n + 2u);
}

static void
add_write(struct bytes *b, uint8_t unit, const void *data, uint8_t n)
{
	uint8_t pdu[255] = { 16, 0, 0, 0, n / 2, n };

	memcpy(pdu + 6, data, n);
	add_message(b, unit, pdu, n + 6u);
}

static void
put(const struct bytes *b, size_t from, size_t n)
{
	while (n > 0) {
		size_t k = n < BUS_READ_MAX ? n : BUS_READ_MAX;

		bus_put(&bus, b->at + from, k);
		from += k;
		n -= k;
	}
}

static bool
say(const struct bytes *b)
{
	put(b, 0, b->len);
	return bus_quiet(&bus);
}

static void
expect(const char *text)
{
	ck_assert_str_eq(heard, text);
	heard[0] = '\0';
}

/* ---- the standard ---- */

START_TEST(a_request_between_two_silences_is_answered)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 1, 4);
	ck_assert(!say(&b));
	expect("1:3?");
	ck_assert(!bus_quiet(&bus));
	expect("");
}
END_TEST

START_TEST(what_is_too_short_or_has_a_wrong_crc_is_bad_once)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 1, 4);
	b.at[7] ^= 1;
	ck_assert(!say(&b));
	expect("bad");
	b.len = 3;
	b.at[1] = 0x63;
	say(&b);
	bus_give_up(&bus);
	expect("bad");
}
END_TEST

START_TEST(other_stations_are_heard_and_left_alone)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 9, 2);
	say(&b);
	b.len = 0;
	add_reply(&b, 9, "\0\1\0\2", 4);
	say(&b);
	b.len = 0;
	add_message(&b, 9, "\6\0\1\0\2", 5);
	say(&b);
	say(&b); /* the reply to that is the same */
	b.len = 0;
	add_message(&b, 9, "\x86\2", 2);
	say(&b);
	add_message(&b, 0, "\6\0\1\0\2", 5); /* nobody's: no broadcasts */
	b.len = 0;
	add_message(&b, 0, "\6\0\1\0\2", 5);
	say(&b);
	expect("o9 o9 o9 o9 o9 o0");
}
END_TEST

START_TEST(an_exception_to_us_is_no_request)
{
	struct bytes b = { .len = 0 };

	add_message(&b, 1, "\x83\2", 2);
	say(&b);
	expect("o1");
}
END_TEST

START_TEST(unknown_functions_and_wrong_lengths_reach_us)
{
	struct bytes b = { .len = 0 };

	add_message(&b, 1, "\x63", 1);
	say(&b);
	b.len = 0;
	add_message(&b, 1, "\3\0\0", 3);
	say(&b);
	b.len = 0;
	add_message(&b, 1, "\x8\0\0\1\2\3\4\5\6\7", 10);
	say(&b);
	expect("1:99? 1:3? 1:8?");
}
END_TEST

/* ---- the danger: what looks like a request to us, and is none ---- */

/* A message of another station with a good request to us in it, padded. */
static size_t
trap(struct bytes *b, bool write, unsigned before, unsigned after)
{
	struct bytes in = { .len = 0 };
	uint8_t data[250] = { 0 };
	size_t n;

	add_message(&in, 1, "\6\0\1\0\x63", 5);
	memcpy(data + before, in.at, in.len);
	n = before + in.len + after;
	n += n % 2;
	b->len = 0;
	if (write)
		add_write(b, 9, data, (uint8_t)n);
	else
		add_reply(b, 9, data, (uint8_t)n);
	return (write ? 7 : 3) + before + in.len;
}

START_TEST(nothing_inside_anothers_message_is_a_request)
{
	struct bytes b;

	for (int write = 0; write < 2; write++)
		for (unsigned before = 0; before < 8; before++)
			for (unsigned after = 0; after < 8; after++) {
				trap(&b, write, before, after);
				ck_assert(!say(&b));
				expect("o9");
			}
}
END_TEST

START_TEST(nor_if_an_adapter_cuts_it_in_two_right_behind)
{
	struct bytes b, ask = { .len = 0 };
	bool known = _i & 1, write = _i & 2;

	add_read(&ask, 9, 10);
	for (unsigned before = 0; before < 8; before++)
		for (unsigned after = 0; after < 8; after += 2) {
			size_t cut = trap(&b, write, before, after);

			bus_reset(&bus);
			if (!known)
				cut--; /* of no one known: see the essay */
			else
				say(&ask);
			put(&b, 0, cut);
			ck_assert(bus_quiet(&bus));
			put(&b, cut, b.len - cut);
			ck_assert(!bus_quiet(&bus));
			expect(known ? "o9 o9" : "o9");
		}
}
END_TEST

START_TEST(nor_if_it_is_cut_anywhere)
{
	struct bytes b, ask = { .len = 0 };

	add_read(&ask, 9, 10);
	trap(&b, false, 4, 6);
	say(&ask);
	for (size_t cut = 1; cut < b.len; cut++) {
		put(&b, 0, cut);
		ck_assert(bus_quiet(&bus));
		put(&b, cut, b.len - cut);
		ck_assert(!bus_quiet(&bus));
	}
	ck_assert_uint_eq(nrequests, 0);
	ck_assert_ptr_null(strstr(heard, "bad"));
}
END_TEST

START_TEST(a_damaged_message_of_another_is_not_searched)
{
	struct bytes b;

	for (unsigned i = 0; i < 2 * 8; i++) {
		trap(&b, i & 1, 4, 2 * (i / 2));
		b.at[3 + (i & 1) * 4] ^= 0x10; /* its data */
		say(&b);
		bus_give_up(&bus);
		b.at[3 + (i & 1) * 4] ^= 0x10;
		b.at[1] = 0x64; /* its function code */
		say(&b);
		bus_give_up(&bus);
	}
	ck_assert_uint_eq(nrequests, 0);
}
END_TEST

/* ---- what adapters do ---- */

START_TEST(messages_that_come_together_are_told_apart)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 9, 2);
	add_reply(&b, 9, "\0\0\0\1", 4);
	add_read(&b, 7, 1);
	add_reply(&b, 7, "\0\0", 2);
	add_read(&b, 1, 2);
	ck_assert(!say(&b));
	expect("o9 o9 o7 o7 1:3?");
}
END_TEST

START_TEST(a_request_in_two_pieces_is_one)
{
	struct bytes b = { .len = 0 };

	add_write(&b, 1, "abcdefgh", 8);
	for (size_t cut = 1; cut < b.len; cut++) {
		put(&b, 0, cut);
		ck_assert(bus_quiet(&bus));
		put(&b, cut, b.len - cut);
		ck_assert(!bus_quiet(&bus));
		expect("1:16?");
	}
}
END_TEST

START_TEST(a_reply_in_our_name_in_two_pieces_is_nothing)
{
	struct bytes b = { .len = 0 };

	add_reply(&b, 1, "\0\1\0\2", 4);
	put(&b, 0, 5);
	bus_quiet(&bus);
	put(&b, 5, b.len - 5);
	bus_quiet(&bus);
	bus_give_up(&bus);
	ck_assert_uint_eq(nrequests, 0);
}
END_TEST

START_TEST(messages_cut_at_the_wrong_places_are_found)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 9, 2);
	add_reply(&b, 9, "\0\0\0\1", 4);
	add_read(&b, 1, 2);
	for (size_t cut = 9; cut < 16; cut++) {
		put(&b, 0, cut);
		ck_assert(bus_quiet(&bus));
		put(&b, cut, b.len - cut);
		ck_assert(!bus_quiet(&bus));
		expect("o9 o9 1:3?");
	}
}
END_TEST

START_TEST(of_several_requests_to_us_the_last_is_answered)
{
	struct bytes b = { .len = 0 };

	add_write(&b, 1, "abcd", 4);
	add_read(&b, 2, 1);
	add_read(&b, 1, 1);
	ck_assert(!say(&b));
	expect("1:16. 2:3. 1:3?");
	b.len = 0;
	add_read(&b, 1, 1);
	add_read(&b, 9, 1);
	ck_assert(!say(&b));
	expect("1:3. o9");
}
END_TEST

START_TEST(also_if_the_last_is_behind_noise)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 1, 2);
	add(&b, "\xff\xff\xff\xff\xff\xff", 6);
	add_read(&b, 2, 2);
	ck_assert(!say(&b));
	expect("1:3. bad 2:3?");
}
END_TEST

START_TEST(stray_characters_keep_nobody_from_being_answered)
{
	static const char *const stray[] = { "", "\0", "\xff", "\xff\0",
		"\0\xff\xff" };
	struct bytes b = { .len = 0 };
	size_t n = (size_t)_i % 5 == 0 ? 0
	    : (size_t)_i % 5 < 3       ? 1
				       : (size_t)_i % 5 - 1;

	if (_i >= 5)
		add(&b, stray[_i - 5], n);
	add_read(&b, 1, 2);
	if (_i < 5)
		add(&b, stray[_i], n);
	ck_assert(!say(&b));
	expect(n == 0 ? "1:3?" : _i < 5 ? "1:3? bad" : "bad 1:3?");
}
END_TEST

/* A write whose CRC ends in a zero: it seems good without that, too. */
static struct bytes
ends_in_zero(uint8_t unit)
{
	uint8_t data[4] = { 0 };
	struct bytes b;

	do {
		b.len = 0;
		add_write(&b, unit, data, 4);
		ck_assert(++data[0] != 0 || ++data[1] != 0);
	} while (b.at[b.len - 1] != 0);
	ck_assert_uint_eq(frame_crc16(b.at, b.len - 1), 0);
	return b;
}

START_TEST(a_zero_at_the_end_may_come_late)
{
	struct bytes b = ends_in_zero(1), ask = { .len = 0 };

	put(&b, 0, b.len - 1);
	ck_assert(bus_quiet(&bus));
	expect("");
	put(&b, b.len - 1, 1);
	ck_assert(!bus_quiet(&bus));
	expect("1:16?");
	/* cut off for good, and asked again */
	add_read(&ask, 1, 1);
	put(&b, 0, b.len - 1);
	ck_assert(bus_quiet(&bus));
	ck_assert(!say(&ask));
	expect("bad 1:3?");
	b = ends_in_zero(9);
	put(&b, 0, b.len - 1);
	bus_quiet(&bus);
	put(&b, b.len - 1, 1);
	ck_assert(!bus_quiet(&bus));
	expect("o9");
}
END_TEST

START_TEST(a_wrong_length_short_by_one_is_answered_in_the_end)
{
	struct bytes b = { .len = 0 };

	add_message(&b, 1, "\x10\0\0\0\2\4\1\2\3", 9);
	ck_assert(say(&b));
	expect("");
	bus_give_up(&bus);
	expect("1:16?");
	bus.strict = true;
	ck_assert(!say(&b));
	expect("1:16?");
}
END_TEST

START_TEST(what_goes_before_holds_no_request_up)
{
	struct bytes b = { .len = 0 }, ask = { .len = 0 };

	add_write(&b, 1, "abcdefghijklmnopqrstuvwx", 24);
	add_read(&ask, 1, 1);
	for (size_t cut = 1; cut < b.len; cut++) {
		put(&b, 0, cut);
		ck_assert(bus_quiet(&bus));
		ck_assert(!say(&ask));
		expect("bad 1:3?");
	}
}
END_TEST

START_TEST(damage_makes_what_came_before_it_bad)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 1, 2);
	put(&b, 0, 4);
	bus_damaged(&bus);
	put(&b, 5, 3);
	ck_assert(!bus_quiet(&bus));
	expect("bad");
	bus_damaged(&bus);
	ck_assert(!say(&b)); /* a glitch as the master's driver turns on */
	expect("bad 1:3?");
	put(&b, 0, 8);
	bus_damaged(&bus);
	ck_assert(!bus_quiet(&bus));
	expect("bad");
}
END_TEST

/* ---- strict ---- */

START_TEST(strict_takes_what_the_standard_takes)
{
	struct bytes b = { .len = 0 };

	bus.strict = true;
	add_read(&b, 1, 2);
	say(&b);
	put(&b, 0, 4);
	bus_paused(&bus);
	put(&b, 4, 4);
	ck_assert(!bus_quiet(&bus));
	expect("1:3? bad");
	put(&b, 0, 4);
	ck_assert(!bus_quiet(&bus));
	put(&b, 4, 4);
	ck_assert(!bus_quiet(&bus));
	expect("bad bad");
	add_read(&b, 1, 2);
	say(&b);
	expect("bad");
	bus_damaged(&bus);
	b.len = 8;
	say(&b);
	say(&b);
	expect("bad 1:3?");
}
END_TEST

/* ---- too much ---- */

START_TEST(more_than_a_message_without_a_silence_is_an_overrun)
{
	struct bytes b = { .len = 0 };

	bus.strict = _i;
	memset(b.at, 0x55, 700);
	b.len = 700;
	ck_assert(!say(&b));
	expect("overrun");
	ck_assert(!bus_quiet(&bus));
	expect("");
	b.len = 0;
	add_read(&b, 1, 1);
	ck_assert(!say(&b));
	expect("1:3?");
	memset(b.at, 0x55, 700);
	b.len = 700;
	add_read(&b, 1, 1);
	ck_assert(!say(&b));
	expect(_i ? "overrun" : "overrun bad 1:3?");
	memset(b.at, 0x55, 700);
	put(&b, 0, 700);
	bus_damaged(&bus);
	bus_quiet(&bus);
	expect(_i ? "overrun" : "overrun bad");
}
END_TEST

START_TEST(the_longest_messages_are_no_overrun)
{
	struct bytes b = { .len = 0 };
	uint8_t data[253] = { 0 };

	add_write(&b, 1, data, 246);
	ck_assert_uint_eq(b.len, 255);
	say(&b);
	b.len = 0;
	add_message(&b, 1, data, 253);
	ck_assert_uint_eq(b.len, 256);
	say(&b);
	expect("1:16? 1:0?");
}
END_TEST

START_TEST(good_messages_without_silences_are_no_overrun)
{
	struct bytes b = { .len = 0 };
	unsigned n = 0;

	for (int i = 0; i < 60; i++) {
		b.len = 0;
		add_read(&b, 9, 8);
		add_reply(&b, 9, "0123456789abcdef", 16);
		put(&b, 0, b.len);
	}
	b.len = 0;
	add_read(&b, 1, 1);
	say(&b);
	ck_assert_ptr_null(strstr(heard, "overrun"));
	ck_assert_ptr_null(strstr(heard, "bad"));
	for (const char *p = heard; (p = strstr(p, "o9")) != NULL; p++)
		n++;
	ck_assert_uint_eq(n, 120);
	ck_assert_uint_eq(nanswers, 1);
}
END_TEST

START_TEST(what_ends_a_lump_too_long_for_one_message_is_answered)
{
	static const uint8_t data[250];

	for (unsigned n = 200; n <= 250; n += 2) {
		struct bytes b = { .len = 0 };

		add_read(&b, 9, 100);
		add_reply(&b, 9, data, (uint8_t)n);
		add_write(&b, 1, data, 20);
		for (size_t i = 0; _i == 1 && i < b.len; i++)
			put(&b, i, 1);
		if (_i == 0)
			put(&b, 0, b.len);
		ck_assert(!bus_quiet(&bus));
		expect("o9 o9 1:16?");
	}
}
END_TEST

START_TEST(a_reply_that_could_begin_a_write_is_stepped_over)
{
	struct bytes b = { .len = 0 };
	uint8_t pdu[5] = { 16, 0, 0, 0, 8 };

	do { /* until its CRC looks like the byte count of such a write */
		b.len = 0;
		pdu[2]++;
		pdu[1] += pdu[2] == 0;
		add_message(&b, 9, pdu, 5);
	} while (b.at[6] != 16);
	add_read(&b, 1, 1);
	ck_assert(!say(&b));
	expect("o9 1:3?");
}
END_TEST

START_TEST(what_goes_before_hides_no_messages_cut_in_two)
{
	struct bytes b = { .len = 0 };

	/* could be the beginning of a long reply */
	add(&b, "\x9\1\x20\xc4\0\1\xbd\xb3", 8);
	ck_assert(say(&b));
	b.len = 0;
	add_read(&b, 9, 2);
	add_reply(&b, 9, "abcd", 4);
	add_read(&b, 1, 1);
	put(&b, 0, 3);
	ck_assert(bus_quiet(&bus));
	put(&b, 3, b.len - 3);
	ck_assert(!bus_quiet(&bus));
	expect("bad o9 o9 1:3?");
}
END_TEST

START_TEST(strays_behind_anothers_messages_hold_no_request_up)
{
	static const char stray[] = "\0\xff\0";

	for (size_t n = 1; n <= 3; n++) {
		struct bytes b = { .len = 0 };

		add_read(&b, 9, 2);
		add_reply(&b, 9, "abcd", 4);
		add(&b, stray, n);
		add_read(&b, 1, 1);
		ck_assert(!say(&b));
		expect("o9 bad 1:3?"); /* a bad end makes all of it bad */
	}
}
END_TEST

START_TEST(short_pieces_without_end_are_kept_in_bounds)
{
	struct bytes b = { .len = 0 };

	add_read(&b, 1, 1);
	for (unsigned i = 0; i < 2000; i++) {
		const uint8_t head[2] = { 9, 16 };

		bus_put(&bus, head, 1 + i % 2);
		bus_quiet(&bus);
		ck_assert_uint_le(bus.len, BUS_IN);
		ck_assert_uint_le(bus.nlumps, BUS_LUMPS);
	}
	heard[0] = '\0';
	say(&b);
	expect("bad 1:3?");
}
END_TEST

/* ---- everything at once ---- */

static unsigned seed;

static unsigned
any(unsigned n)
{
	seed = seed * 1103515245u + 12345;
	return (seed >> 16) % n;
}

/* What happens on a line between two of our master's requests. */
static void
disturb(void)
{
	struct bytes b = { .len = 0 };
	uint8_t data[64];
	unsigned cut;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)any(256);
	switch (any(6)) {
	case 0:
		add(&b, data, any(64));
		break;
	case 1:
		trap(&b, any(2), any(20), any(20));
		break;
	case 2:
		add_read(&b, (uint8_t)(3 + any(240)), (uint8_t)any(125));
		add_reply(&b, 9, data, (uint8_t)(2 * any(30)));
		break;
	case 3:
		add_write(&b, 1, data, (uint8_t)(2 + 2 * any(20)));
		b.at[any((unsigned)b.len)] ^= (uint8_t)(1 + any(255));
		break;
	case 4:
		add_write(&b, 2, data, (uint8_t)(2 + 2 * any(20)));
		b.len = 1 + any((unsigned)b.len - 1);
		break;
	default:
		add(&b, data, 64);
		add(&b, data, 64);
		add(&b, data, 64);
		add(&b, data, 64);
		add(&b, data, 64);
	}
	cut = any((unsigned)b.len + 1);
	put(&b, 0, cut);
	if (any(2))
		bus_quiet(&bus);
	put(&b, cut, b.len - cut);
	bus_quiet(&bus);
	if (any(4) == 0)
		bus_give_up(&bus);
}

START_TEST(a_good_request_after_anything_is_answered)
{
	struct bytes b;
	unsigned before, rounds = 30000, made = 0;

	seed = (unsigned)_i + 1;
	for (unsigned i = 0; i < rounds; i++) {
		before = nanswers;
		disturb();
		made += nanswers - before;
		before = nanswers;
		heard[0] = '\0';
		b.len = 0;
		add_read(&b, (uint8_t)(1 + any(2)), (uint8_t)(1 + any(125)));
		ck_assert(!say(&b));
		ck_assert_uint_eq(nanswers, before + 1);
	}
	/* noise that is a request, by chance: one in 65536 and rarer */
	ck_assert_uint_le(made, 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bus");
	TCase *tc = tcase_create("bus");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, a_request_between_two_silences_is_answered);
	tcase_add_test(tc, what_is_too_short_or_has_a_wrong_crc_is_bad_once);
	tcase_add_test(tc, other_stations_are_heard_and_left_alone);
	tcase_add_test(tc, an_exception_to_us_is_no_request);
	tcase_add_test(tc, unknown_functions_and_wrong_lengths_reach_us);
	tcase_add_test(tc, nothing_inside_anothers_message_is_a_request);
	tcase_add_loop_test(
	    tc, nor_if_an_adapter_cuts_it_in_two_right_behind, 0, 4);
	tcase_add_test(tc, nor_if_it_is_cut_anywhere);
	tcase_add_test(tc, a_damaged_message_of_another_is_not_searched);
	tcase_add_test(tc, messages_that_come_together_are_told_apart);
	tcase_add_test(tc, a_request_in_two_pieces_is_one);
	tcase_add_test(tc, a_reply_in_our_name_in_two_pieces_is_nothing);
	tcase_add_test(tc, messages_cut_at_the_wrong_places_are_found);
	tcase_add_test(tc, of_several_requests_to_us_the_last_is_answered);
	tcase_add_test(tc, also_if_the_last_is_behind_noise);
	tcase_add_loop_test(
	    tc, stray_characters_keep_nobody_from_being_answered, 0, 10);
	tcase_add_test(tc, a_zero_at_the_end_may_come_late);
	tcase_add_test(tc, a_wrong_length_short_by_one_is_answered_in_the_end);
	tcase_add_test(tc, what_goes_before_holds_no_request_up);
	tcase_add_test(tc, damage_makes_what_came_before_it_bad);
	tcase_add_test(tc, strict_takes_what_the_standard_takes);
	tcase_add_loop_test(
	    tc, more_than_a_message_without_a_silence_is_an_overrun, 0, 2);
	tcase_add_test(tc, the_longest_messages_are_no_overrun);
	tcase_add_test(tc, good_messages_without_silences_are_no_overrun);
	tcase_add_loop_test(
	    tc, what_ends_a_lump_too_long_for_one_message_is_answered, 0, 2);
	tcase_add_test(tc, a_reply_that_could_begin_a_write_is_stepped_over);
	tcase_add_test(tc, what_goes_before_hides_no_messages_cut_in_two);
	tcase_add_test(tc, strays_behind_anothers_messages_hold_no_request_up);
	tcase_add_test(tc, short_pieces_without_end_are_kept_in_bounds);
	tcase_add_loop_test(
	    tc, a_good_request_after_anything_is_answered, 0, 4);
	return suite_run(s);
}
