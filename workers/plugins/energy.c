/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function code of one's own and an action, a page to begin with. See
 * holdfast-plugin(7).
 *
 * Function code 0x41 reads energy meters, of which each has four registers: a
 * count of pulses in 32 bits, and how many of them are a kWh in the next 32.
 *
 *	request   41  first meter (2 bytes)  number of meters (1)
 *	reply     41  byte count (1)  Wh in 32 bits for each
 *
 * The action "pulse" has a meter count on as it is read, by "step".
 *
 *	"tcp1": { "type": "tcp", "plugins": ["energy"],
 *	          "options": { "registers": 0 }, ... }
 */
#include "holdfast.h"

#include <stdlib.h>

enum { METERS_MAX = 60, REGS = 4 };

static uint32_t base; /* the first meter's first register */

static enum hf_exception
read_energy(void *arg, struct hf_call *c)
{
	uint16_t v[REGS * METERS_MAX];
	uint32_t first, pulses, per_kwh, wh;
	enum hf_exception ex;
	unsigned n;

	(void)arg;
	/* everything is looked at before anything is done */
	if (c->request_len != 4)
		return HF_EX_VALUE;
	first = (uint32_t)c->request[1] << 8 | c->request[2];
	n = c->request[3];
	if (n < 1 || n > METERS_MAX)
		return HF_EX_VALUE;
	/* one step: the picture of all meters at one moment */
	ex = c->read(c, HF_HR, base + REGS * first, (uint16_t)(REGS * n), v);
	if (ex != HF_EX_NONE)
		return ex;
	c->reply[c->reply_len++] = (uint8_t)(4 * n);
	for (unsigned i = 0; i < n; i++) {
		pulses = (uint32_t)v[REGS * i] << 16 | v[REGS * i + 1];
		per_kwh = (uint32_t)v[REGS * i + 2] << 16 | v[REGS * i + 3];
		if (per_kwh == 0)
			return HF_EX_FAILURE;
		wh = (uint32_t)((uint64_t)pulses * 1000 / per_kwh);
		for (int shift = 24; shift >= 0; shift -= 8)
			c->reply[c->reply_len++] = (uint8_t)(wh >> shift);
	}
	return HF_EX_NONE;
}

static enum hf_exception
pulse(void *arg, struct hf_cell *c)
{
	uint32_t count;

	(void)arg;
	if (c->type != HF_UINT32 || c->order != HF_ABCD)
		return HF_EX_FAILURE;
	count = (uint32_t)c->values[0] << 16 | c->values[1];
	count += (uint32_t)c->number(c, "step", 1);
	c->values[0] = (uint16_t)(count >> 16);
	c->values[1] = (uint16_t)count;
	return HF_EX_NONE;
}

static const struct hf_function read_energy_fc = {
	.size = sizeof(read_energy_fc),
	.name = "read_energy",
	.fc = 0x41,
	.request = { .fixed = 3 },
	.reply = { .fixed = 1, .count_at = 1 }, /* for RTU */
	.run = read_energy,
};
static const struct hf_function *const functions[] = { &read_energy_fc, NULL };

static const struct hf_action pulse_action = {
	.size = sizeof(pulse_action),
	.name = "pulse",
	.run = pulse,
};
static const struct hf_action *const actions[] = { &pulse_action, NULL };

static const struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.functions = functions,
	.actions = actions,
};

static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "energy",
	.hooks = &hooks,
};

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	const char *registers = host->option(host, "registers");

	base = registers != NULL ? (uint32_t)atoi(registers) : 0;
	return &plugin;
}
