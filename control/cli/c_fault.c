/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast fault: rules by which the daemon spoils replies. What a rule may say
 * is the daemon's to check; here words become JSON.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "control/cli/rules.h"

enum { EFFECTS_MAX = 200, WHERE_MAX = 200 };

/* ---- add ---- */

enum kind { TEXT, NUMBER, FLAG, NUMBERS, CODE };

/* The options of add, and the members that they become. */
static const struct {
	const char *option, *member;
	enum kind kind;
} members[] = {
	{ "connection", "connection", TEXT },
	{ "unit", "unit", NUMBER },
	{ "fc", "fc", NUMBERS },
	{ "range", "range", TEXT },
	{ "rate", "rate_pct", NUMBER },
	{ "count", "count", NUMBER },
	{ "expires", "expires_s", NUMBER },
	{ "exception", "exception", CODE },
	{ "delay", "delay_ms", NUMBER },
	{ "drop", "drop", FLAG },
	{ "junk", "junk_bytes", NUMBER },
	{ "split", "split_ms", NUMBER },
	{ "change", "change_pct", NUMBER },
	{ "change-rate", "change_rate_pct", NUMBER },
	{ "wrong-unit", "wrong_unit", FLAG },
	{ "bad-crc", "bad_crc", FLAG },
	{ "note", "note", TEXT },
};

enum { NMEMBERS = sizeof(members) / sizeof(members[0]) };

/* An integer, else a number with a fraction, else NULL. */
static json_t *
number(const char *word)
{
	char *end;
	long long n;
	double d;

	errno = 0;
	n = strtoll(word, &end, 0);
	if (*end == '\0' && end != word && errno == 0)
		return json_integer(n);
	d = strtod(word, &end);
	return *end == '\0' && end != word ? json_real(d) : NULL;
}

/* "3,4": an array; NULL if some of it is no number. */
static json_t *
numbers(const char *word)
{
	char *list = strdup(word), *rest = list, *one;
	json_t *all = json_array();

	while (list != NULL && (one = strsep(&rest, ",")) != NULL) {
		if (json_array_append_new(all, number(one)) == -1) {
			json_decref(all);
			all = NULL;
			break;
		}
	}
	free(list);
	return all;
}

static json_t *
value_of(enum kind kind, const char *word)
{
	json_t *n;

	switch (kind) {
	case FLAG:
		return json_true();
	case NUMBER:
		return number(word);
	case NUMBERS:
		return numbers(word);
	case CODE: /* or its name */
		n = number(word);
		return n != NULL ? n : json_string(word);
	default:
		return json_string(word);
	}
}

static bool
is_zero(const json_t *rule, const char *member)
{
	const json_t *value = json_object_get(rule, member);

	return value != NULL && json_number_value(value) == 0;
}

/* The rule that the options say, NULL after saying why there is none. */
static json_t *
rule_of(struct cli *cli, int argc, char **argv)
{
	json_t *rule = json_object(), *value;
	const char *word;

	if (argc > 0)
		json_object_set_new(rule, "transport", json_string(argv[0]));
	for (size_t i = 0; i < NMEMBERS; i++) {
		word = cli_option(cli, members[i].option, 0);
		if (word == NULL)
			continue;
		value = value_of(members[i].kind, word);
		if (value == NULL ||
		    cli_option(cli, members[i].option, 1) != NULL) {
			cli_fail(CLI_USAGE,
			    value == NULL ? "--%s %s: a number is wanted"
					  : "--%s is given twice",
			    members[i].option, word);
			json_decref(value);
			json_decref(rule);
			return NULL;
		}
		json_object_set_new(rule, members[i].member, value);
	}
	if (is_zero(rule, "rate_pct") || is_zero(rule, "expires_s")) {
		cli_fail(CLI_USAGE,
		    "--rate and --expires: 0 would be a rule that never hits");
		json_decref(rule);
		return NULL;
	}
	return rule;
}

static int
add(struct cli *cli, int argc, char **argv)
{
	json_t *rule, *result;
	int code;

	if (argc > 1)
		return cli_fail(CLI_USAGE,
		    "usage: holdfast fault add [TRANSPORT] [OPTION...]");
	rule = rule_of(cli, argc, argv);
	if (rule == NULL)
		return CLI_USAGE;
	code = client_call(cli, "faults.add", rule, CLIENT_CALL_MS, &result);
	if (code != CLI_OK)
		return code;
	if (print_is_json(cli))
		print_json(result);
	else
		printf("%s\n", print_text(json_object_get(result, "id")));
	json_decref(result);
	return CLI_OK;
}

