/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a frame of each framer, and any reply to any request, decoded.
 * Input: the request's length, the request, the reply. */

#include "tests/lib/fuzz_frame.h"

#include "workers/proto/decode.h"

/* What is told lies within the PDU, and is one line. */
static void
look(const struct mb_decoded *d, const uint8_t *pdu, size_t len)
{
	char text[200], tiny[7];
	unsigned sum = 0;

	for (unsigned i = 0; d->kind != MB_NO_VALUES && i < d->nvalues; i++)
		sum |= mb_decoded_value(d, i);
	HOLDS(sum <= 0xffff);
	HOLDS(d->rest + d->rest_len == pdu + len);
	HOLDS(mb_decode_text(d, tiny, sizeof(tiny)) == tiny);
	HOLDS(strlen(tiny) < sizeof(tiny));
	mb_decode_text(d, text, sizeof(text));
	HOLDS(strlen(text) < sizeof(text));
	for (const char *p = text; *p != '\0'; p++)
		HOLDS(*p >= ' ' && *p <= '~');
}

static void
frames(const uint8_t *bytes, size_t len)
{
	static const struct framer *const framers[] = { &frame_mbap, &frame_tls,
		&frame_rtu, &frame_ascii };
	struct mb_decoded d;
	struct mb_adu a;

	for (unsigned i = 0; i < 4; i++) {
		if (!mb_adu_open(framers[i], bytes, len, &a))
			continue;
		HOLDS(a.pdu_len >= 1 && a.pdu_len <= MB_PDU_MAX);
		mb_decode_request(a.pdu, a.pdu_len, &d);
		look(&d, a.pdu, a.pdu_len);
		mb_decode_reply(NULL, a.pdu, a.pdu_len, &d);
		look(&d, a.pdu, a.pdu_len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mb_decoded req, rsp;
	size_t req_len, len;
	uint8_t *copy;

	if (size < 3 || data[0] == 0 || data[0] > size - 2)
		return 0;
	req_len = data[0];
	len = size - 1 - req_len;
	copy = malloc(len); /* its end is seen by ASan */
	HOLDS(copy != NULL);
	memcpy(copy, data + 1 + req_len, len);
	frames(copy, len);
	mb_decode_request(data + 1, req_len, &req);
	look(&req, data + 1, req_len);
	if (len <= MB_PDU_MAX) {
		mb_decode_reply(&req, copy, len, &rsp);
		look(&rsp, copy, len);
	}
	free(copy);
	return 0;
}
