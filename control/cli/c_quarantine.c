/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast quarantine: who is kept out for what it has asked, what is answered
 * 04 for that, and having it forgotten.
 */

#include <stdint.h>
#include <string.h>

#include "control/cli/print.h"
#include "control/cli/rules.h"

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
show(struct cli *cli, const json_t *list)
{
	static const char *const columns[] = { "PEER", "TRANSPORT", "IS", "FOR",
		"UNIT", "FC", "PDU" };
	const char *cells[7];
	struct print p;
	json_t *q;
	size_t i;

	print_init(&p, cli, columns, 7, 0);
	json_array_foreach ((json_t *)(uintptr_t)list, i, q) {
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
	if (argc > 1)
		return cli_fail(
		    CLI_USAGE, "usage: holdfast quarantine list [TRANSPORT]");
	return rules_list(cli, "quarantine.list",
	    argc > 0 ? json_pack("{s:s}", "transport", argv[0]) : NULL, show);
}

static int
lift_one(struct cli *cli, json_t *params, json_int_t *lifted)
{
	return rules_take(cli, "quarantine.lift", params, "lifted", lifted);
}

static int
lift(struct cli *cli, int argc, char **argv)
{
	json_int_t lifted = 0;
	int code = CLI_OK, rc;

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
	rules_taken(cli, "lifted", lifted);
	return code;
}

int
cli_quarantine(struct cli *cli, int argc, char **argv)
{
	static const char *const names[] = { "list", "lift" };

	if (argc == 0)
		return list(cli, 0, argv);
	if (strcmp(argv[0], names[0]) == 0)
		return list(cli, argc - 1, argv + 1);
	if (strcmp(argv[0], names[1]) == 0)
		return lift(cli, argc - 1, argv + 1);
	return rules_no_verb("quarantine", argv[0], "list or lift", names, 2);
}
