/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CMD_H
#define CONTROL_CMD_H

/*
 * The commands: one keyed table that ZeroMQ, HTTP and the command line serve.
 * A row is a name, the role it needs, its parameters in words, and a function.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct control;
struct ipc_msg;

enum cmd_role { CMD_NOBODY = -1, CMD_READ, CMD_OPERATE, CMD_ADMIN, CMD_ROLES };

/* What kinds of value a parameter may have. */
enum cmd_kind {
	ARG_STRING,
	ARG_INTEGER,
	ARG_NUMBER,
	ARG_ARRAY,
	ARG_OBJECT,
	ARG_BOOLEAN,
	ARG_ANY, /* the command looks for itself */
};
enum { CMD_ARGS_MAX = 20 };

/* One parameter of a command; by name, or by position in this order. */
struct cmd_arg {
	const char *name;
	enum cmd_kind kind;
	bool required;
	int64_t min, max; /* of an ARG_INTEGER */
};

/* JSON-RPC 2.0 error codes, and ours. */
enum cmd_error {
	CMD_OK = 0,
	CMD_PARSE = -32700,
	CMD_REQUEST = -32600,
	CMD_METHOD = -32601,
	CMD_PARAMS = -32602,
	CMD_INTERNAL = -32603,
	CMD_REFUSED = -32000, /* the daemon cannot do that now */
	CMD_NOT_FOUND =
	    -32001, /* no device, transport, connection of the name */
	CMD_DENIED = -32002, /* the role does not allow it */
	CMD_MODBUS = -32003, /* data.modbus_exception says why */
	CMD_TIMEOUT = -32004,
};

/* One command on its way. The function sets result, or fails, or says that
 * the answer comes later (transports.*, answered by the supervisor, and
 * snapshot.*, see work.h). */
struct cmd_call {
	struct control *control;
	const struct cmd *cmd;
	enum cmd_role role; /* of who asks */
	json_t *params; /* an object, maybe empty; owned by the call */
	const void *raw; /* second frame of the request, or NULL */
	size_t raw_len;
	bool in_batch; /* no second frame, neither way */
	json_t *result; /* owned by the call */
	void *reply_raw; /* second frame of the reply, malloc'd, or NULL */
	size_t reply_raw_len;
	/* the answer comes with IPC_DONE of this tag (others may precede it),
	 * through done(), which may ask again; or at deadline_ns (monotonic)
	 * as CMD_TIMEOUT */
	bool later;
	uint32_t tag;
	uint64_t ticket; /* in its place: what waits for the disk, or 0; the
			  * result is there already. See saves.h */
	uint64_t deadline_ns;
	const char *late; /* what is said then; NULL: of the supervisor */
	void (*done)(struct cmd_call *, const struct ipc_msg *);
	json_t *state; /* what done() needs; owned by the call */
	int error; /* enum cmd_error */
	char message[256]; /* for a person */
	const char *reason; /* a fixed word */
	int modbus_exception; /* 0: none */
};

struct cmd {
	const char *name;
	enum cmd_role role;
	const char *help;
	void (*run)(struct cmd_call *);
	struct cmd_arg args[CMD_ARGS_MAX]; /* up to the first without a name */
};

/* Carries out a call whose cmd, control, role and params are set: checks role
 * and parameters, then runs it. params may be an array (by position), an
 * object or NULL. Afterwards result is set, or error, or later. */
void cmd_run(struct cmd_call *);

/* Gives back what a call owns. */
void cmd_call_fini(struct cmd_call *);

/* A checked parameter: the string, or NULL; the integer, or other. */
const char *cmd_string(const struct cmd_call *, const char *name);
int64_t cmd_integer(const struct cmd_call *, const char *name, int64_t other);

/* Checks an object of parameters against a list of n arguments; true if it
 * holds, else the call has failed. */
bool cmd_check_args(
    struct cmd_call *, const json_t *object, const struct cmd_arg *, size_t n);

/* "; did you mean "x"?" if one of n names is near, else "". The text is good
 * until the next call. */
const char *cmd_near(const char *typed, const char *const *names, size_t n);

/* "read", "operate", "admin", else "none"; and back, -1 if unknown. */
const char *cmd_role_name(enum cmd_role);
int cmd_role_find(const char *name);

/* The row of that name, or NULL; and the table itself for listing. */
const struct cmd *cmd_find(const char *name);
const struct cmd *cmd_table(size_t *n);

/* Fails a call. reason is a fixed word, the rest a sentence for a person. */
void cmd_fail(struct cmd_call *, enum cmd_error, const char *reason,
    const char *fmt, ...) __attribute__((__format__(printf, 4, 5)));

/* Fails it because a parameter has a wrong value: "NAME: words". False, for the
 * caller to hand on. */
bool cmd_fail_value(struct cmd_call *, const char *name, const char *words);

#endif
