/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the role of a certificate: a role is what its DER says, whole,
 * and everything else is none, with words.
 */

#include "tests/lib/fuzz_frame.h"

#include "workers/proto/role.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char role[MB_ROLE_MAX + 1];
	uint8_t *der = malloc(size + 1); /* its end is seen by ASan */
	const char *why;

	HOLDS(der != NULL);
	memcpy(der + 1, data, size);
	memset(role, '?', sizeof(role));
	why = mb_role_parse(der + 1, size, role);
	if (why != NULL) {
		HOLDS(role[0] == '\0');
	} else {
		HOLDS(size == strlen(role) + 2);
		HOLDS(data[0] == 12 && data[1] == strlen(role));
		HOLDS(memcmp(role, data + 2, size - 2) == 0);
	}
	free(der);
	return 0;
}
