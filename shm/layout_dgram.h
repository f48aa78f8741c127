/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_DGRAM_H
#define SHM_LAYOUT_DGRAM_H

/*
 * What a worker of type udp has in hand, in its segment, so that a successor
 * can go on with it wherever the worker was killed. workers/dgram.h has the
 * order of stores, workers/repeats.h the table.
 */

#include <netinet/in.h>
#include <sys/socket.h>

#include "shm/layout_batch.h"

enum {
	SHM_DGRAMS = 32, /* most that are taken at once */
	/* What is longer than any ADU is cut to this, and so is still longer
	 * than any ADU: no framer takes it for a frame. */
	SHM_DGRAM_IN = 514,
	SHM_DGRAM_OUT = 513,
	SHM_DGRAM_PDU = 253,
	SHM_REPEATS = 1024,
	SHM_REPEAT_LEN = 260, /* the longest reply of a frame with a number */
	SHM_RUNS = 1024,
	SHM_DGRAM_WAITS = 32, /* replies that wait for the disk */
};

/* One datagram, and the reply to it. All is the worker's, or, as it receives,
 * the kernel's in its name. */
struct shm_dgram {
	_Alignas(struct cmsghdr)
	    uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_storage from;
	/* in whose name it is carried out, and behind which operation number */
	uint64_t op;
	uint32_t author;
	uint32_t out_len; /* 0: no reply, or none that is sent at once */
	uint64_t hash; /* of what came; of repeats.h */
	uint32_t run;
	uint32_t wrote; /* 1 + the length of the reply if it has changed
			 * something, else 0 */
	uint8_t in[SHM_DGRAM_IN], out[SHM_DGRAM_OUT];
};

/* One that is done, and whose reply waits for the disk: see udp_save.c. */
struct shm_dgram_wait {
	_Atomic uint32_t used; /* 1: it is; release */
	uint32_t in_len, namelen, controllen;
	struct shm_dgram d;
};

/* A request that was carried out, and what was answered. */
struct shm_repeat {
	_Atomic uint64_t at_ns; /* monotonic; 0: nothing; release, the last */
	uint64_t hash;
	uint32_t run; /* 0: its peer did not count */
	uint32_t era; /* 0: when nothing had been waiting */
	uint16_t port, len;
	uint8_t addr[16];
	uint8_t reply[SHM_REPEAT_LEN];
};

/* How a peer numbers its requests. */
struct shm_run {
	uint32_t run; /* no other run's number; 0: nobody's */
	uint32_t used; /* the last request, as shm_dgrams.asked has them */
	uint16_t tid, len; /* the last number; how long the run is */
	uint16_t port;
	uint8_t addr[16];
};

struct shm_dgrams {
	/* done:8 | begun:1 | sent:8 (low bits first); release */
	_Alignas(SHM_LINE) _Atomic uint64_t prog;
	uint32_t era; /* counts the times that all has been made up for */
	uint32_t runs; /* the last one that was given out */
	uint32_t asked; /* counts requests that have a number */
	uint32_t aside; /* the answer of a device is in reply, not yet in out */
	struct shm_deaths deaths; /* of the one in hand, 1 + which */
	uint8_t reply[SHM_DGRAM_PDU];
	struct mmsghdr msg[SHM_DGRAMS];
	struct shm_dgram at[SHM_DGRAMS];
	struct shm_repeat repeat[SHM_REPEATS];
	struct shm_run run[SHM_RUNS]; /* sets, by hash of the peer */
	struct shm_dgram_wait wait[SHM_DGRAM_WAITS];
};

#endif
