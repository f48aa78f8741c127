/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulator from the command line of pymodbus.simulator. Runs in the
 * program's own process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/api/api_simulator.h"
#include "supervisor/simopts.h"

/* What this has nothing for. */
enum {
	WITHOUT = 1u << SIMOPT_HTTP_HOST | 1u << SIMOPT_HTTP_PORT |
	    1u << SIMOPT_MODULE | 1u << SIMOPT_RUN_DIR,
	WORDS = 256,
};

/* 0; -1 after api_fail(); SIMOPTS_HELP. */
static int
read_words(int argc, char **argv, const char *got[SIMOPTS])
{
	char words[WORDS];
	int rc =
	    simopts_read(got, SIMOPT_RUN_DIR, argc, argv, words, sizeof(words));

	if (rc < 0)
		return api_fail(EINVAL, "%s", words);
	for (unsigned i = 0; rc == 0 && i < SIMOPTS; i++)
		if (got[i] != NULL && WITHOUT & 1u << i)
			return api_fail(EINVAL,
			    "--%s: this version (%s) has nothing for it%s",
			    simopts_name(i), HOLDFAST_VERSION,
			    i == SIMOPT_MODULE
				? "; opts.actions of hf_simulator_new() are "
				  "functions in C"
				: ": the simulator serves no HTTP");
	return rc;
}

/* -1 after api_fail(). */
static int
level_of(const char *word, enum hf_level *level)
{
	static const enum hf_level ours[] = { [LOG_ERROR] = HF_ERROR,
		[LOG_WARN] = HF_WARN,
		[LOG_INFO] = HF_INFO,
		[LOG_DEBUG] = HF_DEBUG };
	enum log_level theirs;
	char words[WORDS];

	if (simopts_level(word, &theirs, words, sizeof(words)) < 0)
		return api_fail(EINVAL, "%s", words);
	*level = ours[theirs];
	return 0;
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
	const char *got[SIMOPTS] = { NULL };
	struct hf_simulator_opts o = { .size = sizeof(o) };
	struct hf_simulator *sim;
	enum hf_level level = HF_INFO;
	int rc = read_words(argc, argv, got), fd = -1;

	if (rc > 0) {
		simopts_help(stdout, argc > 0 ? argv[0] : "simulator", WITHOUT);
		return api_null(0, "%s", (errno = 0, ""));
	}
	if (rc < 0 || level_of(got[SIMOPT_LOG], &level) < 0)
		return NULL;
	if ((got[SIMOPT_LOG] != NULL || got[SIMOPT_LOG_FILE] != NULL) &&
	    (fd = open_log(got[SIMOPT_LOG_FILE])) < 0)
		return NULL;
	o.modbus_server = got[SIMOPT_SERVER];
	o.modbus_device = got[SIMOPT_DEVICE];
	o.json_file = got[SIMOPT_JSON];
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
