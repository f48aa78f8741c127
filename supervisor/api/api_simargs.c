/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of pymodbus.simulator as a table, from which a simulator is
 * made. Runs in the program's own process; touches nothing of getopt's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/api/api_simulator.h"
#include "supervisor/near.h"

enum opt { SERVER, DEVICE, JSON, LOG, LOG_FILE, HTTP_HOST, HTTP_PORT, MODULE };

static const struct row {
	const char *name, *arg;
	const char *help; /* NULL: there is nothing for it */
} rows[] = {
	[SERVER] = { "modbus_server", "NAME", "of server_list (server)" },
	[DEVICE] = { "modbus_device", "NAME", "of device_list (device)" },
	[JSON] = { "json_file", "FILE", "the setup file (setup.json)" },
	[LOG] = { "log", "LEVEL", "critical, error, warning, info or debug" },
	[LOG_FILE] = { "log_file", "FILE", "instead of standard error" },
	[HTTP_HOST] = { "http_host", "HOST", NULL },
	[HTTP_PORT] = { "http_port", "PORT", NULL },
	[MODULE] = { "custom_actions_module", "MODULE", NULL },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void
help(const char *program)
{
	char left[40];

	printf("usage: %s [options]\n\n"
	       "Serves what a setup file of pymodbus' simulator describes.\n\n",
	    program);
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].help == NULL)
			continue;
		snprintf(
		    left, sizeof(left), "--%s %s", rows[i].name, rows[i].arg);
		printf("  %-24s %s\n", left, rows[i].help);
	}
	printf("  %-24s %s\n", "-h, --help", "print this");
	fflush(stdout);
}

/* ROWS: there is none that is called so. */
static size_t
find(const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == len &&
		    strncmp(rows[i].name, word, len) == 0)
			break;
	return i;
}

static int
unknown(const char *word)
{
	const char *names[ROWS], *near;

	for (size_t i = 0; i < ROWS; i++)
		names[i] = rows[i].name;
	near = strncmp(word, "--", 2) == 0 ? near_name(word + 2, names, ROWS)
					   : NULL;
	return api_fail(EINVAL, "there is no option \"%.60s\"%s%s%s", word,
	    near != NULL ? "; did you mean \"--" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}

/* Options into their arguments. 0; -1 after api_fail(); 1: help was wanted. */
static int
read_words(int argc, char **argv, const char *got[ROWS])
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		bool is_long = strncmp(word, "--", 2) == 0;
		size_t len = is_long ? strcspn(word + 2, "=") : 0, row;

		if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
			return 1;
		row = is_long ? find(word + 2, len) : (size_t)ROWS;
		if (row == ROWS)
			return unknown(word);
		if (rows[row].help == NULL)
			return api_fail(EINVAL,
			    "--%s: this version (%s) has nothing for it%s",
			    rows[row].name, HOLDFAST_VERSION,
			    row == MODULE ? "; opts.actions of "
					    "hf_simulator_new() are functions "
					    "in C"
					  : ": the simulator serves no HTTP");
		if (word[2 + len] == '=')
			got[row] = word + 2 + len + 1;
		else if (i + 1 < argc)
			got[row] = argv[++i];
		else
			return api_fail(EINVAL, "--%s needs a %s",
			    rows[row].name, rows[row].arg);
	}
	return 0;
}

/* -1 after api_fail(). */
static int
level_of(const char *word, enum hf_level *level)
{
	static const struct {
		const char *name;
		enum hf_level level;
	} levels[] = { { "critical", HF_ERROR }, { "error", HF_ERROR },
		{ "warning", HF_WARN }, { "info", HF_INFO },
		{ "debug", HF_DEBUG } };

	*level = HF_INFO;
	if (word == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, word) == 0) {
			*level = levels[i].level;
			return 0;
		}
	return api_fail(EINVAL,
	    "--log: \"%.60s\" is no level: they are critical, error, warning, "
	    "info and debug",
	    word);
}

static int
open_log(const char *path)
{
	int fd = path != NULL
	    ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
	    : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return api_fail(0, "%s: cannot open: %m",
		    path != NULL ? path : "standard error");
	return fd;
}

struct hf_simulator *
hf_simulator_commandline(int argc, char **argv)
{
	const char *got[ROWS] = { NULL };
	struct hf_simulator_opts o = { .size = sizeof(o) };
	struct hf_simulator *sim;
	enum hf_level level;
	int rc = read_words(argc, argv, got), fd = -1;

	if (rc > 0) {
		help(argc > 0 ? argv[0] : "simulator");
		return api_null(0, "%s", (errno = 0, ""));
	}
	if (rc < 0 || level_of(got[LOG], &level) < 0)
		return NULL;
	if ((got[LOG] != NULL || got[LOG_FILE] != NULL) &&
	    (fd = open_log(got[LOG_FILE])) < 0)
		return NULL;
	o.modbus_server = got[SERVER];
	o.modbus_device = got[DEVICE];
	o.json_file = got[JSON];
	sim = hf_simulator_new(&o);
	if (fd < 0)
		return sim;
	if (sim != NULL && hf_log(fd, level) == 0) {
		api_simulator_log(sim, fd);
		return sim;
	}
	rc = errno;
	close(fd);
	hf_simulator_free(sim);
	errno = rc;
	return NULL;
}
