/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast shell: one command a line, over one connection. At a terminal with
 * line editing, completion and a history, where a mistake ends nothing; from a
 * pipe as a script, which ends with the first mistake.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/complete.h"
#include "control/cli/line/line.h"
#include "control/cli/print.h"
#include "supervisor/proc.h"

enum { SHELL_WORDS = 512 };

static const char unclosed[] = "a quote is never closed";
static const char too_many[] = "too many words";

/* ---- words ---- */

/* Takes one word off *in to *out, quotes and backslashes resolved; false if a
 * quote stays open. */
static bool
take_word(const char **in, char **out)
{
	char quote = '\0';

	for (; **in != '\0'; ++*in) {
		if (quote == '\0' && strchr(" \t\r\n", **in) != NULL)
			break;
		if (quote == '\0' && (**in == '"' || **in == '\''))
			quote = **in;
		else if (**in == quote)
			quote = '\0';
		else if (**in == '\\' && quote != '\'' && (*in)[1] != '\0')
			*(*out)++ = *++*in;
		else
			*(*out)++ = **in;
	}
	*(*out)++ = '\0';
	return quote == '\0';
}

/* Splits a line into words, which lie in buf, as long as the line and one. How
 * many; -1 with why. "#" begins a comment. */
static int
split(const char *line, char *buf, char **words, const char **why)
{
	int n = 0;

	for (;;) {
		line += strspn(line, " \t\r\n");
		if (*line == '\0' || *line == '#')
			return n;
		*why = n == SHELL_WORDS ? too_many : unclosed;
		if (n == SHELL_WORDS)
			return -1;
		words[n++] = buf;
		if (!take_word(&line, &buf))
			return -1;
	}
}

/* ---- a line ---- */

/* What a command did to signals is undone: those that came and are blocked now
 * were for it. */
static void
restore_signals(const sigset_t *mask, const struct sigaction *acts)
{
	const struct timespec now = { 0 };
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	while (sigtimedwait(&ends, NULL, &now) > 0)
		continue;
	sigaction(SIGINT, &acts[0], NULL);
	sigaction(SIGTERM, &acts[1], NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

static int
run_words(struct cli *shell, int n, char **words)
{
	char *argv[SHELL_WORDS + 2], *left[SHELL_WORDS + 2];
	struct cli line = *shell;
	const char *run_dir = NULL, *endpoint = shell->endpoint;
	int nleft = 0, code;

	argv[0] = (char *)(uintptr_t) "holdfast";
	memcpy(argv + 1, words, (size_t)n * sizeof(argv[0]));
	argv[n + 1] = NULL;
	line.noptions = 0;
	code = cli_parse(&line, n + 1, argv, &run_dir, left, &nleft);
	if (code != -1 || nleft == 0)
		return code != -1 ? code : CLI_OK;
	if (line.endpoint != endpoint || run_dir != NULL)
		return cli_fail(
		    CLI_USAGE, "a shell talks to one daemon; start another");
	if (strcmp(left[0], "shell") == 0)
		return cli_fail(CLI_USAGE, "this is a shell");
	code = cli_run(&line, nleft, left);
	shell->client = line.client;
	return code;
}

/* Carries a line out. -1: the shell is to end. */
static int
run_line(struct cli *shell, const char *text)
{
	char *buf = malloc(strlen(text) + 2), *words[SHELL_WORDS];
	struct sigaction acts[2];
	const char *why;
	sigset_t mask;
	int n, code = CLI_OK;

	if (buf == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	n = split(text, buf, words, &why);
	if (n == -1) {
		code = cli_fail(CLI_USAGE, "%s", why);
	} else if (n > 0 &&
	    (strcmp(words[0], "exit") == 0 || strcmp(words[0], "quit") == 0)) {
		code = -1;
	} else if (n > 0) {
		sigprocmask(SIG_SETMASK, NULL, &mask);
		sigaction(SIGINT, NULL, &acts[0]);
		sigaction(SIGTERM, NULL, &acts[1]);
		code = run_words(shell, n, words);
		restore_signals(&mask, acts);
		fflush(stdout);
		/* the next one finds out anew whether it is there */
		if (code == CLI_UNREACHABLE || code == CLI_TIMEOUT)
			client_close(shell);
	}
	free(buf);
	return code;
}

/* ---- a script ---- */

static int
run_script(struct cli *shell)
{
	char *text = NULL;
	size_t size = 0;
	unsigned at = 0;
	int code = CLI_OK;

	while (code == CLI_OK && getline(&text, &size, stdin) != -1) {
		at++;
		code = run_line(shell, text);
		if (code > 0)
			fprintf(stderr, "holdfast: line %u: ended there\n", at);
	}
	free(text);
	return code == -1 ? CLI_OK : code;
}

/* ---- at a terminal ---- */

/* What the daemon says while a key is pressed would tear the line apart. */
static void
complete_quietly(
    struct cli *cli, int n, char **words, line_add_fn *add, void *arg)
{
	int was = dup(STDERR_FILENO);
	FILE *null = fopen("/dev/null", "we");

	if (null != NULL)
		dup2(fileno(null), STDERR_FILENO);
	complete_words(cli, n, words, add, arg);
	if (was != -1) {
		dup2(was, STDERR_FILENO);
		close(was);
	}
	if (null != NULL)
		fclose(null);
}

static void
complete_line(void *ctx, const char *text, line_add_fn *add, void *arg)
{
	char *buf = malloc(strlen(text) + 2), *words[SHELL_WORDS + 1];
	const char *why;
	size_t len = strlen(text);
	int n = buf != NULL ? split(text, buf, words, &why) : -1;

	if (n == 0 || (n > 0 && strchr(" \t", text[len - 1]) != NULL))
		words[n++] = (char *)(uintptr_t) "";
	if (n > 0)
		complete_quietly(ctx, n, words, add, arg);
	free(buf);
}

/* $HOLDFAST_HISTORY, else a file at home; NULL: none is kept. */
static char *
history_path(void)
{
	const char *said = getenv("HOLDFAST_HISTORY"), *home = getenv("HOME");
	char *path;

	if (said != NULL)
		return said[0] != '\0' ? strdup(said) : NULL;
	if (home == NULL || home[0] == '\0' ||
	    asprintf(&path, "%s/.holdfast_history", home) == -1)
		return NULL;
	return path;
}

static int
talk(struct cli *shell)
{
	const struct line_part *line;
	char *text, *history;
	const char *why;
	int code = CLI_OK;

	line = proc_part("line", "line_part", &why);
	if (line == NULL)
		return cli_fail(CLI_UNREACHABLE, "%s", why);
	history = history_path();
	/* a ^C is for what runs, and for nobody at the prompt */
	signal(SIGINT, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	line->open(history, complete_line, shell);
	puts("holdfast " HOLDFAST_VERSION "; help tells the commands, ^D ends");
	while (code != -1 && (text = line->read("holdfast> ")) != NULL) {
		signal(SIGINT, SIG_DFL);
		code = run_line(shell, text);
		signal(SIGINT, SIG_IGN);
		free(text);
	}
	line->close();
	free(history);
	if (code != -1)
		putchar('\n');
	return CLI_OK;
}

int
cli_shell(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? talk(cli)
							     : run_script(cli);
}
