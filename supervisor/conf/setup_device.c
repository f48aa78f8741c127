/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of a device of a setup file, which fill in the cells of one
 * array, in the order in which pymodbus takes them. Runs in the program's own
 * process, under mem_try(); no I/O.
 */
#include <string.h>

#include "supervisor/mem.h"
#include "supervisor/conf/setup_own.h"

enum { KINDS = 10 };

static const struct jsonc_node *
section(struct setup_ctx *c, const struct jsonc_node *device, const char *name)
{
	const struct jsonc_node *n = setup_need(c, device, name, JSONC_ARRAY);

	if (n == NULL)
		c->holes = true;
	return n != NULL ? n->in.first : NULL;
}

/* So many registers, of which nothing is known yet. If nobody knows how many
 * there are, addresses are not told to be behind the last. */
static void
make_cells(struct setup_ctx *c, uint32_t n, bool known)
{
	c->ncells = known ? n : SETUP_BLOCKS * SETUP_CELLS;
	c->cells = mem_zero(c->ncells + 1, sizeof(*c->cells));
}

/* Blocks that are not shared lie one behind the other in the order that
 * pymodbus's documents give; what it does is co, di, ir, hr. */
static void
take_sizes(struct setup_ctx *c, const struct jsonc_node *setup)
{
	static const struct {
		const char *name;
		enum hf_table table;
	} order[SETUP_BLOCKS] = { { "co size", HF_CO }, { "di size", HF_DI },
		{ "hr size", HF_HR }, { "ir size", HF_IR } };
	uint32_t most = 0, sum = 0;
	bool known = true;

	for (unsigned i = 0; i < SETUP_BLOCKS; i++) {
		const struct jsonc_node *n =
		    setup_need(c, setup, order[i].name, JSONC_INTEGER);
		uint64_t size = 0;

		if (n == NULL || !setup_number(c, n, SETUP_CELLS, &size))
			known = false;
		c->to->sizes[order[i].table] = (uint32_t)size;
		c->blocks[i] =
		    (struct setup_block){ order[i].table, sum, (uint32_t)size };
		sum += (uint32_t)size;
		if (size > most)
			most = (uint32_t)size;
	}
	make_cells(c, c->to->shared ? most : sum, known);
}

/* "value" and "action": what entries of each section do not say. */
static void
take_defaults(struct setup_ctx *c, const struct jsonc_node *defaults,
    struct setup_kind kinds[KINDS])
{
	static const char *const keys[] = { "value", "action" };
	const struct jsonc_node *in[2], *n;
	const char *names[KINDS];

	setup_known(c, defaults, "\"defaults\"", keys, 2);
	for (unsigned i = 0; i < KINDS; i++)
		names[i] = kinds[i].name;
	for (unsigned k = 0; k < 2; k++) {
		in[k] = setup_need(c, defaults, keys[k], JSONC_OBJECT);
		if (in[k] == NULL)
			continue;
		setup_known(c, in[k],
		    k == 0 ? "\"value\" of \"defaults\""
			   : "\"action\" of \"defaults\"",
		    names, KINDS);
		for (unsigned i = 0; i < KINDS; i++) {
			n = jsonc_get(in[k], kinds[i].name);
			if (n == NULL && !kinds[i].newer)
				setup_fault(c, in[k], "\"%s\" is missing",
				    kinds[i].name);
			else if (n != NULL && k == 1)
				setup_action(c, n, &kinds[i].action);
			else
				kinds[i].value = k == 0 ? n : kinds[i].value;
		}
	}
}

static void
take_setup(struct setup_ctx *c, const struct jsonc_node *setup,
    struct setup_kind kinds[KINDS])
{
	static const char *const keys[] = { "co size", "di size", "ir size",
		"hr size", "shared blocks", "type exception", "defaults" };
	const struct jsonc_node *n;

	setup_known(
	    c, setup, "\"setup\"", keys, sizeof(keys) / sizeof(keys[0]));
	n = setup_need(c, setup, "shared blocks", JSONC_BOOL);
	c->to->shared = n != NULL && n->yes;
	n = setup_need(c, setup, "type exception", JSONC_BOOL);
	c->to->type_exception = n != NULL && n->yes;
	take_sizes(c, setup);
	n = setup_need(c, setup, "defaults", JSONC_OBJECT);
	if (n != NULL)
		take_defaults(c, n, kinds);
}

/* Registers that are answered 02 whatever the other sections make of them, as
 * the documents have it. */
static void
take_invalid(struct setup_ctx *c, const struct jsonc_node *n)
{
	uint32_t first, last;

	if (!setup_addresses(c, n, &first, &last))
		return;
	for (uint32_t i = first; i <= last; i++)
		if (c->cells[i].barred == NULL)
			c->cells[i].barred = n;
}

