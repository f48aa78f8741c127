/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's own work: images of what is watched, words on screen. */

#include <stdlib.h>
#include <string.h>

#include "control/cli/print.h"
#include "control/cli/watched.h"
#include "control/jtext.h"
#include "tests/suite.h"

/* ---- watched ---- */

static char told[512];

static void
tell(void *arg, const json_t *event, const char *name, const char *from,
    const char *to)
{
	(void)arg;
	(void)event;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s %s>%s;",
	    name, from, to);
}

static const struct {
	const char *title, *address;
	enum typed_type type;
	enum typed_order order;
	unsigned step;
	uint32_t units;
	uint16_t image[4];
	const char *event;
	bool covered;
	const char *told;
} changes[] = {
	{ "a register", "plc/hr:5+2", TYPED_UINT16, TYPED_ABCD, 1, 2, { 1, 2 },
	    "{\"addr\":6,\"count\":1,\"new\":[9],\"seq\":2}", true,
	    "plc/hr:6 2>9;" },
	{ "both registers", "plc/hr:5+2", TYPED_INT16, TYPED_ABCD, 1, 2,
	    { 1, 2 },
	    "{\"addr\":4,\"count\":4,\"new\":[7,65535,3,7],\"seq\":2}", true,
	    "plc/hr:5 1>-1;plc/hr:6 2>3;" },
	{ "a write beside it", "plc/hr:5+2", TYPED_UINT16, TYPED_ABCD, 1, 2,
	    { 1, 2 }, "{\"addr\":7,\"count\":1,\"new\":[9],\"seq\":2}", false,
	    "" },
	{ "a write before it", "plc/hr:5+2", TYPED_UINT16, TYPED_ABCD, 1, 2,
	    { 1, 2 }, "{\"addr\":3,\"count\":2,\"new\":[9,9],\"seq\":2}", false,
	    "" },
	{ "a commit that the image had already", "plc/hr:5", TYPED_UINT16,
	    TYPED_ABCD, 1, 1, { 1 },
	    "{\"addr\":5,\"count\":1,\"new\":[9],\"seq\":1}", true, "" },
	{ "half of a float", "plc/hr:10:float32", TYPED_FLOAT32, TYPED_ABCD, 2,
	    2, { 0x3f80, 0 },
	    "{\"addr\":10,\"count\":1,\"new\":[16384],\"seq\":2}", true,
	    "plc/hr:10 1>2;" },
	{ "a float of swapped words", "plc/hr:10:float32", TYPED_FLOAT32,
	    TYPED_CDAB, 2, 2, { 0, 0x3f80 },
	    "{\"addr\":11,\"count\":1,\"new\":[16384],\"seq\":2}", true,
	    "plc/hr:10 1>2;" },
	{ "a string", "plc/hr:10+2:string", TYPED_STRING, TYPED_ABCD, 2, 2,
	    { 0x6162, 0 },
	    "{\"addr\":11,\"count\":1,\"new\":[25344],\"seq\":2}", true,
	    "plc/hr:10 ab>abc;" },
	{ "a coil", "plc/co:3", TYPED_BITS, TYPED_ABCD, 1, 1, { 0 },
	    "{\"addr\":0,\"count\":8,\"new\":[0,0,0,1,0,0,0,0],\"seq\":2}",
	    true, "plc/co:3 0>1;" },
	{ "bits of a register", "plc/hr:3+16:bits", TYPED_BITS, TYPED_ABCD, 1,
	    1, { 0 }, "{\"addr\":3,\"count\":1,\"new\":[255],\"seq\":2}", true,
	    "plc/hr:3 0x0000>0x00ff;" },
	{ "an event without values", "plc/hr:5", TYPED_UINT16, TYPED_ABCD, 1, 1,
	    { 1 }, "{\"addr\":5,\"count\":1,\"seq\":2}", true, "" },
	{ "an event of nonsense", "plc/hr:5", TYPED_UINT16, TYPED_ABCD, 1, 1,
	    { 1 },
	    "{\"addr\":-9223372036854775808,\"count\":9223372036854775807,"
	    "\"new\":\"x\",\"seq\":-1}",
	    false, "" },
	{ "an event beyond all tables", "plc/hr:5", TYPED_UINT16, TYPED_ABCD, 1,
	    1, { 1 }, "{\"addr\":1,\"count\":9223372036854775807}", false, "" },
};

START_TEST(a_change_shows_the_whole_value_before_and_after)
{
	uint16_t image[4];
	struct watched w = {
		.type = changes[_i].type,
		.order = changes[_i].order,
		.step = changes[_i].step,
		.units = changes[_i].units,
		.image = image,
		.seq = 1,
	};
	char why[ADDRESS_WHY_MAX];
	json_t *event;

	memcpy(image, changes[_i].image, sizeof(image));
	ck_assert_int_eq(
	    address_parse(changes[_i].address, &w.address, why), 0);
	event = jtext_load(changes[_i].event, strlen(changes[_i].event), why);
	ck_assert_ptr_nonnull(event);
	ck_assert_msg(watched_covers(&w, "plc", w.address.table, event) ==
		changes[_i].covered,
	    "%s", changes[_i].title);
	ck_assert(!watched_covers(&w, "plc2", w.address.table, event));
	ck_assert(!watched_covers(&w, "plc", STORE_IR, event));
	if (changes[_i].covered) {
		watched_apply(&w, event, tell, NULL);
		ck_assert_msg(strcmp(told, changes[_i].told) == 0, "%s: %s",
		    changes[_i].title, told);
		told[0] = '\0';
		watched_apply(&w, event, tell, NULL); /* twice is once */
		ck_assert_str_eq(told, "");
	}
	json_decref(event);
}
END_TEST

/* ---- words ---- */

static const struct {
	const char *json, *text;
} words[] = {
	{ "null", "-" },
	{ "1", "1" },
	{ "5.0", "5" },
	{ "404.17", "404.17" },
	{ "1e300", "1e+300" },
	{ "\"up\"", "up" },
	{ "\"1.0\"", "1.0" },
	{ "18446744073709551615", "18446744073709551615" },
	{ "true", "true" },
	{ "[1,2]", "[1,2]" },
};

START_TEST(a_value_has_its_shortest_word)
{
	char why[JTEXT_WHY_MAX];
	json_t *json = jtext_load(words[_i].json, strlen(words[_i].json), why);

	ck_assert_str_eq(print_text(json), words[_i].text);
	json_decref(json);
}
END_TEST

START_TEST(a_span_is_told_in_its_two_largest_units)
{
	ck_assert_str_eq(print_span(0), "0.0s");
	ck_assert_str_eq(print_span(59.94), "59.9s");
	ck_assert_str_eq(print_span(60), "1m 0s");
	ck_assert_str_eq(print_span(3661), "1h 1m");
	ck_assert_str_eq(print_span(90000), "1d 1h");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cli");
	TCase *tc = tcase_create("cli");

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
	tcase_add_loop_test(
	    tc, a_change_shows_the_whole_value_before_and_after, 0, N(changes));
	tcase_add_loop_test(tc, a_value_has_its_shortest_word, 0, N(words));
	tcase_add_test(tc, a_span_is_told_in_its_two_largest_units);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
