/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of a device of a setup file, which fill in the cells of one
 * array, in the order in which pymodbus takes them. Runs in the program's own
 * process, under mem_try(); no I/O.
 */
#include <string.h>

#include "supervisor/mem.h"
#include "supervisor/near.h"
#include "supervisor/conf/setup_own.h"

enum { KINDS = 5 };

static const struct jsonc_node *
section(struct setup_ctx *c, const struct jsonc_node *device, const char *name)
{
	const struct jsonc_node *n = setup_need(c, device, name, JSONC_ARRAY);

	return n != NULL ? n->in.first : NULL;
}

static void
take_sizes(struct setup_ctx *c, const struct jsonc_node *setup)
{
	static const struct {
		const char *name;
		enum hf_table table;
	} order[SETUP_BLOCKS] = { { "co size", HF_CO }, { "di size", HF_DI },
		{ "ir size", HF_IR }, { "hr size", HF_HR } };
	uint32_t most = 0, sum = 0;

	for (unsigned i = 0; i < SETUP_BLOCKS; i++) {
		const struct jsonc_node *n =
		    setup_need(c, setup, order[i].name, JSONC_INTEGER);
		uint64_t size = 0;

		if (n != NULL)
			setup_number(c, n, SETUP_CELLS, &size);
		c->to->sizes[order[i].table] = (uint32_t)size;
		c->blocks[i] =
		    (struct setup_block){ order[i].table, sum, (uint32_t)size };
		sum += (uint32_t)size;
		if (size > most)
			most = (uint32_t)size;
	}
	c->ncells = c->to->shared ? most : sum;
	c->cells = mem_zero(c->ncells + 1, sizeof(*c->cells));
}

static void
take_setup(struct setup_ctx *c, const struct jsonc_node *setup,
    struct setup_kind kinds[KINDS])
{
	const struct jsonc_node *n, *value, *action;

	n = setup_need(c, setup, "shared blocks", JSONC_BOOL);
	c->to->shared = n != NULL && n->yes;
	n = setup_need(c, setup, "type exception", JSONC_BOOL);
	c->to->type_exception = n != NULL && n->yes;
	take_sizes(c, setup);
	n = setup_need(c, setup, "defaults", JSONC_OBJECT);
	if (n == NULL)
		return;
	value = setup_need(c, n, "value", JSONC_OBJECT);
	action = setup_need(c, n, "action", JSONC_OBJECT);
	for (unsigned i = 0; value != NULL && action != NULL && i < KINDS;
	     i++) {
		kinds[i].value = jsonc_get(value, kinds[i].name);
		if (kinds[i].value == NULL)
			setup_fault(
			    c, value, "\"%s\" is missing", kinds[i].name);
		n = jsonc_get(action, kinds[i].name);
		if (n == NULL)
			setup_fault(
			    c, action, "\"%s\" is missing", kinds[i].name);
		else
			setup_action(c, n, &kinds[i].action);
	}
}

static void
take_write(struct setup_ctx *c, const struct jsonc_node *n)
{
	uint32_t first, last;

	if (!setup_addresses(c, n, &first, &last))
		return;
	for (uint32_t i = first; i <= last; i++) {
		if (c->cells[i].type == SETUP_INVALID) {
			setup_fault(c, n,
			    "register %u is to be writable, but not defined",
			    i);
			return;
		}
		c->cells[i].writable = true;
	}
}

/* Cells one after the other, also such as this has just copied. */
static void
take_repeat(struct setup_ctx *c, const struct jsonc_node *n)
{
	const struct jsonc_node *addr, *to;
	uint32_t a, b, first, last;

	if (n->type != JSONC_OBJECT) {
		setup_fault(c, n,
		    "must be { \"addr\": [first, last], \"to\": "
		    "[first, last] }");
		return;
	}
	addr = setup_need(c, n, "addr", JSONC_ARRAY);
	to = setup_need(c, n, "to", JSONC_ARRAY);
	if (addr == NULL || to == NULL || !setup_addresses(c, addr, &a, &b) ||
	    !setup_addresses(c, to, &first, &last))
		return;
	for (uint32_t i = first; i <= last; i++)
		c->cells[i] = c->cells[a + (i - first) % (b - a + 1)];
}

static void
unknown_sections(struct setup_ctx *c, const struct jsonc_node *device)
{
	static const char *const names[] = { "setup", "invalid", "write",
		"bits", "uint16", "uint32", "float32", "string", "repeat" };
	const struct jsonc_node *n;
	size_t i, count = sizeof(names) / sizeof(names[0]);

	for (n = device->in.first; n != NULL; n = n->next) {
		const char *near = near_name(n->key, names, count);

		for (i = 0; i < count && strcmp(names[i], n->key) != 0;)
			i++;
		if (i == count)
			setup_fault_key(c, n,
			    "a device has no section \"%.60s\"%s%s%s", n->key,
			    near != NULL ? "; did you mean \"" : "",
			    near != NULL ? near : "",
			    near != NULL ? "\"?" : "");
	}
}

void
setup_device(struct setup_ctx *c, const struct jsonc_node *device)
{
	struct setup_kind kinds[KINDS] = {
		{ .name = "bits", .type = SETUP_BITS, .cells = 1 },
		{ .name = "uint16", .type = SETUP_UINT16, .cells = 1 },
		{ .name = "uint32", .type = SETUP_UINT32, .cells = 2 },
		{ .name = "float32", .type = SETUP_FLOAT32, .cells = 2 },
		{ .name = "string", .type = SETUP_STRING },
	};
	const struct jsonc_node *n;
	unsigned faults = c->faults;
	uint32_t first, last;

	n = setup_need(c, device, "setup", JSONC_OBJECT);
	if (n != NULL)
		take_setup(c, n, kinds);
	if (c->faults > faults)
		return; /* what follows would only be consequences */
	unknown_sections(c, device);
	n = section(c, device, "invalid");
	for (; n != NULL; n = n->next)
		setup_addresses(c, n, &first, &last);
	for (unsigned i = 0; i < KINDS; i++) {
		n = section(c, device, kinds[i].name);
		for (; n != NULL; n = n->next)
			setup_entry(c, &kinds[i], n);
	}
	n = section(c, device, "write");
	for (; n != NULL; n = n->next)
		take_write(c, n);
	n = section(c, device, "repeat");
	for (; n != NULL; n = n->next)
		take_repeat(c, n);
}
