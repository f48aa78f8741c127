/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the command line to the loop. Runs once in the supervisor.
 */
#include "supervisor/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "shm/snap_pair.h"
#include "supervisor/guard.h"
#include "supervisor/inherit.h"
#include "supervisor/opts.h"
#include "supervisor/part.h"
#include "supervisor/super.h"
#include "supervisor/title.h"
#include "supervisor/trial.h"
#include "supervisor/upgrade.h"

/* All from the first on but the pipe to a guard. */
static int
close_others(unsigned first)
{
	int guard = guard_fd();

	if (guard < (int)first)
		return close_range(first, ~0u, 0);
	if ((unsigned)guard > first &&
	    close_range(first, (unsigned)guard - 1, 0) < 0)
		return -1;
	return close_range((unsigned)guard + 1, ~0u, 0);
}

/* Whoever starts us may have closed the standard files, whose numbers no
 * socket must get, or left others open. Nothing here reads standard input. */
int
start_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
	if (fd < 0 || dup2(fd, 0) < 0)
		return -1;
	return close_others(3 + inherit_count());
}

int
start_code(int err)
{
	return err == EINVAL                ? EX_CONFIG
	    : err == EACCES || err == EPERM ? EX_NOPERM
					    : EX_NOINPUT;
}

/* The directory as an absolute path, so that children find it whatever they
 * do; a missing one is made later. */
static char *
absolute(const char *dir)
{
	char *cwd, *path = NULL;

	if (dir[0] == '/')
		return strdup(dir);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL || asprintf(&path, "%s/%s", cwd, dir) < 0)
		path = NULL;
	free(cwd);
	return path;
}

static int
serve(const struct opts *o, const struct conf *conf,
    const struct proc_roles *roles)
{
	char *run_dir;
	int code;

	if (roles->missing != NULL) {
		log_error("a part of the daemon is not installed: there is no "
			  "%s, nor one beside this program",
		    roles->missing);
		return EX_UNAVAILABLE;
	}
	run_dir = absolute(o->run_dir);
	if (run_dir == NULL) {
		log_error("out of memory");
		return EX_SOFTWARE;
	}
	code = super_run(conf, roles, run_dir);
	free(run_dir);
	return code;
}

/* True if no plugin has found a mistake in what it is told. */
static bool
check_plugins(const struct conf *conf, const struct proc_roles *roles)
{
	const struct trial trial = {
		.conf = conf,
		.roles = roles,
		.out = stderr,
	};
	bool fine = true;

	for (size_t i = 0; i < conf->ntransports; i++)
		fine &= trial_transport(&trial, &conf->transports[i]);
	return fine;
}

/* Elsewhere a start goes on without it, and says so. */
static bool
check_snapshot(const struct conf *conf)
{
	const struct conf_snapshot *s = &conf->snapshot;

	if (s->path == NULL || !s->required || snap_pair_reach(s->path) == 0)
		return true;
	fprintf(stderr,
	    "%s: no start without the directory of \"%s\", as \"required\" "
	    "says: %s\n",
	    s->place, s->path, strerror(errno));
	return false;
}

static int
perform(const struct opts *o, const struct proc_roles *roles)
{
	struct conf *conf = conf_load(o->config, stderr);
	int code = EX_OK;

	if (conf == NULL)
		return start_code(errno);
	if (conf->notes != NULL)
		fputs(conf->notes, stderr);
	if (o->task == OPTS_CHECK) {
		code = check_snapshot(conf) & check_plugins(conf, roles)
		    ? EX_OK
		    : EX_CONFIG;
		if (code == EX_OK && !upgrade_fits()) {
			fprintf(stderr,
			    "%s %s lays out shared memory otherwise than the "
			    "daemon that runs: it has to be stopped for it\n",
			    "holdfastd", HOLDFAST_VERSION);
			code = EX_UNAVAILABLE;
		}
		if (code == EX_OK)
			printf("%s: OK\n", o->config);
	} else if (o->task == OPTS_DUMP) {
		conf_dump(conf, stdout);
	} else if (log_open(o->log_file, o->log_format, o->log_level) < 0) {
		fprintf(stderr, "holdfastd: %s: %s\n", o->log_file,
		    strerror(errno));
		code = errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
	} else {
		log_as("supervisor", NULL);
		code = serve(o, conf, roles);
	}
	conf_free(conf);
	return code;
}

/* And what was built with it that not every machine has. */
static void
print_version(void)
{
	char path[PATH_MAX];

	printf("holdfastd %s\nlua: %s\n", HOLDFAST_VERSION,
	    part_path("lua", path, sizeof(path)) ? "yes" : "no");
}

static int
no_files(void)
{
	fprintf(stderr, "holdfastd: /dev/null: %s\n", strerror(errno));
	return EX_SOFTWARE;
}

int
start(int argc, char **argv, const struct proc_roles *roles)
{
	struct opts o;

	title_init(argc, argv);
	upgrade_init(argv);
	if (opts_read(&o, argc, argv, stderr) < 0) {
		fprintf(stderr,
		    "holdfastd: `holdfastd --help' lists the "
		    "options\n");
		return EX_USAGE;
	}
	if (o.task == OPTS_VERSION) {
		print_version();
		return EX_OK;
	}
	if (o.task == OPTS_HELP) {
		opts_help(stdout);
		return EX_OK;
	}
	if (start_files() < 0)
		return no_files();
	if (o.guard && o.task == OPTS_SERVE && guard_fd() < 0) {
		int code = guard(&o, argv);

		if (code != GUARD_SERVE)
			return code;
		if (start_files() < 0) /* the guard's own are open */
			return no_files();
	}
	return perform(&o, roles);
}
