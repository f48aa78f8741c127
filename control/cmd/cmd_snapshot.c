/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.save and snapshot.load: the registers of every device to a file and
 * back. Who asks names the file, so the name is held against rules, and nothing
 * but a snapshot is ever replaced or told of. Pictures are taken and the disk is
 * waited for in a thread, so that neither is taken for a process that hangs.
 */

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cmd/cmd_restore.h"
#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/state.h"
#include "shm/clock.h"
#include "shm/snap.h"

enum { DISK_S = 30, PICTURE_S = 10, LOOK_MS = 50, MS = 1000000 };

/* What the thread does, and what came of it. Whoever is last gives it back. */
struct job {
	void *(*run)(void *);
	const struct proc *proc;
	char path[PATH_MAX];
	struct snap snap;
	char why[SNAP_WHY]; /* "": it went well */
	pthread_mutex_t lock;
	bool over, left; /* done; nobody waits any more */
};

/* ---- paths ---- */

static bool
ends_in_snap(const char *path)
{
	size_t len = strlen(path), tail = sizeof(".snap") - 1;

	return len > tail && strcmp(path + len - tail, ".snap") == 0 &&
	    path[len - tail - 1] != '/';
}

/* Names are text, and lead nowhere else than they look. */
static bool
is_straight(const char *path)
{
	const char *p = path;

	for (const char *c = path; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	for (; p != NULL; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return false;
	}
	return true;
}

/* Where names without a slash are: the state directory that the service was
 * given, else the run directory. */
static const char *
home(const struct control *c, char folder[PATH_MAX])
{
	const char *state = getenv("STATE_DIRECTORY");

	if (state == NULL || state[0] != '/')
		return c->proc->run_dir;
	snprintf(folder, PATH_MAX, "%.*s", (int)strcspn(state, ":"), state);
	return folder;
}

static bool
choose_path(struct cmd_call *call, char path[PATH_MAX])
{
	const struct control *c = call->control;
	const char *asked = cmd_string(call, "path");
	char folder[PATH_MAX];
	int len;

	if (asked == NULL)
		len = snprintf(path, PATH_MAX, "%s/%s.snap", home(c, folder),
		    c->proc->conf->store);
	else if (asked[0] == '/')
		len = snprintf(path, PATH_MAX, "%s", asked);
	else
		len = snprintf(path, PATH_MAX, "%s/%s", home(c, folder), asked);
	if (asked != NULL &&
	    ((asked[0] != '/' && strchr(asked, '/') != NULL) ||
		!is_straight(asked) || !ends_in_snap(asked))) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "path is a name that ends in .snap, or such a path from "
		    "the root on without \"..\"");
		return false;
	}
	if (len >= PATH_MAX - 8) {
		cmd_fail(call, CMD_PARAMS, "bad_value", "path is too long");
		return false;
	}
	return true;
}

/* ---- the disk ---- */

/* Every device at one moment of its own. */
static bool
take_pictures(struct job *job)
{
	const struct conf *conf = job->proc->conf;
	struct store_picture p;

	for (size_t i = 0; i < conf->ndevices; i++) {
		if (store_picture_take(&job->proc->stores[i],
			(uint64_t)PICTURE_S * 1000 * MS, &p) != STORE_OK) {
			snprintf(job->why, sizeof(job->why),
			    "device %s is written to too fast, or memory is "
			    "short",
			    conf->devices[i].name);
			return false;
		}
		snap_add(&job->snap, conf->devices[i].name, &p);
		store_picture_free(&p);
	}
	if (snap_end(&job->snap) == 0)
		return true;
	snprintf(job->why, sizeof(job->why), "out of memory");
	return false;
}

static void *
save_job(void *arg)
{
	struct job *job = arg;

	if (!take_pictures(job) || snap_write(&job->snap, job->path) == 0)
		return NULL;
	snprintf(job->why, sizeof(job->why), "%s",
	    errno == EEXIST ? "what is there is no snapshot and stays"
			    : strerror(errno));
	return NULL;
}

