/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast export: the ranges of a device with what is in them now, as a map
 * that the configuration and holdfast import take.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/map.h"
#include "control/cli/print.h"
#include "control/jtext.h"
#include "shm/table.h"

struct export
{
	struct cli *cli;
	char device[SHM_NAME_MAX];
	json_t *ranges; /* those of tables, with "values" */
	size_t left_out; /* files and queues */
	unsigned steps; /* that reading took */
};

/* ---- reading ---- */

/* Bytes that a range takes in a step. */
static size_t
range_bytes(const json_t *range)
{
	return map_bytes(map_table(range),
	    (uint32_t)json_integer_value(json_object_get(range, "count")));
}

/* Reads some ranges as one step, so that they belong together. */
static int
read_some(struct export *e, size_t first, size_t n)
{
	json_t *ops = json_array(), *result, *range;
	int code;

	for (size_t i = first; i < first + n; i++) {
		range = json_array_get(e->ranges, i);
		json_array_append_new(ops,
		    json_pack("{s:s, s:O, s:O, s:i, s:s, s:s}", "op", "read",
			"table", json_object_get(range, "table"), "addr",
			json_object_get(range, "addr"), "count",
			(int)map_values(range), "type", map_type(range),
			"order",
			json_string_value(json_object_get(range, "order"))));
	}
	code = client_call(e->cli, "registers.transaction",
	    json_pack("{s:s, s:o}", "device", e->device, "ops", ops),
	    CLIENT_CALL_MS, &result);
	if (code != CLI_OK)
		return code;
	for (size_t i = 0; i < n; i++)
		json_object_set(json_array_get(e->ranges, first + i), "values",
		    json_array_get(json_object_get(result, "values"), i));
	e->steps++;
	json_decref(result);
	return CLI_OK;
}

/* One that is more than a step may read is a picture of its own. */
static int
read_long(struct export *e, json_t *range)
{
	json_t *result;
	int code = client_call(e->cli, "registers.read",
	    json_pack("{s:s, s:O, s:O, s:i, s:s, s:O}", "device", e->device,
		"table", json_object_get(range, "table"), "addr",
		json_object_get(range, "addr"), "count", (int)map_values(range),
		"type", map_type(range), "order",
		json_object_get(range, "order")),
	    CLIENT_CALL_MS, &result);

	if (code != CLI_OK)
		return code;
	json_object_set(range, "values", json_object_get(result, "values"));
	e->steps++;
	json_decref(result);
	return CLI_OK;
}

static int
read_all(struct export *e)
{
	size_t n = json_array_size(e->ranges), first = 0, some, bytes;
	int code = CLI_OK;

	while (first < n && code == CLI_OK) {
		bytes = some = 0;
		while (first + some < n && some < MAP_STEP_OPS) {
			bytes += range_bytes(
			    json_array_get(e->ranges, first + some));
			if (bytes > STORE_STEP_BYTES)
				break;
			some++;
		}
		if (some > 0)
			code = read_some(e, first, some);
		else
			code = read_long(e, json_array_get(e->ranges, first));
		first += some > 0 ? some : 1;
	}
	return code;
}

static int
fetch_ranges(struct export *e)
{
	json_t *all, *range;
	size_t i;
	int code = client_call(e->cli, "registers.describe",
	    json_pack("{s:s}", "device", e->device), CLIENT_CALL_MS, &all);

	if (code != CLI_OK)
		return code;
	e->ranges = json_array();
	json_array_foreach (all, i, range)
		if (map_table(range) == -1)
			e->left_out++;
		else
			json_array_append(e->ranges, range);
	json_decref(all);
	return CLI_OK;
}

/* ---- writing ---- */

static const char *
text_of(const json_t *range, const char *key)
{
	const char *text = json_string_value(json_object_get(range, key));

	return text != NULL ? text : "";
}

/* The line of some of a range's values: from the i-th on, n of them, of which
 * the first is all there is to say, or each is named. */
static void
write_line(FILE *f, const json_t *range, size_t i, size_t n, bool each)
{
	const char *cells[MAP_COLUMNS] = { NULL };
	char addr[40], scale[40] = "";
	char *value = map_format_values(range, i, each ? n : 1);
	char *action = map_format_action(json_object_get(range, "action"));
	double factor = json_number_value(json_object_get(range, "scale"));
	int table = map_table(range);
	bool bits = table == STORE_CO || table == STORE_DI;
	bool inputs = table == STORE_DI || table == STORE_IR;
	const char *access = text_of(range, "access");

	snprintf(
	    addr, sizeof(addr), n > 1 ? "%u+%zu" : "%u", map_addr(range, i), n);
	if (factor != 0 && factor != 1)
		snprintf(scale, sizeof(scale), "%.15g", factor);
	cells[MAP_TABLE] = table_short((enum store_table)table);
	cells[MAP_ADDR] = addr;
	cells[MAP_TYPE] = bits ? "" : text_of(range, "type");
	cells[MAP_ORDER] = strcmp(text_of(range, "order"), "abcd") == 0 || bits
	    ? ""
	    : text_of(range, "order");
	cells[MAP_VALUE] = value;
	cells[MAP_NAME] = text_of(range, "name");
	cells[MAP_UNIT] = text_of(range, "unit");
	cells[MAP_SCALE] = scale;
	cells[MAP_ACCESS] =
	    strcmp(access, inputs ? "ro" : "rw") == 0 ? "" : access;
	cells[MAP_ACTION] = action;
	map_write_line(f, cells);
	free(value);
	free(action);
}