/* ---- list ---- */

/* "unit=1 fc=[3,4]": the members of a rule that are there, in this order. */
static const char *
words_of(const json_t *rule, const char *const *keys, char *text, size_t size)
{
	const json_t *value;
	size_t len = 0;

	text[0] = '\0';
	for (; *keys != NULL; keys++) {
		value = json_object_get(rule, *keys);
		if (value == NULL ||
		    (strcmp(*keys, "rate_pct") == 0 &&
			json_number_value(value) == 100))
			continue;
		snprintf(text + len, size - len, "%s%s%s%s", len > 0 ? " " : "",
		    *keys, json_is_true(value) ? "" : "=",
		    json_is_true(value) ? "" : print_text(value));
		len = strlen(text);
	}
	return text[0] != '\0' ? text : "-";
}

static void
show(struct cli *cli, const json_t *list)
{
	static const char *const columns[] = { "ID", "TRANSPORT", "WHICH",
		"EFFECT", "HITS", "LEFT", "EXPIRES", "BY", "NOTE" };
	static const char *const which[] = { "connection", "unit", "fc",
		"range", "rate_pct", NULL };
	static const char *const effect[] = { "exception", "delay_ms", "drop",
		"junk_bytes", "split_ms", "change_pct", "change_rate_pct",
		"wrong_unit", "bad_crc", NULL };
	char where[WHERE_MAX], what[EFFECTS_MAX];
	const char *cells[9];
	const json_t *end;
	struct print p;
	json_t *f;
	size_t i;

	print_init(&p, cli, columns, 9, 0);
	json_array_foreach ((json_t *)(uintptr_t)list, i, f) {
		end = json_object_get(f, "expires_in_s");
		cells[2] = words_of(f, which, where, sizeof(where));
		cells[3] = words_of(f, effect, what, sizeof(what));
		cells[0] = print_text(json_object_get(f, "id"));
		cells[1] = print_text(json_object_get(f, "transport"));
		cells[4] = print_text(json_object_get(f, "hits"));
		cells[5] = print_text(json_object_get(f, "left"));
		cells[6] = json_is_number(end)
		    ? print_span(json_number_value(end))
		    : "-";
		cells[7] = print_text(json_object_get(f, "by"));
		cells[8] = print_text(json_object_get(f, "note"));
		print_row(&p, cells);
	}
	print_flush(&p);
}

static int
list(struct cli *cli, int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		return cli_fail(CLI_USAGE, "usage: holdfast fault list");
	return rules_list(cli, "faults.list", NULL, show);
}

/* ---- clear ---- */

static int
clear_one(struct cli *cli, json_t *params, json_int_t *cleared)
{
	return rules_take(cli, "faults.clear", params, "cleared", cleared);
}

static int
clear(struct cli *cli, int argc, char **argv)
{
	json_int_t cleared = 0;
	int code = CLI_OK;
	json_t *id;

	if (argc == 0)
		code = clear_one(cli, NULL, &cleared);
	for (int i = 0; i < argc && code == CLI_OK; i++) {
		id = number(argv[i]);
		if (!json_is_integer(id)) {
			json_decref(id);
			return cli_fail(CLI_USAGE,
			    "%s: the number of a fault is wanted", argv[i]);
		}
		code = clear_one(cli, json_pack("{s:o}", "id", id), &cleared);
	}
	if (code != CLI_OK)
		return code;
	rules_taken(cli, "cleared", cleared);
	return CLI_OK;
}

int
cli_fault(struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct cli *, int argc, char **argv);
	} verbs[] = { { "add", add }, { "list", list }, { "clear", clear } };
	static const char *const names[] = { "add", "list", "clear" };

	if (argc == 0)
		return list(cli, 0, argv);
	for (int i = 0; i < 3; i++) {
		if (strcmp(argv[0], verbs[i].name) != 0)
			continue;
		if (verbs[i].run != add && cli->noptions > 0)
			return cli_fail(CLI_USAGE, "--%s is not for fault %s",
			    cli->option[0].name, argv[0]);
		return verbs[i].run(cli, argc - 1, argv + 1);
	}
	return rules_no_verb("fault", argv[0], "add, list or clear", names, 3);
}
