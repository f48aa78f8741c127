/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_SAVE_H
#define WORKERS_SAVE_H

/*
 * Replies that wait for the disk (bind_durable.h): which they are, and what is
 * sent in their place if it does not come to that. Off the request path of what
 * is not durable.
 */

#include "workers/batch.h"
#include "workers/bind_durable.h"
#include "workers/serve.h"

/*
 * What the frame in hand, which begins at in, has asked for is to be on the
 * disk before its reply, at out and up to prog->out, is sent: notes that. One
 * that nobody is answered is saved all the same. FRAME_OK; FRAME_MORE if the
 * batch has no room for another: what there is has to be saved and sent first.
 */
enum frame_rc save_note(struct run *, struct shm_batch *,
    const struct batch_prog *, unsigned in, unsigned out);

/* The same for the reply of len bytes in out that does not lie in a batch: it
 * is p's to keep back, or waited for here. The length of what is to be sent. */
size_t save_answer(struct link *, struct link_peer *p, const struct frame *,
    uint8_t *out, size_t len);

/* The reply to a request that could not be saved, in out: its length. */
size_t save_refuse(
    struct link *, struct shm_conn *, const struct frame *, uint8_t *out);

/*
 * What a batch's replies are that could not be saved: exceptions 04, among the
 * others. Killed anywhere, a successor's save_inherit() ends it. False if the
 * batch makes no sense: somebody has written there.
 */
bool save_unsaved(struct link *, struct shm_conn *, struct shm_batch *);

/* What a predecessor had begun of that. Before its batches are looked at. */
void save_inherit(struct worker *);

#endif
