/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From holdfast-simulator's command line to the loop of a daemon that serves a
 * setup file of pymodbus' simulator: a store and, unless it is told another, a
 * run directory of its own, so that several run side by side. Runs once in the
 * supervisor.
 */
#include "supervisor/simstart.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "supervisor/claim.h"
#include "supervisor/conf/conf_net.h"
#include "supervisor/mem.h"
#include "supervisor/part.h"
#include "supervisor/simopts.h"
#include "supervisor/start.h"
#include "supervisor/super.h"
#include "supervisor/title.h"

#define HTTP_HOST "127.0.0.1"
#define HTTP_PORT "8081"

enum { WORDS = 512, FEW_UNITS = 3, RANDOM = 6 };

struct sim {
	const char *got[SIMOPTS];
	struct conf_pick pick;
	char store[40], http[300], json[PATH_MAX], module[PATH_MAX];
	char folder[PATH_MAX]; /* that it was started in */
	char run_dir[PATH_MAX];
	bool own_run_dir;
	enum log_level level;
	const struct conf *conf;
};

static int
refuse(const char *words)
{
	fprintf(stderr, "holdfast-simulator: %s\n", words);
	return EX_USAGE;
}

/* ---- options ---- */

/* Where the page is; "" if there is to be none. 0, or -1 with words. */
static int
find_http(struct sim *s, char *words, size_t size)
{
	const char *host = s->got[SIMOPT_HTTP_HOST];
	const char *port = s->got[SIMOPT_HTTP_PORT];
	struct conf_addr a;
	char why[300];

	host = host != NULL && host[0] != '\0' ? host : HTTP_HOST;
	port = port != NULL ? port : HTTP_PORT;
	if (strcmp(port, "none") == 0)
		return 0;
	snprintf(s->http, sizeof(s->http),
	    strchr(host, ':') != NULL && host[0] != '[' ? "[%.200s]:%.10s"
							: "%.200s:%.10s",
	    host, port);
	if (conf_addr_parse(s->http, &a, why, sizeof(why)) == 0)
		return 0;
	snprintf(words, size, "--http_host, --http_port: %s", why);
	return -1;
}

/* A file is told from a name as in the configuration. 0, or -1 with words. */
static int
find_module(struct sim *s, char *words, size_t size)
{
	const char *m = s->got[SIMOPT_MODULE];
	size_t len = m != NULL ? strlen(m) : 0;

	if (getcwd(s->folder, sizeof(s->folder)) == NULL)
		snprintf(s->folder, sizeof(s->folder), "/");
	if (m == NULL)
		return 0;
	s->pick.module = m;
	s->pick.folder = s->folder;
	if (strchr(m, '/') == NULL &&
	    (len <= 3 || strcmp(m + len - 3, ".py") != 0))
		return 0;
	if (realpath(m, s->module) == NULL) {
		snprintf(words, size, "--%s: %.200s: %s",
		    simopts_name(SIMOPT_MODULE), m, strerror(errno));
		return -1;
	}
	s->pick.module = s->module;
	return 0;
}

/* The file that is served if none is named: where the library is, or where it
 * was installed. */
static const char *
find_json(struct sim *s)
{
	if (s->got[SIMOPT_JSON] != NULL)
		return s->got[SIMOPT_JSON];
	part_file("setup.json", s->json, sizeof(s->json));
	return s->json;
}

/* The exit code, or -1: go on. */
static int
read_options(struct sim *s, int argc, char **argv)
{
	char words[WORDS];
	int rc =
	    simopts_read(s->got, SIMOPTS, argc, argv, words, sizeof(words));

	if (rc == SIMOPTS_HELP) {
		simopts_help(stdout, "holdfast-simulator", 0);
		return EX_OK;
	}
	if (rc == SIMOPTS_VERSION) {
		printf("holdfast-simulator %s\n", HOLDFAST_VERSION);
		return EX_OK;
	}
	if (rc < 0 ||
	    simopts_level(s->got[SIMOPT_LOG], &s->level, words, sizeof(words)) <
		0 ||
	    find_http(s, words, sizeof(words)) < 0)
		return refuse(words);
	if (find_module(s, words, sizeof(words)) < 0) {
		refuse(words);
		return EX_NOINPUT;
	}
	snprintf(s->store, sizeof(s->store), "simulator-%d", (int)getpid());
	s->pick.server = s->got[SIMOPT_SERVER];
	s->pick.device = s->got[SIMOPT_DEVICE];
	s->pick.store = s->store;
	s->pick.http = s->http[0] != '\0' ? s->http : NULL;
	return -1;
}

/* ---- the run directory ---- */

