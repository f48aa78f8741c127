/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of pymodbus.simulator as a table. Runs in programs that use
 * the library, and in holdfast-simulator before it serves.
 */
#include "supervisor/simopts.h"

#include <string.h>

#include "supervisor/near.h"

static const struct row {
	const char *name, *arg;
	const char *help;
} rows[SIMOPTS] = {
	[SIMOPT_SERVER] = { "modbus_server", "NAME",
	    "of server_list (server); \"all\": every one" },
	[SIMOPT_DEVICE] = { "modbus_device", "NAME",
	    "of device_list (device)" },
	[SIMOPT_JSON] = { "json_file", "FILE", "the setup file" },
	[SIMOPT_LOG] = { "log", "LEVEL",
	    "critical, error, warning, info or debug" },
	[SIMOPT_LOG_FILE] = { "log_file", "FILE", "instead of standard error" },
	[SIMOPT_HTTP_HOST] = { "http_host", "HOST",
	    "where the page is (127.0.0.1)" },
	[SIMOPT_HTTP_PORT] = { "http_port", "PORT",
	    "the page's port (8081); \"none\": no page" },
	[SIMOPT_MODULE] = { "custom_actions_module", "MODULE",
	    "a Python module or file with actions" },
	[SIMOPT_RUN_DIR] = { "run_dir", "DIR",
	    "of control.sock ($HOLDFAST_RUN_DIR, or one of its own)" },
};

const char *
simopts_name(enum simopt i)
{
	return rows[i].name;
}

void
simopts_help(FILE *f, const char *program, unsigned without)
{
	char left[40];

	fprintf(f,
	    "usage: %s [options]\n\n"
	    "Serves what a setup file of pymodbus' simulator describes.\n\n",
	    program);
	for (unsigned i = 0; i < SIMOPTS; i++) {
		if (without & 1u << i)
			continue;
		snprintf(
		    left, sizeof(left), "--%s %s", rows[i].name, rows[i].arg);
		fprintf(f, "  %-30s %s\n", left, rows[i].help);
	}
	if (!(without & 1u << SIMOPT_RUN_DIR))
		fprintf(
		    f, "  %-30s %s\n", "-V, --version", "print the version");
	fprintf(f, "  %-30s %s\n", "-h, --help", "print this");
	fflush(f);
}

enum { NONE = -1, SEVERAL = -2 };

/* The option that is called so, or the one that this is short for. */
static int
find(const char *word, size_t len, int n)
{
	int found = NONE;

	for (int i = 0; i < n && len > 0; i++) {
		if (strncmp(rows[i].name, word, len) != 0)
			continue;
		if (rows[i].name[len] == '\0')
			return i;
		found = found == NONE ? i : SEVERAL;
	}
	return found;
}

static int
ambiguous(const char *word, size_t len, int n, char *words, size_t size)
{
	size_t at = (size_t)snprintf(
	    words, size, "--%.*s is short for several:", (int)len, word);

	for (int i = 0; i < n && at < size; i++)
		if (strncmp(rows[i].name, word, len) == 0)
			at += (size_t)snprintf(
			    words + at, size - at, " --%s", rows[i].name);
	return -1;
}

static int
unknown(const char *word, int n, char *words, size_t size)
{
	const char *names[SIMOPTS], *near;

	for (int i = 0; i < n; i++)
		names[i] = rows[i].name;
	near = strncmp(word, "--", 2) == 0
	    ? near_name(word + 2, names, (size_t)n)
	    : NULL;
	snprintf(words, size, "there is no option \"%.60s\"%s%s%s", word,
	    near != NULL ? "; did you mean \"--" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
	return -1;
}

static int
asked(const char *word, int n)
{
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		return SIMOPTS_HELP;
	if (n == SIMOPTS &&
	    (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0))
		return SIMOPTS_VERSION;
	return 0;
}

int
simopts_read(const char *got[SIMOPTS], int n, int argc, char **argv,
    char *words, size_t size)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		size_t len;
		int row = NONE;

		if (asked(word, n) != 0)
			return asked(word, n);
		if (strncmp(word, "--", 2) == 0) {
			len = strcspn(word + 2, "=");
			row = find(word + 2, len, n);
		}
		if (row == SEVERAL)
			return ambiguous(word + 2, len, n, words, size);
		if (row == NONE)
			return unknown(word, n, words, size);
		if (word[2 + len] == '=') {
			got[row] = word + 2 + len + 1;
		} else if (i + 1 < argc) {
			got[row] = argv[++i];
		} else {
			snprintf(words, size, "--%s needs a %s", rows[row].name,
			    rows[row].arg);
			return -1;
		}
	}
	return 0;
}

int
simopts_level(const char *word, enum log_level *level, char *words, size_t size)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = { { "critical", LOG_ERROR }, { "error", LOG_ERROR },
		{ "warning", LOG_WARN }, { "info", LOG_INFO },
		{ "debug", LOG_DEBUG } };

	*level = LOG_INFO;
	if (word == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, word) == 0) {
			*level = levels[i].level;
			return 0;
		}
	snprintf(words, size,
	    "--log: \"%.60s\" is no level: they are critical, error, warning, "
	    "info and debug",
	    word);
	return -1;
}
