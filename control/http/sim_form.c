/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the fields of the simulator's forms and of its JSON: the same names,
 * as text or as values. What cannot be read is told in a sentence. Runs in the
 * http process; all that it reads is from outside.
 */

#include "control/http/sim_form.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT 9007199254740992.0 /* doubles count up to there */

static bool
is_blank(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return *s == '\0';
}

const char *
sim_field(const struct sim_call *c, const char *name, char *buf, size_t size)
{
	const json_t *v = json_object_get(c->in, name);

	if (json_is_string(v))
		return is_blank(json_string_value(v)) ? NULL
						      : json_string_value(v);
	if (json_is_integer(v))
		snprintf(
		    buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		snprintf(buf, size, "%.17g", json_real_value(v));
	else
		return NULL;
	return buf;
}

bool
sim_parse_integer(const char *text, int64_t *out)
{
	const char *digits = text;
	char *end;
	int base = 10;

	while (isspace((unsigned char)*text))
		text++;
	digits = text + (*text == '-' || *text == '+');
	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
		base = 16;
	if (!isxdigit((unsigned char)*digits))
		return false;
	errno = 0;
	*out = strtoll(text, &end, base);
	return errno == 0 && end > digits && is_blank(end);
}

enum sim_found
sim_integer(struct sim_call *c, const char *name, int64_t min, int64_t max,
    int64_t *out)
{
	const json_t *v = json_object_get(c->in, name);
	const char *text = json_string_value(v);
	double real = json_real_value(v);

	if (v == NULL || json_is_null(v) || (text != NULL && is_blank(text)))
		return SIM_BLANK;
	if (json_is_integer(v)) {
		*out = json_integer_value(v);
	} else if (json_is_real(v) && floor(real) == real &&
	    fabs(real) < EXACT) {
		*out = (int64_t)real;
	} else if (text == NULL || !sim_parse_integer(text, out)) {
		sim_fail(c, 400, "%s must be an integer%s%.40s%s", name,
		    text != NULL ? ", not \"" : "", text != NULL ? text : "",
		    text != NULL ? "\"" : "");
		return SIM_BAD;
	}
	if (*out < min || *out > max) {
		sim_fail(c, 400,
		    "%s must be within %" PRId64 "..%" PRId64 ", and %" PRId64
		    " is not",
		    name, min, max, *out);
		return SIM_BAD;
	}
	return SIM_OK;
}

bool
sim_integer_or(struct sim_call *c, const char *name, int64_t min, int64_t max,
    int64_t other, int64_t *out)
{
	enum sim_found found = sim_integer(c, name, min, max, out);

	if (found == SIM_BLANK)
		*out = other;
	return found != SIM_BAD;
}

bool
sim_ticked(const struct sim_call *c, const char *name)
{
	const json_t *v = json_object_get(c->in, name);

	return v != NULL && !json_is_null(v) && !json_is_false(v);
}

const char *
sim_submit(const struct sim_call *c)
{
	const char *text = json_string_value(json_object_get(c->in, "submit"));

	return text != NULL ? text : "";
}

int
sim_range(struct sim_call *c, int64_t *start, int64_t *stop)
{
	const char *last = json_object_get(c->in, "range_stop") == NULL
	    ? "range_end"
	    : "range_stop";
	enum sim_found found;

	found = sim_integer(c, "range_start", 0, INT32_MAX, start);
	if (found != SIM_OK)
		return found;
	if (!sim_integer_or(c, last, 0, INT32_MAX, *start, stop))
		return -1;
	if (*stop < *start) {
		sim_fail(c, 400,
		    "%s %" PRId64 " is before range_start %" PRId64, last,
		    *stop, *start);
		return -1;
	}
	return 1;
}

const char *
sim_choice(
    struct sim_call *c, const char *field, const json_t *list, size_t *index)
{
	char buf[32];
	const char *asked = sim_field(c, field, buf, sizeof(buf)), *name;
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)(uintptr_t)list, i, row) {
		name = json_string_value(json_object_get(row, "name"));
		if (name == NULL || strlen(name) >= SIM_NAME_MAX ||
		    (asked != NULL && strcmp(name, asked) != 0))
			continue;
		*index = i;
		return name;
	}
	if (asked != NULL)
		sim_fail(c, 404, "there is no %s \"%.40s\"", field, asked);
	else
		sim_fail(c, 404, "there is no %s", field);
	return NULL;
}
