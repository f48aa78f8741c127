/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image of a watched address, and what changes in it.
 */

#include "control/cli/watched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/declared.h"
#include "control/cli/print.h"
#include "control/jtext.h"
#include "shm/table.h"

/* ---- what it is ---- */

/* The only device's name. */
static int
name_device(struct watched *w, struct cli *cli)
{
	json_t *list;
	int code =
	    client_call(cli, "devices.list", NULL, CLIENT_CALL_MS, &list);
	const char *name;

	if (code != CLI_OK)
		return code;
	name =
	    json_string_value(json_object_get(json_array_get(list, 0), "name"));
	if (json_array_size(list) == 1 && name != NULL)
		snprintf(w->address.device, sizeof(w->address.device), "%.63s",
		    name);
	else
		code = cli_fail(CLI_USAGE,
		    "there are %zu devices; say which: DEVICE/%s:%u",
		    json_array_size(list), table_short(w->address.table),
		    w->address.addr);
	json_decref(list);
	return code;
}

/* The range that the address lies in; NULL if there is none. */
static json_t *
find_range(const json_t *ranges, uint32_t addr)
{
	json_t *range;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)ranges, i, range) {
		json_int_t from =
		    json_integer_value(json_object_get(range, "addr"));
		json_int_t count =
		    json_integer_value(json_object_get(range, "count"));

		if (addr >= from && addr < from + count)
			return range;
	}
	return NULL;
}

/* What the range declares counts where nothing else is said. */
static int
look_up_range(struct watched *w, struct cli *cli)
{
	json_t *ranges, *range;
	int code = client_call(cli, "registers.describe",
	    json_pack("{s:s, s:s}", "device", w->address.device, "table",
		table_name(w->address.table)),
	    CLIENT_CALL_MS, &ranges);
	int type = TYPED_UINT16, order = TYPED_ABCD;

	if (code != CLI_OK)
		return code;
	range = find_range(ranges, w->address.addr);
	if (range != NULL) {
		type = typed_type_find(
		    json_string_value(json_object_get(range, "type")));
		order = typed_order_find(
		    json_string_value(json_object_get(range, "order")));
	}
	json_decref(ranges);
	if (strcmp(w->address.type, "declared") == 0)
		w->type = type != -1 ? (enum typed_type)type : TYPED_UINT16;
	if (w->address.order[0] == '\0' && order != -1 && type == (int)w->type)
		w->order = (enum typed_order)order;
	return CLI_OK;
}

int
watched_resolve(struct watched *w, struct cli *cli)
{
	struct address *a = &w->address;
	struct declared declared = { 0 };
	bool bits = a->table == STORE_CO || a->table == STORE_DI;
	int code = CLI_OK;

	if (a->device[0] == '\0')
		code = name_device(w, cli);
	if (code == CLI_OK && !bits)
		code = declared_resolve(&declared, cli, a, NULL);
	declared_fini(&declared);
	if (code != CLI_OK)
		return code;
	w->type = bits ? TYPED_BITS : TYPED_UINT16;
	if (a->type[0] != '\0' && strcmp(a->type, "declared") != 0)
		w->type = (enum typed_type)typed_type_find(a->type);
	if (a->order[0] != '\0')
		w->order = (enum typed_order)typed_order_find(a->order);
	if (bits && w->type != TYPED_BITS)
		return cli_fail(
		    CLI_USAGE, "a table of bits has no %s", a->type);
	if (a->type[0] != '\0' && !bits)
		code = look_up_range(w, cli);
	if (code != CLI_OK)
		return code;
	/* bits of registers are shown register by register */
	w->step = w->type == TYPED_BITS ? 1 : typed_regs(w->type);
	w->units = a->count * w->step;
	if (w->type == TYPED_BITS && !bits)
		w->units = (a->count + 15) / 16;
	if (w->type == TYPED_STRING)
		w->step = w->units;
	w->image = calloc(w->units, sizeof(w->image[0]));
	return w->image != NULL ? CLI_OK
				: cli_fail(CLI_INTERNAL, "out of memory");
}

