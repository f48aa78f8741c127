/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_SCRIPT_H
#define WORKERS_SCRIPT_H

/*
 * Lua scripts as actions. The interpreter is a part of the daemon, which only
 * processes with such actions load; here is what those see of it.
 *
 * A script that is wrong, or takes more instructions, time or memory than it
 * may, is put aside until its file has changed, which is looked at about once a
 * second while the value would be made; until then the value stays what it is.
 */

#include "supervisor/holdfast.h"
#include "supervisor/conf.h"

struct action_range;
struct script;

/* What a script is told, and may. Strings stay the caller's. */
struct script_opts {
	const char *path, *function;
	const char *where; /* "plc1 holding_registers 7", for the log */
	const struct conf_options *parameters;
	uint64_t instructions;
	size_t memory_bytes;
};

/* What the part "lua" exports as script_lua. */
struct script_ops {
	size_t size;
	struct script *(*open)(const struct script_opts *);
	enum hf_exception (*run)(struct script *, struct hf_cell *, double s);
	void (*close)(struct script *);
};

/* Opens a range's; what is wrong with its file is logged, and looked at again.
 * NULL: there is no Lua here, or no memory, which was logged. */
struct script *script_open(const struct action_range *);

/* Calls it for one value, s seconds after the start of the daemon: HF_EX_NONE,
 * or what the script wants the client to be answered. */
enum hf_exception script_run(struct script *, struct hf_cell *, double s);

void script_close(struct script *);

#endif
