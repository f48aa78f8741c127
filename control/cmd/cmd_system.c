/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.*: who we are, what can be asked, and what the parent is told to do
 * with all of it. Runs in the control process.
 */

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/cmd/cmd_rows.h"
#include "control/faults.h"
#include "control/jtext.h"
#include "control/saved.h"
#include "control/state.h"
#include "control/take.h"

enum {
	/* the supervisor gives a reload up by itself, and says what it was:
	 * 20 s for the reading, 6 s for who is asked, 4 s for the
	 * certificates; that answer must find the call still waiting */
	RELOAD_MS = 45000, /* beyond the time that draining may take */
	UPGRADE_MS = 25000,
	ENDING_MS = 10000, /* beyond the time that draining may take */
};

void
cmd_system_ping(struct cmd_call *call)
{
	call->result = json_object();
}

/* The daemon's processes beside the workers that live, by name. */
static json_t *
aides(struct shm_control *shm)
{
	json_t *all = json_object();

	for (unsigned i = 1; i < SHM_WORKER_SLOT; i++) {
		const struct shm_slot *s = seg_slot(shm, i);
		char name[SHM_NAME_MAX];
		int pid = (int)atomic_load(&s->pid);

		if (pid == 0 || atomic_load(&s->role) == SHM_FREE)
			continue;
		memcpy(name, s->name, sizeof(name) - 1);
		name[sizeof(name) - 1] = '\0';
		json_object_set_new(all, name, json_integer(pid));
	}
	return all;
}

/* Where the page is; NULL: nowhere. */
static json_t *
http_url(const struct shm_control *shm)
{
	int len = (int)strnlen(shm->http, sizeof(shm->http));

	return len > 0 ? json_sprintf("http://%.*s/", len, shm->http) : NULL;
}

void
cmd_system_info(struct cmd_call *call)
{
	const struct control *c = call->control;
	const struct conf *conf = c->proc->conf;
	json_t *all = aides(c->shm);
	struct timespec now;
	double up_ms;

	clock_gettime(CLOCK_REALTIME, &now);
	up_ms = (double)now.tv_sec * 1e3 + (double)(now.tv_nsec / 1000000) -
	    (double)c->shm->started_ms;
	call->result = json_pack(
	    "{s:s, s:s, s:i, s:i, s:o, s:s, s:i, s:i, s:o, s:s, s:o*, s:i, "
	    "s:o*}",
	    "name", "holdfast", "version", HOLDFAST_VERSION, "pid",
	    (int)atomic_load(&seg_slot(c->shm, 0)->pid), "control_pid",
	    (int)json_integer_value(json_object_get(all, "control")),
	    "uptime_s", jtext_float64(up_ms > 0 ? up_ms / 1e3 : 0), "store",
	    conf->store, "devices", (int)conf->ndevices, "transports",
	    (int)conf->ntransports, "aides", all, "role",
	    cmd_role_name(call->role), "http", http_url(c->shm), "faults",
	    (int)faults_count(call->control, -1), "snapshot", saved_rows(c));
}

/* {"name": {"kind": "integer", "required": true}} */
static json_t *
describe_args(const struct cmd *cmd)
{
	static const char *const kinds[] = {
		[ARG_STRING] = "string",
		[ARG_INTEGER] = "integer",
		[ARG_NUMBER] = "number",
		[ARG_ARRAY] = "array",
		[ARG_OBJECT] = "object",
		[ARG_BOOLEAN] = "boolean",
		[ARG_ANY] = "any",
	};
	json_t *all = json_object();

	for (size_t i = 0; i < CMD_ARGS_MAX && cmd->args[i].name != NULL; i++)
		json_object_set_new(all, cmd->args[i].name,
		    json_pack("{s:s, s:b}", "type", kinds[cmd->args[i].kind],
			"required", (int)cmd->args[i].required));
	return all;
}

void
cmd_system_methods(struct cmd_call *call)
{
	size_t n;
	const struct cmd *cmd = cmd_table(&n);

	call->result = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(call->result,
		    json_pack("{s:s, s:s, s:s, s:o}", "name", cmd[i].name,
			"role", cmd_role_name(cmd[i].role), "help", cmd[i].help,
			"params", describe_args(&cmd[i])));
}

/* The parent has done it, or says why not. */
static void
done(struct cmd_call *call, const struct ipc_msg *msg)
{
	call->later = false;
	if (msg->rc != 0)
		cmd_fail(call, CMD_REFUSED,
		    msg->rc == EBUSY ? "busy" : "refused", "%s",
		    msg->text[0] != '\0' ? msg->text : strerror(msg->rc));
	else
		call->result = json_object();
}

/* What became of one transport's certificates. */
static void
refreshed(struct cmd_call *call, const struct ipc_msg *msg)
{
	const struct conf *conf = call->control->proc->conf;
	int transport = take_transport(call->control, msg->transport);
	const char *name;

	if (transport == -1)
		return;
	name = conf->transports[transport].name;
	if (msg->rc == 0)
		json_array_append_new(json_object_get(call->state, "refreshed"),
		    json_string(name));
	else if (json_object_get(call->state, "failed") == NULL)
		json_object_set_new(
		    call->state, "failed", json_pack("{s:s}", name, msg->text));
	else
		json_object_set_new(json_object_get(call->state, "failed"),
		    name, json_string(msg->text));
}

/* "transport tcp1: changed": to the list that it ends with. */
static void
take_line(struct cmd_call *call, const struct ipc_msg *msg)
{
	const char *colon = strrchr(msg->text, ':');
	json_t *list = colon != NULL && colon[1] == ' '
	    ? json_object_get(call->state, colon + 2)
	    : NULL;

	if (json_is_array(list))
		json_array_append_new(
		    list, jtext_bytes(msg->text, (size_t)(colon - msg->text)));
}

/* What cannot be carried out while serving is refused with what to do. */
static void
reloaded(struct cmd_call *call, const struct ipc_msg *msg)
{
	if (msg->kind == IPC_REPORT) {
		take_line(call, msg);
		return;
	}
	if (msg->kind == IPC_REFRESHED) {
		refreshed(call, msg);
		return;
	}
	done(call, msg);
	if (call->result != NULL)
		json_object_update(call->result, call->state);
}

void
cmd_system_reload(struct cmd_call *call)
{
	const struct conf *conf = call->control->proc->conf;
	struct ipc_msg msg = { .kind = IPC_RELOAD };

	call->state = json_pack("{s:[], s:[], s:[], s:[], s:[]}", "added",
	    "removed", "changed", "restarted", "refreshed");
	control_ask(
	    call, &msg, RELOAD_MS + conf->drain_timeout_s * 1000ull, reloaded);
}

void
cmd_system_upgrade(struct cmd_call *call)
{
	struct ipc_msg msg = { .kind = IPC_UPGRADE };

	/* answered before it happens: this process ends with it */
	control_ask(call, &msg, UPGRADE_MS, done);
}

void
cmd_system_shutdown(struct cmd_call *call)
{
	const struct conf *conf = call->control->proc->conf;
	struct ipc_msg msg = { .kind = IPC_SHUTDOWN };

	/* answered once the transports have stopped */
	control_ask(
	    call, &msg, ENDING_MS + conf->drain_timeout_s * 1000ull, done);
}
