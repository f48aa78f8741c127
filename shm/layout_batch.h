/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_BATCH_H
#define SHM_LAYOUT_BATCH_H

/*
 * What a worker has in hand, in its segment, so that a successor can go on
 * with it wherever the worker was killed. See workers/batch.h for the order of
 * stores, workers/resume.h for what a successor makes of them.
 */

#include "shm/layout.h"

enum {
	BATCH_IN = 4096,
	BATCH_OUT = 16384,
	SHM_PDU_MAX = 253, /* of a request, and of a reply */
	SHM_JOURNAL_BYTES = 8192,
	BATCH_SAVES = 64,
};

/* Of which request in hand workers have died one after the other. Written by
 * successors, before they go on. */
struct shm_deaths {
	uint32_t at; /* which one: means nothing while both are 0 */
	uint32_t died; /* how many */
	uint32_t killed; /* so many were killed with it in hand */
};

/* A request of a batch that has written what is to be on the disk before it is
 * answered: where it begins in in[], and where its reply lies in out[]. */
struct shm_save {
	uint16_t in, out, len;
};

/*
 * A batch: everything that one read brought and every reply to it. In force
 * for connection c only while c is used and own == c.seq << 16 | c's index.
 *
 * prog is in_done:16 | out_len:16 | requests:16 | round:1 (low bits first).
 * It is stored (release) after each request is carried out and its reply
 * stands in out[]; nothing is sent before that. When out[] is full and all
 * sent, the round flips and out_len is 0 again.
 */
struct shm_batch {
	_Alignas(SHM_LINE) _Atomic uint64_t own;
	_Atomic uint64_t prog;
	uint64_t tx_base[2]; /* bytes sent before out[0]; one per round */
	_Atomic uint32_t in_len; /* cross-check: a successor asks the kernel */
	uint32_t pre; /* bytes of in[] that were left over before */
	int32_t grown; /* by which a hook has made what was read longer */
	/* 1: replies are first written into reply[], not at once into out[];
	 * release */
	_Atomic uint32_t aside;
	struct shm_deaths deaths; /* of the request at in[at] */
	/* nothing of out[] from the first of these on is sent while there are
	 * any; those at or behind in_done are none. The worker, release */
	_Atomic uint32_t nsaves;
	struct shm_save save[BATCH_SAVES];
	uint8_t in[BATCH_IN];
	uint8_t out[BATCH_OUT];
	/* what a device has answered, before hooks and faults make of it what
	 * is sent */
	uint8_t reply[SHM_PDU_MAX];
};

/*
 * What the function of a plugin that is running has read, and what came of
 * what it has written: a successor that runs it again tells it the same. Of
 * the request who, while it is in hand. All is the worker's.
 */
struct shm_journal {
	_Atomic uint64_t who; /* author << SHM_TAG_OP_BITS | op; release */
	_Atomic uint32_t len; /* of data; release */
	uint8_t data[SHM_JOURNAL_BYTES];
};

/* What out[] of the batch own is to be, whose saves have failed; 0: of none. Is
 * put there as a whole, by whoever finds it. */
struct shm_unsaved {
	_Atomic uint64_t own; /* release, after the rest */
	uint32_t len;
	uint8_t out[BATCH_OUT];
};

/* What was read for the batch own, as it came, while hooks change it. */
struct shm_came {
	_Atomic uint64_t own; /* release, after the bytes */
	uint8_t in[BATCH_IN];
};

#endif