static void
write_range(FILE *f, const json_t *range)
{
	const json_t *values = json_object_get(range, "values");
	size_t n = json_array_size(values), run;
	bool one_line = json_is_string(json_object_get(range, "name")) ||
	    !json_is_null(json_object_get(range, "action"));

	if (strcmp(map_type(range), "string") == 0) {
		/* one, however many registers it has */
		write_line(f, range, 0, map_values(range), true);
		return;
	}
	for (size_t i = 0; i < n; i += run) {
		run = 1;
		while (i + run < n &&
		    json_equal(json_array_get(values, i),
			json_array_get(values, i + run)))
			run++;
		/* what has a name must stay one range */
		if (one_line && run < n) {
			write_line(f, range, 0, n, true);
			return;
		}
		write_line(f, range, i, run, false);
	}
}

static int
write_map(const struct export *e, FILE *f)
{
	json_t *range;
	size_t i;

	fprintf(f, "%s\n", MAP_HEADER);
	json_array_foreach (e->ranges, i, range)
		write_range(f, range);
	return fflush(f) == EOF || ferror(f) ? -1 : 0;
}

/* Under another name first: whoever reads the file finds all of it, or what
 * was there before. */
static int
write_file(const struct export *e, const char *path)
{
	mode_t mask = umask(0);
	char *tmp;
	FILE *f = NULL;
	int fd, rc = -1, saved;

	umask(mask);
	if (asprintf(&tmp, "%s.XXXXXX", path) == -1)
		return cli_fail(CLI_INTERNAL, "out of memory");
	fd = mkstemp(tmp);
	if (fd != -1)
		f = fdopen(fd, "w");
	if (f != NULL && write_map(e, f) == 0 &&
	    fchmod(fd, 0666 & ~mask) == 0 && fsync(fd) == 0)
		rc = rename(tmp, path);
	saved = errno;
	if (f != NULL)
		fclose(f);
	else if (fd != -1)
		close(fd);
	if (rc == -1 && fd != -1)
		unlink(tmp);
	free(tmp);
	if (rc == -1)
		return cli_fail(CLI_CANNOT_CREATE, "cannot write %s: %s", path,
		    strerror(saved));
	return CLI_OK;
}

/* ---- the command ---- */

static int
show(const struct export *e, const char *path)
{
	if (print_is_json(e->cli)) {
		print_json(e->ranges);
		return CLI_OK;
	}
	if (e->left_out > 0)
		fprintf(stderr,
		    "holdfast: a map holds no files and FIFO queues: %zu are "
		    "left out\n",
		    e->left_out);
	if (e->steps > 1)
		fprintf(stderr,
		    "holdfast: read in %u steps: what was written meanwhile may "
		    "be in some of it only\n",
		    e->steps);
	if (path != NULL)
		return write_file(e, path);
	return write_map(e, stdout) == 0
	    ? CLI_OK
	    : cli_fail(CLI_INTERNAL, "cannot write: %s", strerror(errno));
}

int
cli_export(struct cli *cli, int argc, char **argv)
{
	struct export e = { .cli = cli };
	const char *device = NULL, *path = NULL;
	int code;

	for (int i = 0; i < argc; i++) {
		bool is_file = map_is_file(argv[i]);

		if ((is_file ? path : device) != NULL)
			return cli_fail(CLI_USAGE,
			    "\"%s\" and \"%s\" are two %s: what has \"/\" or "
			    "\".\" in it is a file",
			    is_file ? path : device, argv[i],
			    is_file ? "files" : "devices");
		*(is_file ? &path : &device) = argv[i];
	}
	if (path != NULL && strcmp(path, "-") == 0)
		path = NULL;
	if (path != NULL && print_is_json(cli))
		return cli_fail(CLI_USAGE, "a file of a map is CSV, not JSON");
	code = map_device(cli, device, e.device);
	if (code == CLI_OK)
		code = fetch_ranges(&e);
	if (code == CLI_OK)
		code = read_all(&e);
	if (code == CLI_OK)
		code = show(&e, path);
	json_decref(e.ranges);
	return code;
}
