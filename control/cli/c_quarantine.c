/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast quarantine: who is kept out for what it has asked, what is answered
 * 04 for that, and having it forgotten.
 */

#include <string.h>

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "supervisor/near.h"

/* What a row says of its peer and of what that has asked. */
static const char *
state_of(const json_t *q)
{
	bool refused = json_is_true(json_object_get(q, "refused"));

	if (!json_is_true(json_object_get(q, "kept_out")))
		return "answered 04";
	return refused ? "kept out; answered 04" : "kept out";
}

static void
show(struct cli *cli, json_t *list)
{
	static const char *const columns[] = { "PEER", "TRANSPORT", "IS", "FOR",
		"UNIT", "FC", "PDU" };
	const char *cells[7];
	struct print p;
	json_t *q;
	size_t i;

	print_init(&p, cli, columns, 7, 0);
	json_array_foreach (list, i, q) {
		cells[0] = print_text(json_object_get(q, "peer"));
		cells[1] = print_text(json_object_get(q, "transport"));
		cells[2] = state_of(q);
		cells[3] =
		    print_span(json_number_value(json_object_get(q, "for_s")));
		cells[4] = print_text(json_object_get(q, "unit"));
		cells[5] = print_text(json_object_get(q, "fc"));
		cells[6] = print_text(json_object_get(q, "pdu"));
		print_row(&p, cells);
	}
	print_flush(&p);
}

static int
list(struct cli *cli, int argc, char **argv)
{
	json_t *result;
	int code;

	if (argc > 1)
		return cli_fail(
		    CLI_USAGE, "usage: holdfast quarantine list [TRANSPORT]");
	code = client_call(cli, "quarantine.list",
	    argc > 0 ? json_pack("{s:s}", "transport", argv[0]) : NULL,
	    CLIENT_CALL_MS, &result);
	if (code != CLI_OK)
		return code;
	if (print_is_json(cli))
		print_json(result);
	else
		show(cli, result);
	json_decref(result);
	return CLI_OK;
}

static int
lift_one(struct cli *cli, json_t *params, json_int_t *lifted)
{
	json_t *result;
	int code = client_call(
	    cli, "quarantine.lift", params, CLIENT_CALL_MS, &result);

	if (code != CLI_OK)
		return code;
	*lifted += json_integer_value(json_object_get(result, "lifted"));
	json_decref(result);
	return CLI_OK;
}

static int
lift(struct cli *cli, int argc, char **argv)
{
	json_int_t lifted = 0;
	int code = CLI_OK, rc;
	json_t *result;

	if (argc == 0)
		code = lift_one(cli, NULL, &lifted);
	/* one that is not there keeps nobody from lifting the others */
	for (int i = 0; i < argc && (code == CLI_OK || code == CLI_REFUSED);
	     i++) {
		rc =
		    lift_one(cli, json_pack("{s:s}", "peer", argv[i]), &lifted);
		if (rc != CLI_OK)
			code = rc;
	}
	if (code != CLI_OK && lifted == 0)
		return code;
	result = json_pack("{s:I}", "lifted", lifted);
	if (print_is_json(cli))
		print_json(result);
	else
		print_note(cli, "%lld lifted", (long long)lifted);
	json_decref(result);
	return code;
}

int
cli_quarantine(struct cli *cli, int argc, char **argv)
{
	const char *names[] = { "list", "lift" }, *near;

	if (argc == 0)
		return list(cli, 0, argv);
	if (strcmp(argv[0], names[0]) == 0)
		return list(cli, argc - 1, argv + 1);
	if (strcmp(argv[0], names[1]) == 0)
		return lift(cli, argc - 1, argv + 1);
	near = near_name(argv[0], names, 2);
	return cli_fail(CLI_USAGE,
	    "quarantine %s: list or lift is wanted%s%s%s", argv[0],
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}
