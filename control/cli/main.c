/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast: the command-line client of a running daemon. Options, the table of
 * commands, help.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/cli.h"
#include "control/cli/client.h"
#include "supervisor/near.h"

#define ADDRESS "[DEVICE/]TABLE:ADDR[+COUNT][:TYPE[:ORDER]]"

#define TYPES                                                               \
	"TYPE is uint16, int16, uint32, int32, uint64, int64, float32, "    \
	"float64, string,\nbits or declared; ORDER is abcd, badc, cdab or " \
	"dcba.\n"

static int cli_help(struct cli *, int argc, char **argv);
static int cli_version(struct cli *, int argc, char **argv);

static const struct cli_command commands[] = {
	{ "ping", "", "whether the daemon answers", NULL, 0, 0, cli_ping },
	{ "status", "", "the daemon and its transports", NULL, 0, 0,
	    cli_status },
	{ "get", "ADDRESS...", "read registers and bits",
	    "An address is " ADDRESS ".\n"
	    "TABLE is co, di, hr or ir; ADDR counts from 0; COUNT is in values "
	    "of TYPE.\n"
	    "Without +COUNT and :TYPE, where a declared range begins, it is "
	    "the value\ndeclared there; :uint16 is the register.\n" TYPES
	    "  holdfast get plc1/hr:100+4\n"
	    "  holdfast get hr:1100:float32 co:0+16",
	    1, -1, cli_get },
	{ "set", "ADDRESS VALUE...", "write registers and bits",
	    "The values go to ADDRESS and what follows it, as one step.\n"
	    "Without +COUNT and :TYPE, where a declared range begins, they "
	    "have the\ntype that is declared.\n" TYPES
	    "  holdfast set hr:1100:float32 1.5\n"
	    "  holdfast set plc1/co:0 on off on",
	    2, -1, cli_set },
	{ "watch", "[ADDRESS | TABLE | TOPIC]...",
	    "print changes as they happen",
	    "TABLE is [DEVICE/] and co, di, hr or ir, all of it. "
	    "TOPIC is transports, connections or log, or one of them with a "
	    "name:\ntransports.tcp1. Without arguments: every register.\n"
	    "  holdfast watch plc1/hr:100+4 transports",
	    0, -1, cli_watch },
	{ "start", "TRANSPORT...", "start transports", NULL, 1, -1, cli_start },
	{ "stop", "TRANSPORT...", "drain and stop transports", NULL, 1, -1,
	    cli_stop },
	{ "restart", "TRANSPORT...", "drain transports and start them again",
	    NULL, 1, -1, cli_restart },
	{ "clients", "[TRANSPORT]", "list open connections", NULL, 0, 1,
	    cli_clients },
	{ "kick", "ID | TRANSPORT...", "close connections",
	    "ID is what clients lists; a transport's name closes all of its "
	    "connections.",
	    1, -1, cli_kick },
	{ "stats", "", "every counter", NULL, 0, 0, cli_stats },
	{ "call", "METHOD [PARAMS]", "any method of holdfast-control(7)",
	    "PARAMS is JSON. The result is printed as JSON.\n"
	    "  holdfast call registers.describe '{\"device\": \"plc1\"}'",
	    1, 2, cli_call },
	{ "certs", "demo|revoke|show ...", "certificates to try TLS with",
	    "  holdfast certs demo DIR [--force] [--names NAME,...] [--days N] "
	    "[--role ROLE]...\n"
	    "writes into DIR an authority, a server, clients with and without "
	    "roles, and a\nconfiguration that serves with them: for trying "
	    "out, not for production.\n"
	    "  holdfast certs revoke DIR NAME...\n"
	    "puts clients of such a DIR on its list of revoked ones.\n"
	    "  holdfast certs show FILE...\n"
	    "tells what certificates say: whose they are, until when, with "
	    "which role.",
	    1, -1, cli_certs },
	{ "reload", "", "read certificates and roles again",
	    "Tells what could not be read; a change of the configuration "
	    "itself takes a\nrestart of the daemon, and is told, too.",
	    0, 0, cli_reload },
	{ "shutdown", "", "drain every transport and end the daemon", NULL, 0,
	    0, cli_shutdown },
	{ "help", "[COMMAND]", "this text, or more on a command", NULL, 0, 1,
	    cli_help },
	{ "version", "", "print the version", NULL, 0, 0, cli_version },
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

int
cli_fail(enum cli_exit code, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("holdfast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

/* ---- commands ---- */

/* The command of that name, or the only one that begins so. */
static const struct cli_command *
find_command(const char *name)
{
	const struct cli_command *found = NULL;
	const char *names[NCOMMANDS], *near;
	char list[200] = "";
	int n = 0;

	for (int i = 0; i < NCOMMANDS; i++) {
		names[i] = commands[i].name;
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
		if (strncmp(name, commands[i].name, strlen(name)) != 0)
			continue;
		found = &commands[i];
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%s%s", n++ > 0 ? ", " : "", commands[i].name);
	}
	if (n == 1)
		return found;
	near = near_name(name, names, NCOMMANDS);
	if (n > 1)
		cli_fail(CLI_USAGE, "\"%s\" may be %s", name, list);
	else if (near != NULL)
		cli_fail(CLI_USAGE, "no command \"%s\"; did you mean \"%s\"?",
		    name, near);
	else
		cli_fail(
		    CLI_USAGE, "no command \"%s\"; try holdfast help", name);
	return NULL;
}

static void
usage(FILE *out)
{
	fputs("usage: holdfast [-s ENDPOINT] [-o FORMAT] [-w SECONDS] COMMAND "
	      "[ARGUMENT...]\n\n",
	    out);
	for (int i = 0; i < NCOMMANDS; i++)
		fprintf(out, "  %-10s %-22s %s\n", commands[i].name,
		    commands[i].args, commands[i].help);
	fputs("\n"
	      "  -s, --endpoint ENDPOINT  where the daemon is: "
	      "ipc:///run/holdfast/control.sock\n"
	      "      --run-dir DIR        its run directory\n"
	      "  -o, --output FORMAT      table, json, csv or raw\n"
	      "  -t, --timeout SECONDS    how long an answer may take\n"
	      "  -w, --wait SECONDS       wait until every transport serves\n"
	      "      --key FILE           own secret key, for tcp with CURVE\n"
	      "      --server-key KEY     the daemon's public key\n"
	      "  -h, --help               this text; after a COMMAND, its own\n"
	      "  -V, --version            print the version\n",
	    out);
}

static int
cli_help(struct cli *cli, int argc, char **argv)
{
	const struct cli_command *command;

	(void)cli;
	if (argc == 0) {
		usage(stdout);
		return CLI_OK;
	}
	command = find_command(argv[0]);
	if (command == NULL)
		return CLI_USAGE;
	printf("holdfast %s%s%s\n%s\n", command->name,
	    command->args[0] != '\0' ? " " : "", command->args, command->help);
	if (command->more != NULL)
		printf("\n%s\n", command->more);
	return CLI_OK;
}

static int
cli_version(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	printf("holdfast %s\n", HOLDFAST_VERSION);
	return CLI_OK;
}

/* ---- options ---- */

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
		usage(stdout);
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

/* Options may stand anywhere; what is none moves to words. -1: go on. */
static int
parse_options(struct cli *cli, int argc, char **argv, const char **run_dir,
    char **words, int *nwords)
{
	int c, code, which;

	for (;;) {
		if (is_negative(argv[optind])) {
			words[(*nwords)++] = argv[optind++];
			continue;
		}
		c = getopt_long(argc, argv, "-s:o:t:w:hV", options, &which);
		if (c == -1)
			break;
		if (c == 1) {
			words[(*nwords)++] = optarg;
			continue;
		}
		if (c == 'h' && *nwords > 0)
			return cli_help(cli, 1, words);
		code = c == OPT_COMMAND ? keep_option(cli, options[which].name)
					: take_option(cli, c, run_dir);
		if (code == CLI_OK && c == OPT_COMMAND)
			continue;
		if (code != -1)
			return code;
	}
	while (optind < argc) /* behind -- */
		words[(*nwords)++] = argv[optind++];
	return -1;
}

/* -s; --run-dir; $HOLDFAST_CONTROL; $HOLDFAST_RUN_DIR; /run/holdfast. */
static char *
choose_endpoint(const struct cli *cli, const char *run_dir)
{
	const char *chosen = cli->endpoint;
	char *endpoint;
	int rc;

	if (chosen == NULL && run_dir == NULL)
		chosen = getenv("HOLDFAST_CONTROL");
	if (run_dir == NULL)
		run_dir = getenv("HOLDFAST_RUN_DIR");
	if (run_dir == NULL)
		run_dir = "/run/holdfast";
	if (chosen != NULL && strstr(chosen, "://") != NULL)
		return strdup(chosen);
	if (chosen != NULL) /* a path is a socket */
		rc = asprintf(&endpoint, "ipc://%s", chosen);
	else
		rc = asprintf(&endpoint, "ipc://%s/control.sock", run_dir);
	return rc == -1 ? NULL : endpoint;
}

/* Whose an option is that not every command takes. */
static const struct {
	const char *option, *command;
} owners[] = {
	{ "force", "certs" },
	{ "names", "certs" },
	{ "days", "certs" },
	{ "role", "certs" },
};

/* The first option that is not for the command, or NULL. */
static const char *
foreign_option(const struct cli *cli, const struct cli_command *command)
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

static int
run(struct cli *cli, int argc, char **argv)
{
	const struct cli_command *command = find_command(argv[0]);
	const char *foreign;
	int n = argc - 1;

	if (command == NULL)
		return CLI_USAGE;
	if (n < command->min_args ||
	    (command->max_args != -1 && n > command->max_args))
		return cli_fail(CLI_USAGE, "usage: holdfast %s%s%s",
		    command->name, command->args[0] != '\0' ? " " : "",
		    command->args);
	foreign = foreign_option(cli, command);
	if (foreign != NULL)
		return cli_fail(
		    CLI_USAGE, "--%s is not for %s", foreign, command->name);
	return command->run(cli, n, argv + 1);
}

int
main(int argc, char **argv)
{
	struct cli cli = { 0 };
	const char *run_dir = NULL, *no_colour = getenv("NO_COLOR");
	char **words = calloc((size_t)argc + 1, sizeof(words[0]));
	char *endpoint = NULL;
	int nwords = 0, code;

	signal(SIGPIPE, SIG_IGN);
	cli.terminal = isatty(STDOUT_FILENO);
	cli.colour =
	    cli.terminal && (no_colour == NULL || no_colour[0] == '\0');
	if (words == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	code = parse_options(&cli, argc, argv, &run_dir, words, &nwords);
	if (code == -1 && nwords == 0) {
		usage(stderr);
		code = CLI_USAGE;
	} else if (code == -1) {
		endpoint = choose_endpoint(&cli, run_dir);
		cli.endpoint = endpoint;
		code = endpoint != NULL
		    ? run(&cli, nwords, words)
		    : cli_fail(CLI_INTERNAL, "out of memory");
	}
	client_close(&cli);
	free(endpoint);
	free(words);
	/* whoever read has gone: nothing left to say, and nothing failed */
	if (fflush(stdout) == EOF && errno != EPIPE && code == CLI_OK)
		code =
		    cli_fail(CLI_INTERNAL, "cannot write: %s", strerror(errno));
	return code;
}
