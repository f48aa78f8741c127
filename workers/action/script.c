/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has the part with the Lua interpreter loaded where a range needs it. Runs in
 * the workers, before they serve, and in the clock process; what runs a script
 * is in workers/lua.
 */
#include "workers/action/script.h"

#include <stdio.h>

#include "shm/log.h"
#include "shm/table.h"
#include "supervisor/proc.h"
#include "workers/action/action.h"

enum { WHERE = 120, INSTRUCTIONS = 3, MEMORY_KB };

static const struct script_ops *ops;

static const struct script_ops *
load(const char *where)
{
	const struct script_ops *found;
	const char *why = "another build of holdfast";

	if (ops != NULL)
		return ops;
	found = proc_part("lua", "script_lua", &why);
	if (found != NULL && found->size == sizeof(*found))
		ops = found;
	else
		log_warnx("%s: no Lua here why=\"%s\"", where, why);
	return ops;
}

struct script *
script_open(const struct action_range *a)
{
	const struct conf_range *r = a->conf;
	const char *function = conf_action_text(r, "function");
	char where[WHERE];
	struct script_opts o = {
		.path = conf_action_text(r, "script"),
		.function = function != NULL ? function : "action",
		.where = where,
		.parameters = &r->parameters,
		.instructions = (uint64_t)a->args.at[INSTRUCTIONS],
		.memory_bytes = (size_t)(a->args.at[MEMORY_KB] * 1024),
	};

	snprintf(where, sizeof(where), "%.40s %s %u", a->device,
	    table_name(r->table), r->addr);
	if (o.path == NULL || load(where) == NULL)
		return NULL;
	return ops->open(&o);
}

enum hf_exception
script_run(struct script *s, struct hf_cell *c, double seconds)
{
	return ops->run(s, c, seconds);
}

void
script_close(struct script *s)
{
	ops->close(s);
}
