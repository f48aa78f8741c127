/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of the command line: those of all commands, and those that only
 * some take.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"

const char *
cli_option(const struct cli *cli, const char *name, int i)
{
	for (int k = 0; k < cli->noptions; k++)
		if (strcmp(cli->option[k].name, name) == 0 && i-- == 0)
			return cli->option[k].value;
	return NULL;
}

enum { OPT_RUN_DIR = 256, OPT_KEY, OPT_SERVER_KEY, OPT_COMMAND };

static const struct option options[] = {
	{ "endpoint", required_argument, NULL, 's' },
	{ "output", required_argument, NULL, 'o' },
	{ "timeout", required_argument, NULL, 't' },
	{ "wait", required_argument, NULL, 'w' },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "server-key", required_argument, NULL, OPT_SERVER_KEY },
	/* of single commands */
	{ "force", no_argument, NULL, OPT_COMMAND },
	{ "names", required_argument, NULL, OPT_COMMAND },
	{ "days", required_argument, NULL, OPT_COMMAND },
	{ "role", required_argument, NULL, OPT_COMMAND },
	{ "filter", required_argument, NULL, OPT_COMMAND },
	{ "pcap", required_argument, NULL, OPT_COMMAND },
	{ "hex", no_argument, NULL, OPT_COMMAND },
	{ "count", required_argument, NULL, OPT_COMMAND },
	{ "since", required_argument, NULL, OPT_COMMAND },
	{ "scaled", no_argument, NULL, 'S' },
	{ "labels", no_argument, NULL, OPT_COMMAND },
	{ "dry-run", no_argument, NULL, OPT_COMMAND },
	{ "check", no_argument, NULL, OPT_COMMAND },
	{ "interval", required_argument, NULL, OPT_COMMAND },
	{ "rounds", required_argument, NULL, 'n' },
	{ "connection", required_argument, NULL, OPT_COMMAND },
	{ "unit", required_argument, NULL, OPT_COMMAND },
	{ "fc", required_argument, NULL, OPT_COMMAND },
	{ "range", required_argument, NULL, OPT_COMMAND },
	{ "rate", required_argument, NULL, OPT_COMMAND },
	{ "expires", required_argument, NULL, OPT_COMMAND },
	{ "exception", required_argument, NULL, OPT_COMMAND },
	{ "delay", required_argument, NULL, OPT_COMMAND },
	{ "drop", no_argument, NULL, OPT_COMMAND },
	{ "junk", required_argument, NULL, OPT_COMMAND },
	{ "split", required_argument, NULL, OPT_COMMAND },
	{ "change", required_argument, NULL, OPT_COMMAND },
	{ "change-rate", required_argument, NULL, OPT_COMMAND },
	{ "wrong-unit", no_argument, NULL, OPT_COMMAND },
	{ "bad-crc", no_argument, NULL, OPT_COMMAND },
	{ "note", required_argument, NULL, OPT_COMMAND },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int
set_output(struct cli *cli, const char *word)
{
	static const char *const words[] = {
		[CLI_TABLE] = "table",
		[CLI_JSON] = "json",
		[CLI_CSV] = "csv",
		[CLI_RAW] = "raw",
	};

	for (int i = CLI_TABLE; i <= CLI_RAW; i++) {
		if (strcmp(words[i], word) == 0) {
			cli->output = (enum cli_output)i;
			return CLI_OK;
		}
	}
	return cli_fail(
	    CLI_USAGE, "-o %s: the formats are table, json, csv and raw", word);
}

static int
set_seconds(double *out, int option, const char *word)
{
	char *end;

	*out = strtod(word, &end);
	if (*end != '\0' || end == word || !(*out > 0) || *out > 86400)
		return cli_fail(CLI_USAGE,
		    "-%c %s: a number of seconds above 0 is wanted", option,
		    word);
	return CLI_OK;
}

/* One that only some command takes; which, run() will know. */
static int
keep_option(struct cli *cli, const char *name)
{
	if (cli->noptions == CLI_OPTIONS_MAX)
		return cli_fail(CLI_USAGE, "too many options");
	cli->option[cli->noptions].name = name;
	cli->option[cli->noptions++].value = optarg != NULL ? optarg : "";
	return CLI_OK;
}

/* One option. -1: go on; else the exit code. */
static int
take_option(struct cli *cli, int c, const char **run_dir)
{
	int code = CLI_OK;

	switch (c) {
	case 's':
		cli->endpoint = optarg;
		break;
	case 'o':
		code = set_output(cli, optarg);
		break;
	case 'w':
		code = set_seconds(&cli->wait_s, c, optarg);
		break;
	case 't':
		code = set_seconds(&cli->timeout_s, c, optarg);
		break;
	case OPT_RUN_DIR:
		*run_dir = optarg;
		break;
	case OPT_KEY:
		cli->key_file = optarg;
		break;
	case OPT_SERVER_KEY:
		cli->server_key = optarg;
		break;
	case 'h':
		cli_usage(stdout);
		return CLI_OK;
	case 'V':
		return cli_version(cli, 0, NULL);
	default:
		return CLI_USAGE;
	}
	return code != CLI_OK ? code : -1;
}

