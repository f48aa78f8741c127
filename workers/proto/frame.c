/* SPDX-License-Identifier: Apache-2.0 */
/* The framers by name. Runs in the workers. */

#include "workers/proto/frame.h"

#include <string.h>

static const struct framer *const framers[] = {
	&frame_mbap,
	&frame_tls,
	&frame_rtu,
	&frame_ascii,
};

const struct framer *
framer_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(framers) / sizeof(framers[0]); i++)
		if (strcmp(framers[i]->name, name) == 0)
			return framers[i];
	return NULL;
}
