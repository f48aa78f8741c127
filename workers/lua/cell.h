/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_LUA_CELL_H
#define WORKERS_LUA_CELL_H

/* What a script sees of a value: the table that its function is called with. */

#include "supervisor/holdfast.h"
#include "supervisor/conf.h"

#include <lua.h>

/* One call of a script's function. */
struct cell_call {
	struct hf_cell *c;
	const char *function;
	const struct conf_options *parameters;
	double s; /* since the start of the daemon */
	enum hf_exception ex; /* what the client is to be answered */
};

/* A lua_CFunction: its light userdata is a struct cell_call. Calls the function
 * and puts what it returns into the cell. */
int cell_call(lua_State *);

/* Makes what cells have in common; a lua_CFunction, once for a state. */
int cell_prepare(lua_State *);

#endif
