/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_BUS_H
#define PROTO_BUS_H

/*
 * What is heard on an RTU line, made into messages by the silence between
 * them, with the length that function codes call for as a help. The argument
 * is at the top of bus.c. Pure: no I/O, no clock; whoever owns the line says
 * when it has been silent.
 */

#include "workers/proto/frame.h"

enum {
	BUS_ADU_MAX = 256,
	BUS_READ_MAX = 256, /* most characters of one bus_put() */
	BUS_IN = 3 * BUS_ADU_MAX,
	BUS_LUMPS = 32,
};

enum bus_kind {
	BUS_REQUEST, /* to a unit that is served here, or to all */
	BUS_OTHER, /* good, but another station's business */
	BUS_BAD, /* wrong CRC, damaged, interrupted, too short */
	BUS_OVERRUN, /* more characters than a message may have */
};

struct bus_message {
	enum bus_kind kind;
	bool answer; /* BUS_REQUEST: nothing has been said since */
	const uint8_t *adu; /* the bytes, valid during the call */
	size_t len;
	const struct frame *frame; /* BUS_REQUEST */
};

struct bus {
	/* set by the owner */
	const struct mb_fcs *fcs;
	bool mine[256]; /* units served here; 0 too if broadcasts are */
	bool strict; /* frames that were interrupted are bad (t1.5, t3.5) */
	void (*heard)(void *arg, const struct bus_message *);
	void *arg;
	/* its own */
	uint8_t in[BUS_IN];
	unsigned len;
	unsigned lump[BUS_LUMPS]; /* where a silence came before; 0 is first */
	unsigned nlumps;
	bool fresh; /* what comes next begins a lump */
	bool bad; /* something before in[0] was damaged or interrupted */
	bool overrun; /* in[] is the end of something too long */
	bool known[256]; /* units that have been heard in good messages */
	struct frame frame;
};

/* Nothing has been heard yet. The owner's part has been set. */
void bus_reset(struct bus *);

/* n characters have come, at most BUS_READ_MAX, without a silence in
 * between. */
void bus_put(struct bus *, const uint8_t *p, size_t n);

/* One was damaged: what came before it is void. */
void bus_damaged(struct bus *);

/* Within a message there was a pause longer than t1.5. */
void bus_paused(struct bus *);

/*
 * t3.5 of silence. Tells what has been heard. True if something is unfinished
 * that may go on: its end is awaited, until bus_give_up().
 */
bool bus_quiet(struct bus *);

/* Nothing has come for long: what is unfinished is bad, or has a wrong length
 * and a good CRC all the same. */
void bus_give_up(struct bus *);

#endif
