/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text out, and values that jansson does not have. Runs in the control
 * process and in the command line.
 */

#include "control/jtext.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/typed.h"

/* ---- writing ---- */

struct dump {
	char *at;
	size_t len, cap;
	bool failed;
};

static void
dump_put(struct dump *d, const char *from, size_t len)
{
	if (d->failed)
		return;
	if (d->cap - d->len <= len) {
		size_t cap = (d->cap + len + 64) * 2;
		char *at = realloc(d->at, cap);

		if (at == NULL) {
			d->failed = true;
			return;
		}
		d->at = at;
		d->cap = cap;
	}
	memcpy(d->at + d->len, from, len);
	d->len += len;
}

static void
dump_word(struct dump *d, const char *word)
{
	dump_put(d, word, strlen(word));
}

/* True for JTEXT_BIG and the digits of an integer, as jtext_load() makes. */
static bool
is_marked(const char *s, size_t len)
{
	size_t sign;

	if (len < 20 || len > 400 || s[0] != JTEXT_BIG[0])
		return false;
	sign = s[1] == '-';
	return s[1 + sign] != '0' &&
	    strspn(s + 1 + sign, "0123456789") == len - 1 - sign;
}

static void
dump_string(struct dump *d, const char *s, size_t len)
{
	size_t from = 0, i;
	char esc[8];

	if (is_marked(s, len)) {
		dump_put(d, s + 1, len - 1);
		return;
	}
	dump_put(d, "\"", 1);
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		dump_put(d, s + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\')
			snprintf(esc, sizeof(esc), "\\%c", c);
		else if (c == '\n')
			snprintf(esc, sizeof(esc), "\\n");
		else
			snprintf(esc, sizeof(esc), "\\u%04x", c);
		dump_word(d, esc);
	}
	dump_put(d, s + from, len - from);
	dump_put(d, "\"", 1);
}

static void
dump_real(struct dump *d, double real)
{
	struct typed_value v = { .type = TYPED_FLOAT64, .f = real };
	char text[48];

	typed_text(&v, text, sizeof(text));
	dump_word(d, text);
	if (strpbrk(text, ".en") == NULL) /* stay a float to who reads it */
		dump_word(d, ".0");
}

static void
dump_scalar(struct dump *d, const json_t *json)
{
	char text[24];

	switch (json_typeof(json)) {
	case JSON_STRING:
		dump_string(
		    d, json_string_value(json), json_string_length(json));
		break;
	case JSON_INTEGER:
		snprintf(text, sizeof(text), "%lld",
		    (long long)json_integer_value(json));
		dump_word(d, text);
		break;
	case JSON_REAL:
		dump_real(d, json_real_value(json));
		break;
	case JSON_TRUE:
		dump_word(d, "true");
		break;
	case JSON_FALSE:
		dump_word(d, "false");
		break;
	default:
		dump_word(d, "null");
		break;
	}
}

/* Recursion is bounded: what came from outside by JTEXT_DEPTH_MAX, what we
 * build by what we build. */
static void
dump(struct dump *d, const json_t *json)
{
	const char *key;
	json_t *value;
	size_t i, n;
	bool first = true;

	if (json_is_array(json)) {
		n = json_array_size(json);
		dump_put(d, "[", 1);
		for (i = 0; i < n; i++) {
			if (i > 0)
				dump_put(d, ",", 1);
			dump(d, json_array_get(json, i));
		}
		dump_put(d, "]", 1);
	} else if (json_is_object(json)) {
		void *iter = json_object_iter((json_t *)(uintptr_t)json);

		dump_put(d, "{", 1);
		for (; iter != NULL; iter = json_object_iter_next(
					 (json_t *)(uintptr_t)json, iter)) {
			key = json_object_iter_key(iter);
			value = json_object_iter_value(iter);
			if (!first)
				dump_put(d, ",", 1);
			first = false;
			dump_string(d, key, strlen(key));
			dump_put(d, ":", 1);
			dump(d, value);
		}
		dump_put(d, "}", 1);
	} else
		dump_scalar(d, json);
}

char *
jtext_dump(const json_t *json, size_t *len)
{
	struct dump d = { NULL, 0, 0, false };

	dump(&d, json);
	dump_put(&d, "", 1); /* the NUL */
	if (d.failed) {
		free(d.at);
		return NULL;
	}
	*len = d.len - 1;
	return d.at;
}

/* ---- values ---- */

json_t *
jtext_uint(uint64_t u)
{
	char text[32];

	if (u <= INT64_MAX)
		return json_integer((json_int_t)u);
	snprintf(text, sizeof(text), JTEXT_BIG "%llu", (unsigned long long)u);
	return json_string(text);
}

json_t *
jtext_float64(double f)
{
	if (isnan(f))
		return json_string("NaN");
	if (isinf(f))
		return json_string(f < 0 ? "-Infinity" : "Infinity");
	return json_real(f);
}

json_t *
jtext_float32(double f)
{
	struct typed_value v = { .type = TYPED_FLOAT32, .f = f };
	char text[48];

	if (!isfinite(f))
		return jtext_float64(f);
	/* the double that is nearest to the float's shortest text */
	typed_text(&v, text, sizeof(text));
	return json_real(strtod(text, NULL));
}

json_t *
jtext_bytes(const char *bytes, size_t len)
{
	json_t *json = json_stringn(bytes, len);
	char *wide;
	size_t i, n = 0;

	if (json != NULL)
		return json;
	wide = malloc(2 * len + 1);
	if (wide == NULL)
		return NULL;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c < 0x80) {
			wide[n++] = (char)c;
		} else {
			wide[n++] = (char)(0xc0 | c >> 6);
			wide[n++] = (char)(0x80 | (c & 0x3f));
		}
	}
	json = json_stringn(wide, n);
	free(wide);
	return json;
}

bool
jtext_integer(const json_t *json, bool *negative, uint64_t *magnitude)
{
	double f, whole;
	int64_t i;
	const char *s;

	if (json_is_integer(json)) {
		i = json_integer_value(json);
		*negative = i < 0;
		*magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
		return true;
	}
	if (json_is_real(json)) {
		f = json_real_value(json);
		*negative = f < 0;
		/* above 2^53 a float is no longer sure to be meant exactly */
		if (modf(f, &whole) != 0 || fabs(f) > 9007199254740992.0)
			return false;
		*magnitude = (uint64_t)fabs(f);
		return true;
	}
	if (!json_is_string(json))
		return false;
	s = json_string_value(json);
	if (!is_marked(s, json_string_length(json)))
		return false;
	*negative = s[1] == '-';
	errno = 0;
	*magnitude = strtoull(s + 1 + *negative, NULL, 10);
	if (errno == ERANGE)
		*magnitude = UINT64_MAX;
	return errno == 0;
}

bool
jtext_number(const json_t *json, double *f)
{
	static const struct {
		const char *name;
		double f;
	} words[] = {
		{ "NaN", NAN },
		{ "Infinity", INFINITY },
		{ "-Infinity", -INFINITY },
		{ "nan", NAN },
		{ "inf", INFINITY },
		{ "-inf", -INFINITY },
	};
	const char *s;
	size_t i;

	if (json_is_number(json)) {
		*f = json_number_value(json);
		return true;
	}
	if (!json_is_string(json))
		return false;
	s = json_string_value(json);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(s, words[i].name) == 0) {
			*f = words[i].f;
			return true;
		}
	}
	if (!is_marked(s, json_string_length(json)))
		return false;
	*f = strtod(s + 1, NULL);
	return true;
}
