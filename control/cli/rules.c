/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists what the daemon keeps, and takes some of it back, for the commands
 * fault and quarantine. What of it means what is theirs.
 */
#include "control/cli/rules.h"

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "supervisor/near.h"

int
rules_list(struct cli *cli, const char *method, json_t *params,
    void (*show)(struct cli *, const json_t *))
{
	json_t *result;
	int code = client_call(cli, method, params, CLIENT_CALL_MS, &result);

	if (code != CLI_OK)
		return code;
	if (print_is_json(cli))
		print_json(result);
	else
		show(cli, result);
	json_decref(result);
	return CLI_OK;
}

int
rules_take(struct cli *cli, const char *method, json_t *params,
    const char *member, json_int_t *sum)
{
	json_t *result;
	int code = client_call(cli, method, params, CLIENT_CALL_MS, &result);

	if (code != CLI_OK)
		return code;
	*sum += json_integer_value(json_object_get(result, member));
	json_decref(result);
	return CLI_OK;
}

void
rules_taken(struct cli *cli, const char *member, json_int_t sum)
{
	json_t *result = json_pack("{s:I}", member, sum);

	if (print_is_json(cli))
		print_json(result);
	else
		print_note(cli, "%lld %s", (long long)sum, member);
	json_decref(result);
}

int
rules_no_verb(const char *command, const char *word, const char *wanted,
    const char *const *verbs, size_t n)
{
	const char *near = near_name(word, verbs, n);

	return cli_fail(CLI_USAGE, "%s %s: %s is wanted%s%s%s", command, word,
	    wanted, near != NULL ? "; did you mean \"" : "",
	    near != NULL ? near : "", near != NULL ? "\"?" : "");
}
