/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands, and what all of them have in common: the role is
 * looked at first, then the parameters, then the command runs. Used by the
 * control process; nothing here knows ZeroMQ.
 */

#include "control/cmd/cmd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "shm/fault.h"
#include "supervisor/near.h"

enum {
	ADDR_MAX = INT32_MAX,
	COUNT_MAX = 65536 * 16,
	DRAIN_MAX_S = 3600,
	EXPIRES_MAX_S = 31622400, /* a year */
	LINES_MAX = 10000,
	FRAMES_MAX = 1000,
};

#define HITS_MAX 1000000000000 /* replies of a rule; rules */

#define MUST true, 0, 0
#define MAY false, 0, 0
#define ARG_WHERE                                                     \
	{ "device", ARG_STRING, MAY }, { "table", ARG_STRING, MUST }, \
	{                                                             \
		"addr", ARG_INTEGER, true, 0, ADDR_MAX                \
	}
#define ARG_AS                                                     \
	{ "type", ARG_STRING, MAY }, { "order", ARG_STRING, MAY }, \
	{                                                          \
		"encoding", ARG_STRING, MAY                        \
	}
#define ARG_COUNT                                         \
	{                                                 \
		"count", ARG_INTEGER, false, 1, COUNT_MAX \
	}
#define ARG_DRAIN                                            \
	{                                                    \
		"drain_s", ARG_NUMBER, false, 0, DRAIN_MAX_S \
	}

static const struct cmd table[] = {
	{ "system.ping", CMD_READ, "answers {}", cmd_system_ping, { { 0 } } },
	{ "system.info", CMD_READ, "name, version, pid, uptime and store",
	    cmd_system_info, { { 0 } } },
	{ "system.methods", CMD_READ, "this table", cmd_system_methods,
	    { { 0 } } },
	{ "system.reload", CMD_ADMIN, "reads the configuration again",
	    cmd_system_reload, { { 0 } } },
	{ "system.upgrade", CMD_ADMIN,
	    "becomes the program that is installed now", cmd_system_upgrade,
	    { { 0 } } },
	{ "system.shutdown", CMD_ADMIN, "drains every transport and ends",
	    cmd_system_shutdown, { { 0 } } },

	{ "registers.read", CMD_READ,
	    "values of one table, one consistent picture", cmd_registers_read,
	    { ARG_WHERE, ARG_COUNT, ARG_AS } },
	{ "registers.write", CMD_OPERATE, "writes values into one table",
	    cmd_registers_write,
	    { ARG_WHERE, { "values", ARG_ARRAY, MAY }, ARG_COUNT, ARG_AS } },
	{ "registers.transaction", CMD_OPERATE,
	    "write, mask, check and read as one step, all or nothing",
	    cmd_registers_transaction,
	    { { "device", ARG_STRING, MAY }, { "ops", ARG_ARRAY, MUST } } },
	{ "registers.describe", CMD_READ, "the ranges of a device",
	    cmd_registers_describe,
	    { { "device", ARG_STRING, MAY }, { "table", ARG_STRING, MAY } } },

	{ "registers.counts", CMD_READ,
	    "how often addresses were read and written", cmd_registers_counts,
	    { ARG_WHERE, ARG_COUNT } },

	{ "devices.list", CMD_READ, "devices, their tables, who serves them",
	    cmd_devices_list, { { 0 } } },

	{ "transports.list", CMD_READ, "transports and how they are",
	    cmd_transports_list, { { 0 } } },
	{ "transports.start", CMD_OPERATE, "starts a transport",
	    cmd_transports_start, { { "name", ARG_STRING, MUST }, ARG_DRAIN } },
	{ "transports.stop", CMD_OPERATE, "drains and stops a transport",
	    cmd_transports_stop, { { "name", ARG_STRING, MUST }, ARG_DRAIN } },
	{ "transports.restart", CMD_OPERATE, "drains and starts it again",
	    cmd_transports_restart,
	    { { "name", ARG_STRING, MUST }, ARG_DRAIN } },

	{ "connections.list", CMD_READ, "open connections",
	    cmd_connections_list, { { "transport", ARG_STRING, MAY } } },
	{ "connections.close", CMD_OPERATE,
	    "ends one connection, or all of a transport", cmd_connections_close,
	    { { "id", ARG_STRING, MAY }, { "transport", ARG_STRING, MAY } } },

	{ "quarantine.list", CMD_READ,
	    "who is kept out for what workers died of, and what is not "
	    "carried out",
	    cmd_quarantine_list, { { "transport", ARG_STRING, MAY } } },
	{ "quarantine.lift", CMD_OPERATE, "forgets that of one peer, or of all",
	    cmd_quarantine_lift,
	    { { "peer", ARG_STRING, MAY }, { "transport", ARG_STRING, MAY } } },

	{ "faults.add", CMD_OPERATE, "spoils replies by a rule", cmd_faults_add,
	    { { "transport", ARG_STRING, MAY },
		{ "connection", ARG_STRING, MAY },
		{ "unit", ARG_INTEGER, false, 0, 255 }, { "fc", ARG_ANY, MAY },
		{ "range", ARG_ANY, MAY },
		{ "rate_pct", ARG_NUMBER, false, 0, 100 },
		{ "count", ARG_INTEGER, false, 1, HITS_MAX },
		{ "expires_s", ARG_NUMBER, false, 0, EXPIRES_MAX_S },
		{ "exception", ARG_ANY, MAY },
		{ "delay_ms", ARG_INTEGER, false, 0, FAULT_WAIT_MAX_MS },
		{ "drop", ARG_BOOLEAN, MAY },
		{ "junk_bytes", ARG_INTEGER, false, 0, FAULT_JUNK_MAX },
		{ "split_ms", ARG_INTEGER, false, 0, FAULT_WAIT_MAX_MS },
		{ "change_pct", ARG_NUMBER, false, 0, 100 },
		{ "change_rate_pct", ARG_NUMBER, false, 0, 100 },
		{ "wrong_unit", ARG_BOOLEAN, MAY },
		{ "bad_crc", ARG_BOOLEAN, MAY },
		{ "note", ARG_STRING, MAY } } },
	{ "faults.list", CMD_READ, "the rules in force", cmd_faults_list,
	    { { 0 } } },
	{ "faults.clear", CMD_OPERATE, "ends a rule, or all", cmd_faults_clear,
	    { { "id", ARG_INTEGER, false, 1, HITS_MAX } } },
	{ "config.get", CMD_ADMIN, "the configuration in force", cmd_config_get,
	    { { 0 } } },
	{ "config.check", CMD_ADMIN, "what a reload would find",
	    cmd_config_check,
	    { { "text", ARG_STRING, MAY }, { "dump", ARG_BOOLEAN, MAY } } },

	{ "snapshot.save", CMD_ADMIN, "writes the registers to a file",
	    cmd_snapshot_save, { { "path", ARG_STRING, MAY } } },
	{ "snapshot.load", CMD_ADMIN, "writes a file's registers back",
	    cmd_snapshot_load, { { "path", ARG_STRING, MAY } } },

	{ "stats.get", CMD_READ, "every counter", cmd_stats_get, { { 0 } } },
	{ "trace.read", CMD_READ, "the frames that transports have kept",
	    cmd_trace_read,
	    { { "transport", ARG_STRING, MAY }, { "since", ARG_OBJECT, MAY },
		{ "filter", ARG_STRING, MAY },
		{ "limit", ARG_INTEGER, false, 1, FRAMES_MAX },
		{ "newest", ARG_BOOLEAN, MAY },
		{ "after", ARG_NUMBER, false, 0, INT64_C(1) << 40 } } },
	{ "trace.set", CMD_OPERATE, "whether transports keep their frames",
	    cmd_trace_set,
	    { { "transport", ARG_STRING, MAY }, { "on", ARG_BOOLEAN, MUST } } },
	{ "log.read", CMD_READ, "the lines that the log has last said",
	    cmd_log_read,
	    { { "since", ARG_OBJECT, MAY }, { "level", ARG_STRING, MAY },
		{ "limit", ARG_INTEGER, false, 1, LINES_MAX } } },
};

