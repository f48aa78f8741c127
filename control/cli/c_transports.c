/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast start, stop, restart; clients and kick.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "supervisor/near.h"

enum { ORDER_MS = 120000, NAMES_MAX = 64 };

/* Orders one transport after the other; the first refusal ends it. */
static int
order(struct cli *cli, const char *method, int argc, char **argv)
{
	static const char *const columns[] = { "NAME", "STATE" };
	const char *cells[2];
	struct print p;
	json_t *result;
	int code = CLI_OK;

	print_init(&p, cli, columns, 2, 1);
	for (int i = 0; i < argc && code == CLI_OK; i++) {
		code = client_call(cli, method,
		    json_pack("{s:s}", "name", argv[i]), ORDER_MS, &result);
		if (code != CLI_OK)
			break;
		if (print_is_json(cli)) {
			print_json(result);
		} else {
			cells[0] = argv[i];
			cells[1] = print_text(json_object_get(result, "state"));
			print_row(&p, cells);
		}
		json_decref(result);
	}
	if (!print_is_json(cli) && p.ncells > 0)
		print_flush(&p);
	return code;
}

int
cli_start(struct cli *cli, int argc, char **argv)
{
	return order(cli, "transports.start", argc, argv);
}

int
cli_stop(struct cli *cli, int argc, char **argv)
{
	return order(cli, "transports.stop", argc, argv);
}

int
cli_restart(struct cli *cli, int argc, char **argv)
{
	return order(cli, "transports.restart", argc, argv);
}

/* ---- connections ---- */

/* Who may not connect stands beside those who have, not among them. */
static void
tell_quarantined(struct cli *cli, const char *only)
{
	json_t *list, *t, *host;
	size_t i, k;

	if (client_call(cli, "transports.list", NULL, CLIENT_CALL_MS, &list) !=
	    CLI_OK)
		return;
	json_array_foreach (list, i, t) {
		const char *name = print_text(json_object_get(t, "name"));

		if (only != NULL && strcmp(name, only) != 0)
			continue;
		json_array_foreach (
		    json_object_get(t, "quarantined"), k, host) {
			fprintf(stderr, "holdfast: %s keeps out ", name);
			fprintf(stderr,
			    "%s for what it has asked, for %.0f s\n",
			    print_text(json_object_get(host, "peer")),
			    json_number_value(json_object_get(host, "for_s")));
		}
	}
	json_decref(list);
}

int
cli_clients(struct cli *cli, int argc, char **argv)
{
	static const char *const columns[] = { "ID", "TRANSPORT", "PEER", "AGE",
		"REQUESTS", "LAST FC", "ROLE" };
	const char *cells[7];
	double now = (double)time(NULL), since;
	struct print p;
	json_t *list, *conn;
	size_t i;
	int code = client_call(cli, "connections.list",
	    argc > 0 ? json_pack("{s:s}", "transport", argv[0]) : NULL,
	    CLIENT_CALL_MS, &list);

	if (code != CLI_OK)
		return code;
	if (print_is_json(cli)) {
		print_json(list);
		json_decref(list);
		return CLI_OK;
	}
	print_init(&p, cli, columns, 7, 0);
	json_array_foreach (list, i, conn) {
		since = json_number_value(json_object_get(conn, "since"));
		cells[0] = print_text(json_object_get(conn, "id"));
		cells[1] = print_text(json_object_get(conn, "transport"));
		cells[2] = print_text(json_object_get(conn, "peer"));
		cells[3] = print_span(now > since ? now - since : 0);
		cells[4] = print_text(json_object_get(conn, "requests"));
		cells[5] = print_text(json_object_get(conn, "last_fc"));
		cells[6] = print_role(json_object_get(conn, "role"));
		print_row(&p, cells);
	}
	print_flush(&p);
	json_decref(list);
	tell_quarantined(cli, argc > 0 ? argv[0] : NULL);
	return CLI_OK;
}

/* A word that is no connection's id is a transport's name: if there is none
 * of that name, it may have been meant as either. */
static int
check_transport(struct cli *cli, const char *word)
{
	const char *names[NAMES_MAX], *near;
	size_t i, n = 0;
	json_t *list, *t;
	int code =
	    client_call(cli, "transports.list", NULL, CLIENT_CALL_MS, &list);
	bool found = false;

	if (code != CLI_OK)
		return code;
	json_array_foreach (list, i, t) {
		const char *name =
		    json_string_value(json_object_get(t, "name"));

		if (name == NULL)
			continue;
		found |= strcmp(name, word) == 0;
		if (n < NAMES_MAX)
			names[n++] = name;
	}
	near = near_name(word, names, n);
	if (!found)
		code = cli_fail(CLI_REFUSED,
		    "no transport or connection \"%s\"%s%s%s", word,
		    near != NULL ? "; did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?" : "");
	json_decref(list);
	return code;
}

int
cli_kick(struct cli *cli, int argc, char **argv)
{
	json_t *result;
	int code;

	for (int i = 0; i < argc; i++) {
		/* an id holds dots, a transport's name does not */
		bool is_id = strchr(argv[i], '.') != NULL;

		code = is_id ? CLI_OK : check_transport(cli, argv[i]);
		if (code != CLI_OK)
			return code;
		code = client_call(cli, "connections.close",
		    json_pack("{s:s}", is_id ? "id" : "transport", argv[i]),
		    CLIENT_CALL_MS * 6, &result);
		if (code != CLI_OK)
			return code;
		if (print_is_json(cli))
			print_json(result);
		else
			print_note(cli, "%s closed", argv[i]);
		json_decref(result);
	}
	return CLI_OK;
}
