/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that mean what the configuration declares there.
 */

#include "control/cli/declared.h"

#include <stdio.h>
#include <string.h>

#include "control/cli/client.h"
#include "shm/table.h"

/* Asks for the ranges of the address's table, unless they are known. */
static int
fetch(struct declared *d, struct cli *cli, const struct address *a)
{
	json_t *params;

	if (d->ranges != NULL && d->table == a->table &&
	    strcmp(d->device, a->device) == 0)
		return CLI_OK;
	declared_fini(d);
	snprintf(d->device, sizeof(d->device), "%s", a->device);
	d->table = a->table;
	params = json_pack("{s:s}", "table", table_name(a->table));
	if (a->device[0] != '\0')
		json_object_set_new(params, "device", json_string(a->device));
	return client_call(
	    cli, "registers.describe", params, CLIENT_CALL_MS, &d->ranges);
}

static const json_t *
range_at(const json_t *ranges, uint32_t addr)
{
	json_t *range;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)ranges, i, range)
		if (json_integer_value(json_object_get(range, "addr")) ==
		    (json_int_t)addr)
			return range;
	return NULL;
}

void
declared_describe(const json_t *range, struct declared_label *label)
{
	const char *name = json_string_value(json_object_get(range, "name"));
	const char *unit = json_string_value(json_object_get(range, "unit"));
	const json_t *action = json_object_get(range, "action");
	const char *does;

	if (json_is_object(action)) /* with parameters */
		action = json_object_get(action, "name");
	does = json_string_value(action);
	label->scale = json_number_value(json_object_get(range, "scale"));
	if (label->scale == 1)
		label->scale = 0;
	snprintf(label->name, sizeof(label->name), "%.63s",
	    name != NULL ? name : "");
	snprintf(label->action, sizeof(label->action), "%.63s",
	    does != NULL ? does : "");
	snprintf(label->unit, sizeof(label->unit), "%.40s",
	    unit != NULL ? unit : "");
	/* the number is shown as it is stored */
	if (label->scale != 0 && !label->is_scaled)
		snprintf(label->unit, sizeof(label->unit), "%.12g%s%.40s",
		    label->scale, unit != NULL ? " " : "",
		    unit != NULL ? unit : "");
}

int
declared_scale(struct declared *d, struct cli *cli, const struct address *a,
    struct declared_label *label)
{
	json_int_t from, count;
	json_t *range;
	size_t i;
	int code = fetch(d, cli, a);

	if (code != CLI_OK)
		return code;
	json_array_foreach (d->ranges, i, range) {
		from = json_integer_value(json_object_get(range, "addr"));
		count = json_integer_value(json_object_get(range, "count"));
		if (a->addr >= from && a->addr < from + count)
			declared_describe(range, label);
	}
	return CLI_OK;
}

int
declared_resolve(struct declared *d, struct cli *cli, struct address *a,
    struct declared_label *label)
{
	const json_t *range;
	const char *name;
	int code, type;

	if (a->has_count || a->type[0] != '\0')
		return CLI_OK;
	code = fetch(d, cli, a);
	if (code != CLI_OK)
		return code;
	range = range_at(d->ranges, a->addr);
	if (range == NULL)
		return CLI_OK;
	if (label != NULL)
		declared_describe(range, label);
	name = json_string_value(json_object_get(range, "type"));
	type = name != NULL ? typed_type_find(name) : -1;
	/* one bit of a register is what nobody means by its address */
	if (a->table == STORE_CO || a->table == STORE_DI || type == -1 ||
	    type == TYPED_UINT16 || type == TYPED_BITS)
		return CLI_OK;
	snprintf(a->type, sizeof(a->type), "%s",
	    typed_type_name((enum typed_type)type));
	if (type == TYPED_STRING)
		a->count = (uint32_t)json_integer_value(
		    json_object_get(range, "count"));
	return CLI_OK;
}

void
declared_fini(struct declared *d)
{
	json_decref(d->ranges);
	d->ranges = NULL;
}
