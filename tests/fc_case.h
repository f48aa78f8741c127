/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FC_CASE_H
#define TESTS_FC_CASE_H

/*
 * Function-code suites: requests and replies in hex, served by a fake unit.
 * A table of struct fc_case is one loop test.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/fake_unit.h"
#include "tests/suite.h"

/* One request of a vector table; both PDUs in hex, blanks for reading. An
 * empty reply is none. */
struct fc_case {
	const char *title;
	const char *request;
	const char *reply;
};

static struct fake fc_fake;
static struct mb_fcs fc_fcs;

/* Decodes hex with blanks; the number of bytes. A pair `..xNN` repeats the
 * byte before it, NN (decimal) times in all. */
static inline size_t
fc_hex(const char *hex, uint8_t *out)
{
	char pair[3] = "";
	size_t n = 0;
	unsigned times;

	while (*hex != '\0') {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		if (*hex == 'x') {
			times = (unsigned)strtoul(hex + 1, NULL, 10);
			hex += 1 + strcspn(hex + 1, " ");
			memset(out + n, out[n - 1], times - 1);
			n += times - 1;
			continue;
		}
		memcpy(pair, hex, 2);
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	return n;
}

static inline void
fc_setup(void)
{
	fake_init(&fc_fake);
	mb_fcs_init(&fc_fcs);
}

/* Serves a request given in hex; the reply's length. The request lies at the
 * end of a block of its own, so that a sanitizer sees a read behind it. */
static inline size_t
fc_serve(const char *request, bool broadcast, uint8_t *out)
{
	uint8_t bytes[1024], *pdu;
	size_t n = fc_hex(request, bytes), len;

	pdu = malloc(n == 0 ? 1 : n);
	ck_assert_ptr_nonnull(pdu);
	memcpy(pdu, bytes, n);
	len = mb_serve(&fc_fcs, &fc_fake.unit, broadcast, pdu, n, out);
	free(pdu);
	return len;
}

static inline void
fc_expect(const char *title, const char *request, const char *reply)
{
	uint8_t out[MB_PDU_MAX], want[1024];
	size_t len = fc_serve(request, false, out), n = fc_hex(reply, want);
	size_t i, same;

	for (same = 0; same < n && same < len && out[same] == want[same];)
		same++;
	if (same == n && n == len)
		return;
	fprintf(stderr, "%s\n  request %s\n  want    %s\n  got     ", title,
	    request, reply);
	for (i = 0; i < len; i++)
		fprintf(stderr, "%02x ", out[i]);
	fprintf(stderr, "\n");
	ck_abort_msg("%s: differs at byte %zu", title, same);
}

static inline void
fc_case_run(const struct fc_case *c)
{
	fc_expect(c->title, c->request, c->reply);
}

#endif
