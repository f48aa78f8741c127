/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_LINK_H
#define WORKERS_LINK_H

/*
 * From bytes to replies: every complete frame of an input is found, its unit
 * looked up, served and answered into an output. Knows no sockets.
 */

#include "workers/acl.h"
#include "workers/fault.h"
#include "workers/record.h"

struct link {
	struct worker *worker;
	const struct framer *framer;
	size_t in_max; /* most bytes of one batch's input */
	size_t out_max; /* longest reply, with what hooks may make of it */
	unsigned ops_max; /* most operation numbers of one request */
	const struct conf_role
	    *rights; /* of whose bytes come next; NULL: all */
	bool straight; /* a PDU stays as it is in its frame */
	bool bus; /* other stations' messages are heard, too */
	struct faults faults;
	struct mb_fcs fcs;
	struct recorder rec;
	uint8_t pdu[MB_PDU_MAX]; /* a request as a hook has changed it */
	uint8_t reply[MB_PDU_MAX]; /* to a datagram, before hooks and faults */
};

enum link_rc {
	LINK_MORE, /* all complete frames are done; the rest is unfinished */
	LINK_FULL, /* out has no room for another reply, or too many wait for
		    * the disk: send, then go on */
	LINK_BAD, /* hopeless: send what there is, then close */
	LINK_LATE, /* faults.late says what of the last reply waits, and for
		    * how long: then go on */
};

/* Prepares a worker's link: framer by name, function codes. 0, or -1 after
 * worker->why was set. */
int link_init(struct link *, struct worker *);
void link_fini(struct link *);

/*
 * Serves requests of b->in[done..in_len) as of b->prog for connection c, one
 * prog store a request, until one of enum link_rc holds. The worker's clock
 * has been read for this batch. author: in whose
 * name it writes; the operation numbers go on from the half in force of c.
 * why: words for LINK_BAD. Of what came in one read the configuration's
 * max_transactions are served and the rest answered 06. While batch_saves(b) is
 * not 0 afterwards, replies wait for the disk: nothing more is sent before.
 */
enum link_rc link_run(struct link *, struct shm_conn *c, unsigned author,
    struct shm_batch *b, const char **why);

/* Somebody who sends datagrams. */
struct link_peer {
	struct shm_conn *shm;
	unsigned author; /* in whose name it writes */
	unsigned asked; /* its requests that came along and were served before
			 * this one: max_transactions counts them */
	bool busy; /* its next request is answered 06 and not carried out */
	unsigned died; /* workers that have died of its next request */
	uint64_t op; /* the last operation number that it was given */
	bool parks; /* replies that wait for the disk are kept back by who asks
		     * for them: */
	bool saving; /* this one is to be */
	/* where a successor finds it, what a device has answered before hooks
	 * and faults make of it what is sent: MB_PDU_MAX bytes; and whether it
	 * does. NULL where nobody goes on with a request */
	uint8_t *reply;
	uint32_t *aside;
};

/*
 * Looks at one datagram of `from`: true if it is exactly one request, which *f
 * then tells; f may point into in. False if it is not one: counted and
 * recorded, to be left unanswered. An exception reply is no request: two
 * servers would answer each other for ever.
 */
bool link_frame(struct link *, const struct acl_peer *from, const uint8_t *in,
    size_t len, struct frame *f);

/* Serves what link_frame() found in in, for p, and counts p->op and p->asked
 * on. Returns the length of the reply in out, which has room for
 * FRAME_ADU_MAX; 0 for none. *late, NULL or: how it is to be sent. */
size_t link_answer(struct link *, struct link_peer *p, const struct frame *f,
    const uint8_t *in, uint8_t *out, const struct late **late);

/* What link_frame() found in in is a request over again, and is answered as it
 * was: len bytes. That is recorded and counted as what c has asked; no device
 * knows of it. */
void link_repeat(struct link *, struct shm_conn *c, const struct frame *f,
    const uint8_t *in, const uint8_t *reply, size_t len);

/*
 * For a line that other stations are on, too (SL 2.4).
 *
 * A good message that is for nobody here; unit is its address.
 */
void link_heard(struct link *, const struct link_peer *, uint8_t unit,
    const uint8_t *adu, size_t len);

/* What was left over of a stream as it ended: it will not become a request. */
void link_left(
    struct link *, const struct shm_conn *, const uint8_t *bytes, size_t len);

/* Bytes, or none, that were no good message: one error of communication. */
void link_noise(
    struct link *, const struct link_peer *, const uint8_t *bytes, size_t len);

/* More characters than could be taken. */
void link_overrun(struct link *);

/* The reply of a unit to what link_answer() has served stays unsent. */
void link_unsent(struct link *, uint8_t unit);

/* The last character of an ASCII frame now, see FC 8/3. */
uint8_t link_delimiter(const struct link *);

#endif
