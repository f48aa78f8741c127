/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_BIND_HOOK_H
#define WORKERS_BIND_HOOK_H

/*
 * Registers for hooks: in the order of the host, a bit in a uint16_t of its
 * own. Each call is one step of its own; none runs a hook.
 */

#include "workers/bind.h"

/* 1 to HOOK_REGS_MAX registers, or 65535 bits. MB_EX_VALUE for another count,
 * MB_EX_ADDRESS, MB_EX_BUSY, MB_EX_FAILURE. */
enum mb_ex bind_read(struct bind_device *, enum mb_table, uint32_t addr,
    uint32_t count, uint16_t *values);

/*
 * Writes, "ro" ranges too: those are so to clients. By a request, in whose
 * name: it takes an operation number, the first that of the request, and there
 * are bind->ops_max of them; MB_EX_FAILURE when they are used up. A successor
 * that carries out the request again does not write again what was written:
 * the n-th writing of a request has the n-th number.
 */
enum mb_ex bind_write(struct bind_device *, enum mb_table, uint32_t addr,
    uint32_t count, const uint16_t *values);

/* The same in the worker's own name, which may write as often as it likes, and
 * for which nothing is kept. was, unless NULL: only if that is still there;
 * *changed, unless NULL, says that it is not; set whatever is returned. */
enum mb_ex bind_act(struct bind_device *, enum mb_table, uint32_t addr,
    uint32_t count, const uint16_t *was, const uint16_t *values, bool *changed);

#endif
