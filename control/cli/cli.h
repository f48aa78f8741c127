/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_CLI_H
#define CONTROL_CLI_CLI_H

/*
 * The command line: what its commands share, and the table of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit codes, which scripts rely on. */
enum cli_exit {
	CLI_OK = 0,
	CLI_REFUSED = 1, /* by the daemon */
	CLI_USAGE = 64,
	CLI_NO_INPUT = 66,
	CLI_UNREACHABLE = 69,
	CLI_INTERNAL = 70,
	CLI_CANNOT_CREATE = 73,
	CLI_TIMEOUT = 75,
	CLI_CONFIG = 78, /* mistakes in a file */
};

/* How results are shown. CLI_AUTO is a table on a terminal, else tabs. */
enum cli_output { CLI_AUTO, CLI_TABLE, CLI_JSON, CLI_CSV, CLI_RAW };

enum { CLI_OPTIONS_MAX = 32 };

struct cli {
	const char *endpoint; /* -s, or made of the run directory */
	const char *key_file; /* own keys, for tcp with CURVE */
	const char *server_key;
	enum cli_output output;
	double wait_s; /* -w; 0: do not */
	double timeout_s; /* -t; 0: as the call needs */
	bool terminal; /* standard output is one */
	bool colour;
	struct client *client;
	/* those of single commands, as they were given */
	struct {
		const char *name; /* without -- */
		const char *value; /* "" if it takes none */
	} option[CLI_OPTIONS_MAX];
	int noptions;
};

struct cli_command {
	const char *name;
	const char *args; /* as the help shows them */
	const char *help; /* one line */
	const char *more; /* paragraphs for `holdfast help NAME` */
	int min_args, max_args; /* -1: any number */
	/* argv[0] is the first argument after the command's name; returns an
	 * exit code, having said on standard error what was wrong */
	int (*run)(struct cli *, int argc, char **argv);
};

/* Says what is wrong on standard error, as "holdfast: ...". Returns code. */
int cli_fail(enum cli_exit code, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

/* Whether cli_fail() is to say nothing, because it will be tried again. */
void cli_hush(bool);

/* The value of the command's option of that name that was given i-th, from 0;
 * NULL if it was not given so often. */
const char *cli_option(const struct cli *, const char *name, int i);

/* The command of that name, or the only one that begins so; NULL after saying
 * what was wrong. And the table itself. */
const struct cli_command *cli_find(const char *name);
const struct cli_command *cli_table(size_t *n);

/*
 * Takes the options out of argv, which may stand anywhere: what is none goes to
 * words, of which there is room for argc. -1: go on; else the exit code.
 */
int cli_parse(struct cli *, int argc, char **argv, const char **run_dir,
    char **words, int *nwords);

/* The first option that was given and is not for the command, or NULL. */
const char *cli_foreign_option(const struct cli *, const struct cli_command *);

/* True if an option, as it was typed, takes the word behind it. */
bool cli_option_takes(const char *word);

/* Tells the options of a command ("": of none), and those of all. */
void cli_each_option(const char *command,
    void (*tell)(void *arg, const char *option), void *arg);

/* Carries out a command: its name and its arguments. An exit code. */
int cli_run(struct cli *, int argc, char **argv);

void cli_usage(FILE *);

int cli_help(struct cli *, int argc, char **argv);
int cli_version(struct cli *, int argc, char **argv);
int cli_ping(struct cli *, int argc, char **argv);
int cli_status(struct cli *, int argc, char **argv);
int cli_stats(struct cli *, int argc, char **argv);
int cli_call(struct cli *, int argc, char **argv);
int cli_reload(struct cli *, int argc, char **argv);
int cli_upgrade(struct cli *, int argc, char **argv);
int cli_shutdown(struct cli *, int argc, char **argv);
int cli_get(struct cli *, int argc, char **argv);
int cli_set(struct cli *, int argc, char **argv);
int cli_watch(struct cli *, int argc, char **argv);
int cli_export(struct cli *, int argc, char **argv);
int cli_import(struct cli *, int argc, char **argv);
int cli_trace(struct cli *, int argc, char **argv);
int cli_config(struct cli *, int argc, char **argv);
int cli_top(struct cli *, int argc, char **argv);
int cli_shell(struct cli *, int argc, char **argv);
int cli_snapshot(struct cli *, int argc, char **argv);
int cli_start(struct cli *, int argc, char **argv);
int cli_stop(struct cli *, int argc, char **argv);
int cli_restart(struct cli *, int argc, char **argv);
int cli_clients(struct cli *, int argc, char **argv);
int cli_kick(struct cli *, int argc, char **argv);
int cli_quarantine(struct cli *, int argc, char **argv);
int cli_certs(struct cli *, int argc, char **argv);
int cli_fault(struct cli *, int argc, char **argv);

#endif