enum { NROWS = sizeof(table) / sizeof(table[0]) };

static const char *const role_names[CMD_ROLES] = {
	[CMD_READ] = "read",
	[CMD_OPERATE] = "operate",
	[CMD_ADMIN] = "admin",
};

const struct cmd *
cmd_table(size_t *n)
{
	*n = NROWS;
	return table;
}

const struct cmd *
cmd_find(const char *name)
{
	for (size_t i = 0; i < NROWS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const char *
cmd_role_name(enum cmd_role role)
{
	return role >= 0 && role < CMD_ROLES ? role_names[role] : "none";
}

int
cmd_role_find(const char *name)
{
	for (int i = 0; i < CMD_ROLES; i++)
		if (strcmp(role_names[i], name) == 0)
			return i;
	return -1;
}

void
cmd_fail(struct cmd_call *call, enum cmd_error error, const char *reason,
    const char *fmt, ...)
{
	va_list ap;

	call->error = error;
	call->reason = reason;
	va_start(ap, fmt);
	vsnprintf(call->message, sizeof(call->message), fmt, ap);
	va_end(ap);
}

bool
cmd_fail_value(struct cmd_call *call, const char *name, const char *words)
{
	cmd_fail(call, CMD_PARAMS, "bad_value", "%s: %s", name, words);
	return false;
}

const char *
cmd_near(const char *typed, const char *const *names, size_t n)
{
	static char text[96];
	const char *near = near_name(typed, names, n);

	text[0] = '\0';
	if (near != NULL)
		snprintf(text, sizeof(text), "; did you mean \"%s\"?", near);
	return text;
}

/* ---- parameters ---- */

static size_t
count_args(const struct cmd_arg *arg)
{
	size_t n = 0;

	while (n < CMD_ARGS_MAX && arg[n].name != NULL)
		n++;
	return n;
}

static bool
check_known(struct cmd_call *call, const char *name, const struct cmd_arg *arg,
    size_t n)
{
	const char *names[CMD_ARGS_MAX];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(arg[i].name, name) == 0)
			return true;
		names[i] = arg[i].name;
	}
	cmd_fail(call, CMD_PARAMS, "unknown_param", "unknown \"%.40s\"%s", name,
	    cmd_near(name, names, n));
	return false;
}

