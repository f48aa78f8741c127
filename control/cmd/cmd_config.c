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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/cmd/cmd_rows.h"
#include "control/jtext.h"
#include "control/state.h"

enum {
	CHECK_MS = 25000, /* the supervisor gives up by itself before */
	DUMP_BYTES_MAX = 16 << 20,
};

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

/* ---- the sheet: a text for the supervisor's reader, and its answer ---- */

static void
sheet_close(struct control *c)
{
	if (c->sheet >= 0)
		close(c->sheet);
	c->sheet = -1;
}

/* Begins one with a text on it, or empty. 0, or -1 with errno. */
static int
sheet_open(struct control *c, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0, n = 0;
	ssize_t done = 0;

	/* of one that was given up nobody will hear any more */
	sheet_close(c);
	c->sheet = memfd_create("holdfast-config", MFD_CLOEXEC);
	c->sheet_ns = c->now_ns + CHECK_MS * UINT64_C(1000000);
	for (; c->sheet >= 0 && n < len && done >= 0; n += (size_t)done)
		done = write(c->sheet, text + n, len - n);
	return c->sheet >= 0 && done >= 0 ? 0 : -1;
}

/* What the reader has left on it; NULL: nothing that could be told. It is the
 * reader's, which has read what comes from outside. */
static json_t *
sheet_text(struct control *c)
{
	struct stat st;
	json_t *text = NULL;
	char *copy;

	if (fstat(c->sheet, &st) < 0 || st.st_size > DUMP_BYTES_MAX ||
	    (copy = malloc((size_t)st.st_size + 1)) == NULL)
		return NULL;
	if (pread(c->sheet, copy, (size_t)st.st_size, 0) == st.st_size)
		text = jtext_bytes(copy, (size_t)st.st_size);
	free(copy);
	return text;
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
	if (json_is_true(json_object_get(call->params, "dump")) &&
	    json_is_true(json_object_get(call->result, "ok")))
		json_object_set_new(
		    call->result, "text", sheet_text(call->control));
}

static void
done(struct cmd_call *call, const struct ipc_msg *msg)
{
	checked(call, msg);
	if (!call->later)
		sheet_close(call->control);
}

void
cmd_config_check(struct cmd_call *call)
{
	const char *text = cmd_string(call, "text");
	struct ipc_msg msg = { .kind = IPC_RELOAD,
		.arg = text != NULL ? IPC_LOOK_TEXT : IPC_LOOK };
	struct control *c = call->control;

	if (text != NULL &&
	    json_string_length(json_object_get(call->params, "text")) !=
		strlen(text)) {
		cmd_fail(call, CMD_PARAMS, "bad_param",
		    "text holds a character of number 0");
		return;
	}
	if (c->sheet >= 0 && c->now_ns < c->sheet_ns) {
		cmd_fail(call, CMD_REFUSED, "busy", "a check is under way");
		return;
	}
	if (sheet_open(c, text) < 0) {
		cmd_fail(call, CMD_REFUSED, "refused",
		    "no room for the text: %s", strerror(errno));
		sheet_close(c);
		return;
	}
	call->state = json_pack("{s:[], s:[], s:[], s:[]}", "errors", "added",
	    "removed", "changed");
	control_ask_fd(call, &msg, c->sheet, CHECK_MS, done);
	if (!call->later)
		sheet_close(c);
}