static int
read_image(struct watched *w, struct cli *cli, uint16_t *image)
{
	json_t *result, *value;
	size_t i;
	int code = client_call(cli, "registers.read",
	    json_pack("{s:s, s:s, s:i, s:i}", "device", w->address.device,
		"table", table_name(w->address.table), "addr",
		(int)w->address.addr, "count", (int)w->units),
	    CLIENT_CALL_MS, &result);

	if (code != CLI_OK)
		return code;
	json_array_foreach (json_object_get(result, "values"), i, value)
		if (i < w->units)
			image[i] = (uint16_t)json_integer_value(value);
	w->seq = (uint64_t)json_integer_value(json_object_get(result, "seq"));
	json_decref(result);
	return CLI_OK;
}

int
watched_read(struct watched *w, struct cli *cli)
{
	return read_image(w, cli, w->image);
}

void
watched_fini(struct watched *w)
{
	free(w->image);
	w->image = NULL;
}

/* ---- changes ---- */

bool
watched_covers(const struct watched *w, const char *device,
    enum store_table table, const json_t *event)
{
	json_int_t addr = json_integer_value(json_object_get(event, "addr"));
	json_int_t count = json_integer_value(json_object_get(event, "count"));

	if (addr < 0 || addr > INT32_MAX || count < 0 || count > INT32_MAX)
		return false;
	return w->address.table == table &&
	    strcmp(w->address.device, device) == 0 &&
	    addr < (json_int_t)w->address.addr + w->units &&
	    addr + count > (json_int_t)w->address.addr;
}

/* One value of an image as text. */
static void
format(const struct watched *w, const uint16_t *image, char *text, size_t size)
{
	struct typed_value value;
	uint8_t wire[8];
	size_t len = 0;

	if (w->type == TYPED_BITS) {
		snprintf(text, size,
		    w->address.table == STORE_CO || w->address.table == STORE_DI
			? "%u"
			: "0x%04x",
		    image[0]);
	} else if (w->type == TYPED_STRING) {
		for (unsigned i = 0; i < w->step && len + 3 < size; i++) {
			text[len++] = (char)(image[i] >> 8);
			text[len++] = (char)image[i];
		}
		text[len] = '\0'; /* and the padding ends it before */
	} else {
		for (unsigned i = 0; i < w->step; i++) {
			wire[2 * i] = (uint8_t)(image[i] >> 8);
			wire[2 * i + 1] = (uint8_t)image[i];
		}
		typed_get(w->type, w->order, wire, &value);
		typed_text(&value, text, size);
		if (w->scale != 0)
			registers_scale(strtod(text, NULL) * w->scale, text);
	}
}

/* Makes the image what it has become, telling each value that differs. */
static void
move_on(struct watched *w, const uint16_t *now, const json_t *event,
    watched_fn *fn, void *arg)
{
	char name[SHM_NAME_MAX + 32], from[256], to[256];

	for (uint32_t i = 0; i + w->step <= w->units; i += w->step) {
		if (memcmp(w->image + i, now + i, w->step * sizeof(now[0])) ==
		    0)
			continue;
		registers_name(
		    &w->address, w->address.addr + i, name, sizeof(name));
		format(w, w->image + i, from, sizeof(from));
		format(w, now + i, to, sizeof(to));
		if (fn != NULL)
			fn(arg, event, name, from, to);
	}
	memcpy(w->image, now, w->units * sizeof(now[0]));
}

void
watched_apply(struct watched *w, const json_t *event, watched_fn *fn, void *arg)
{
	uint64_t seq =
	    (uint64_t)json_integer_value(json_object_get(event, "seq"));
	json_int_t addr = json_integer_value(json_object_get(event, "addr"));
	uint16_t *now;
	json_t *value;
	size_t i;

	if (seq <= w->seq) /* the image had it already */
		return;
	now = malloc(w->units * sizeof(now[0]));
	if (now == NULL)
		return;
	memcpy(now, w->image, w->units * sizeof(now[0]));
	json_array_foreach (json_object_get(event, "new"), i, value) {
		json_int_t at = addr + (json_int_t)i - w->address.addr;

		if (at >= 0 && at < w->units)
			now[at] = (uint16_t)json_integer_value(value);
	}
	move_on(w, now, event, fn, arg);
	free(now);
}

void
watched_catch_up(struct watched *w, struct cli *cli, const json_t *event,
    watched_fn *fn, void *arg)
{
	uint16_t *now = calloc(w->units, sizeof(now[0]));

	if (now != NULL && read_image(w, cli, now) == CLI_OK)
		move_on(w, now, event, fn, arg);
	free(now);
}
