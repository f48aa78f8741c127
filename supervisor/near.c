/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mistyped name was meant to be. Used while the configuration is read
 * and by the command line; knows nothing about either. Keeps no state and
 * allocates nothing.
 */
#include "supervisor/near.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	NEAR_LEN = 48, /* longer names are never compared */
	NEAR_PREFIX = 3, /* shortest beginning of a name that counts */
	NEAR_INSIDE = 4, /* shortest part of a name that counts */
};

/* Small letters without the separators that people forget. Returns the length,
 * 0 for what is too long. */
static size_t
plain(const char *name, char out[NEAR_LEN + 1])
{
	size_t n = 0;

	for (; *name != '\0'; name++) {
		if (*name == '_' || *name == '-' || *name == ' ')
			continue;
		if (n == NEAR_LEN)
			return 0;
		out[n++] = (char)tolower((unsigned char)*name);
	}
	out[n] = '\0';
	return n;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits between two names: insert, delete, replace, swap neighbours. */
static unsigned
distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][NEAR_LEN + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= nb; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(
			    row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[nb];
}

/*
 * How far a name is from the typed one; UINT32_MAX is too far. One edit is
 * nearest, then being a beginning of the name, then more edits, then being
 * inside it; the length left over decides between names that share a
 * beginning.
 */
static uint32_t
score(const char *t, size_t nt, const char *n, size_t nn)
{
	unsigned d = distance(t, nt, n, nn);
	unsigned most = (unsigned)((nt > nn ? nt : nn) + 2) / 3;

	if (d > 1 && nt >= NEAR_PREFIX && strncmp(t, n, nt) == 0)
		return 0x100 + (uint32_t)(nn - nt);
	if (d <= most && d < (nt > nn ? nt : nn))
		return d > 1 ? d * 0x1000 : d;
	if (nn >= NEAR_PREFIX && strncmp(t, n, nn) == 0)
		return 0x20000 + (uint32_t)(nt - nn);
	if (nt >= NEAR_INSIDE && strstr(n, t) != NULL)
		return 0x30000 + (uint32_t)(nn - nt);
	return UINT32_MAX;
}

const char *
near_name(const char *typed, const char *const *names, size_t n)
{
	char t[NEAR_LEN + 1], name[NEAR_LEN + 1];
	const char *best = NULL;
	uint32_t best_score = UINT32_MAX, s;
	size_t nt = plain(typed, t), nn;

	if (nt == 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		nn = plain(names[i], name);
		if (nn == 0)
			continue;
		s = score(t, nt, name, nn);
		if (s < best_score) {
			best_score = s;
			best = names[i];
		}
	}
	return best;
}

const char *
near_or_all(char *buf, size_t size, const char *typed, const char *const *names,
    size_t n)
{
	const char *near = near_name(typed, names, n);
	size_t used = 0;

	buf[0] = '\0';
	if (near != NULL) {
		snprintf(buf, size, "; did you mean \"%.60s\"?", near);
		return buf;
	}
	for (size_t i = 0; i < n; i++) {
		const char *before = i == 0 ? "; there is \"" : ", \"";
		size_t need = strlen(before) + strlen(names[i]) + 1;

		if (used + need + sizeof(", ...") > size) {
			snprintf(buf + used, size - used, "%s",
			    used > 0 ? ", ..." : "");
			break;
		}
		used += (size_t)snprintf(
		    buf + used, size - used, "%s%s\"", before, names[i]);
	}
	return buf;
}
