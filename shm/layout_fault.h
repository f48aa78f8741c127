/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_FAULT_H
#define SHM_LAYOUT_FAULT_H

/*
 * The table of fault rules, which lies in the control segment and so outlives
 * every process but the daemon itself. fault.h has what is done with it.
 *
 * A row is in force while `id` is not 0. It is made by whoever has put himself
 * into `owner`: only then, and only while id is 0, are its words written; the
 * store of id is what others see first. A reader copies the words and looks at
 * id again; ids are used once, so an unchanged one means that the copy is
 * whole. It ends by compare-and-swap of id to 0, which exactly one process
 * wins. Nobody waits for anybody: a row whose maker is proven dead is free.
 *
 * `taken` counts what a rule has spoiled, bound to the rule by the low bits of
 * its id: who is late counts nothing of the row's next rule.
 */

#include "shm/layout.h"

enum {
	SHM_FAULTS = 64,
	SHM_FAULT_NOTE = 64,
	SHM_FAULT_BY = 24,
};

/* A rule, as it is handed about; what lies in a row is a copy of its words. */
struct fault_rule {
	char transport[SHM_NAME_MAX]; /* "": any */
	char note[SHM_FAULT_NOTE];
	char by[SHM_FAULT_BY]; /* the process that was asked for it */
	uint64_t connection; /* CONN_ID; if there is such a condition */
	uint64_t fc[4]; /* a bit for each that it meets; none: any */
	uint64_t count; /* replies, 0: no limit */
	uint64_t since_ms; /* unix time */
	uint64_t expires_ns; /* CLOCK_MONOTONIC, 0: never */
	uint32_t given; /* FAULT_* of its conditions */
	uint32_t effects; /* FAULT_* of what it does */
	uint32_t rate; /* of a million requests */
	uint32_t first, last; /* addresses */
	uint32_t table; /* enum store_table; if it is given */
	uint32_t unit;
	uint32_t exception;
	uint32_t delay_ms, split_ms;
	uint32_t junk_bytes;
	uint32_t change; /* of a million values */
	uint32_t change_rate; /* in so many of a million replies; 0: all */
	uint32_t spare;
};

enum { SHM_FAULT_WORDS = sizeof(struct fault_rule) / 8 };

_Static_assert(sizeof(struct fault_rule) % 8 == 0, "whole words");

struct shm_fault {
	/* release by its maker, compare-and-swap to 0; 0: not in force */
	_Alignas(SHM_LINE) _Atomic uint64_t id;
	_Atomic uint64_t owner; /* identity of its maker, 0: none; CAS */
	_Atomic uint64_t taken; /* tag of the id << 40 | hits; CAS */
	_Atomic uint64_t word[SHM_FAULT_WORDS]; /* its maker, relaxed */
};

struct shm_faults {
	/* counted up after every change of what is in force; release, and
	 * relaxed by who only wants to know whether it is another one */
	_Alignas(SHM_LINE) _Atomic uint64_t version;
	_Atomic uint64_t last_id; /* that was given out; fetch-and-add */
	struct shm_fault row[SHM_FAULTS];
};

#endif
