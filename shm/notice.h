/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_NOTICE_H
#define SHM_NOTICE_H

/*
 * Notices: what a process wants the others to know, in its slot's ring. The
 * control process reads all rings and publishes them as events.
 */

#include "shm/slot.h"

enum notice_kind {
	NOTICE_LOG = 1, /* a = level; text = the line */
	NOTICE_TRANSPORT, /* a = old state, b = new state; text = why */
	NOTICE_CONN_OPEN, /* a = connection id, b = 0; text = peer */
	NOTICE_CONN_CLOSE, /* a = connection id, b = requests; text = why */
	NOTICE_REFUSED, /* a = connection id, b = NOTICE_REFUSED_B; text = its
			 * role and then its peer */
	NOTICE_FAULT, /* a = id of a fault rule, b = enum fault_event; text =
		       * the bytes of its struct fault_rule */
	NOTICE_POISON, /* a = connection id, b = NOTICE_POISON_B; text = its
			* peer and then the request's bytes in hex */
};

/* What was refused, and to a role of how many bytes, -1 if there is no telling
 * whose the connection is. */
#define NOTICE_REFUSED_B(unit, fc, len) \
	((uint64_t)((len) + 1) << 16 | (uint64_t)(unit) << 8 | (uint64_t)(fc))
#define NOTICE_REFUSED_UNIT(b) ((unsigned)((b) >> 8 & 0xff))
#define NOTICE_REFUSED_FC(b) ((unsigned)((b)&0xff))
#define NOTICE_REFUSED_LEN(b) ((int)((b) >> 16 & 0xff) - 1)

/* A request that workers have died of: the count, enum poison, and how long the
 * peer's text is. fc is 0 if nobody knows what it asks for. */
#define NOTICE_POISON_B(unit, fc, count, what, len)                  \
	((uint64_t)(len) << 32 | (uint64_t)(what) << 24 |            \
	    (uint64_t)((count)&0xff) << 16 | (uint64_t)(unit) << 8 | \
	    (uint64_t)(fc))
#define NOTICE_POISON_UNIT(b) ((unsigned)((b) >> 8 & 0xff))
#define NOTICE_POISON_FC(b) ((unsigned)((b)&0xff))
#define NOTICE_POISON_COUNT(b) ((unsigned)((b) >> 16 & 0xff))
#define NOTICE_POISON_WHAT(b) ((unsigned)((b) >> 24 & 0xff))
#define NOTICE_POISON_LEN(b) ((size_t)((b) >> 32))

/* "again", "refused", "closed", "quarantined": of enum poison. */
const char *notice_poison_name(unsigned);

enum { NOTICE_TEXT_MAX = 512 };

struct notice {
	uint64_t unix_ms;
	uint32_t kind;
	uint32_t transport;
	uint64_t a, b;
	uint32_t len; /* of text, without NUL */
	uint32_t spare;
	char text[NOTICE_TEXT_MAX];
};

/* Puts a notice into the own slot's ring; text is cut at its maximum. Never
 * blocks, never fails; without a slot that has a ring it does nothing. */
void notice_post(const struct slot_env *, enum notice_kind, unsigned transport,
    uint64_t a, uint64_t b, const char *text);

/* The same with len bytes of any kind in place of a text. */
void notice_post_bytes(const struct slot_env *, enum notice_kind,
    unsigned transport, uint64_t a, uint64_t b, const void *bytes, size_t len);

/* The next notice of a slot at *pos: 1 one, 0 none, -1 some were lost. */
int notice_next(
    struct shm_control *, unsigned slot, uint64_t *pos, struct notice *);

/* Where a reader that wants only new ones should start. */
uint64_t notice_end(struct shm_control *, unsigned slot);

/* The connection's id as the control API shows it. */
#define CONN_ID(transport, worker, serial) \
	((uint64_t)(transport) << 56 | (uint64_t)(worker) << 48 | (serial))
#define CONN_ID_TRANSPORT(id) ((unsigned)((id) >> 56))
#define CONN_ID_WORKER(id) ((unsigned)((id) >> 48 & 0xff))
#define CONN_ID_SERIAL(id) ((id)&0xffffffffffffull)

#endif
