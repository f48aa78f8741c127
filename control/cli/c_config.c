/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast config, and holdfast reload with and without --check.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/print.h"

enum { CONFIG_MS = 120000 };

static int
get(struct cli *cli)
{
	const char *text;
	json_t *result;
	int code =
	    client_call(cli, "config.get", NULL, CLIENT_CALL_MS, &result);

	if (code != CLI_OK)
		return code;
	text = json_string_value(json_object_get(result, "text"));
	if (print_is_json(cli))
		print_json(result);
	else
		fputs(text != NULL ? text : "", stdout);
	json_decref(result);
	return CLI_OK;
}

/* What would change, or has, a row each. note: what to do. */
static void
show_changes(struct cli *cli, const json_t *result, const char *note)
{
	static const char *const columns[] = { "WHAT", "CHANGE" };
	static const char *const lists[] = { "added", "removed", "changed",
		"restarted" };
	const char *cells[2];
	struct print p;
	json_t *row;
	size_t i, n = 0;

	print_init(&p, cli, columns, 2, -1);
	for (int k = 0; k < 4; k++)
		json_array_foreach (json_object_get(result, lists[k]), i, row) {
			cells[0] = print_text(row);
			cells[1] = lists[k];
			print_row(&p, cells);
			n++;
		}
	if (n > 0) {
		print_flush(&p);
		print_alarm(cli, "%s", note);
	} else
		print_alarm(cli, "nothing has changed");
}

/* A mistake, which holds pieces of a file. */
static void
say(const char *line)
{
	char *plain = print_harmless(line != NULL ? line : "?");

	fprintf(stderr, "%s\n", plain != NULL ? plain : "?");
	free(plain);
}

static int
check(struct cli *cli)
{
	json_t *result, *line;
	size_t i;
	int code = client_call(cli, "config.check", NULL, CONFIG_MS, &result);
	bool ok;

	if (code != CLI_OK)
		return code;
	ok = json_is_true(json_object_get(result, "ok"));
	if (print_is_json(cli)) {
		print_json(result);
	} else {
		json_array_foreach (json_object_get(result, "errors"), i, line)
			say(json_string_value(line));
		if (ok)
			show_changes(cli, result, "holdfast reload applies it");
	}
	json_decref(result);
	return ok ? CLI_OK : CLI_CONFIG;
}

int
cli_config(struct cli *cli, int argc, char **argv)
{
	const char *what = argc > 0 ? argv[0] : "get";

	if (strcmp(what, "get") == 0)
		return get(cli);
	if (strcmp(what, "check") == 0)
		return check(cli);
	return cli_fail(CLI_USAGE, "usage: holdfast config [get|check]");
}

/* A refusal tells the first of a file's mistakes; who mends them wants all. */
static void
say_refused(struct cli *cli)
{
	json_t *result, *line;
	size_t i;

	if (client_call(cli, "config.check", NULL, CONFIG_MS, &result) ==
	    CLI_OK) {
		json_array_foreach (json_object_get(result, "errors"), i, line)
			if (i > 0)
				say(json_string_value(line));
		json_decref(result);
	}
	fputs("nothing has changed: what ran goes on\n", stderr);
}

int
cli_reload(struct cli *cli, int argc, char **argv)
{
	json_t *result, *why, *failed, *name;
	const char *transport;
	size_t i;
	int code;

	(void)argc;
	(void)argv;
	if (cli_option(cli, "check", 0) != NULL)
		return check(cli);
	code = client_call(cli, "system.reload", NULL, CONFIG_MS, &result);
	if (code == CLI_REFUSED)
		say_refused(cli);
	if (code != CLI_OK)
		return code;
	failed = json_object_get(result, "failed");
	if (print_is_json(cli)) {
		print_json(result);
		code = json_object_size(failed) > 0 ? CLI_REFUSED : CLI_OK;
	} else {
		show_changes(cli, result, "this is in force now");
		json_array_foreach (
		    json_object_get(result, "refreshed"), i, name)
			print_alarm(cli, "%s uses its files as they are now",
			    json_string_value(name));
		json_object_foreach (failed, transport, why)
			code = cli_fail(CLI_REFUSED,
			    "%s goes on with what it had: %s", transport,
			    json_string_value(why));
	}
	json_decref(result);
	return code;
}
