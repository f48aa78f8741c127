/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.get and config.check: the configuration in force, and what its files
 * say now. Files are read by a child of the supervisor, which may read what
 * this process may not. Runs in the control and http processes.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/state.h"

enum { CHECK_MS = 10000 }; /* the supervisor gives up by itself before */

void
cmd_config_get(struct cmd_call *call)
{
	const struct conf *conf = call->control->proc->conf;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return; /* cmd_run() says why */
	conf_dump(conf, f);
	if (fclose(f) == 0)
		call->result = json_pack("{s:o, s:o}", "path",
		    jtext_bytes(conf->path, strlen(conf->path)), "text",
		    jtext_bytes(text, len));
	free(text);
}

/* "device plc1: changed": to the list that it ends with. */
static void
take_line(struct cmd_call *call, const struct ipc_msg *msg)
{
	static const char *const lists[] = { "added", "removed", "changed" };
	const char *text = msg->text, *colon = strrchr(text, ':');

	for (size_t i = 0; msg->arg == 0 && colon != NULL &&
	     i < sizeof(lists) / sizeof(lists[0]);
	     i++)
		if (strcmp(colon + 1 + (colon[1] == ' '), lists[i]) == 0) {
			json_array_append_new(
			    json_object_get(call->state, lists[i]),
			    jtext_bytes(text, (size_t)(colon - text)));
			return;
		}
	json_array_append_new(json_object_get(call->state, "errors"),
	    jtext_bytes(text, strlen(text)));
}

static void
checked(struct cmd_call *call, const struct ipc_msg *msg)
{
	json_t *errors = json_object_get(call->state, "errors");
	size_t told;

	if (msg->kind == IPC_REPORT) {
		take_line(call, msg);
		return;
	}
	call->later = false;
	if (msg->rc != 0 && msg->rc != ENOTSUP && msg->rc != EINVAL &&
	    msg->rc != EIO) {
		cmd_fail(call, CMD_REFUSED,
		    msg->rc == EBUSY ? "busy" : "refused", "%s",
		    msg->text[0] != '\0' ? msg->text : strerror(msg->rc));
		return;
	}
	/* arg is how many lines there were; not all may have been told */
	told = json_array_size(errors);
	if (msg->rc != 0 && msg->rc != ENOTSUP && told == 0)
		json_array_append_new(
		    errors, jtext_bytes(msg->text, strlen(msg->text)));
	else if (msg->rc != 0 && msg->rc != ENOTSUP && msg->arg > told)
		json_array_append_new(errors,
		    json_sprintf("and %d more", (int)(msg->arg - told)));
	call->result =
	    json_pack("{s:b}", "ok", (int)(msg->rc == 0 || msg->rc == ENOTSUP));
	json_object_update(call->result, call->state);
}

void
cmd_config_check(struct cmd_call *call)
{
	struct ipc_msg msg = { .kind = IPC_RELOAD, .arg = 1 };

	call->state = json_pack("{s:[], s:[], s:[], s:[]}", "errors", "added",
	    "removed", "changed");
	control_ask(call, &msg, CHECK_MS, checked);
}
