/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a filter of traces. What is refused says why and where; what is
 * taken can be asked of any frame.
 *
 * Needs: control/filter.c supervisor/near.c
 */

#include "control/filter.h"
#include "tests/lib/fuzz_frame.h"

static unsigned
value(const void *arg, unsigned i)
{
	(void)arg;
	return i;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct filter_frame frames[] = {
		{ .number = { -1, -1, -1, -1, -1, -1, -1 } },
		{ .string = { [FILTER_PEER] = "[::1]:502",
		      [FILTER_TRANSPORT] = "tcp1" },
		    .nvalues = 9,
		    .value = value },
	};
	char text[1200] = "", why[FILTER_WHY_MAX] = "";
	struct filter f;

	if (size >= sizeof(text))
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (filter_parse(&f, text, why) == -1) {
		HOLDS(why[0] != '\0');
		return 0;
	}
	HOLDS(f.n <= FILTER_NODES && f.text_len <= sizeof(f.text));
	for (unsigned i = 0; i < 2; i++)
		HOLDS(f.n > 0 || filter_passes(&f, &frames[i]));
	for (unsigned i = 0; i < 2; i++)
		filter_passes(&f, &frames[i]);
	return 0;
}
