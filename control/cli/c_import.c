/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast import: the values of a map go into the registers of a device. What
 * does not fit is told before anything is written; what does is written in as
 * few steps as there can be.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/map.h"
#include "control/cli/print.h"
#include "shm/table.h"
#include "supervisor/conf.h"

/* What lies side by side in one table. */
struct piece {
	int table;
	uint32_t addr, count;
	uint16_t *units; /* registers or bits */
};

struct import {
	struct cli *cli;
	char device[SHM_NAME_MAX];
	json_t *extents; /* rows of registers.describe */
	struct piece *pieces;
	size_t npieces;
	size_t values,
	    misfits; /* units that are written; ranges that are not */
	unsigned steps;
	bool dry; /* --dry-run */
};

/* ---- what fits ---- */

/* How many units from addr on the device has; 0: not even the first. */
static uint32_t
units_from(const struct import *im, int table, uint32_t addr, uint32_t count)
{
	uint32_t have = 0;
	bool more = true;
	json_t *row;
	size_t i;

	while (more && have < count) {
		more = false;
		json_array_foreach (im->extents, i, row) {
			json_int_t from =
			    json_integer_value(json_object_get(row, "addr"));
			json_int_t n =
			    json_integer_value(json_object_get(row, "count"));

			if (map_table(row) != table || addr + have < from ||
			    addr + have >= from + n)
				continue;
			have += (uint32_t)(from + n) - (addr + have);
			more = true;
		}
	}
	return have < count ? have : count;
}

static void
tell_misfit(struct import *im, const struct conf_range *r, uint32_t have)
{
	const char *end = have > 0 ? " from there on" : "";

	fprintf(stderr,
	    "holdfast: %s%s%s:%u+%u%s%s%s does not fit: %s has no "
	    "address %u%s\n",
	    im->device, "/", table_short(r->table), r->addr, r->count,
	    r->name != NULL ? " (" : "", r->name != NULL ? r->name : "",
	    r->name != NULL ? ")" : "", im->device, r->addr + have, end);
	im->misfits++;
}

/* ---- what is written ---- */

static uint16_t
unit_of(const struct conf_range *r, uint32_t i)
{
	if (r->table == STORE_CO || r->table == STORE_DI)
		return r->init[i / 8] >> i % 8 & 1;
	return (uint16_t)(r->init[2 * i] << 8 | r->init[2 * i + 1]);
}

