/* SPDX-License-Identifier: Apache-2.0 */
/* Any reply to any request, as a client checks it. Input: the request's
 * length, the request, the reply. */

#include "tests/lib/fuzz_frame.h"

#include "workers/proto/client.h"

static void
walk(const struct mb_reply *r, uint8_t fc)
{
	struct mb_records group;
	struct mb_object o;
	struct rbuf b;
	unsigned i, n = 0;
	int next;

	for (i = 0; i < 2100; i++)
		n += mb_reply_reg(r, i) + mb_reply_bit(r, i);
	HOLDS(r->len > 0 || n == 0);
	rbuf_init(&b, r->data, r->len);
	if (fc == 20) {
		while (mb_reply_next_group(&b, &group))
			HOLDS(
			    group.data + 2u * group.count <= r->data + r->len);
		HOLDS(b.left == 0);
	} else if (fc == 43) {
		HOLDS(mb_reply_objects(&b, &next));
		while (mb_reply_next_object(&b, &o))
			n++;
		HOLDS(rbuf_done(&b));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mb_reply r;
	struct mb_fcs fcs;
	uint8_t *rsp;
	size_t req_len, len;

	if (size < 2 || data[0] == 0 || data[0] > size - 1)
		return 0;
	mb_fcs_init(&fcs);
	req_len = data[0];
	len = size - 1 - req_len;
	rsp = malloc(len + 1); /* its end is seen by ASan */
	HOLDS(rsp != NULL);
	memcpy(rsp + 1, data + 1 + req_len, len);
	switch (mb_reply_check(&fcs, data + 1, req_len, rsp + 1, len, &r)) {
	case MB_REPLY_OK:
		HOLDS(r.data + r.len == rsp + 1 + len);
		HOLDS(rsp[1] == data[1]);
		walk(&r, rsp[1]);
		break;
	case MB_REPLY_EXCEPTION:
		HOLDS(len == 2 && r.ex != MB_EX_NONE);
		break;
	case MB_REPLY_BAD:
		HOLDS(r.why != NULL);
		break;
	}
	free(rsp);
	return 0;
}
