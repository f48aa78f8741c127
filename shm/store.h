/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_STORE_H
#define SHM_STORE_H

/*
 * The register store: one device segment, read without a lock and written in
 * owned steps that a kill at any instruction leaves wholly done or wholly not.
 * The algorithm and why it holds: layout.h.
 *
 * Values cross this boundary as the wire has them: registers two bytes each,
 * high byte first; bits packed, lowest address in bit 0 of the first byte,
 * unused bits of the last byte 0 on the way out and ignored on the way in.
 * "host": registers are uint16_t of this machine instead.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/layout_device.h"
#include "shm/slot.h"

enum store_table {
	STORE_CO,
	STORE_DI,
	STORE_HR,
	STORE_IR,
	STORE_FILE, /* addr = file << 16 | record; one register a record */
	STORE_FIFO, /* addr = pointer << 5; register 0 is the count, then 31 */
};

enum store_rc {
	STORE_OK,
	STORE_REPLAYED, /* this operation had been carried out before */
	STORE_NO_ADDRESS, /* not wholly inside the ranges of the table */
	STORE_DENIED, /* read-only range, and the writer must heed it */
	STORE_BUSY, /* not owned within the budget, or not readable */
	STORE_MISMATCH, /* a check did not hold; nothing was written */
	STORE_TOO_LONG, /* more than STORE_STEP_BYTES in one step */
	STORE_UNSAVED, /* said by bind_durable.h: it is not on the disk */
	STORE_GONE, /* another segment has its place: store_next.h */
};

enum store_op { STORE_READ, STORE_WRITE, STORE_MASK, STORE_CHECK };

enum {
	STORE_STEP_BYTES = 8192, /* most wire bytes written in one call */
	STORE_STEPS_MAX = 64,
	STORE_TRIES = 1000, /* of a read that writers keep disturbing */
};

struct store_step {
	enum store_op op;
	enum store_table table;
	uint32_t addr;
	uint32_t count;
	uint16_t and_mask, or_mask; /* STORE_MASK: one register */
	const uint8_t *in; /* STORE_WRITE, STORE_CHECK */
	uint8_t *out; /* STORE_READ */
};

/* One device as this process sees it. Private, held by value. */
struct store {
	struct shm_device *dev;
	sem_t *gate; /* see SHM_GATE_BYTES */
	const struct shm_extent *extents;
	const struct shm_range *ranges;
	_Atomic uint64_t *data[2];
	_Atomic uint64_t *events;
	const struct slot_env *env; /* NULL for readers */
	/* as checked when opened; others may scribble on the segment since */
	uint32_t words, events_size, index, flags; /* enum shm_device_flag */
	uint32_t nextents[SHM_TABLES], extents_at[SHM_TABLES];
	uint32_t nranges[SHM_TABLES], ranges_at[SHM_TABLES];
	bool any_read_only, shared, writable;
	struct shm_count *counts; /* four for each word, or NULL */
};

/* On whose behalf a step is carried out. */
struct store_who {
	unsigned author; /* index in the author table */
	uint64_t op; /* counts up; 48 bits; never 0; a successor finds it */
	bool heed_read_only; /* Modbus clients must, operators need not */
	uint64_t budget_ns; /* longest wait for the device */
	bool host; /* the steps' registers */
};

/* Makes a handle on a mapped device segment. env must outlive it; NULL for a
 * reader. -1 with errno EINVAL if the segment's tables do not hold together. */
int store_open(struct store *, void *segment, size_t size, bool writable,
    const struct slot_env *env);

/*
 * Reads count registers or bits: one consistent picture, however many
 * writers there are. No lock, no system call, no store; works on a read-only
 * mapping. STORE_OK, _NO_ADDRESS, _GONE, or _BUSY after 1000 disturbed tries.
 * seq, unless NULL, gets the number of the commit that was seen.
 */
enum store_rc store_read(const struct store *, enum store_table, uint32_t addr,
    uint32_t count, uint8_t *out, uint64_t *seq);
enum store_rc store_read_host(const struct store *, enum store_table,
    uint32_t addr, uint32_t count, void *out, uint64_t *seq);

/*
 * Carries out n steps as one: wholly or not at all, in order, reads seeing
 * the writes before them; checks are evaluated first, against the values
 * before the first write. Blocks at most who->budget_ns. Buffers that READ
 * steps fill are complete before the commit is visible; on STORE_REPLAYED
 * they are untouched. seq, unless NULL, gets the number of the commit: they
 * count up, but the undoing of a write that its writer died in uses one up. In
 * the changes of one call every WRITE step, also where it overlaps an earlier
 * one, tells as the old values those from before the call.
 */
enum store_rc store_apply(struct store *, const struct store_who *,
    const struct store_step *, unsigned n, uint64_t *seq);

/* True if all of them exist. */
bool store_has(
    const struct store *, enum store_table, uint32_t addr, uint32_t count);
/* The range that holds an address, or NULL. */
const struct shm_range *store_range(
    const struct store *, enum store_table, uint32_t addr);

/* Bytes that count registers or bits take in wire form. */
size_t store_bytes(enum store_table, uint32_t count);

/* One change, as it was committed. was and is are in wire form and lie in the
 * caller's buffer. */
struct store_change {
	uint64_t seq; /* number of the commit, 1.. */
	uint64_t who; /* identity of the writer */
	enum store_table table;
	uint32_t addr;
	uint32_t count;
	const uint8_t *was;
	const uint8_t *is;
};

/*
 * Reads the next change at *pos (0: start with the oldest that is left; or
 * store_changes_end()), and moves *pos behind it. 1 a change, 0 none yet,
 * -1 some were overwritten before they were read (*pos has been moved to the
 * oldest that is left). buf holds STORE_CHANGE_BYTES.
 */
enum { STORE_CHANGE_BYTES = 64 + 2 * STORE_STEP_BYTES };
int store_next_change(
    const struct store *, uint64_t *pos, struct store_change *, uint8_t *buf);
uint64_t store_changes_end(const struct store *);

#endif
