/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_H
#define SHM_LAYOUT_H

/*
 * What processes share, byte for byte: the whole, and what every segment has.
 * The parts are in layout_device.h, layout_control.h, layout_fault.h and
 * layout_worker.h.
 *
 * Three kinds of segment, each one POSIX shared memory object:
 *
 *	/holdfast-STORE.control		slots, transports, author table, rings
 *	/holdfast-STORE.device.NAME	the registers of one device
 *	/holdfast-STORE.worker.NAME.N	connections and batches of one worker
 *
 * Why readers need no lock and a dead writer can neither block nor tear
 * ---------------------------------------------------------------------
 * A device holds its registers twice. While `seq` is even readers use side 0,
 * while it is odd they use side 1. A writer first makes seq odd, so that
 * readers are on side 1, and changes side 0; then makes seq even, which sends
 * readers to side 0 and so is the commit; then changes side 1 alike. It only
 * ever touches the side that nobody is sent to. A reader notes seq, copies,
 * and looks at seq again: unchanged means that no store it saw can belong to a
 * half-done write. It never waits for a writer, be it dead, stopped or slow.
 *
 * The right to write is the `owner` word and nothing else: 0 is free, any
 * other value names a slot and its generation (never a pid, and a generation
 * is used once). It changes by compare-and-swap 0 -> me, by its owner's store
 * of 0, and by compare-and-swap dead -> me; so to take it and to note who took
 * it are one instruction. The `gate` is a POSIX semaphore that only blocks and
 * wakes: its count may be too high or too low by any amount without harm,
 * since every wait is bounded by a slice and every reap posts it once.
 *
 * Dead is what the kernel has proved: the parent has waited for the process,
 * or the lock that it holds on its byte of the lock file has been dropped.
 * Never a timeout.
 *
 * Repair is one copy of the side that readers are on over the other one. If
 * the dead writer had not committed, that undoes it; if it had, that finishes
 * it. What readers see does not change. It may itself be killed anywhere and
 * is then simply done again.
 *
 * Exactly once: each write carries its author and the author's operation
 * number, which are committed together with the data (`tag`). Who next owns
 * the device credits them to the author (`done` in the control segment), and
 * whether an operation has been carried out is only ever asked while owning.
 *
 * Memory orders are stated at each word. "owner" as a writer means whoever
 * holds the owner word.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SHM_LINE = 64, /* words written by different processes are apart */
	SHM_NAME_MAX =
	    64, /* names of stores, devices and transports, with NUL */
};

#define SHM_MAGIC 0x74736166646c6f68ull /* "holdfast" */
#define SHM_LAYOUT 12u /* counted up with every change of meaning */

/* Every segment starts so. Written once, before anybody else can see it. */
struct shm_head {
	uint64_t magic;
	uint32_t layout; /* seg.c: SHM_LAYOUT, and the sizes of what follows */
	uint32_t kind; /* enum shm_kind */
	uint64_t size; /* bytes of the whole segment */
	char store[SHM_NAME_MAX];
	char name[SHM_NAME_MAX]; /* device or transport; "" for control */
};

enum shm_kind { SHM_CONTROL = 1, SHM_DEVICE, SHM_WORKER };

/*
 * A ring of records with one writer at a time and any number of readers that
 * the writer never waits for. Positions count bytes, start at `size` and never
 * wrap. The data lie behind it. See ring.h.
 */
struct shm_ring {
	_Atomic uint64_t head; /* the writer, release; read acquire */
	_Atomic uint64_t oldest; /* the writer, before it overwrites */
	uint32_t
	    size; /* bytes of data, a power of two; readers know it anyway */
	uint32_t spare;
};

_Static_assert(sizeof(_Atomic uint64_t) == 8, "lock-free words");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics");

#endif
