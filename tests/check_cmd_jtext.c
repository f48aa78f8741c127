/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text: numbers keep their value and get their shortest form. */

#include "control/jtext.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

/* Text in, text out; NULL: the same. */
static const struct {
	const char *in, *out;
} texts[] = {
	{ "0", NULL },
	{ "-1", NULL },
	{ "9223372036854775807", NULL },
	{ "9223372036854775808", NULL },
	{ "-9223372036854775808", NULL },
	{ "-9223372036854775809", NULL },
	{ "18446744073709551615", NULL },
	{ "123456789012345678901234567890", NULL },
	{ "[18446744073709551615,-18446744073709551615]", NULL },
	{ "{\"18446744073709551615\":18446744073709551615}", NULL },
	{ "\"18446744073709551615\"", NULL },
	{ "[1,\"a\\\\\",18446744073709551615,\"b\"]", NULL },
	{ "404.17", NULL },
	{ "0.1", NULL },
	{ "1.0", NULL },
	{ "-0.0", NULL },
	{ "1e300", "1e+300" },
	{ "0.30000000000000004", NULL },
	{ "100000000000000000000.0", "1e+20" },
	{ "\"\\u00e9\"", "\"\u00e9\"" },
	{ "\"\\\"\\\\\\/\\n\\u0000\\u001f\"",
	    "\"\\\"\\\\/\\n\\u0000\\u001f\"" },
	{ "\"\\u000118446744073709551615\"", "18446744073709551615" },
	{ "\"\\u000118446744073709551615 \"", NULL },
	{ "\"\\u00010\"", NULL },
	{ "[true,false,null,[],{}]", NULL },
	{ "{\"b\":1,\"a\":2}", NULL },
};

START_TEST(a_value_is_written_as_it_was_read)
{
	const char *out = texts[_i].out != NULL ? texts[_i].out : texts[_i].in;
	char why[JTEXT_WHY_MAX] = "";
	json_t *json = jtext_load(texts[_i].in, strlen(texts[_i].in), why);
	size_t len;
	char *text;

	ck_assert_msg(json != NULL, "%s: %s", texts[_i].in, why);
	text = jtext_dump(json, &len);
	ck_assert_str_eq(text, out);
	ck_assert_uint_eq(len, strlen(out));
	free(text);
	json_decref(json);
}
END_TEST

static void
same_text(json_t *json, const char *wanted)
{
	size_t len;
	char *text = jtext_dump(json, &len);

	ck_assert_str_eq(text, wanted);
	free(text);
	json_decref(json);
}

START_TEST(a_float32_has_the_text_of_a_float32)
{
	same_text(jtext_float32(404.17f), "404.17");
	same_text(jtext_float32(0.1f), "0.1");
	same_text(jtext_float32(16777217.0f), "16777216.0");
	same_text(jtext_float32(FLT_MAX), "3.4028235e+38");
	same_text(jtext_float32(1.0f / 3), "0.33333334");
	same_text(jtext_float64(1.0 / 3), "0.3333333333333333");
	same_text(jtext_float32(NAN), "\"NaN\"");
	same_text(jtext_float64(-INFINITY), "\"-Infinity\"");
	same_text(jtext_uint(UINT64_MAX), "18446744073709551615");
	same_text(jtext_bytes("\xe9", 1), "\"\u00e9\"");
	same_text(jtext_bytes("a\0b", 3), "\"a\\u0000b\"");
}
END_TEST

/* Each of many floats reads back as itself. */
START_TEST(every_float_reads_back_as_itself)
{
	uint64_t state = 88172645463325252ull;

	for (int i = 0; i < 100000; i++) {
		char why[JTEXT_WHY_MAX], *text;
		json_t *json;
		uint32_t bits;
		size_t len;
		float f;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bits = (uint32_t)state;
		memcpy(&f, &bits, sizeof(f));
		if (!isfinite(f))
			continue;
		json = jtext_float32(f);
		text = jtext_dump(json, &len);
		json_decref(json);
		json = jtext_load(text, len, why);
		ck_assert_msg((float)json_real_value(json) == f, "%s", text);
		json_decref(json);
		free(text);
	}
}
END_TEST

static const struct {
	const char *text;
	bool is, negative;
	uint64_t magnitude;
} integers[] = {
	{ "0", true, false, 0 },
	{ "-5", true, true, 5 },
	{ "-9223372036854775808", true, true, 1ull << 63 },
	{ "18446744073709551615", true, false, UINT64_MAX },
	{ "18446744073709551616", false, false, 0 },
	{ "-18446744073709551615", true, true, UINT64_MAX },
	{ "7.0", true, false, 7 },
	{ "-7.0", true, true, 7 },
	{ "7.5", false, false, 0 },
	{ "1e17", false, false, 0 },
	{ "\"7\"", false, false, 0 },
	{ "true", false, false, 0 },
	{ "null", false, false, 0 },
	{ "[7]", false, false, 0 },
};

START_TEST(an_integer_is_known_for_one)
{
	char why[JTEXT_WHY_MAX];
	json_t *json =
	    jtext_load(integers[_i].text, strlen(integers[_i].text), why);
	uint64_t magnitude = 0;
	bool negative = false;

	ck_assert_int_eq(
	    jtext_integer(json, &negative, &magnitude), integers[_i].is);
	if (integers[_i].is) {
		ck_assert_int_eq(negative, integers[_i].negative);
		ck_assert_uint_eq(magnitude, integers[_i].magnitude);
	}
	json_decref(json);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd_jtext");
	TCase *tc = tcase_create("jtext");

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))
	tcase_add_loop_test(tc, a_value_is_written_as_it_was_read, 0, N(texts));
	tcase_add_test(tc, a_float32_has_the_text_of_a_float32);
	tcase_add_test(tc, every_float_reads_back_as_itself);
	tcase_add_loop_test(tc, an_integer_is_known_for_one, 0, N(integers));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
