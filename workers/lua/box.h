/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_BOX_H
#define WORKERS_BOX_H

/*
 * A Lua state that its script cannot leave: no files, no system, no loading of
 * code, nothing that would work for long within one instruction, and a budget
 * of instructions, time and memory.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

enum {
	BOX_HOOK_EVERY = 100, /* instructions between two looks */
	BOX_TIME_MS = 100, /* of the processor, for one call */
};

struct box {
	lua_State *L;
	size_t used, most; /* bytes */
	uint64_t left; /* instructions of the call in hand */
	uint64_t until_ns; /* processor time; 0: not known yet */
	bool spent; /* the budget; every further instruction fails */
};

/* Makes one that may use so many bytes. 0, or -1: they do not even do for an
 * empty one. */
int box_open(struct box *, size_t most_bytes);
void box_close(struct box *);

/*
 * Calls f(L) with ud as light userdata within a budget, protected: 0, or -1 and
 * what went wrong in why. f may leave nothing behind.
 */
int box_call(struct box *, lua_CFunction f, void *ud, uint64_t instructions,
    char *why, size_t size);

#endif