/* What is defined and invalid is told, once for each entry that makes it so:
 * pymodbus itself would serve it. */
static void
bar(struct setup_ctx *c)
{
	const struct jsonc_node *told = NULL;

	for (uint32_t i = 0; i < c->ncells; i++) {
		const struct jsonc_node *n = c->cells[i].barred;

		if (n == NULL || c->cells[i].type == SETUP_INVALID)
			continue;
		if (n != told)
			setup_note(c, n,
			    "register %u is \"invalid\", so that it is answered "
			    "02, though it is defined",
			    i);
		told = n;
		c->cells[i].type = SETUP_INVALID;
	}
}

static void
take_write(struct setup_ctx *c, const struct jsonc_node *n)
{
	uint32_t first, last;

	if (!setup_addresses(c, n, &first, &last))
		return;
	for (uint32_t i = first; i <= last; i++) {
		if (c->cells[i].type == SETUP_INVALID && !c->holes) {
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
	static const char *const keys[] = { "addr", "to" };
	const struct jsonc_node *addr, *to;
	uint32_t a, b, first, last;

	if (n->type != JSONC_OBJECT) {
		setup_fault(c, n,
		    "must be { \"addr\": [first, last], \"to\": "
		    "[first, last] }");
		return;
	}
	setup_known(c, n, "an entry of \"repeat\"", keys, 2);
	addr = setup_need(c, n, "addr", JSONC_ARRAY);
	to = setup_need(c, n, "to", JSONC_ARRAY);
	if (addr == NULL || to == NULL || !setup_addresses(c, addr, &a, &b) ||
	    !setup_addresses(c, to, &first, &last))
		return;
	for (uint32_t i = first; i <= last; i++) {
		const struct jsonc_node *barred = c->cells[i].barred;

		c->cells[i] = c->cells[a + (i - first) % (b - a + 1)];
		if (barred != NULL)
			c->cells[i].barred = barred;
	}
}

/* Sections that entries with values stand in, and the others. */
static void
check_sections(struct setup_ctx *c, const struct jsonc_node *device,
    const struct setup_kind kinds[KINDS])
{
	const char *names[KINDS + 4] = { "setup", "invalid", "write",
		"repeat" };

	for (unsigned i = 0; i < KINDS; i++)
		names[4 + i] = kinds[i].name;
	setup_known(c, device, "a device", names, KINDS + 4);
}

static void
take_values(struct setup_ctx *c, const struct jsonc_node *device,
    struct setup_kind *kind)
{
	const struct jsonc_node *n;

	if (kind->newer && jsonc_get(device, kind->name) == NULL)
		return;
	for (n = section(c, device, kind->name); n != NULL; n = n->next)
		setup_entry(c, kind, n);
}

void
setup_device(struct setup_ctx *c, const struct jsonc_node *device)
{
	struct setup_kind kinds[KINDS] = {
		{ .name = "bits", .type = SETUP_BITS, .cells = 1 },
		{ .name = "int16",
		    .type = SETUP_INT16,
		    .cells = 1,
		    .newer = true },
		{ .name = "uint16", .type = SETUP_UINT16, .cells = 1 },
		{ .name = "int32",
		    .type = SETUP_INT32,
		    .cells = 2,
		    .newer = true },
		{ .name = "uint32", .type = SETUP_UINT32, .cells = 2 },
		{ .name = "int64",
		    .type = SETUP_INT64,
		    .cells = 4,
		    .newer = true },
		{ .name = "uint64",
		    .type = SETUP_UINT64,
		    .cells = 4,
		    .newer = true },
		{ .name = "float32", .type = SETUP_FLOAT32, .cells = 2 },
		{ .name = "float64",
		    .type = SETUP_FLOAT64,
		    .cells = 4,
		    .newer = true },
		{ .name = "string", .type = SETUP_STRING },
	};
	const struct jsonc_node *n;

	n = setup_need(c, device, "setup", JSONC_OBJECT);
	if (n != NULL)
		take_setup(c, n, kinds);
	else
		make_cells(c, 0, false);
	check_sections(c, device, kinds);
	n = section(c, device, "invalid");
	for (; n != NULL; n = n->next)
		take_invalid(c, n);
	for (unsigned i = 0; i < KINDS; i++)
		take_values(c, device, &kinds[i]);
	n = section(c, device, "write");
	for (; n != NULL; n = n->next)
		take_write(c, n);
	n = section(c, device, "repeat");
	for (; n != NULL; n = n->next)
		take_repeat(c, n);
	bar(c);
}