/* -5, -.5, -inf: values to set, not options. */
static bool
is_negative(const char *word)
{
	return word != NULL && word[0] == '-' &&
	    (strchr("0123456789.", word[1]) != NULL ||
		strcmp(word, "-inf") == 0) &&
	    word[1] != '\0';
}

/* Whose an option is that not every command takes. */
static const struct {
	const char *option, *command;
} owners[] = {
	{ "force", "certs" },
	{ "names", "certs" },
	{ "days", "certs" },
	{ "role", "certs" },
	{ "check", "reload" },
	{ "dry-run", "import" },
	{ "interval", "top" },
	{ "rounds", "top" },
	{ "force", "import" },
	{ "filter", "trace" },
	{ "pcap", "trace" },
	{ "hex", "trace" },
	{ "count", "trace" },
	{ "since", "trace" },
	{ "scaled", "get" },
	{ "scaled", "set" },
	{ "scaled", "watch" },
	{ "labels", "get" },
	{ "connection", "fault" },
	{ "unit", "fault" },
	{ "fc", "fault" },
	{ "range", "fault" },
	{ "rate", "fault" },
	{ "count", "fault" },
	{ "expires", "fault" },
	{ "exception", "fault" },
	{ "delay", "fault" },
	{ "drop", "fault" },
	{ "junk", "fault" },
	{ "split", "fault" },
	{ "change", "fault" },
	{ "change-rate", "fault" },
	{ "wrong-unit", "fault" },
	{ "bad-crc", "fault" },
	{ "note", "fault" },
};

static bool
is_owner(const char *option, const char *command)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if (strcmp(owners[i].option, option) == 0 &&
		    strcmp(owners[i].command, command) == 0)
			return true;
	return false;
}

static bool
is_own(const struct option *o)
{
	return o->val == OPT_COMMAND || o->val == 'S' || o->val == 'n';
}

/*
 * The options that a word may be short for: those of its command, once that is
 * known, and those of all; and the one that it says in full, whosesoever that
 * is. Each has a value of its own: getopt_long() takes any of one value for
 * the same.
 */
static void
meant_by(struct option *own, const char *word, const char *command)
{
	size_t n = 0, len;

	word = word != NULL && strncmp(word, "--", 2) == 0 ? word + 2 : "";
	len = strcspn(word, "=");
	for (int i = 0; options[i].name != NULL; i++) {
		if (command != NULL && is_own(&options[i]) &&
		    !is_owner(options[i].name, command) &&
		    (strlen(options[i].name) != len ||
			strncmp(options[i].name, word, len) != 0))
			continue;
		own[n] = options[i];
		if (own[n].val == OPT_COMMAND)
			own[n].val += i;
		n++;
	}
	own[n] = (struct option){ 0 };
}

int
cli_parse(struct cli *cli, int argc, char **argv, const char **run_dir,
    char **words, int *nwords)
{
	struct option own[sizeof(options) / sizeof(options[0])];
	int c, code, which;

	optind = 0; /* begin anew */
	for (;;) {
		if (is_negative(argv[optind])) {
			words[(*nwords)++] = argv[optind++];
			continue;
		}
		meant_by(own, argv[optind], *nwords > 0 ? words[0] : NULL);
		c = getopt_long(argc, argv, "-s:o:t:w:n:hSV", own, &which);
		if (c == -1)
			break;
		if (c == 1) {
			words[(*nwords)++] = optarg;
			continue;
		}
		if (c == 'h' && *nwords > 0)
			return cli_help(cli, 1, words);
		if (c >= OPT_COMMAND || c == 'S' || c == 'n') {
			code = keep_option(cli,
			    c == 'S'       ? "scaled"
				: c == 'n' ? "rounds"
					   : own[which].name);
			if (code == CLI_OK)
				continue;
			return code;
		}
		code = take_option(cli, c, run_dir);
		if (code != -1)
			return code;
	}
	while (optind < argc) /* behind -- */
		words[(*nwords)++] = argv[optind++];
	return -1;
}

bool
cli_option_takes(const char *word)
{
	if (word[0] == '-' && word[1] != '-')
		return word[1] != '\0' && strchr("sotwn", word[1]) != NULL &&
		    word[2] == '\0';
	for (const struct option *o = options; o->name != NULL; o++)
		if (strncmp(word, "--", 2) == 0 &&
		    strcmp(word + 2, o->name) == 0)
			return o->has_arg == required_argument;
	return false;
}

void
cli_each_option(
    const char *command, void (*tell)(void *arg, const char *option), void *arg)
{
	char text[40];

	for (const struct option *o = options; o->name != NULL; o++) {
		if (is_own(o) && !is_owner(o->name, command))
			continue;
		snprintf(text, sizeof(text), "--%s", o->name);
		tell(arg, text);
	}
}

const char *
cli_foreign_option(const struct cli *cli, const struct cli_command *command)
{
	size_t n = sizeof(owners) / sizeof(owners[0]), own;

	for (int i = 0; i < cli->noptions; i++) {
		for (own = 0; own < n; own++)
			if (strcmp(owners[own].option, cli->option[i].name) ==
				0 &&
			    strcmp(owners[own].command, command->name) == 0)
				break;
		if (own == n)
			return cli->option[i].name;
	}
	return NULL;
}
