/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part behind line.h: libedit as its readline interface has it. One line
 * is read at a time, so what it keeps is static.
 */
#include "control/cli/line/line.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <editline/readline.h>

enum { HISTORY_MAX = 1000 };

static const char *path;
static line_complete_fn *complete;
static void *complete_ctx;

/* What one completion found. */
static struct {
	char **at;
	size_t n, told;
} found;

static void
add(void *arg, const char *candidate)
{
	char **more = realloc(found.at, (found.n + 1) * sizeof(char *));

	(void)arg;
	if (more == NULL)
		return;
	found.at = more;
	found.at[found.n] = strdup(candidate);
	found.n += found.at[found.n] != NULL;
}

static char *
next_found(const char *text, int state)
{
	(void)text;
	if (state == 0)
		found.told = 0;
	return found.told < found.n ? strdup(found.at[found.told++]) : NULL;
}

static char **
on_complete(const char *text, int from, int to)
{
	char *line = strndup(rl_line_buffer, (size_t)to);
	char **matches;

	(void)from;
	rl_attempted_completion_over = 1; /* no names of files instead */
	if (line == NULL)
		return NULL;
	complete(complete_ctx, line, add, NULL);
	/* "plc1/hr:" is to be gone on with */
	rl_completion_append_character = ' ';
	for (size_t i = 0; i < found.n; i++)
		if (found.at[i][0] != '\0' &&
		    strchr(":/=", found.at[i][strlen(found.at[i]) - 1]) != NULL)
			rl_completion_append_character = '\0';
	matches = rl_completion_matches(text, next_found);
	for (size_t i = 0; i < found.n; i++)
		free(found.at[i]);
	free(found.at);
	found.at = NULL;
	found.n = 0;
	free(line);
	return matches;
}

static void
line_open(const char *history, line_complete_fn *fn, void *ctx)
{
	static char breaks[] = " \t";

	path = history;
	complete = fn;
	complete_ctx = ctx;
	/* ignored signals are to stay so: its handlers would leave the
	 * terminal in another mode than the reading needs */
	rl_catch_signals = 0;
	rl_initialize();
	using_history();
	stifle_history(HISTORY_MAX);
	if (path != NULL)
		read_history(path);
	rl_completer_word_break_characters = breaks;
	rl_attempted_completion_function = on_complete;
}

static char *
line_read(const char *prompt)
{
	static char last[256];
	char *line;

	/* before the prompt shows, not after: a ^D in between would be lost */
	rl_prep_terminal(0);
	line = readline(prompt);
	if (line == NULL || line[strspn(line, " \t")] == '\0')
		return line;
	if (strncmp(line, last, sizeof(last)) != 0)
		add_history(line);
	snprintf(last, sizeof(last), "%s", line);
	return line;
}

static void
line_close(void)
{
	/* what was written to registers is nobody else's to read */
	mode_t mask = umask(077);

	if (path != NULL)
		write_history(path);
	umask(mask);
	clear_history();
}

extern const struct line_part line_part;

const struct line_part line_part = { line_open, line_read, line_close };
