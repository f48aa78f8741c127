/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Notices: posted by the occupant of a slot into its own ring, read by the
 * control process. Never blocks, never fails.
 */

#include "shm/notice.h"

#include <stddef.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/ring.h"
#include "shm/seg.h"

enum { FIXED = offsetof(struct notice, text) };

void
notice_post_bytes(const struct slot_env *env, enum notice_kind kind,
    unsigned transport, uint64_t a, uint64_t b, const void *bytes, size_t len)
{
	struct notice n = {
		.kind = kind,
		.transport = transport,
		.a = a,
		.b = b,
		.len =
		    len < NOTICE_TEXT_MAX ? (uint32_t)len : NOTICE_TEXT_MAX - 1,
	};
	struct iovec piece[2];
	struct shm_ring *ring;

	if (!env || !env->control || env->me == 0)
		return;
	ring = seg_notices(env->control, SLOT_OF(env->me));
	if (!ring)
		return;
	n.unix_ms = clock_unix_ms();
	piece[0] = (struct iovec){ .iov_base = &n, .iov_len = FIXED };
	piece[1] = (struct iovec){
		.iov_base = (void *)(uintptr_t)bytes,
		.iov_len = n.len,
	};
	/* without text bytes may be NULL */
	ring_put(ring, SHM_RING_BYTES, piece, n.len > 0 ? 2 : 1);
}

void
notice_post(const struct slot_env *env, enum notice_kind kind,
    unsigned transport, uint64_t a, uint64_t b, const char *text)
{
	notice_post_bytes(
	    env, kind, transport, a, b, text, text ? strlen(text) : 0);
}

int
notice_next(
    struct shm_control *c, unsigned slot, uint64_t *pos, struct notice *n)
{
	struct shm_ring *ring = seg_notices(c, slot);
	int len =
	    ring ? ring_get(ring, SHM_RING_BYTES, pos, n, sizeof(*n) - 1) : 0;

	if (len <= 0)
		return len;
	if (len < FIXED)
		return -1;
	/* its own words are not believed where they index memory */
	n->len = (uint32_t)(len - FIXED);
	n->text[n->len] = 0;
	return 1;
}

const char *
notice_poison_name(unsigned what)
{
	static const char *const name[] = { "none", "again", "refused",
		"closed", "quarantined" };

	return what < sizeof(name) / sizeof(name[0]) ? name[what] : name[0];
}

uint64_t
notice_end(struct shm_control *c, unsigned slot)
{
	struct shm_ring *ring = seg_notices(c, slot);

	return ring ? ring_end(ring) : 0;
}
