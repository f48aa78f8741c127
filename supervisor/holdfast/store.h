/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_STORE_H
#define HOLDFAST_STORE_H

/*
 * Registers that several processes share: part of holdfast.h.
 *
 * A store holds devices, a device its four tables, a table ranges. Whoever
 * makes a store describes it first and then opens it, which any use of it does
 * by itself; from then on it can be attached to by its name, and what it
 * consists of stays as it is. It is there until its maker frees it or ends.
 *
 * Reading takes no lock and cannot be disturbed. Writing is one step, wholly
 * done or wholly not, whatever becomes of the writer; another one waits for at
 * most 350 ms (EBUSY). Threads may use a store at the same time, but not while
 * one of them frees it. A child that the program forks may only read.
 *
 * Values are in the order of the host; a bit takes a uint16_t of its own, 0 or
 * 1. Addresses count from 0, as on the wire. errno of a failed call:
 * EADDRNOTAVAIL not wholly inside ranges, EBUSY, EROFS attached for reading,
 * EINVAL (also NULL for what there must be), ENOMEM, ESTALE the maker has gone,
 * and the store with it; if it was killed, that is noticed within a second. Or
 * a daemon has given the device other ranges: attach again. A daemon's store
 * has not gone while its workers live, nor if another supervisor takes it
 * over.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hf_store;
struct hf_device;

enum hf_table { HF_CO, HF_DI, HF_HR, HF_IR };

enum hf_type {
	HF_UINT16,
	HF_INT16,
	HF_UINT32,
	HF_INT32,
	HF_UINT64,
	HF_INT64,
	HF_FLOAT32,
	HF_FLOAT64,
	HF_STRING, /* two characters a register, padded with NUL */
	HF_BITS
};

/* How the bytes a (highest) to d of a value follow each other on the wire;
 * those of 64 bits likewise. */
enum hf_order { HF_ABCD, HF_BADC, HF_CDAB, HF_DCBA };

enum { HF_EVERY_UNIT = -1 };

/* A run of addresses that exist. What is left zero has its default. */
struct hf_range {
	enum hf_table table;
	uint32_t addr;
	uint32_t count; /* registers or bits; 0: what one value takes */
	enum hf_type type; /* of its values, for who shows them */
	enum hf_order order;
	int read_only; /* to Modbus clients; never to the program */
	const uint16_t *values; /* at first: nvalues of them, which then */
	size_t nvalues; /*   repeat; NULL: zeros */
	const char *name, *unit; /* "flow", "m3/h", or NULL */
	double scale; /* 0: 1 */
	/* run when a client reads it, or NULL; looked up, with what it takes,
	 * when a server starts */
	const char *action;
	const char *parameters; /* of the action: a JSON object, or NULL */
};

/* Begins a store. name: letters, digits, '_', '-', at most 40; NULL: one that
 * nobody else has. NULL with errno; EINVAL. */
struct hf_store *hf_store_new(const char *name);

/* The same with the devices of a configuration, holdfast.json(5); what else it
 * holds is not looked at, but for store.name where there is no name here. One
 * device answers to every unit, several to 1, 2 ... in turn. NULL: hf_error()
 * lists what is wrong; EINVAL, also where path or json is NULL. */
struct hf_store *hf_store_load(const char *path);
struct hf_store *hf_store_parse(const char *name, const char *json);

/* Adds a device, which is the store's. unit: the address that servers give it,
 * unless they are told otherwise; HF_EVERY_UNIT: whatever has no other. NULL
 * with errno: EEXIST, EINVAL, EBUSY (the store is open). */
struct hf_device *hf_store_add_device(
    struct hf_store *, const char *name, int unit);

/* Adds a range; texts and values are copied. 0, or -1: EEXIST it overlaps
 * another one, EINVAL, EBUSY. */
int hf_device_add_range(struct hf_device *, const struct hf_range *);

/* All tables show one array of registers: bit n of a bit table is bit n % 16
 * of register n / 16. */
int hf_device_share_blocks(struct hf_device *);

/* Counts how often clients read and write it: hf_get_counts(). */
int hf_device_count(struct hf_device *);

/* An object of the device identification (function code 43/14): 0 VendorName,
 * 1 ProductCode, 2 MajorMinorRevision ... 6, 0x80..0xff. Also what function
 * code 17 answers. */
int hf_device_set_identity(struct hf_device *, uint8_t id, const char *text);

/* Makes it; what a program that was killed has left of it goes, once that one's
 * servers have (3 s at most). 0, or -1: EEXIST another program has a store of
 * that name, ENOSPC ... */
int hf_store_open(struct hf_store *);

/* Takes part in the store of another process: a program's, or a daemon's
 * (store.name of its configuration). NULL with errno: ENOENT there is none,
 * EACCES, EPROTO of another version, EUSERS 256 have attached for writing,
 * ESTALE. The second cannot change a register, whatever the program does. */
struct hf_store *hf_store_attach(const char *name);
struct hf_store *hf_store_attach_readonly(const char *name);

/* Gives it back. Its maker's servers must have been freed before. */
void hf_store_free(struct hf_store *);

const char *hf_store_name(const struct hf_store *);

/* The device of a name; NULL: the only one. NULL with errno ENOENT. */
struct hf_device *hf_store_device(struct hf_store *, const char *name);
/* The i-th, NULL behind the last. */
struct hf_device *hf_store_nth_device(struct hf_store *, size_t i);
const char *hf_device_name(const struct hf_device *);

#ifdef __cplusplus
}
#endif

#endif