static bool
check_kind(
    struct cmd_call *call, const json_t *value, const struct cmd_arg *arg)
{
	static const char *const words[] = {
		[ARG_STRING] = "a string",
		[ARG_INTEGER] = "an integer",
		[ARG_NUMBER] = "a number",
		[ARG_ARRAY] = "an array",
		[ARG_OBJECT] = "an object",
		[ARG_BOOLEAN] = "true or false",
		[ARG_ANY] = "something",
	};
	const bool fits[] = {
		[ARG_STRING] = json_is_string(value),
		[ARG_INTEGER] = json_is_integer(value),
		[ARG_NUMBER] = json_is_number(value),
		[ARG_ARRAY] = json_is_array(value),
		[ARG_OBJECT] = json_is_object(value),
		[ARG_BOOLEAN] = json_is_boolean(value),
		[ARG_ANY] = !json_is_null(value),
	};
	double number = json_number_value(value);

	if (!fits[arg->kind]) {
		cmd_fail(call, CMD_PARAMS, "bad_type", "%s must be %s",
		    arg->name, words[arg->kind]);
		return false;
	}
	if ((arg->kind == ARG_INTEGER || arg->kind == ARG_NUMBER) &&
	    !(number >= (double)arg->min && number <= (double)arg->max)) {
		cmd_fail(call, CMD_PARAMS, "out_of_range",
		    "%s must be within %" PRId64 "..%" PRId64, arg->name,
		    arg->min, arg->max);
		return false;
	}
	return true;
}

bool
cmd_check_args(struct cmd_call *call, const json_t *object,
    const struct cmd_arg *arg, size_t n)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value)
		if (!check_known(call, key, arg, n))
			return false;
	for (size_t i = 0; i < n; i++) {
		value = json_object_get(object, arg[i].name);
		if (value == NULL && arg[i].required) {
			cmd_fail(call, CMD_PARAMS, "missing_param",
			    "%s is missing", arg[i].name);
			return false;
		}
		if (value != NULL && !check_kind(call, value, &arg[i]))
			return false;
	}
	return true;
}

/* Parameters by position become parameters by name. */
static bool
name_params(struct cmd_call *call, size_t nargs)
{
	json_t *object, *value;
	size_t i;

	if (json_is_object(call->params))
		return true;
	if (json_array_size(call->params) > nargs) {
		cmd_fail(call, CMD_PARAMS, "unknown_param",
		    "%s takes %zu parameters", call->cmd->name, nargs);
		return false;
	}
	object = json_object();
	json_array_foreach (call->params, i, value)
		json_object_set(object, call->cmd->args[i].name, value);
	json_decref(call->params);
	call->params = object;
	return true;
}

/* Values that nobody would look at are refused, not dropped. */
static bool
check_raw(struct cmd_call *call)
{
	const char *encoding = cmd_string(call, "encoding");

	if (call->raw == NULL)
		return true;
	if (encoding != NULL && strcmp(encoding, "u16le") == 0 &&
	    call->cmd->run == cmd_registers_write)
		return true;
	cmd_fail(call, CMD_PARAMS, "bad_value",
	    "a second frame goes with registers.write and \"encoding\": "
	    "\"u16le\" only");
	return false;
}

void
cmd_run(struct cmd_call *call)
{
	size_t nargs = count_args(call->cmd->args);

	if (call->role < call->cmd->role) {
		cmd_fail(call, CMD_DENIED, "role",
		    "%s needs the role %s; you have %s", call->cmd->name,
		    cmd_role_name(call->cmd->role), cmd_role_name(call->role));
		return;
	}
	if (!name_params(call, nargs) ||
	    !cmd_check_args(call, call->params, call->cmd->args, nargs))
		return;
	if (!check_raw(call))
		return;
	call->cmd->run(call);
	if (call->error == CMD_OK && !call->later && call->result == NULL)
		cmd_fail(call, CMD_INTERNAL, "internal", "out of memory");
}

void
cmd_call_fini(struct cmd_call *call)
{
	json_decref(call->params);
	json_decref(call->result);
	json_decref(call->state);
	free(call->reply_raw);
	call->params = call->result = call->state = NULL;
	call->reply_raw = NULL;
}

const char *
cmd_string(const struct cmd_call *call, const char *name)
{
	return json_string_value(json_object_get(call->params, name));
}

int64_t
cmd_integer(const struct cmd_call *call, const char *name, int64_t other)
{
	const json_t *value = json_object_get(call->params, name);

	return value != NULL ? json_integer_value(value) : other;
}
