/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.list and registers.describe: what there is, as the configuration in
 * force has it. Runs in the control process.
 */

#include <stdio.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/state.h"
#include "control/values.h"
#include "shm/table.h"

enum { UNITS_TEXT = 1200 }; /* 256 numbers of three digits and commas */

/* The units of a transport that show a device: "1,3-17". */
static void
format_units(
    const struct conf_transport *t, int device, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (int first = 0; first < CONF_UNITS; first++) {
		int last = first;

		if (t->units[first] != device)
			continue;
		while (last + 1 < CONF_UNITS && t->units[last + 1] == device)
			last++;
		used += (size_t)snprintf(text + used, size - used, "%s%d",
		    used > 0 ? "," : "", first);
		if (last > first)
			used += (size_t)snprintf(
			    text + used, size - used, "-%d", last);
		first = last;
	}
}

static json_t *
device_units(const struct conf *conf, int device)
{
	json_t *units = json_object();
	char text[UNITS_TEXT];

	for (size_t i = 0; i < conf->ntransports; i++) {
		format_units(&conf->transports[i], device, text, sizeof(text));
		if (text[0] != '\0')
			json_object_set_new(
			    units, conf->transports[i].name, json_string(text));
	}
	return units;
}

/* How many addresses each table has, or queues. */
static json_t *
device_tables(const struct store *store)
{
	json_t *tables = json_object();

	for (unsigned t = 0; t < SHM_TABLES; t++) {
		const struct shm_extent *e =
		    store->extents + store->extents_at[t];
		uint64_t count = 0;

		for (uint32_t i = 0; i < store->nextents[t]; i++)
			count += e[i].count;
		if (t == STORE_FIFO)
			count /= VALUES_FIFO_UNITS;
		if (count > 0)
			json_object_set_new(tables,
			    table_name((enum store_table)t), jtext_uint(count));
	}
	return tables;
}

/* Registers of each table, as a setup file has them: more than its ranges may
 * tell. NULL of a device that is none of a setup file. */
static json_t *
device_blocks(const struct conf_device *dev)
{
	json_t *blocks = NULL;

	for (unsigned t = 0; t < sizeof(dev->sizes) / sizeof(dev->sizes[0]);
	     t++) {
		if (dev->sizes[t] == 0)
			continue;
		if (blocks == NULL)
			blocks = json_object();
		json_object_set_new(blocks, table_name((enum store_table)t),
		    json_integer(dev->sizes[t]));
	}
	return blocks;
}

void
cmd_devices_list(struct cmd_call *call)
{
	const struct conf *conf = call->control->proc->conf;

	call->result = json_array();
	for (size_t i = 0; i < conf->ndevices; i++)
		json_array_append_new(call->result,
		    json_pack("{s:s, s:o, s:o, s:b, s:b, s:b, s:o*}", "name",
			conf->devices[i].name, "units",
			device_units(conf, (int)i), "tables",
			device_tables(&call->control->proc->stores[i]),
			"shared_blocks", conf->devices[i].shared_blocks,
			"type_exception", conf->devices[i].type_exception,
			"counters", conf->devices[i].counters, "blocks",
			device_blocks(&conf->devices[i])));
}

static json_t *
text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

/* The range's action and its parameters, as they are written. */
static json_t *
describe_action(const struct conf_range *r)
{
	const struct conf_options *o = &r->parameters;
	json_t *action, *value;

	if (r->action == NULL)
		return json_null();
	action = json_pack("{s:s}", "name", r->action);
	for (size_t i = 0; i < o->n; i++) {
		value = o->at[i].bare
		    ? json_loads(o->at[i].value, JSON_DECODE_ANY, NULL)
		    : NULL;
		if (value == NULL)
			value = json_string(o->at[i].value);
		json_object_set_new(action, o->at[i].name, value);
	}
	return action;
}

static json_t *
describe_range(const struct conf_range *r)
{
	/* of a queue's room one register is its count */
	int count =
	    r->table == STORE_FIFO ? VALUES_FIFO_UNITS - 1 : (int)r->count;

	return json_pack(
	    "{s:s, s:o*, s:i, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "table",
	    table_name(r->table), "file", values_file(r->table, r->addr),
	    "addr", (int)values_addr(r->table, r->addr), "count", count,
	    "access", r->read_only ? "ro" : "rw", "type",
	    typed_type_name(r->type), "order", typed_order_name(r->order),
	    "name", text_or_null(r->name), "unit", text_or_null(r->unit),
	    "scale", jtext_float64(r->scale), "action", describe_action(r));
}

void
cmd_registers_describe(struct cmd_call *call)
{
	const char *name = cmd_string(call, "table");
	int table = name != NULL ? table_find(name) : -1;
	const struct conf_device *dev;
	unsigned device = 0;

	if (control_device(call, cmd_string(call, "device"), &device) == NULL)
		return;
	if (name != NULL && table == -1) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "unknown table \"%.40s\"", name);
		return;
	}
	dev = &call->control->proc->conf->devices[device];
	call->result = json_array();
	for (size_t i = 0; i < dev->nranges; i++) {
		if (table == -1 || (int)dev->ranges[i].table == table)
			json_array_append_new(
			    call->result, describe_range(&dev->ranges[i]));
	}
}
