/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line as a table: the parser, the help and the hints for
 * mistyped options read the same rows.
 */
#include "supervisor/opts.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/near.h"

enum {
	LONG_ONLY = 256,
	OPT_RUN_DIR = LONG_ONLY,
	OPT_GUARD,
	OPT_LOG,
	OPT_LOG_FILE,
	OPT_LOG_FORMAT
};

static const struct row {
	int letter; /* or LONG_ONLY and above */
	const char *name;
	const char *arg; /* NULL: takes none */
	const char *help;
} rows[] = {
	{ 'c', "config", "FILE", "configuration (" OPTS_CONFIG ")" },
	{ 't', "check-config", NULL, "check the configuration and exit" },
	{ 'T', "dump-config", NULL, "print it with all defaults and exit" },
	{ OPT_RUN_DIR, "run-dir", "DIR",
	    "sockets and `ready' ($HOLDFAST_RUN_DIR, " OPTS_RUN_DIR ")" },
	{ OPT_GUARD, "guard", NULL,
	    "start another one by itself should it die or hang" },
	{ OPT_LOG, "log", "LEVEL", "error, warn, info (default) or debug" },
	{ OPT_LOG_FILE, "log-file", "FILE", "instead of standard error" },
	{ OPT_LOG_FORMAT, "log-format", "FORMAT", "text (default) or json" },
	{ 'V', "version", NULL, "print the version and exit" },
	{ 'h', "help", NULL, "print this and exit" },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

void
opts_help(FILE *f)
{
	char left[40];
	size_t i;

	fprintf(f,
	    "usage: holdfastd [options]\n\n"
	    "Serves Modbus registers as the configuration says, in the "
	    "foreground.\n\n");
	for (i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];

		snprintf(left, sizeof(left), "%s%c%s --%s %s",
		    r->letter < LONG_ONLY ? "-" : "",
		    r->letter < LONG_ONLY ? r->letter : ' ',
		    r->letter < LONG_ONLY ? "," : "  ", r->name,
		    r->arg != NULL ? r->arg : "");
		fprintf(f, "  %-28s %s\n", left, r->help);
	}
	fprintf(f, "\nSee holdfastd(8) and holdfast.json(5).\n");
}

static int
refuse(FILE *err, const char *what, const char *given, const char *const *known,
    size_t n)
{
	const char *near = near_name(given, known, n);

	fprintf(err, "holdfastd: %s \"%s\"", what, given);
	if (near != NULL)
		fprintf(err, "; did you mean \"%s\"?", near);
	fprintf(err, "\n");
	return -1;
}

static int
bad_option(FILE *err, char *word, int letter)
{
	const char *names[ROWS];
	size_t i;

	if (strncmp(word, "--", 2) != 0) {
		fprintf(err, "holdfastd: unknown option -%c\n", letter);
		return -1;
	}
	word[strcspn(word, "=")] = '\0';
	for (i = 0; i < ROWS; i++) {
		names[i] = rows[i].name;
		if (strcmp(word + 2, names[i]) == 0) {
			fprintf(
			    err, "holdfastd: option %s takes no value\n", word);
			return -1;
		}
	}
	return refuse(err, "unknown option", word + 2, names, ROWS);
}

static const char *
word_for(int letter)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].letter == letter)
			return rows[i].name;
	return "?";
}

static int
take_level(struct opts *o, const char *arg, FILE *err)
{
	static const char *const levels[] = { "error", "warn", "info",
		"debug" };
	int level = log_level_find(arg);

	if (level < 0)
		return refuse(err, "unknown log level", arg, levels, 4);
	o->log_level = (enum log_level)level;
	return 0;
}

static int
take_format(struct opts *o, const char *arg, FILE *err)
{
	static const char *const formats[] = { "text", "json" };

	if (strcmp(arg, "text") != 0 && strcmp(arg, "json") != 0)
		return refuse(err, "unknown log format", arg, formats, 2);
	o->log_format = arg[0] == 'j' ? LOG_JSON : LOG_TEXT;
	return 0;
}

static int
take(struct opts *o, int letter, const char *arg, FILE *err)
{
	switch (letter) {
	case 'c':
		o->config = arg;
		return 0;
	case 't':
		o->task = OPTS_CHECK;
		return 0;
	case 'T':
		o->task = OPTS_DUMP;
		return 0;
	case OPT_RUN_DIR:
		if (arg[0] == '\0') {
			fprintf(err, "holdfastd: --run-dir: no directory\n");
			return -1;
		}
		o->run_dir = arg;
		return 0;
	case OPT_GUARD:
		o->guard = true;
		return 0;
	case OPT_LOG:
		return take_level(o, arg, err);
	case OPT_LOG_FILE:
		o->log_file = arg;
		return 0;
	case OPT_LOG_FORMAT:
		return take_format(o, arg, err);
	case 'V':
		o->task = OPTS_VERSION;
		return 0;
	default:
		o->task = OPTS_HELP;
		return 0;
	}
}

static void
tables(struct option longs[ROWS + 1], char shorts[2 * ROWS + 3])
{
	size_t i;

	memset(longs, 0, (ROWS + 1) * sizeof(longs[0]));
	*shorts++ = '+'; /* words end the options: then they are argv[optind] */
	*shorts++ = ':'; /* a missing argument is told from an unknown option */
	for (i = 0; i < ROWS; i++) {
		longs[i].name = rows[i].name;
		longs[i].val = rows[i].letter;
		longs[i].has_arg =
		    rows[i].arg != NULL ? required_argument : no_argument;
		if (rows[i].letter < LONG_ONLY) {
			*shorts++ = (char)rows[i].letter;
			if (rows[i].arg != NULL)
				*shorts++ = ':';
		}
	}
	*shorts = '\0';
}

int
opts_read(struct opts *o, int argc, char **argv, FILE *err)
{
	struct option longs[ROWS + 1];
	char shorts[2 * ROWS + 3];
	const char *dir = getenv("HOLDFAST_RUN_DIR");
	int letter, at;

	memset(o, 0, sizeof(*o));
	o->config = OPTS_CONFIG;
	o->run_dir = dir != NULL && dir[0] != '\0' ? dir : OPTS_RUN_DIR;
	o->log_level = LOG_INFO;
	tables(longs, shorts);
	opterr = 0;
	optind = 0; /* glibc: from the start, whatever was read before */
	for (;;) {
		at = optind > 0 ? optind : 1;
		letter = getopt_long(argc, argv, shorts, longs, NULL);
		if (letter == -1)
			break;
		if (letter == ':') {
			fprintf(err, "holdfastd: option --%s needs a value\n",
			    word_for(optopt));
			return -1;
		}
		if (letter == '?')
			return bad_option(err, argv[at], optopt);
		if (take(o, letter, optarg, err) < 0)
			return -1;
	}
	if (optind < argc) {
		fprintf(err, "holdfastd: unexpected \"%s\"\n", argv[optind]);
		return -1;
	}
	return 0;
}
