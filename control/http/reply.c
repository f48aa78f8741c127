/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What handlers do with a call: look into it, ask the commands, answer. Runs in
 * the http process.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/call.h"
#include "control/jtext.h"
#include "control/rpc.h"
#include "control/saves.h"

const char *
http_field(const struct http_call *call, const char *name)
{
	for (unsigned i = 0; i < call->nfields; i++)
		if (strcmp(call->field[i].name, name) == 0)
			return call->field[i].value;
	return NULL;
}

const char *
http_header(const struct http_call *call, const char *name)
{
	return head_find(&call->head, name);
}

/* ---- answers ---- */

void
http_add(struct http_call *call, const char *name, const char *value)
{
	char *more;

	if (strpbrk(value, "\r\n") != NULL || strpbrk(name, "\r\n") != NULL)
		return;
	if (asprintf(&more, "%s%s: %s\r\n",
		call->extra != NULL ? call->extra : "", name, value) < 0)
		return;
	free(call->extra);
	call->extra = more;
}

void
http_reply(struct http_call *call, int status, const char *type,
    const char *text, size_t len)
{
	if (call->conn != NULL)
		web_conn_answer(call->conn, status, type, text, len);
	else
		call_free(call);
}

void
http_reply_json(struct http_call *call, int status, json_t *json)
{
	size_t len = 0;
	char *text = json != NULL ? jtext_dump(json, &len) : NULL;

	json_decref(json);
	if (text == NULL)
		http_fail(call, 500, "no_memory", "Out of memory.");
	else
		http_reply(call, status, HTTP_JSON, text, len);
	free(text);
}

/* Somebody who reads, rather than a program. */
static bool
wants_words(const struct http_call *call)
{
	const char *accept = http_header(call, "accept");

	return strncmp(call->path, "/api/v1/", 8) != 0 &&
	    strncmp(call->path, "/restapi/", 9) != 0 &&
	    (accept == NULL || !head_lists(accept, HTTP_JSON));
}

void
http_fail(struct http_call *call, int status, const char *reason,
    const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	if (wants_words(call)) {
		strcat(text, "\n");
		http_reply(call, status, HTTP_TEXT, text, strlen(text));
		return;
	}
	http_reply_json(call, status,
	    json_pack("{s:{s:i, s:o, s:s}}", "error", "code", status, "message",
		jtext_bytes(text, strlen(text)), "reason", reason));
}

int
http_status_of(enum cmd_error error)
{
	switch (error) {
	case CMD_OK:
		return 200;
	case CMD_PARSE:
	case CMD_REQUEST:
	case CMD_PARAMS:
		return 400;
	case CMD_DENIED:
		return 403;
	case CMD_METHOD:
	case CMD_NOT_FOUND:
		return 404;
	case CMD_REFUSED:
		return 409;
	case CMD_MODBUS:
		return 422;
	case CMD_TIMEOUT:
		return 504;
	case CMD_INTERNAL:
		break;
	}
	return 500;
}

void
http_fail_as_said(struct http_call *call)
{
	http_fail(call, http_status_of(call->error),
	    call->reason != NULL ? call->reason : "failed", "%s",
	    call->message);
}

/* ---- asking ---- */

static void
note(struct http_call *call, const struct cmd_call *cmd)
{
	call->error = (enum cmd_error)cmd->error;
	call->reason = cmd->reason;
	memcpy(call->message, cmd->message, sizeof(call->message));
}

json_t *
http_ask(struct http_call *call, const char *method, json_t *params)
{
	struct cmd_call cmd = { .control = call->control,
		.role = call->role,
		.params = params,
		.in_batch = true };
	json_t *result = NULL;

	rpc_call(&cmd, method);
	if (cmd.ticket != 0)
		saves_settle(&cmd);
	if (cmd.later)
		cmd_fail(&cmd, CMD_INTERNAL, "later",
		    "%s answers later: http_ask_later()", method);
	note(call, &cmd);
	if (cmd.error == CMD_OK)
		result = json_incref(cmd.result);
	cmd_call_fini(&cmd);
	return result;
}

static void
answered(void *arg, struct cmd_call *cmd)
{
	struct http_call *call = arg;

	note(call, cmd);
	call->then(call, cmd->error == CMD_OK ? cmd->result : NULL);
}

void
http_ask_later(struct http_call *call, const char *method, json_t *params,
    void (*then)(struct http_call *, json_t *result))
{
	call->then = then;
	rpc_ask(call->control, call->role, method, params, answered, call);
}