static int
add_piece(struct import *im, const struct conf_range *r)
{
	struct piece *grown =
	    realloc(im->pieces, (im->npieces + 1) * sizeof(im->pieces[0]));
	struct piece *p;

	if (grown == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	im->pieces = grown;
	p = &grown[im->npieces];
	*p = (struct piece){ (int)r->table, r->addr, r->count,
		malloc(r->count * sizeof(p->units[0])) };
	if (p->units == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	for (uint32_t i = 0; i < r->count; i++)
		p->units[i] = unit_of(r, i);
	im->npieces++;
	im->values += r->count;
	return CLI_OK;
}

static int
add_ranges(struct import *im, const struct conf *map)
{
	const struct conf_device *d = &map->devices[0];
	uint32_t have;
	int code = CLI_OK;

	for (size_t i = 0; i < d->nranges && code == CLI_OK; i++) {
		const struct conf_range *r = &d->ranges[i];

		if (r->init == NULL) /* a line without a value */
			continue;
		have = units_from(im, (int)r->table, r->addr, r->count);
		if (have < r->count)
			tell_misfit(im, r, have);
		else
			code = add_piece(im, r);
	}
	return code;
}

static int
by_addr(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Pieces that touch become one: a step takes only so many. */
static int
join(struct import *im)
{
	size_t kept = 0;
	uint16_t *units;

	qsort(im->pieces, im->npieces, sizeof(im->pieces[0]), by_addr);
	for (size_t i = 1; i < im->npieces; i++) {
		struct piece *last = &im->pieces[kept], *p = &im->pieces[i];

		if (p->table != last->table ||
		    p->addr != last->addr + last->count) {
			/* one owner: this may end before its time */
			if (++kept < i) {
				im->pieces[kept] = *p;
				p->units = NULL;
			}
			continue;
		}
		units = realloc(
		    last->units, (last->count + p->count) * sizeof(units[0]));
		if (units == NULL)
			return cli_fail(CLI_INTERNAL, "out of memory");
		last->units = units;
		memcpy(
		    units + last->count, p->units, p->count * sizeof(units[0]));
		last->count += p->count;
		free(p->units);
		p->units = NULL;
	}
	if (im->npieces > 0)
		im->npieces = kept + 1;
	return CLI_OK;
}

/* ---- steps ---- */

/* How many units of a table go into so many bytes. */
static uint32_t
units_in(int table, size_t bytes)
{
	return (uint32_t)(table == STORE_CO || table == STORE_DI ? bytes * 8
								 : bytes / 2);
}

static json_t *
make_op(const struct piece *p, uint32_t from, uint32_t n)
{
	json_t *values = json_array();

	for (uint32_t i = from; i < from + n; i++)
		json_array_append_new(values, json_integer(p->units[i]));
	return json_pack("{s:s, s:s, s:i, s:o}", "op", "write", "table",
	    table_name((enum store_table)p->table), "addr",
	    (int)(p->addr + from), "values", values);
}

/* Carries out what has been put together; takes ops over. */
static int
send_step(struct import *im, json_t *ops)
{
	json_t *result;
	int code;

	im->steps++;
	if (im->dry || json_array_size(ops) == 0) {
		json_decref(ops);
		return CLI_OK;
	}
	code = client_call(im->cli, "registers.transaction",
	    json_pack("{s:s, s:o}", "device", im->device, "ops", ops),
	    CLIENT_CALL_MS, &result);
	if (code == CLI_OK)
		json_decref(result);
	else if (im->steps > 1)
		fprintf(stderr,
		    "holdfast: the %u steps before that one have been "
		    "carried out\n",
		    im->steps - 1);
	return code;
}

static int
send_all(struct import *im)
{
	size_t room = STORE_STEP_BYTES;
	json_t *ops = json_array();
	int code = CLI_OK;

	for (size_t i = 0; i < im->npieces && code == CLI_OK; i++) {
		const struct piece *p = &im->pieces[i];
		uint32_t n, at = 0;

		while (at < p->count && code == CLI_OK) {
			n = units_in(p->table, room);
			if (n > p->count - at)
				n = p->count - at;
			if (n == 0 || json_array_size(ops) == MAP_STEP_OPS) {
				code = send_step(im, ops);
				ops = json_array();
				room = STORE_STEP_BYTES;
				continue;
			}
			json_array_append_new(ops, make_op(p, at, n));
			room -= map_bytes(p->table, n);
			at += n;
		}
	}
	if (code == CLI_OK && json_array_size(ops) > 0)
		return send_step(im, ops);
	json_decref(ops);
	return code;
}

/* ---- the command ---- */

/* The map; NULL after its mistakes have been told, with an exit code. */
static struct conf *
load_map(const char *path, int *code)
{
	struct conf *map;

	if (strcmp(path, "-") == 0)
		path = "/dev/stdin";
	map = conf_load_map(path, stderr);
	if (map == NULL)
		*code = errno == EINVAL ? CLI_CONFIG : CLI_NO_INPUT;
	return map;
}

static void
tell_done(const struct import *im)
{
	json_t *json;

	if (print_is_json(im->cli)) {
		json =
		    json_pack("{s:s, s:i, s:i, s:i, s:b}", "device", im->device,
			"written", (int)im->values, "unfit", (int)im->misfits,
			"steps", (int)im->steps, "dry_run", (int)im->dry);
		print_json(json);
		json_decref(json);
		return;
	}
	/* what would happen is all that a dry run is for, also in a script */
	if (im->dry)
		printf(
		    "would write %zu registers and bits of %s, in %u step%s\n",
		    im->values, im->device, im->steps,
		    im->steps == 1 ? "" : "s");
	else
		print_note(im->cli,
		    "written %zu registers and bits of %s, in %u step%s",
		    im->values, im->device, im->steps,
		    im->steps == 1 ? "" : "s");
	if (im->steps > 1)
		fprintf(stderr,
		    "holdfast: one step takes %d bytes in %d pieces: %s %u, "
		    "each all or nothing\n",
		    STORE_STEP_BYTES, MAP_STEP_OPS,
		    im->dry ? "it would be" : "it was", im->steps);
}

static int
import_map(struct import *im, const struct conf *map)
{
	bool force = cli_option(im->cli, "force", 0) != NULL;
	int code = client_call(im->cli, "registers.describe",
	    json_pack("{s:s}", "device", im->device), CLIENT_CALL_MS,
	    &im->extents);

	if (code == CLI_OK)
		code = add_ranges(im, map);
	if (code == CLI_OK && im->misfits > 0 && !force)
		return cli_fail(CLI_REFUSED,
		    "nothing is written; --force writes what fits");
	if (code == CLI_OK)
		code = join(im);
	if (code == CLI_OK)
		code = send_all(im);
	if (code == CLI_OK)
		tell_done(im);
	return code;
}

int
cli_import(struct cli *cli, int argc, char **argv)
{
	struct import im = { .cli = cli };
	int code = CLI_OK;
	struct conf *map = load_map(argv[0], &code);

	if (map == NULL)
		return code;
	im.dry = cli_option(cli, "dry-run", 0) != NULL;
	code = map_device(cli, argc > 1 ? argv[1] : NULL, im.device);
	if (code == CLI_OK)
		code = import_map(&im, map);
	for (size_t i = 0; i < im.npieces; i++)
		free(im.pieces[i].units);
	free(im.pieces);
	json_decref(im.extents);
	conf_free(map);
	return code;
}
