/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_STREAM_SAVE_H
#define WORKERS_STREAM_SAVE_H

/*
 * Connections whose replies wait for the disk (save.h). They stand in the batch
 * record that the connection holds, so a successor finds them there, takes a
 * ticket of its own and goes on waiting; nothing of them leaves before. Such a
 * connection is not read from, and nobody else waits for it.
 */

#include "workers/stream.h"

/* Records that are left to who does not wait, if connections are more than
 * records: once there are only these, what is to be saved first is answered
 * 06. */
enum { SAVE_SPARE = 16 };

void stream_save_init(struct stream *);
void stream_save_fini(struct stream *);

/* True if replies of b wait for the disk: then c holds it, of whose output so
 * many bytes have been sent, and stream_go_on() is called when they may leave,
 * or others in their place. */
bool stream_save(
    struct stream *, struct conn *c, struct shm_batch *b, unsigned sent);

/* True while they do. */
static inline bool
stream_saves(const struct conn *c)
{
	return c->ticket != 0;
}

/* The connection ends, whatever it waits for. */
void stream_save_end(struct stream *, struct conn *);

#endif
