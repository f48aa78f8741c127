/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.save and snapshot.load: the registers of every device to a file and
 * back. Who asks names the file, so the name is held against rules, and nothing
 * but a snapshot is ever replaced or told of. Pictures, checksums and the disk
 * are a thread's work; what is loaded is written a few steps a turn.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cmd/cmd_restore.h"
#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/state.h"
#include "control/work.h"
#include "shm/snap.h"

enum { DISK_MS = 30000, PICTURE_S = 10, MS = 1000000 };

static const char late[] =
    "the disk takes longer than 30 s; it may still be done";

/* What the thread does, and what came of it. */
struct job {
	struct work work;
	/* they stay while it is under way */
	const struct conf *conf;
	const struct store *stores;
	char path[PATH_MAX];
	struct snap snap;
	struct restore *restore; /* load: once the file has been read */
	char why[SNAP_WHY]; /* "": it went well */
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
	const struct conf *conf = job->conf;
	struct store_picture p;

	for (size_t i = 0; i < conf->ndevices; i++) {
		if (store_picture_take(&job->stores[i],
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

static void
save_job(struct work *w)
{
	struct job *job = (struct job *)w;
	bool whole;

	work_read(w);
	whole = take_pictures(job);
	work_has_read(w);
	if (!whole || snap_write(&job->snap, job->path) == 0)
		return;
	snprintf(job->why, sizeof(job->why), "%s",
	    errno == EEXIST ? "what is there is no snapshot and stays"
			    : strerror(errno));
}

static void
load_job(struct work *w)
{
	struct job *job = (struct job *)w;
	char why[SNAP_WHY];

	if (snap_read(&job->snap, job->path, why) == -1)
		memcpy(job->why, why, sizeof(why));
}

static void
job_follow(struct work *w, const struct proc *p)
{
	struct job *job = (struct job *)w;

	job->conf = p->conf;
	job->stores = p->stores;
}

static void
job_drop(struct work *w)
{
	struct job *job = (struct job *)w;

	restore_end(job->restore);
	snap_free(&job->snap);
	free(job);
}

/* The job that has been done; NULL after the call has failed with it. */
static struct job *
take_job(struct cmd_call *call)
{
	struct job *job = (struct job *)call->control->works;

	call->later = false;
	if (job->work.failed) {
		cmd_fail(call, CMD_INTERNAL, "internal", "no thread to be had");
		return NULL;
	}
	if (job->why[0] == '\0')
		return job;
	cmd_fail(
	    call, CMD_REFUSED, "file", "%.120s: %.120s", job->path, job->why);
	return NULL;
}

static struct job *
new_job(struct cmd_call *call)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		cmd_fail(call, CMD_INTERNAL, "internal", "out of memory");
		return NULL;
	}
	job->work.drop = job_drop;
	job->work.follow = job_follow;
	job_follow(&job->work, call->control->proc);
	if (choose_path(call, job->path))
		return job;
	free(job);
	return NULL;
}

/* ---- the commands ---- */

static void
saved(struct cmd_call *call, const struct ipc_msg *msg)
{
	struct job *job = take_job(call);

	(void)msg;
	if (job != NULL)
		call->result = json_pack("{s:o, s:i, s:o}", "path",
		    jtext_bytes(job->path, strlen(job->path)), "devices",
		    (int)job->conf->ndevices, "bytes",
		    jtext_uint(job->snap.len));
}

void
cmd_snapshot_save(struct cmd_call *call)
{
	struct job *job = new_job(call);
	const char *own;
	struct timespec now;

	if (job == NULL)
		return;
	own = job->conf->snapshot.path;
	if (own != NULL && strcmp(job->path, own) == 0) {
		cmd_fail(call, CMD_PARAMS, "bad_value",
		    "the daemon itself saves there; choose another path");
		free(job);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	snap_begin(&job->snap, job->conf->store,
	    (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / MS, NULL);
	job->work.run = save_job;
	work_begin(call, &job->work, DISK_MS, late, saved);
}

static void
tell_restored(struct cmd_call *call, const struct job *job)
{
	const struct restored *r = restore_told(job->restore);

	call->result = json_pack("{s:o, s:i, s:o, s:o, s:o, s:i, s:O, s:o}",
	    "path", jtext_bytes(job->path, strlen(job->path)), "devices",
	    (int)r->devices, "bytes", jtext_uint(job->snap.len), "at",
	    jtext_float64((double)snap_time_ms(&job->snap) / 1e3), "written",
	    jtext_uint(r->written), "steps", (int)r->steps, "unfit", r->unfit,
	    "unfit_more", jtext_uint(r->more));
}

/* Once the file has been read, and then in each turn of the loop. */
static void
loaded(struct cmd_call *call, const struct ipc_msg *msg)
{
	struct job *job = take_job(call);

	(void)msg;
	if (job == NULL)
		return;
	if (job->restore == NULL)
		job->restore = restore_begin(&job->snap);
	if (job->restore == NULL) {
		cmd_fail(call, CMD_INTERNAL, "internal", "out of memory");
		return;
	}
	switch (restore_some(call, job->restore)) {
	case RESTORE_MORE:
		job->work.more = call->later = true;
		call->deadline_ns =
		    call->control->now_ns + (uint64_t)DISK_MS * MS;
		break;
	case RESTORE_DONE:
		tell_restored(call, job);
		break;
	case RESTORE_FAILED:
		break;
	}
}

void
cmd_snapshot_load(struct cmd_call *call)
{
	struct job *job = new_job(call);

	if (job == NULL)
		return;
	job->work.run = load_job;
	work_begin(call, &job->work, DISK_MS, late, loaded);
}
