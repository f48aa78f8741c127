/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin is loaded and a certificate read with the rights that a worker will
 * have, by nobody whom a crash would hurt. Runs in holdfastd -t, and in the
 * throw-away child that reads a configuration again.
 */
#include "supervisor/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "supervisor/keeper/table.h"
#include "supervisor/secret.h"
#include "supervisor/super.h"

enum { TRIAL_S = 10 }; /* that the plugins of a transport have to look */

/* A plugin is to reach nothing that is not its own worker's. */
static int
let_go(struct super *s, FILE *out)
{
	struct table t = { .fd = NULL };
	int rc;

	for (size_t i = 0; i < s->conf->ndevices; i++)
		seg_unmap(&s->device_segs[i]);
	for (struct process *p = s->processes; p != NULL; p = p->next)
		seg_unmap(&p->seg);
	for (int fd = 0; fd <= 2; fd++)
		table_add(&t, fd);
	table_add(&t, log_fd());
	table_add(&t, fileno(out));
	rc = table_close_others(&t);
	table_free(&t);
	return rc;
}

static int
become(const struct conf_transport *t)
{
	const struct passwd *pw = t->user != NULL ? getpwnam(t->user) : NULL;

	if (geteuid() != 0 || pw == NULL)
		return 0;
	return initgroups(t->user, pw->pw_gid) < 0 ||
		setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0
	    ? -1
	    : 0;
}

static int
look(const struct trial *trial, const struct conf_transport *t)
{
	struct proc p = {
		.conf = trial->conf,
		.transport = t,
		.chan = -1,
		.listen_fd = -1,
		.actions_fd = -1,
		.bell_fd = -1,
	};
	int wrong = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(TRIAL_S);
	if ((trial->super != NULL && let_go(trial->super, trial->out) < 0) ||
	    (trial->files && secret_try(&p, trial->super) < 0) || become(t) < 0)
		fprintf(trial->out, "transport %s: cannot become %s: %s\n",
		    t->name, t->user != NULL ? t->user : "its own",
		    strerror(errno));
	else
		wrong = trial->roles->check(&p, trial->files, trial->out);
	fflush(trial->out);
	return wrong == 0 ? EX_OK : EX_CONFIG;
}

bool
trial_transport(const struct trial *trial, const struct conf_transport *t)
{
	bool tls = trial->files && t->type == CONF_TLS;
	int status = 0;
	pid_t pid;

	if (trial->roles->check == NULL || (t->plugins.n == 0 && !tls))
		return true;
	fflush(trial->out);
	pid = fork();
	if (pid == 0)
		_exit(look(trial, t));
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		fprintf(trial->out, "%s: %s: %s\n",
		    t->plugins.n > 0 ? t->plugins_place : t->name,
		    t->plugins.n > 0
			? "a plugin does not come back from looking at its "
			  "options"
			: "its certificates cannot be looked at",
		    pid < 0 ? strerror(errno) : strsignal(WTERMSIG(status)));
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EX_OK;
}
