/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture to be replayed. What is found in it can be asked for
 * and is answered within its bounds, as late as it can be at most.
 *
 * Needs: -Isupervisor workers/plugins/replay/answers.c workers/plugins/replay/capture.c workers/plugins/replay/flow.c -lm
 */

#include "workers/plugins/replay.c"

#include <search.h>

#include "tests/lib/fuzz_frame.h"

static void
delay(const struct hf_host *host, uint32_t ms)
{
	(void)host;
	HOLDS(ms > 0);
}

static void
ask(const void *node, VISIT visit, int depth)
{
	static const struct hf_host host = {
		.revision = HF_PLUGIN_REVISION,
		.delay = delay,
	};
	struct request *r = *(struct request *const *)node;
	struct reply *first = r->reply;
	const struct hf_traced in = { .host = &host, .unit = r->unit },
			       out = { .host = &host,
				       .unit = r->unit,
				       .sending = 1 },
			       all = { .host = &host, .broadcast = 1 };
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
	hooks.refuse(NULL, &all, r->pdu, r->len);
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
	answers = (struct answers){ 0 };
	answering = NULL;
	times = 1;
	HOLDS(flow_init(502) == 0 && answers_init() == 0);
	capture_bytes((struct bytes){ data, size });
	HOLDS(answers.nreplies == 0 || answers.requests != NULL);
	twalk(answers.requests, ask);
	tdestroy(answers.requests, drop);
	free(answers.probe);
	flow_fini();
	return 0;
}
