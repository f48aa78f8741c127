/* SPDX-License-Identifier: Apache-2.0 */
/* Values as Python writes them. Pure. */

#include "control/http/sim_python.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 17, FIXED_FROM = -4, FIXED_TO = 16 };

/* Digits and point: 0.d1d2... * 10 ** point. */
static void
write_fixed(struct text *t, const char *digits, int point)
{
	int n = (int)strlen(digits);

	if (point <= 0) {
		text_add(t, "0.", 2);
		for (int i = point; i < 0; i++)
			text_add(t, "0", 1);
		text_str(t, digits);
		return;
	}
	for (int i = 0; i < point || i < n; i++) {
		if (i == point)
			text_add(t, ".", 1);
		text_add(t, i < n ? &digits[i] : "0", 1);
	}
	if (n <= point)
		text_add(t, ".0", 2);
}

static void
write_float(struct text *t, double v)
{
	char buf[40], digits[DIGITS + 2] = "";
	int precision = 1, exponent;
	size_t n = 0;

	do {
		snprintf(buf, sizeof(buf), "%.*e", precision - 1, v);
	} while (strtod(buf, NULL) != v && precision++ < DIGITS);
	for (const char *p = buf; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	exponent = atoi(strchr(buf, 'e') + 1);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	digits[n] = '\0';
	if (signbit(v))
		text_add(t, "-", 1);
	if (exponent >= FIXED_FROM && exponent < FIXED_TO) {
		write_fixed(t, digits, exponent + 1);
		return;
	}
	text_printf(t, "%c%s%se%+03d", digits[0], n > 1 ? "." : "", digits + 1,
	    exponent);
}

void
sim_python_float(double v, char *out, size_t size)
{
	struct text t = { 0 };

	if (isnan(v))
		text_str(&t, "nan");
	else if (isinf(v))
		text_str(&t, v < 0 ? "-inf" : "inf");
	else
		write_float(&t, v);
	snprintf(out, size, "%s", t.at != NULL ? t.at : "");
	text_free(&t);
}

static void
repr_string(struct text *t, const char *s, size_t len)
{
	char quote = memchr(s, '\'', len) != NULL && memchr(s, '"', len) == NULL
	    ? '"'
	    : '\'';

	text_add(t, &quote, 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == (unsigned char)quote || c == '\\')
			text_printf(t, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			text_str(t,
			    c == '\n'       ? "\\n"
				: c == '\r' ? "\\r"
					    : "\\t");
		else if (c < 0x20 || c == 0x7f)
			text_printf(t, "\\x%02x", c);
		else
			text_add(t, &s[i], 1);
	}
	text_add(t, &quote, 1);
}

static void
repr_parts(struct text *t, const json_t *v)
{
	const char *key, *between = "";
	json_t *member;
	size_t i;

	if (json_is_array(v)) {
		text_str(t, "[");
		json_array_foreach ((json_t *)(uintptr_t)v, i, member) {
			text_str(t, between);
			sim_python_repr(t, member);
			between = ", ";
		}
		text_str(t, "]");
		return;
	}
	text_str(t, "{");
	json_object_foreach ((json_t *)(uintptr_t)v, key, member) {
		text_str(t, between);
		repr_string(t, key, strlen(key));
		text_str(t, ": ");
		sim_python_repr(t, member);
		between = ", ";
	}
	text_str(t, "}");
}

void
sim_python_repr(struct text *t, const json_t *v)
{
	char number[40];

	switch (json_typeof(v)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		repr_parts(t, v);
		break;
	case JSON_STRING:
		repr_string(t, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		text_printf(t, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		sim_python_float(json_real_value(v), number, sizeof(number));
		text_str(t, number);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		text_str(t, json_is_true(v) ? "True" : "False");
		break;
	case JSON_NULL:
		text_str(t, "None");
		break;
	}
}
