/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LAYOUT_POISON_H
#define SHM_LAYOUT_POISON_H

/*
 * What a worker has died of, and whose it was: in its segment, so that its
 * successors know. See workers/poison.h for what they make of it.
 */

#include "shm/layout_batch.h"

/* How the last occupant of a worker's slot has ended, as the one who was told
 * by the kernel has it: its supervisor, or its keeper. */
enum {
	SUSPECT_NO, /* it had nothing in hand, or that has been looked at */
	SUSPECT_ENDED, /* of itself: it has exited, or hung */
	SUSPECT_FAULT, /* by a signal that a fault in it raises */
	SUSPECT_KILLED, /* by any other signal, or nobody saw how: that may be
			 * anybody's doing, or the system's for want of memory
			 * that the request takes */
};

/* What becomes of a request. */
enum poison {
	POISON_NONE, /* nothing is known of it */
	POISON_AGAIN, /* it is carried out again: it may have been chance */
	POISON_REFUSE, /* not to be carried out */
	POISON_CLOSE, /* its connection ends */
	POISON_SHUT, /* and its host is not let in */
};

enum { POISON_PEERS = 16, SHM_POISON_PEER = 64, SHM_ADU_MAX = 513 };

/* A host, and a request of its that a worker has died of lately. The worker's
 * alone; others read it, torn at worst; but for until_ns, which the control
 * process sets to 0 if an operator has it forgotten. */
struct shm_poison {
	_Atomic uint64_t until_ns; /* monotonic: forgotten then; 0: free */
	_Atomic uint32_t count; /* of deaths, and of attempts since */
	_Atomic uint32_t killed; /* workers in a row that somebody has killed
				  * with it in hand, where nobody goes on */
	_Atomic uint32_t shut; /* it is kept out until then, if not 0 */
	_Atomic uint32_t known; /* 1: pdu is not carried out until then */
	_Atomic uint32_t family; /* AF_*; AF_UNSPEC: it has no address */
	_Atomic uint64_t net[2]; /* its address, of IPv6 the first 64 bits,
				  * but of fe80::/10 all of it;
				  * AF_UNSPEC: a plugin's key, 0 for none */
	char peer[SHM_POISON_PEER]; /* AF_UNSPEC: in words */
	uint8_t unit;
	uint8_t len; /* of pdu; 0: there is none */
	uint8_t pdu[SHM_PDU_MAX];
};

/* What a worker has in hand that nobody goes on with: a request on a line. All
 * is the worker's, and there before it says that it has something in hand. */
struct shm_asked {
	uint16_t len; /* of adu; 0: there is nothing */
	uint8_t unit;
	uint8_t pdu_len; /* 0: nobody knows what the bytes ask for */
	uint8_t pdu[SHM_PDU_MAX];
	uint8_t adu[SHM_ADU_MAX];
};

#endif
