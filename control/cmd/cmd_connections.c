/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connections.*: read from the workers' own records; ended by the worker,
 * which the supervisor passes the order to. Runs in the control process.
 */

#include <errno.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/view.h"
#include "shm/notice.h"

enum { KICK_MS = 5000 };

/* Calls fn for each open connection of a transport, or of all (-1). */
static void
each(struct control *c, int transport, json_t *out,
    void (*fn)(struct control *, const struct view *, const struct view_conn *,
	json_t *))
{
	struct view_conn conn;

	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if ((transport != -1 && v->transport != (unsigned)transport) ||
		    !view_attach(c, v))
			continue;
		for (unsigned n = 0; n < view_conns(v); n++)
			if (view_conn(v, n, &conn))
				fn(c, v, &conn, out);
	}
}

static void
list_one(struct control *c, const struct view *v, const struct view_conn *conn,
    json_t *out)
{
	char id[SHM_NAME_MAX + 32];

	view_format_id(
	    c, v->transport, v->worker, conn->serial, id, sizeof(id));
	json_array_append_new(out,
	    json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id", id,
		"transport", c->proc->conf->transports[v->transport].name,
		"peer", jtext_bytes(conn->peer, strlen(conn->peer)), "since",
		jtext_float64((double)conn->since_ms / 1e3), "requests",
		jtext_uint(conn->requests), "last_fc",
		conn->last_fc != 0 ? json_integer(conn->last_fc) : json_null(),
		"role", view_role(conn->role, conn->role_len)));
}

void
cmd_connections_list(struct cmd_call *call)
{
	const char *name = cmd_string(call, "transport");
	int transport = name != NULL ? control_transport(call, name) : -1;

	if (call->error != CMD_OK)
		return;
	call->result = json_array();
	each(call->control, transport, call->result, list_one);
}

/* ---- close ---- */

static void
note_one(struct control *c, const struct view *v, const struct view_conn *conn,
    json_t *out)
{
	(void)c;
	json_array_append_new(out,
	    json_integer(
		(json_int_t)CONN_ID(v->place, v->worker, conn->serial)));
}

/* call->state holds the ids still to close, the last one first. */
static void close_next(struct cmd_call *);

static void
closed(struct cmd_call *call, const struct ipc_msg *msg)
{
	size_t left = json_array_size(call->state);
	bool one = cmd_string(call, "id") != NULL;

	/* of a whole transport, some may have gone by themselves */
	if (msg->rc != 0 && (one || msg->rc != ENOENT)) {
		call->later = false;
		cmd_fail(call, msg->rc == ENOENT ? CMD_NOT_FOUND : CMD_REFUSED,
		    msg->rc == ENOENT ? "no_connection" : "refused", "%s",
		    msg->text[0] != '\0' ? msg->text : strerror(msg->rc));
		return;
	}
	json_array_remove(call->state, left - 1);
	close_next(call);
}

static void
close_next(struct cmd_call *call)
{
	size_t left = json_array_size(call->state);
	struct ipc_msg msg = { .kind = IPC_KICK };

	if (left == 0) {
		call->later = false;
		call->result = json_object();
		return;
	}
	msg.arg =
	    (uint64_t)json_integer_value(json_array_get(call->state, left - 1));
	msg.transport = CONN_ID_TRANSPORT(msg.arg);
	control_ask(call, &msg, KICK_MS, closed);
}

void
cmd_connections_close(struct cmd_call *call)
{
	const char *id_text = cmd_string(call, "id");
	const char *name = cmd_string(call, "transport");
	uint64_t id;
	int transport;

	if ((id_text == NULL) == (name == NULL)) {
		cmd_fail(call, CMD_PARAMS, "missing_param",
		    "either id or transport is wanted");
		return;
	}
	if (name != NULL) {
		transport = control_transport(call, name);
		if (transport == -1)
			return;
		call->state = json_array();
		each(call->control, transport, call->state, note_one);
	} else {
		if (!view_parse_id(call->control, id_text, &id) ||
		    !view_is_open(call->control, id)) {
			cmd_fail(call, CMD_NOT_FOUND, "no_connection",
			    "no connection \"%.60s\"", id_text);
			return;
		}
		call->state = json_pack("[I]", (json_int_t)id);
	}
	close_next(call);
}
