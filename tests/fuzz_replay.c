/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture to be replayed. What is found in it can be asked for
 * and is answered within its bounds.
 *
 * Needs: -Isupervisor
 */

#include "workers/plugins/replay.c"

#include "tests/lib/fuzz_frame.h"

static void
ask(const void *node, VISIT visit, int depth)
{
	struct request *r = *(struct request *const *)node;
	struct reply *first = r->reply;
	const struct hf_traced in = { .unit = r->unit },
			       out = { .unit = r->unit, .sending = 1 };
	uint8_t pdu[HF_PDU_MAX] = { 0 };
	size_t len;

	(void)depth;
	if (visit != postorder && visit != leaf)
		return;
	HOLDS(r->len >= 1 && r->len <= HF_PDU_MAX && r->reply != NULL);
	for (int i = 0; i < 3; i++) {
		memcpy(pdu, r->pdu, r->len);
		HOLDS(hooks.trace_pdu(NULL, &in, pdu, r->len, sizeof(pdu)) ==
		    r->len);
		len = hooks.trace_pdu(NULL, &out, pdu, 2, sizeof(pdu));
		HOLDS(len >= 1 && len <= sizeof(pdu));
	}
	r->reply = first;
}

static void
drop(void *node)
{
	struct request *r = node;
	struct reply *reply, *next;

	for (reply = r->reply; reply != NULL; reply = next) {
		next = reply->next;
		free(reply);
	}
	free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	flows = calloc(FLOWS, sizeof(*flows));
	probe = calloc(1, sizeof(*probe) + HF_PDU_MAX);
	HOLDS(flows != NULL && probe != NULL);
	nreplies = 0;
	memset(keys, 0, sizeof(keys));
	memset(used, 0, sizeof(used));
	answering = NULL;
	read_any((struct bytes){ data, size });
	HOLDS(nreplies == 0 || requests != NULL);
	twalk(requests, ask);
	tdestroy(requests, drop);
	requests = NULL;
	free(probe);
	free(flows);
	return 0;
}
