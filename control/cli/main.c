/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast: the command-line client of a running daemon. What was typed, where
 * the daemon is, and what becomes of the exit code.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/cli.h"
#include "control/cli/client.h"
#include "control/cli/complete.h"

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

/* holdfast --complete WORD...: of these words, some say where to ask. */
static int
complete(struct cli *cli, int n, char **words)
{
	const char *run_dir = NULL;
	char *endpoint;
	int code;

	for (int i = 0; i + 2 < n; i++)
		if (strcmp(words[i], "-s") == 0 ||
		    strcmp(words[i], "--endpoint") == 0)
			cli->endpoint = words[i + 1];
		else if (strcmp(words[i], "--run-dir") == 0)
			run_dir = words[i + 1];
	endpoint = choose_endpoint(cli, run_dir);
	cli->endpoint = endpoint;
	code = endpoint != NULL ? complete_print(cli, n, words) : CLI_INTERNAL;
	client_close(cli);
	free(endpoint);
	return code;
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
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		free(words);
		return complete(&cli, argc - 2, argv + 2);
	}
	if (words == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	code = cli_parse(&cli, argc, argv, &run_dir, words, &nwords);
	if (code == -1 && nwords == 0) {
		cli_usage(stderr);
		code = CLI_USAGE;
	} else if (code == -1) {
		endpoint = choose_endpoint(&cli, run_dir);
		cli.endpoint = endpoint;
		code = endpoint != NULL
		    ? cli_run(&cli, nwords, words)
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
