/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walls of a Lua state. Runs in the processes that have Lua actions. What
 * is let in is listed; what is left out and why:
 *
 *  io os package debug require load dofile loadfile collectgarbage print warn
 *	are the outside;
 *  pcall xpcall and coroutines
 *	would go on beyond the budget;
 *  setmetatable getmetatable and raw*
 *	__gc runs without a budget, __len makes endless loops within C;
 *  string.find match gmatch gsub, table.move
 *	may work for ever within one instruction.
 */
#include "workers/lua/box.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const globals[] = { "assert", "error", "ipairs", "next",
	"pairs", "select", "tonumber", "tostring", "type", NULL };
static const char *const strings[] = { "byte", "char", "format", "len", "lower",
	"reverse", "sub", "upper", "pack", "packsize", "unpack", NULL };
static const char *const tables[] = { "concat", "insert", "pack", "remove",
	"sort", "unpack", NULL };

/* ---- memory ---- */

static void *
allocate(void *ud, void *p, size_t was, size_t size)
{
	struct box *b = ud;
	void *q;

	if (p == NULL)
		was = 0; /* else it is a kind of object */
	if (size == 0) {
		free(p);
		b->used -= was;
		return NULL;
	}
	if (size > was && size - was > b->most - b->used)
		return NULL;
	q = realloc(p, size);
	if (q != NULL)
		b->used = b->used - was + size;
	return q;
}

/* ---- budget ---- */

static uint64_t
processor_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct box *
box_of(lua_State *L)
{
	return *(struct box **)lua_getextraspace(L);
}

static void
look(lua_State *L, lua_Debug *ar)
{
	struct box *b = box_of(L);

	(void)ar;
	if (!b->spent && b->left > BOX_HOOK_EVERY) {
		b->left -= BOX_HOOK_EVERY;
		/* what is short does not pay for the system call */
		if (b->until_ns == 0)
			b->until_ns = processor_ns() + BOX_TIME_MS * 1000000ull;
		else if (processor_ns() >= b->until_ns)
			b->left = 0;
		if (b->left > 0)
			return;
	}
	b->spent = true;
	lua_sethook(L, look, LUA_MASKCOUNT, 1);
	luaL_error(L, "out of budget: %s",
	    b->left > 0 ? "too many instructions" : "too much time");
}

/* ---- what there is ---- */

/* string.rep() of the library runs for ever on an empty string. */
static int
repeat(lua_State *L)
{
	size_t len, sep_len;
	const char *s = luaL_checklstring(L, 1, &len);
	lua_Integer n = luaL_checkinteger(L, 2);
	const char *sep = luaL_optlstring(L, 3, "", &sep_len);
	size_t most = box_of(L)->most;
	luaL_Buffer buf;

	if (n <= 0 || len + sep_len == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if (len > most || sep_len > most || (size_t)n > most / (len + sep_len))
		return luaL_error(L, "resulting string too large");
	luaL_buffinit(L, &buf);
	for (lua_Integer i = 0; i < n; i++) {
		luaL_addlstring(&buf, s, len);
		if (i + 1 < n)
			luaL_addlstring(&buf, sep, sep_len);
	}
	luaL_pushresult(&buf);
	return 1;
}

/* Leaves of the table on the top of the stack what is listed. */
static void
keep(lua_State *L, const char *const *names)
{
	lua_newtable(L);
	for (; *names != NULL; names++) {
		lua_getfield(L, -2, *names);
		lua_setfield(L, -2, *names);
	}
	lua_remove(L, -2);
}

static int
furnish(lua_State *L)
{
	luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
	keep(L, globals);
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
	lua_setfield(L, -2, LUA_MATHLIBNAME);
	luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 0);
	lua_setfield(L, -2, LUA_UTF8LIBNAME);
	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 0);
	keep(L, tables);
	lua_setfield(L, -2, LUA_TABLIBNAME);
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
	keep(L, strings);
	lua_pushcfunction(L, repeat);
	lua_setfield(L, -2, "rep");
	/* methods of strings are the same ones */
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 2);
	lua_setfield(L, -2, LUA_STRLIBNAME);
	/* a new table of globals, so that none of the old one is left */
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, LUA_GNAME);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_settop(L, 0);
	return 0;
}

int
box_open(struct box *b, size_t most_bytes)
{
	char why[80];

	memset(b, 0, sizeof(*b));
	b->most = most_bytes;
	b->L = lua_newstate(allocate, b);
	if (b->L == NULL)
		return -1;
	*(struct box **)lua_getextraspace(b->L) = b;
	if (box_call(b, furnish, NULL, 1 << 20, why, sizeof(why)) == 0)
		return 0;
	box_close(b);
	return -1;
}

void
box_close(struct box *b)
{
	if (b->L != NULL)
		lua_close(b->L);
	b->L = NULL;
}

int
box_call(struct box *b, lua_CFunction f, void *ud, uint64_t instructions,
    char *why, size_t size)
{
	lua_State *L = b->L;
	const char *text;
	int rc;

	b->spent = false;
	b->left = instructions;
	b->until_ns = 0;
	lua_sethook(L, look, LUA_MASKCOUNT, BOX_HOOK_EVERY);
	lua_settop(L, 0);
	lua_pushcfunction(L, f); /* neither allocates */
	lua_pushlightuserdata(L, ud);
	rc = lua_pcall(L, 1, 0, 0);
	if (rc == LUA_OK)
		return 0;
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	snprintf(why, size, "%s",
	    rc == LUA_ERRMEM   ? "out of memory"
		: text != NULL ? text
			       : "an error that is no string");
	lua_settop(L, 0);
	return -1;
}