static void *
load_job(void *arg)
{
	struct job *job = arg;
	char why[SNAP_WHY];

	if (snap_read(&job->snap, job->path, why) == -1)
		memcpy(job->why, why, sizeof(why));
	return NULL;
}

static void
job_free(struct job *job)
{
	pthread_mutex_destroy(&job->lock);
	snap_free(&job->snap);
	free(job);
}

static void *
carry_out(void *arg)
{
	struct job *job = arg;
	bool left;

	job->run(job);
	pthread_mutex_lock(&job->lock);
	job->over = true;
	left = job->left;
	pthread_mutex_unlock(&job->lock);
	if (left)
		job_free(job);
	return NULL;
}

/* True once it is over; after the time is up the thread has it for itself. */
static bool
await(struct control *c, struct job *job)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * MS };
	uint64_t until = clock_mono_ns() + (uint64_t)DISK_S * 1000 * MS;
	const struct timespec soon = { .tv_nsec = MS / 4 };
	bool over = false;

	for (unsigned turn = 0; !over; turn++) {
		bool late = clock_mono_ns() > until;

		pthread_mutex_lock(&job->lock);
		over = job->over;
		job->left = late && !over;
		pthread_mutex_unlock(&job->lock);
		if (over || late)
			break;
		nanosleep(turn < 40 ? &soon : &look, NULL);
		control_beat(c);
	}
	return over;
}

/* Has the thread do it; false after the call has failed, and the job is
 * given back. */
static bool
run_job(struct cmd_call *call, struct job *job, void *(*run)(void *))
{
	pthread_t thread;

	job->run = run;
	pthread_mutex_init(&job->lock, NULL);
	if (pthread_create(&thread, NULL, carry_out, job) != 0) {
		cmd_fail(call, CMD_INTERNAL, "internal", "no thread to be had");
		job_free(job);
		return false;
	}
	pthread_detach(thread);
	if (!await(call->control, job)) {
		cmd_fail(call, CMD_TIMEOUT, "timeout",
		    "the disk takes longer than %d s; it may still be done",
		    DISK_S);
		return false;
	}
	if (job->why[0] == '\0')
		return true;
	cmd_fail(
	    call, CMD_REFUSED, "file", "%.120s: %.120s", job->path, job->why);
	job_free(job);
	return false;
}

static struct job *
new_job(struct cmd_call *call)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		cmd_fail(call, CMD_INTERNAL, "internal", "out of memory");
		return NULL;
	}
	job->proc = call->control->proc;
	if (choose_path(call, job->path))
		return job;
	free(job);
	return NULL;
}

/* ---- the commands ---- */

void
cmd_snapshot_save(struct cmd_call *call)
{
	const struct conf *conf = call->control->proc->conf;
	struct job *job = new_job(call);
	struct timespec now;

	if (job == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	snap_begin(&job->snap, conf->store,
	    (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / MS);
	if (!run_job(call, job, save_job))
		return;
	call->result = json_pack("{s:o, s:i, s:o}", "path",
	    jtext_bytes(job->path, strlen(job->path)), "devices",
	    (int)conf->ndevices, "bytes", jtext_uint(job->snap.len));
	job_free(job);
}

void
cmd_snapshot_load(struct cmd_call *call)
{
	struct job *job = new_job(call);
	struct restored r = { 0 };

	if (job == NULL || !run_job(call, job, load_job))
		return;
	if (restore_all(call, &job->snap, &r))
		call->result = json_pack(
		    "{s:o, s:i, s:o, s:o, s:o, s:i, s:O, s:o}", "path",
		    jtext_bytes(job->path, strlen(job->path)), "devices",
		    (int)r.devices, "bytes", jtext_uint(job->snap.len), "at",
		    jtext_float64((double)snap_time_ms(&job->snap) / 1e3),
		    "written", jtext_uint(r.written), "steps", (int)r.steps,
		    "unfit", r.unfit, "unfit_more", jtext_uint(r.more));
	json_decref(r.unfit);
	job_free(job);
}
