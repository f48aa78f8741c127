/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between registers and Lua: builds the table of a value, calls the script's
 * function, takes over what it returns. Runs in protected mode: an error in
 * here is an error of the script.
 */
#include "workers/lua/cell.h"

#include <lauxlib.h>
#include <string.h>

#include "shm/action.h"
#include "shm/clock.h"
#include "shm/table.h"
#include "workers/action/number.h"

enum { REGS_MAX = 4096, BITS_MAX = 4096, CHARS_MAX = 2 * 250 };

/* Keys of the registry. */
static const char in_hand, states;

/* ---- values ---- */

static void
push_string(lua_State *L, const struct hf_cell *c)
{
	luaL_Buffer b;
	size_t len = 2u * c->count;

	luaL_buffinit(L, &b);
	for (size_t i = 0; i < len; i++) {
		uint16_t two = c->values[i / 2];
		bool low = (i % 2 == 1) !=
		    (c->order == HF_BADC || c->order == HF_DCBA);

		luaL_addchar(&b, (char)(low ? two & 0xff : two >> 8));
	}
	luaL_pushresult(&b);
	/* up to the NUL that it is padded with */
	lua_pushstring(L, lua_tostring(L, -1));
	lua_remove(L, -2);
}

static void
push_value(lua_State *L, const struct hf_cell *c)
{
	struct typed_value v;

	if (c->type == HF_STRING)
		push_string(L, c);
	else if (c->type == HF_BITS || !number_get_typed(c, &v))
		lua_pushinteger(L, c->values[0]);
	else if (number_is_float(c->type))
		lua_pushnumber(L, v.f);
	else
		lua_pushinteger(L, v.i); /* a uint64 as its 64 bits */
}

static void
take_string(lua_State *L, int at, struct hf_cell *c)
{
	size_t len, room = 2u * c->count;
	const char *s = luaL_checklstring(L, at, &len);

	if (len > room)
		luaL_error(L, "a string of %d bytes in %d registers", (int)len,
		    (int)c->count);
	for (size_t i = 0; i < c->count; i++) {
		unsigned a = 2 * i < len ? (uint8_t)s[2 * i] : 0;
		unsigned b = 2 * i + 1 < len ? (uint8_t)s[2 * i + 1] : 0;

		if (c->order == HF_BADC || c->order == HF_DCBA)
			c->values[i] = (uint16_t)(b << 8 | a);
		else
			c->values[i] = (uint16_t)(a << 8 | b);
	}
}

/* Floats are rounded; what the type has no room for becomes its next. Whole
 * numbers that do not fit, too. */
static void
take_number(lua_State *L, int at, struct hf_cell *c)
{
	struct typed_value v = { .type = (enum typed_type)c->type };

	if (number_is_float(c->type)) {
		v.f = luaL_checknumber(L, at);
		if (!number_put_typed(c, &v))
			luaL_error(L, "%f does not fit", v.f);
		return;
	}
	if (!lua_isinteger(L, at)) {
		number_near(c, luaL_checknumber(L, at));
		return;
	}
	v.i = lua_tointeger(L, at);
	/* a uint64 is its 64 bits */
	if (!number_put_typed(c, &v))
		number_near(c, (double)v.i);
}

static void
take_value(lua_State *L, int at, struct hf_cell *c)
{
	if (lua_isboolean(L, at)) {
		lua_pushinteger(L, lua_toboolean(L, at));
		lua_replace(L, at);
	}
	if (c->type == HF_STRING)
		take_string(L, at, c);
	else if (c->type == HF_BITS)
		c->values[0] = luaL_checknumber(L, at) != 0;
	else
		take_number(L, at, c);
}

/* ---- other registers ---- */

static struct cell_call *
call_of(lua_State *L)
{
	struct cell_call *call;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &in_hand);
	call = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (call == NULL)
		luaL_error(L, "only while the function is called");
	return call;
}

static enum hf_table
table_of(lua_State *L, int at)
{
	const char *name = luaL_checkstring(L, at);
	int t = table_find(name);

	if (t < 0 || t > (int)HF_IR)
		luaL_error(L, "no table is called \"%s\"", name);
	return (enum hf_table)t;
}

static uint32_t
addr_of(lua_State *L, int at)
{
	lua_Integer addr = luaL_checkinteger(L, at);

	if (addr < 0 || addr > 65535)
		luaL_error(L, "no address %d", (int)addr);
	return (uint32_t)addr;
}

/* read(table, addr, count): a list of registers or bits; without count the one
 * number. */
