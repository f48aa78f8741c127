/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands: what each is called, takes and does. Whoever adds one
 * adds a row here, its options to options.c, and its function to cli.h.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/cli.h"
#include "supervisor/near.h"

#define ADDRESS \
	"[DEVICE/]TABLE:ADDR[+COUNT][:TYPE[:ORDER]], or [DEVICE/]NAME of a range"

#define TYPES                                                               \
	"TYPE is uint16, int16, uint32, int32, uint64, int64, float32, "    \
	"float64, string,\nbits or declared; ORDER is abcd, badc, cdab or " \
	"dcba.\n"

static const struct cli_command commands[] = {
	{ "ping", "", "whether the daemon answers", NULL, 0, 0, cli_ping },
	{ "status", "", "the daemon and its transports", NULL, 0, 0,
	    cli_status },
	{ "top", "", "rates of transports and clients, live",
	    "On a terminal: q ends it, arrows sort and scroll. Elsewhere, or "
	    "with -n ROUNDS, a\nrow for each transport, ROUNDS times (1). "
	    "--interval SECONDS between two (1).",
	    0, 0, cli_top },
	{ "get", "ADDRESS...", "read registers and bits",
	    "An address is " ADDRESS ".\n"
	    "TABLE is co, di, hr or ir; ADDR counts from 0; COUNT is in values "
	    "of TYPE.\n"
	    "Without +COUNT and :TYPE, where a declared range begins, it is "
	    "the value\ndeclared there; :uint16 is the register.\n" TYPES
	    "With --scaled values are shown in their unit.\n"
	    "With --labels name and unit are columns in every format.\n"
	    "  holdfast get plc1/hr:100+4 flow\n"
	    "  holdfast get hr:1100:float32 co:0+16",
	    1, -1, cli_get },
	{ "set", "ADDRESS VALUE...", "write registers and bits",
	    "The values go to ADDRESS and what follows it, as one step.\n"
	    "Without +COUNT and :TYPE, where a declared range begins, they "
	    "have the\ntype that is declared.\n" TYPES
	    "With --scaled the values are in their unit.\n"
	    "  holdfast set hr:1100:float32 1.5\n"
	    "  holdfast set --scaled flow 3.2\n"
	    "  holdfast set plc1/co:0 on off on",
	    2, -1, cli_set },
	{ "watch", "[ADDRESS | TABLE | TOPIC]...",
	    "print changes as they happen",
	    "TABLE is [DEVICE/] and co, di, hr or ir, all of it. "
	    "TOPIC is transports, connections, faults or log, or one of them "
	    "with a name:\ntransports.tcp1. Without arguments: every register.\n"
	    "  holdfast watch plc1/hr:100+4 transports",
	    0, -1, cli_watch },
	{ "export", "[DEVICE] [FILE]", "write a device's map and values as CSV",
	    "FILE has a \"/\" or a \".\" in its name; without one, or for -, "
	    "standard output.\n"
	    "  holdfast export plc1 plc1.csv",
	    0, 2, cli_export },
	{ "import", "FILE [DEVICE]", "write the values of such a map",
	    "  holdfast import FILE [DEVICE] [--dry-run] [--force]\n"
	    "Lines without a value are left alone. If anything does not fit, "
	    "nothing is\nwritten but with --force.\n"
	    "  holdfast import --dry-run plc1.csv",
	    1, 2, cli_import },
	{ "trace", "[TRANSPORT]", "print frames as they come and go",
	    "  --filter EXPR    only those for which it holds\n"
	    "  --since AGO      begins so long ago: 30s, 5m, 2h; all: with "
	    "what is left\n"
	    "  --count N        ends after so many\n"
	    "  --hex            all bytes instead of their meaning\n"
	    "  --pcap FILE      for Wireshark; - writes to a pipe\n"
	    "  holdfast trace tcp1 --filter 'fc == 3 && unit == 1'\n"
	    "  holdfast trace --pcap - | wireshark -k -i -",
	    0, 1, cli_trace },
	{ "start", "TRANSPORT...", "start transports", NULL, 1, -1, cli_start },
	{ "stop", "TRANSPORT...", "drain and stop transports", NULL, 1, -1,
	    cli_stop },
	{ "restart", "TRANSPORT...", "give transports new workers", NULL, 1, -1,
	    cli_restart },
	{ "clients", "[TRANSPORT]", "list open connections", NULL, 0, 1,
	    cli_clients },
	{ "kick", "ID | TRANSPORT...", "close connections",
	    "ID is what clients lists; a transport's name closes all of its "
	    "connections.",
	    1, -1, cli_kick },
	{ "quarantine", "[list|lift] [PEER...]",
	    "hosts that asked for what workers died of",
	    "  holdfast quarantine [list [TRANSPORT]]\n"
	    "shows who is kept out, and what is answered 04 and not carried "
	    "out.\n"
	    "  holdfast quarantine lift [PEER...]\n"
	    "has that forgotten, of those that the list names, or of all.",
	    0, -1, cli_quarantine },
	{ "fault", "add|list|clear ...", "spoil replies, to try clients with",
	    "  holdfast fault add [TRANSPORT] [CONDITION...] EFFECT...\n"
	    "spoils replies until the rule is cleared, has expired or is "
	    "spent; prints its\nnumber. Conditions are\n"
	    "  --connection ID --unit N --fc N,... --range TABLE:ADDR[+COUNT] "
	    "--rate PERCENT\n  --count REPLIES --expires SECONDS\n"
	    "and effects\n"
	    "  --exception CODE|NAME --delay MS --drop --junk BYTES --split "
	    "MS\n  --change PERCENT --change-rate PERCENT --wrong-unit --bad-crc\n"
	    "--note TEXT says what for.\n"
	    "  holdfast fault list\n"
	    "shows the rules in force.\n"
	    "  holdfast fault clear [NUMBER...]\n"
	    "ends those, or all.\n"
	    "  holdfast fault add tcp1 --fc 3 --range hr:100+4 --rate 10 "
	    "--exception\n    server_device_busy",
	    0, -1, cli_fault },
	{ "config", "[get|check]", "the configuration in force, or on disk",
	    "get prints the former, defaults included; check looks at the "
	    "files and tells their\nmistakes, or what a restart would change.",
	    0, 1, cli_config },
	{ "snapshot", "save|load [PATH]", "the registers to a file and back",
	    "PATH ends in .snap; a name alone lies where the daemon keeps "
	    "such files.\n"
	    "What a file holds goes to the devices, tables and addresses of "
	    "the same names;\nwhat has no place there is told.\n"
	    "  holdfast snapshot save /var/backups/plant.snap",
	    1, 2, cli_snapshot },
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
	{ "reload", "", "read the configuration, certificates and roles again",
	    "With --check nothing is done; it is only told what the files hold "
	    "now.\n"
	    "Transports, devices and ranges come, go and change. Only what has "
	    "changed is\nrestarted; registers keep their values, and clients over "
	    "plain TCP their\nconnections. If anything is wrong, or cannot change "
	    "while it serves (the name of\nthe store), nothing does. "
	    "holdfastd(8) lists what each change takes.",
	    0, 0, cli_reload },
	{ "upgrade", "", "have the daemon become the program installed now",
	    "The new program looks at the configuration first; if it does not "
	    "take it, nothing\nhappens. Clients of the transports notice nothing. "
	    "Returns when every process is\none of the new program.",
	    0, 0, cli_upgrade },
	{ "shutdown", "",
	    "drain every transport, end the daemon and wait for that", NULL, 0,
	    0, cli_shutdown },
	{ "shell", "", "commands, one a line",
	    "At a terminal with completion (Tab) and history; from a pipe a "
	    "script, which ends\nwith the first mistake. # begins a comment, "
	    "exit ends it.",
	    0, 0, cli_shell },
	{ "help", "[COMMAND]", "this text, or more on a command", NULL, 0, 1,
	    cli_help },
	{ "version", "", "print the version", NULL, 0, 0, cli_version },
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

static bool hushed;

void
cli_hush(bool on)
{
	hushed = on;
}

int
cli_fail(enum cli_exit code, const char *fmt, ...)
{
	va_list ap;

	if (hushed)
		return code;
	fflush(stdout);
	fputs("holdfast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

const struct cli_command *
cli_table(size_t *n)
{
	*n = NCOMMANDS;
	return commands;
}

const struct cli_command *
cli_find(const char *name)
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

void
cli_usage(FILE *out)
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

int
cli_help(struct cli *cli, int argc, char **argv)
{
	const struct cli_command *command;

	(void)cli;
	if (argc == 0) {
		cli_usage(stdout);
		return CLI_OK;
	}
	command = cli_find(argv[0]);
	if (command == NULL)
		return CLI_USAGE;
	printf("holdfast %s%s%s\n%s\n", command->name,
	    command->args[0] != '\0' ? " " : "", command->args, command->help);
	if (command->more != NULL)
		printf("\n%s\n", command->more);
	return CLI_OK;
}

int
cli_version(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	printf("holdfast %s\n", HOLDFAST_VERSION);
	return CLI_OK;
}

int
cli_run(struct cli *cli, int argc, char **argv)
{
	const struct cli_command *command = cli_find(argv[0]);
	const char *foreign;
	int n = argc - 1;

	if (command == NULL)
		return CLI_USAGE;
	if (n < command->min_args ||
	    (command->max_args != -1 && n > command->max_args))
		return cli_fail(CLI_USAGE, "usage: holdfast %s%s%s",
		    command->name, command->args[0] != '\0' ? " " : "",
		    command->args);
	foreign = cli_foreign_option(cli, command);
	if (foreign != NULL)
		return cli_fail(
		    CLI_USAGE, "--%s is not for %s", foreign, command->name);
	return command->run(cli, n, argv + 1);
}
