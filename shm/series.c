/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and looks up values over time. What is in a file is bytes from outside:
 * bounded, and every number checked. Runs before the first fork, to check a
 * file, and in the clock process.
 */
#include "shm/series.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/plain.h"

enum { FIELD_MAX = 63, GROWS_BY = 1024 };

static int __attribute__((__format__(printf, 2, 3)))
wrong(struct series *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	free(s->rows);
	s->rows = NULL;
	s->n = 0;
	return -1;
}

/* The next field of a line as a number; moves *at behind its comma. False if it
 * is none; *ended: the line has ended with it. */
static bool
field(const char **at, const char *end, double *out, bool *ended)
{
	const char *comma = memchr(*at, ',', (size_t)(end - *at));
	const char *stop = comma != NULL ? comma : end;
	char text[FIELD_MAX + 1], *rest;
	size_t len = (size_t)(stop - *at);

	*ended = comma == NULL;
	if (len > FIELD_MAX || memchr(*at, '\0', len) != NULL)
		return false;
	memcpy(text, *at, len);
	text[len] = '\0';
	*at = comma != NULL ? comma + 1 : end;
	*out = strtod(text, &rest);
	if (rest == text || !isfinite(*out))
		return false;
	return rest[strspn(rest, " \t\r")] == '\0';
}

static bool
add(struct series *s, double at_s, double value)
{
	struct series_row *rows;

	if (s->n % GROWS_BY == 0) {
		rows = realloc(s->rows, (s->n + GROWS_BY) * sizeof(*rows));
		if (rows == NULL)
			return false;
		s->rows = rows;
	}
	s->rows[s->n++] = (struct series_row){ at_s, value };
	return true;
}

static int
take_line(struct series *s, const char *at, const char *end)
{
	double t, value;
	bool ended;

	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	if (at == end || *at == '#')
		return 0;
	if (!field(&at, end, &t, &ended)) {
		if (s->n == 0 && s->line == 1 && !ended)
			return 0; /* the names of the columns */
		return wrong(s, "its time is no number");
	}
	if (ended)
		return wrong(s, "a row is \"time,value\"");
	if (!field(&at, end, &value, &ended))
		return wrong(s, "its value is no number");
	if (s->n > 0 && t <= s->rows[s->n - 1].at_s)
		return wrong(s, "its time does not grow");
	if (s->n == SERIES_ROWS_MAX)
		return wrong(s, "more than %d rows", SERIES_ROWS_MAX);
	return add(s, t, value) ? 0 : wrong(s, "not enough memory");
}

int
series_parse(struct series *s, const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	memset(s, 0, sizeof(*s));
	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		const char *stop = nl != NULL ? nl : end;

		s->line++;
		if (take_line(s, at, stop) < 0)
			return -1;
		at = nl != NULL ? nl + 1 : end;
	}
	s->line = 0;
	return s->n > 0 ? 0 : wrong(s, "has no rows");
}

int
series_read(struct series *s, const char *path)
{
	size_t len = 0;
	char *text = (char *)plain_read(path, SERIES_BYTES_MAX, &len);
	int rc;

	memset(s, 0, sizeof(*s));
	if (text == NULL)
		return wrong(s, "%s", plain_why(errno));
	rc = series_parse(s, text, len);
	free(text);
	return rc;
}

void
series_free(struct series *s)
{
	free(s->rows);
	s->rows = NULL;
	s->n = 0;
}

double
series_at(const struct series *s, double t, bool loop, bool linear)
{
	const struct series_row *r = s->rows;
	double span = r[s->n - 1].at_s - r[0].at_s, part;
	size_t low = 0, high = s->n - 1;

	if (t < 0)
		t = 0;
	if (loop && span > 0)
		t = fmod(t, span);
	t += r[0].at_s;
	if (t >= r[high].at_s)
		return r[high].value;
	/* r[low] is at or before t, r[high] behind it */
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (r[mid].at_s <= t)
			low = mid;
		else
			high = mid;
	}
	if (!linear)
		return r[low].value;
	part = (t - r[low].at_s) / (r[high].at_s - r[low].at_s);
	return r[low].value + part * (r[high].value - r[low].value);
}
