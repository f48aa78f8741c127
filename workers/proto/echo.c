/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the echo of what was sent in what is received, whole or in pieces.
 * Runs in the workers of type serial. Decides nothing about other bytes.
 */
#include "workers/proto/echo.h"

#include <string.h>

void
echo_await(struct echo *e, const uint8_t *sent, size_t len, uint64_t until)
{
	memcpy(e->sent, sent, len);
	e->len = (unsigned)len;
	e->at = 0;
	e->until_ns = until;
}

void
echo_forget(struct echo *e)
{
	e->len = 0;
	e->at = 0;
}

enum echo_rc
echo_match(struct echo *e, const uint8_t *in, size_t n, size_t *taken)
{
	size_t i = 0;

	*taken = 0;
	if (e->len == 0)
		return ECHO_NONE;
	while (i < n && e->at < e->len && in[i] == e->sent[e->at]) {
		i++;
		e->at++;
	}
	*taken = i;
	if (e->at == e->len) {
		e->len = 0;
		return ECHO_ALL;
	}
	if (i == n)
		return ECHO_PART;
	e->len = 0;
	return ECHO_OTHER;
}
