/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_SNAP_H
#define SHM_SNAP_H

/*
 * Snapshots: the registers of all devices as a file that outlives the daemon.
 *
 * All numbers are little-endian. Registers and bits are in wire form: two
 * bytes a register, the high one first; eight bits a byte, the lowest address
 * in bit 0. Checksums are CRC-32C.
 *
 *	header, 112 bytes
 *	 0  "HOLDSNAP"
 *	 8  u32 version, 2      12  u32 devices
 *	16  u64 bytes of the whole file
 *	24  u64 time, ms since 1970
 *	32  44 bytes: the store's name, padded with NUL
 *	76  u32 checksum of the 76 bytes before it
 *	80  u64 place in the row of those that the daemon saves by
 *	        itself, from 1; 0: somebody asked for this one
 *	88  u64 which life of the store it is of: commits are counted from
 *	        its beginning
 *	96  u64 that place of the snapshot that it is to go on top of, 0: it
 *	        is complete by itself
 *	104 u32 0             108  u32 checksum of the 108 bytes before
 *
 *	and for each device, 80 bytes
 *	 0  "DEVI"               4  u32 blocks
 *	 8  u64 bytes of all of its blocks
 *	16  u64 number of the commit that it shows
 *	24  44 bytes: its name, padded with NUL
 *	68  u32 0               72  u32 checksum of the blocks
 *	76  u32 checksum of the 76 bytes before it
 *
 *	followed by its blocks, each a run of addresses of one table
 *	 0  u32 table: 0 coils, 1 discrete inputs, 2 holding registers,
 *	        3 input registers, 4 files, 5 FIFO queues (addresses of both as
 *	        in store.h)
 *	 4  u32 first address    8  u32 registers or bits, at least 1
 *	12  u32 bytes of the values that follow
 *
 * Version 1 has a header of 80 bytes, which ends with its first checksum, and
 * is read, too. A file that is not exactly so is refused as a whole. What is in
 * one goes to the device, table and address of the same name and number,
 * wherever those lie in the store of the daemon that reads it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/store.h"
#include "shm/store_picture.h"

enum {
	SNAP_HEAD = 80, /* of a device, and of a file of version 1 */
	SNAP_FILE_HEAD = 112,
	SNAP_BLOCK = 16,
	SNAP_NAME = 44,
	SNAP_WHY = 200,
	SNAP_BYTES_MAX = 1 << 29, /* what is read at all */
};

/* A file in memory. Zeroed to begin with. */
struct snap {
	uint8_t *data;
	size_t len, size;
	bool failed; /* memory ran out */
};

/* Where one stands among those that the daemon saves by itself. */
struct snap_place {
	uint64_t sequence, run, base; /* as in the file; zeros: nowhere */
};

/* A run of addresses. */
struct snap_run {
	enum store_table table;
	uint32_t addr, count;
};

/* Puts one together: a beginning, devices, an end. The end says -1 with errno
 * if there was not enough memory for any of it. place: NULL for none. */
void snap_begin(struct snap *, const char *store, uint64_t at_ms,
    const struct snap_place *);
void snap_add(struct snap *, const char *device, const struct store_picture *);
/* The same with some of the device alone, which it has. */
void snap_add_some(struct snap *, const char *device,
    const struct store_picture *, const struct snap_run *, size_t n);
int snap_end(struct snap *);

/*
 * Writes it to path so that there is, whenever the power fails, the file that
 * was there before or this one: a file beside it, fsync(), rename(), fsync()
 * of the directory. -1 with errno: EEXIST if what is there is no snapshot.
 */
int snap_write(const struct snap *, const char *path);

/* Reads a file and checks all of it. -1 with a sentence; errno is ENOMEM if
 * that was all that was wrong. */
int snap_read(struct snap *, const char *path, char why[SNAP_WHY]);

/* Checks what lies in memory. -1 with a sentence. */
int snap_check(const struct snap *, char why[SNAP_WHY]);

void snap_free(struct snap *);

/* ---- what is in one that has been checked ---- */

struct snap_device {
	char name[SNAP_NAME];
	uint64_t seq;
	uint32_t blocks;
	size_t at; /* of the next block */
};

struct snap_block {
	enum store_table table;
	uint32_t addr, count;
	const uint8_t *values; /* in wire form */
};

uint64_t snap_time_ms(const struct snap *);
struct snap_place snap_place(const struct snap *);
void snap_store(const struct snap *, char name[SNAP_NAME]);

/* The first device, and those behind it: *at is 0, then what the last call
 * left there. False when there is none left. */
bool snap_next_device(const struct snap *, size_t *at, struct snap_device *);

/* The next block of a device; false when there is none left. */
bool snap_next_block(
    const struct snap *, struct snap_device *, struct snap_block *);

#endif