/* Those of simulators that were killed, whose names none will have again. */
static void
sweep(const char *folder, const char *prefix, bool stores)
{
	DIR *dir = opendir(folder);
	size_t len = strlen(prefix);
	char path[PATH_MAX];
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		const char *rest = e->d_name + len;

		if (strncmp(e->d_name, prefix, len) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (!stores && strlen(rest) == RANDOM)
			claim_sweep_run_dir(path);
		else if (stores && *rest != '\0' &&
		    strspn(rest, "0123456789") == strlen(rest) &&
		    kill((pid_t)atoi(rest), 0) < 0 && errno == ESRCH)
			claim_sweep_store(e->d_name + strlen("holdfast-"));
	}
	if (dir != NULL)
		closedir(dir);
}

static int
make_run_dir(struct sim *s)
{
	const char *dir = s->got[SIMOPT_RUN_DIR], *base;
	int len;

	if (dir == NULL)
		dir = getenv("HOLDFAST_RUN_DIR");
	if (dir != NULL && dir[0] != '\0') {
		len = snprintf(s->run_dir, sizeof(s->run_dir), "%s%s%s",
		    dir[0] == '/' ? "" : s->folder, dir[0] == '/' ? "" : "/",
		    dir);
		errno = ENAMETOOLONG;
		return len < (int)sizeof(s->run_dir) ? 0 : -1;
	}
	base = getenv("XDG_RUNTIME_DIR");
	if (base == NULL || base[0] != '/' || access(base, W_OK) < 0)
		base = "/tmp";
	sweep(base, "holdfast-simulator.", false);
	snprintf(s->run_dir, sizeof(s->run_dir), "%s/holdfast-simulator.XXXXXX",
	    base);
	s->own_run_dir = mkdtemp(s->run_dir) != NULL;
	return s->own_run_dir ? 0 : -1;
}

/* ---- what it says ---- */

/* "device \"tank\", unit 5": the units are those that the file names. */
static void
say_devices(const struct conf *conf, const struct conf_transport *t)
{
	int device = CONF_NO_DEVICE, n = 0, unit = -1;

	for (int u = 0; u < CONF_UNITS; u++) {
		if (t->units[u] == CONF_NO_DEVICE)
			continue;
		device = t->units[u];
		n++;
		/* 0 and 255 mean the server itself */
		if (unit < 0 || unit == 0)
			unit = u;
	}
	if (device == CONF_NO_DEVICE)
		return;
	printf(" device \"%s\"", conf->devices[device].name);
	if (n > FEW_UNITS)
		printf(", every unit");
	else
		printf(", unit %d", unit);
}

/* Called once, when all of it serves; text has a line for each transport. */
static void
say(void *arg, const char *text, const char *page)
{
	const struct sim *s = arg;
	const struct conf *conf = s->conf;
	char name[64], type[64], where[300];
	int len;

	for (; sscanf(text, "%63s %63s %299s%n", name, type, where, &len) == 3;
	     text += len) {
		printf("%s: %s %s", name, type, where);
		for (size_t i = 0; i < conf->ntransports; i++)
			if (strcmp(conf->transports[i].name, name) == 0)
				say_devices(conf, &conf->transports[i]);
		printf("\n");
	}
	if (conf->http.listen != NULL)
		printf("page: http://%s/\n", page);
	printf("control: holdfast -s ipc://%s/control.sock\n", s->run_dir);
	fflush(stdout);
}

/* ---- serving ---- */

static int
serve(struct sim *s, struct proc_roles *roles)
{
	const char *log = s->got[SIMOPT_LOG_FILE];
	int code;

	if (log_open(log, LOG_TEXT, s->level) < 0) {
		fprintf(stderr, "holdfast-simulator: %s: %s\n", log,
		    strerror(errno));
		return errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
	}
	log_as("supervisor", NULL);
	if (roles->missing != NULL) {
		log_error("a part is not installed: there is no %s, nor one "
			  "beside this program",
		    roles->missing);
		return EX_UNAVAILABLE;
	}
	sweep("/dev/shm", "holdfast-simulator-", true);
	if (make_run_dir(s) < 0) {
		log_error("cannot make a run directory %s: %s", s->run_dir,
		    strerror(errno));
		return EX_CANTCREAT;
	}
	roles->mortal = true;
	roles->ready = say;
	roles->arg = s;
	code = super_run(s->conf, roles, s->run_dir);
	if (s->own_run_dir)
		rmdir(s->run_dir);
	return code;
}

int
simstart(int argc, char **argv, struct proc_roles *roles)
{
	struct sim *s = mem_zero(1, sizeof(*s));
	struct conf *conf = NULL;
	int code;

	title_init(argc, argv);
	code = read_options(s, argc, argv);
	if (code >= 0)
		goto out;
	if (start_files() < 0) {
		fprintf(stderr, "holdfast-simulator: /dev/null: %s\n",
		    strerror(errno));
		code = EX_SOFTWARE;
		goto out;
	}
	s->conf = conf = conf_load_pick(find_json(s), &s->pick, stderr);
	if (conf != NULL && conf->notes != NULL)
		fputs(conf->notes, stderr);
	code = conf != NULL ? serve(s, roles) : start_code(errno);
out:
	conf_free(conf);
	free(s);
	return code;
}
