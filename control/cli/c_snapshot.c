/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast snapshot: the registers of all devices to a file of the daemon's
 * and back.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/print.h"

enum { SNAPSHOT_MS = 40000 };

/* The daemon may be elsewhere on the disk than who asks: a path is meant from
 * here. A name alone is the daemon's to place. */
static json_t *
params_of(const char *path)
{
	json_t *params;
	char *cwd = NULL, *whole = NULL;

	if (path == NULL)
		return json_object();
	if (path[0] != '/' && strchr(path, '/') != NULL &&
	    (cwd = getcwd(NULL, 0)) != NULL) {
		while (strncmp(path, "./", 2) == 0)
			path += 2;
		if (asprintf(&whole, "%s/%s", cwd, path) == -1)
			whole = NULL;
	}
	params = json_pack("{s:s}", "path", whole != NULL ? whole : path);
	free(cwd);
	free(whole);
	return params;
}

static void
show_unfit(struct cli *cli, const json_t *result)
{
	static const char *const columns[] = { "DEVICE", "TABLE", "ADDR",
		"COUNT", "WHY" };
	static const char *const keys[] = { "device", "table", "addr", "count",
		"why" };
	const json_t *more = json_object_get(result, "unfit_more");
	const char *cells[5];
	struct print p;
	json_t *row;
	size_t i;

	print_init(&p, cli, columns, 5, -1);
	json_array_foreach (json_object_get(result, "unfit"), i, row) {
		for (int c = 0; c < 5; c++)
			cells[c] =
			    strdupa(print_text(json_object_get(row, keys[c])));
		print_row(&p, cells);
	}
	if (i > 0)
		print_flush(&p);
	if (json_integer_value(more) > 0)
		print_note(cli, "and %s more", print_text(more));
}

static const char *
plural(const json_t *result)
{
	return json_integer_value(json_object_get(result, "devices")) == 1
	    ? ""
	    : "s";
}

int
cli_snapshot(struct cli *cli, int argc, char **argv)
{
	bool load = strcmp(argv[0], "load") == 0;
	json_t *result;
	int code;

	if (!load && strcmp(argv[0], "save") != 0)
		return cli_fail(
		    CLI_USAGE, "usage: holdfast snapshot save|load [PATH]");
	code = client_call(cli, load ? "snapshot.load" : "snapshot.save",
	    params_of(argc > 1 ? argv[1] : NULL), SNAPSHOT_MS, &result);
	if (code != CLI_OK)
		return code;
	if (print_is_json(cli)) {
		print_json(result);
	} else if (load) {
		print_note(cli,
		    "loaded %s: %s registers and bits of %s "
		    "device%s%s",
		    print_text(json_object_get(result, "path")),
		    print_text(json_object_get(result, "written")),
		    print_text(json_object_get(result, "devices")),
		    plural(result),
		    json_array_size(json_object_get(result, "unfit")) > 0
			? "; this did not fit:"
			: "");
		show_unfit(cli, result);
	} else if (!print_is_table(cli)) {
		/* for a script that did not say which */
		const char *path =
		    json_string_value(json_object_get(result, "path"));

		puts(path != NULL ? path : "?");
	} else {
		print_note(cli, "saved to %s: %s device%s, %s bytes",
		    print_text(json_object_get(result, "path")),
		    print_text(json_object_get(result, "devices")),
		    plural(result),
		    print_text(json_object_get(result, "bytes")));
	}
	json_decref(result);
	return CLI_OK;
}
