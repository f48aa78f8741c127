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

enum cmd_role { CMD_READ, CMD_OPERATE, CMD_ADMIN };

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
 * the answer comes later (transports.*, answered by the supervisor). */
struct cmd_call {
	struct control *control;
	const json_t *params; /* an object, maybe empty */
	const void *raw; /* second frame of the request, or NULL */
	size_t raw_len;
	json_t *result; /* owned by the call */
	void *reply_raw; /* second frame of the reply, malloc'd, or NULL */
	size_t reply_raw_len;
	bool later; /* the answer comes with IPC_DONE of this tag */
	uint32_t tag;
	int error; /* enum cmd_error */
	char message[256]; /* for a person */
	const char *reason; /* a fixed word */
	int modbus_exception; /* 0: none */
};

struct cmd {
	const char *name;
	enum cmd_role role;
	const char *params; /* in words, for system.methods and the manual */
	const char *help;
	void (*run)(struct cmd_call *);
};

/* The row of that name, or NULL; and the table itself for listing. */
const struct cmd *cmd_find(const char *name);
const struct cmd *cmd_table(size_t *n);

/* Fails a call. reason is a fixed word, the rest a sentence for a person. */
void cmd_fail(struct cmd_call *, enum cmd_error, const char *reason,
    const char *fmt, ...) __attribute__((__format__(printf, 4, 5)));

#endif
