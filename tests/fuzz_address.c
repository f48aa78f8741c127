/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as an address of the command line. What is refused says why; what
 * is taken lies within its bounds and names what there is.
 *
 * Needs: control/cli/address.c supervisor/near.c shm/table.c shm/typed.c -lm
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/address.h"
#include "shm/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[300] = "", why[ADDRESS_WHY_MAX] = "";
	struct address a;

	if (size >= sizeof(text))
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (address_parse(text, &a, why) == -1) {
		if (why[0] == '\0')
			abort();
		return 0;
	}
	if (a.addr > 65535 || a.count < 1 || table_short(a.table)[0] == '\0' ||
	    address_step(&a) > 4)
		abort();
	return 0;
}