static int
api_read(lua_State *L)
{
	const struct hf_cell *c = call_of(L)->c;
	enum hf_table t = table_of(L, 1);
	uint32_t addr = addr_of(L, 2);
	lua_Integer n = luaL_optinteger(L, 3, 1);
	uint16_t values[REGS_MAX];
	enum hf_exception ex;

	if (n < 1 || n > REGS_MAX)
		return luaL_error(L, "a count is 1 to %d", REGS_MAX);
	ex = c->read(c, t, addr, (uint16_t)n, values);
	if (ex != HF_EX_NONE)
		return luaL_error(L, "cannot read %s %d: exception %d",
		    table_name((enum store_table)t), (int)addr, (int)ex);
	if (lua_isnoneornil(L, 3)) {
		lua_pushinteger(L, values[0]);
		return 1;
	}
	lua_createtable(L, (int)n, 0);
	for (lua_Integer i = 0; i < n; i++) {
		lua_pushinteger(L, values[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

static uint16_t
register_of(lua_State *L, int at)
{
	if (lua_isboolean(L, at))
		return (uint16_t)lua_toboolean(L, at);
	return (uint16_t)luaL_checkinteger(L, at);
}

/* write(table, addr, number or list of them): 16 bits each. */
static int
api_write(lua_State *L)
{
	struct cell_call *call = call_of(L);
	enum hf_table t = table_of(L, 1);
	uint32_t addr = addr_of(L, 2);
	uint16_t values[REGS_MAX];
	lua_Unsigned n = 1;
	enum hf_exception ex;

	if (lua_istable(L, 3))
		n = lua_rawlen(L, 3);
	if (n < 1 || n > REGS_MAX)
		return luaL_error(L, "1 to %d values", REGS_MAX);
	for (lua_Unsigned i = 0; i < n; i++) {
		if (lua_istable(L, 3))
			lua_rawgeti(L, 3, (lua_Integer)i + 1);
		else
			lua_pushvalue(L, 3);
		values[i] = register_of(L, -1);
		lua_pop(L, 1);
	}
	ex = call->c->write(call->c, t, addr, (uint16_t)n, values);
	if (ex != HF_EX_NONE)
		return luaL_error(L, "cannot write %s %d: exception %d",
		    table_name((enum store_table)t), (int)addr, (int)ex);
	return 0;
}

/* ---- the table ---- */

int
cell_prepare(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &states);
	lua_pushcfunction(L, api_read);
	lua_setglobal(L, "read");
	lua_pushcfunction(L, api_write);
	lua_setglobal(L, "write");
	return 0;
}

static void
push_parameters(lua_State *L, const struct conf_options *o)
{
	double x;

	lua_createtable(L, 0, (int)o->n);
	for (size_t i = 0; i < o->n; i++) {
		const char *text = o->at[i].value;

		if (!o->at[i].bare)
			lua_pushstring(L, text);
		else if (strcmp(text, "true") == 0 ||
		    strcmp(text, "false") == 0)
			lua_pushboolean(L, text[0] == 't');
		else if (!lua_stringtonumber(L, text))
			lua_pushnumber(L, action_number(text, &x) ? x : 0);
		lua_setfield(L, -2, o->at[i].name);
	}
}

/* The table that a value keeps between calls. */
static void
push_state(lua_State *L, uint32_t addr)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &states);
	if (lua_rawgeti(L, -1, addr) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, addr);
	}
	lua_remove(L, -2);
}

static void
push_cell(lua_State *L, const struct cell_call *call)
{
	const struct hf_cell *c = call->c;

	lua_createtable(L, 0, 10);
	push_value(L, c);
	lua_setfield(L, -2, "value");
	lua_pushinteger(L, c->addr);
	lua_setfield(L, -2, "address");
	lua_pushstring(L, table_name((enum store_table)c->table));
	lua_setfield(L, -2, "table");
	lua_pushstring(L, c->device);
	lua_setfield(L, -2, "device");
	lua_pushstring(L, typed_type_name((enum typed_type)c->type));
	lua_setfield(L, -2, "type");
	lua_pushnumber(L, call->s);
	lua_setfield(L, -2, "time");
	lua_pushnumber(L, (double)clock_unix_ms() / 1000);
	lua_setfield(L, -2, "unix");
	push_parameters(L, call->parameters);
	lua_setfield(L, -2, "parameters");
	push_state(L, c->addr);
	lua_setfield(L, -2, "state");
}

int
cell_call(lua_State *L)
{
	struct cell_call *call = lua_touserdata(L, 1);

	lua_settop(L, 0);
	luaL_checkstack(L, 20, NULL);
	if (lua_getglobal(L, call->function) != LUA_TFUNCTION)
		return luaL_error(
		    L, "there is no function \"%s\"", call->function);
	push_cell(L, call);
	lua_pushlightuserdata(L, call);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &in_hand);
	lua_call(L, 1, 2);
	/* after an error the state is closed */
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &in_hand);
	if (!lua_isnoneornil(L, 2)) {
		lua_Integer ex = luaL_checkinteger(L, 2);

		if (ex < 1 || ex > UINT8_MAX)
			return luaL_error(L, "no exception %d", (int)ex);
		call->ex = (enum hf_exception)ex;
	} else if (!lua_isnil(L, 1)) {
		take_value(L, 1, call->c);
	}
	return 0;
}
