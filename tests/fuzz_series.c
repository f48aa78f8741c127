/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a file of times and values: what is taken are finite numbers at
 * times that grow, and what it says at any time lies between them; what is not
 * taken is told.
 * Needs: shm/series.c shm/plain.c
 */

#include "tests/lib/fuzz_frame.h"

#include <math.h>

#include "shm/series.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* its end is seen by ASan */
	double least = INFINITY, most = -INFINITY, x, at;
	struct series s;

	HOLDS(text != NULL);
	memcpy(text + 1, data, size);
	if (series_parse(&s, text + 1, size) < 0) {
		HOLDS(s.rows == NULL && s.n == 0 && s.why[0] != '\0');
		free(text);
		return 0;
	}
	HOLDS(s.n > 0);
	for (size_t i = 0; i < s.n; i++) {
		HOLDS(isfinite(s.rows[i].at_s) && isfinite(s.rows[i].value));
		HOLDS(i == 0 || s.rows[i].at_s > s.rows[i - 1].at_s);
		least = fmin(least, s.rows[i].value);
		most = fmax(most, s.rows[i].value);
	}
	for (unsigned i = 0; i < 64; i++) {
		at = (i < 32 ? 1. : 1e10) * (i % 32) - 3;
		x = series_at(&s, at, i & 1, false);
		HOLDS(x >= least && x <= most);
		/* between numbers too far apart to be subtracted there may be
		 * none */
		x = series_at(&s, at, i & 1, true);
		HOLDS(!isfinite(most - least) || isnan(x) ||
		    (x >= least - (most - least) * 1e-9 - 1e-9 &&
			x <= most + (most - least) * 1e-9 + 1e-9));
	}
	series_free(&s);
	free(text);
	return 0;
}
