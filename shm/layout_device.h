/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_DEVICE_H
#define SHM_LAYOUT_DEVICE_H

/* The segment of one device: its registers, twice. See layout.h for why. */

#include <semaphore.h>

#include "shm/layout.h"

/*
 * The gate, a sem_t, starts so many bytes before the segment's end. Its count
 * and its waiters are in these bytes. What the C library keeps behind them
 * says how to call the kernel, and it ends a process that finds nonsense
 * there; so that part is a page of each process's own, mapped behind the
 * segment. Otherwise one process that scribbles could end all that write to
 * the device, and the supervisor, which posts the gate after every death.
 */
enum { SHM_GATE_BYTES = sizeof(void *) == 8 ? 8 : sizeof(sem_t) };

enum {
	SHM_TABLES = 6
}; /* coils, discrete inputs, holding, input, files, fifos */

/* A run of addresses without a hole. Never changes after creation. */
struct shm_extent {
	uint32_t addr;
	uint32_t count;
	uint32_t word; /* where it starts in a side's data, in 64-bit words */
	uint32_t spare;
};

/* One range as the configuration gave it. Never changes after creation. */
struct shm_range {
	uint32_t addr;
	uint32_t count;
	uint8_t table;
	uint8_t read_only; /* to Modbus clients */
	uint8_t type; /* enum typed_type */
	uint8_t order; /* enum typed_order */
	uint32_t durable; /* 1: saved before a write to it is answered */
	double scale;
	char name[40];
	char unit[16];
};

/* How often a register, or sixteen bits, was read and written by clients. For
 * people to look at: a worker that dies may have counted or not. */
struct shm_count {
	_Atomic uint32_t reads, writes; /* workers; relaxed */
};

/* Never change after creation. */
enum shm_device_flag {
	SHM_SHARED = 1, /* the first four tables show the same words */
	SHM_WHOLE_VALUES = 2, /* clients get and set no part of a value */
	SHM_SIMULATOR = 4, /* as pymodbus' simulator answers */
	SHM_COUNTS = 8, /* there are counts */
	SHM_DURABLE = 16, /* some range is durable */
};

enum { SHM_TAG_OP_BITS = 48 }; /* of a tag; the author has the rest */

/* What goes over with a commit besides data; one for each side. */
struct shm_side {
	_Atomic uint64_t tag; /* author << SHM_TAG_OP_BITS | op, last commit */
	_Atomic uint64_t events; /* where the event ring's next record starts */
	_Atomic uint64_t who; /* identity of the last writer */
	uint64_t spare;
};

struct shm_device {
	struct shm_head head;
	uint32_t index; /* of the device in the control segment */
	uint32_t nranges;
	uint32_t nextents[SHM_TABLES];
	uint32_t extents_at[SHM_TABLES]; /* first extent of each table */
	uint64_t extents_off; /* struct shm_extent[] */
	uint64_t ranges_off; /* struct shm_range[nranges] */
	uint64_t events_off; /* bytes of the event ring */
	uint64_t data_off[2]; /* _Atomic uint64_t[words] */
	uint32_t words; /* 64-bit words of one side */
	uint32_t events_size; /* a power of two */
	uint32_t flags; /* enum shm_device_flag */
	uint32_t spare;
	uint64_t counts_off; /* struct shm_count[4 * words]; 0: none */
	_Alignas(SHM_LINE) _Atomic uint64_t owner; /* see layout.h */
	_Alignas(SHM_LINE) _Atomic uint64_t seq; /* owner; release */
	/* 1: another segment has taken this one's place, or none; the owner,
	 * who never gives it back; release; see store_next.h */
	_Atomic uint64_t superseded;
	struct shm_side side[2]; /* owner; relaxed */
	/* first event that is left; owner, relaxed, a release fence after it */
	_Atomic uint64_t events_oldest;
	/* counts that writers keep while they own; relaxed */
	_Alignas(SHM_LINE) _Atomic uint64_t writes;
	_Atomic uint64_t repairs;
};

_Static_assert(offsetof(struct shm_device, seq) % SHM_LINE == 0, "seq");

#endif
