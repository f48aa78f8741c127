/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transports.*: what the supervisor says of them in the control segment, and
 * the orders that it is given. An order is answered after it has happened.
 * Runs in the control process.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "control/cmd/cmd_rows.h"
#include "control/faults.h"
#include "control/jtext.h"
#include "control/quarantined.h"
#include "control/state.h"
#include "control/take.h"
#include "control/view.h"
#include "shm/state.h"

enum { START_MS = 15000 };

static uint64_t
unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* "exit 70", "signal 9 (KILL)", or null. */
static json_t *
last_exit(int status)
{
	char text[48];

	if (status == -1)
		return json_null();
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "signal %d (%s)", WTERMSIG(status),
		    sigabbrev_np(WTERMSIG(status)) != NULL
			? sigabbrev_np(WTERMSIG(status))
			: "?");
	else
		snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
	return json_string(text);
}

/* A line is a connection while its device is there. */
static json_t *
line_state(
    const struct conf_transport *conf, unsigned state, uint64_t connections)
{
	if (conf->serial.port == NULL || state != SHM_UP)
		return json_null();
	return json_string(connections != 0 ? "up" : "lost");
}

static json_t *
describe(struct control *c, unsigned i, uint64_t now_ms)
{
	const struct conf_transport *conf = &c->proc->conf->transports[i];
	struct shm_transport *t = seg_transport(c->shm, take_place(c, i));
	unsigned state = atomic_load_explicit(&t->state, memory_order_acquire);
	unsigned pid = atomic_load(&t->pid);
	uint64_t since = atomic_load(&t->since_ms);
	double up = state == SHM_UP && now_ms > since
	    ? (double)(now_ms - since) / 1e3
	    : 0;
	char listen[SHM_NAME_MAX];
	struct view_sums sums;

	/* the real port stands in the segment once it is known; what a plugin
	 * listens on may be longer than there is room there */
	memcpy(listen, t->listen, sizeof(listen));
	listen[sizeof(listen) - 1] = '\0';
	view_sum(c, i, &sums);
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:o, "
			 "s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:o}",
	    "name", conf->name, "type", conf->type_name, "listen",
	    listen[0] != '\0' && conf->type != CONF_PLUGIN
		? jtext_bytes(listen, strlen(listen))
		: json_string(conf_where(conf)),
	    "state", shm_state_name(state), "line",
	    line_state(conf, state, sums.connections), "pid",
	    pid != 0 && state != SHM_STOPPED ? json_integer(pid) : json_null(),
	    "restarts", (int)atomic_load(&t->restarts), "uptime_s",
	    jtext_float64(up), "connections", jtext_uint(sums.connections),
	    "requests", jtext_uint(sums.requests), "exceptions",
	    jtext_uint(sums.exceptions), "errors", jtext_uint(sums.errors),
	    "last_exit", last_exit(atomic_load(&t->last_exit)), "workers",
	    (int)conf->workers, "max_connections", (int)conf->max_connections,
	    "max_connections_per_peer", (int)conf->max_connections_per_peer,
	    "max_transactions", (int)conf->max_transactions, "faults",
	    (int)faults_count(c, (int)i), "quarantined",
	    quarantined_json(c, i));
}

void
cmd_transports_list(struct cmd_call *call)
{
	struct control *c = call->control;
	uint64_t now_ms = unix_ms();

	call->result = json_array();
	for (size_t i = 0; i < c->proc->conf->ntransports; i++)
		json_array_append_new(
		    call->result, describe(c, (unsigned)i, now_ms));
}

static void
done(struct cmd_call *call, const struct ipc_msg *msg)
{
	const char *name = cmd_string(call, "name");

	call->later = false;
	if (msg->rc != 0)
		cmd_fail(call, msg->rc == ETIMEDOUT ? CMD_TIMEOUT : CMD_REFUSED,
		    msg->rc == ETIMEDOUT   ? "timeout"
			: msg->rc == EBUSY ? "busy"
					   : "refused",
		    "%s: %s", name,
		    msg->text[0] != '\0' ? msg->text : strerror(msg->rc));
	else
		call->result = json_pack("{s:s, s:s}", "name", name, "state",
		    shm_state_name((unsigned)msg->arg));
}

static void
order(struct cmd_call *call, enum ipc_kind kind)
{
	const struct conf *conf = call->control->proc->conf;
	const json_t *drain = json_object_get(call->params, "drain_s");
	int transport = control_transport(call, cmd_string(call, "name"));
	uint64_t drain_ms = conf->drain_timeout_s * 1000ull;
	struct ipc_msg msg = { .kind = kind };

	if (transport == -1)
		return;
	if (drain != NULL)
		drain_ms = (uint64_t)(json_number_value(drain) * 1e3);
	msg.transport = take_place(call->control, (size_t)transport);
	if (kind != IPC_START)
		msg.arg = drain_ms;
	msg.rc = kind == IPC_RESTART && drain != NULL;
	control_ask(call, &msg, START_MS + msg.arg, done);
}

void
cmd_transports_start(struct cmd_call *call)
{
	order(call, IPC_START);
}

void
cmd_transports_stop(struct cmd_call *call)
{
	order(call, IPC_STOP);
}

void
cmd_transports_restart(struct cmd_call *call)
{
	order(call, IPC_RESTART);
}
