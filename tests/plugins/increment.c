/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin for sys_continuity.py: function code 0x41 adds one to the register
 * at an address, and then sets the one behind it to the same: two writes. What
 * it answers is the new value. So a request that is carried out twice, or not
 * at all, shows for ever.
 */
#include "holdfast.h"

#include <string.h>

static enum hf_exception
increment(void *arg, struct hf_call *c)
{
	uint16_t v, addr;
	enum hf_exception ex;

	(void)arg;
	if (c->request_len < 3)
		return HF_EX_VALUE;
	addr = (uint16_t)(c->request[1] << 8 | c->request[2]);
	ex = c->read(c, HF_HR, addr, 1, &v);
	v++;
	if (ex == HF_EX_NONE)
		ex = c->write(c, HF_HR, addr, 1, &v);
	if (ex == HF_EX_NONE)
		ex = c->write(c, HF_HR, addr + 1u, 1, &v);
	c->reply[c->reply_len++] = (uint8_t)(v >> 8);
	c->reply[c->reply_len++] = (uint8_t)v;
	return ex;
}

static const struct hf_function inc = {
	.size = sizeof(inc),
	.name = "increment",
	.fc = 0x41,
	.request = { .fixed = 2 },
	.reply = { .fixed = 2 },
	.run = increment,
};
static const struct hf_function *const functions[] = { &inc, NULL };
static const struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.functions = functions,
};
static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "increment",
	.hooks = &hooks,
};

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	(void)host;
	return &plugin;
}
