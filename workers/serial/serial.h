/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_SERIAL_SERIAL_H
#define WORKERS_SERIAL_SERIAL_H

/*
 * The parts of the serial transport among themselves: t_serial.c has the
 * device's life and the states, serial_in.c what is heard, serial_out.c what
 * is said.
 */

#include "workers/conns.h"
#include "workers/link.h"
#include "workers/proto/bus.h"
#include "workers/proto/echo.h"
#include "workers/serial/line.h"

enum serial_state {
	SERIAL_LOST, /* no device; it is tried again */
	SERIAL_DEAF, /* what comes is thrown away until a silence of t3.5 */
	SERIAL_IDLE, /* nothing is under way */
	SERIAL_HEARS, /* something comes; t3.5, or a time-out, ends it */
	SERIAL_UNSURE, /* it has ended and may go on yet */
	SERIAL_PAUSES, /* a reply waits for turnaround_ms */
	SERIAL_TURNS, /* the line is driven; a reply waits for that */
	SERIAL_SAYS, /* the device does not take all of a reply yet */
	SERIAL_PARTS, /* a fault: the second part of a reply waits */
	SERIAL_ENDS, /* its last bit is not on the wire yet */
	SERIAL_STAYS, /* the line is driven for a while longer */
	SERIAL_STATES
};

enum serial_echo { ECHO_UNKNOWN, ECHO_ABSENT, ECHO_THERE };

enum {
	SERIAL_IN = 2048, /* of a stream; four of the longest frame */
	SERIAL_WAIT_MS = 100, /* longest false silence within a frame */
	SERIAL_REPEATS = 128, /* in a row before it is asked who repeats */
};

struct serial {
	struct worker *worker;
	struct link link;
	struct conns conns;
	struct conn *conn; /* the line, while it is there */
	struct link_peer peer;
	struct line line;
	enum serial_state state;
	struct event readable, writable, timer;
	int timer_fd;
	uint64_t char_ns, t15_ns, t35_ns;
	uint64_t last_ns; /* when the last character came */
	/* the device's life */
	int left_fd; /* by a predecessor, open; -1 */
	uint64_t backoff_ms;
	bool told; /* that it is not there */
	char reason[sizeof(((struct line *)0)->why)]; /* as it was told */
	/* what is heard */
	bool rtu; /* by the bus; else a stream, in in[] */
	struct bus bus;
	uint8_t in[SERIAL_IN];
	size_t in_len;
	bool interrupted; /* t1.5 was exceeded in what is coming */
	struct echo echo;
	uint64_t held_ns; /* when the last of what is held for it came */
	unsigned repeats; /* in a row, of what may be an echo or a request */
	enum serial_echo echoes;
	bool told_echo;
	/* what is said */
	uint8_t reply[FRAME_ADU_MAX];
	size_t reply_len; /* 0: there is none */
	struct late late; /* how it is put off */
	size_t sent;
	uint8_t reply_unit;
	uint64_t began_ns; /* to send it */
	bool told_stuck;
};

/* The only way to another state. at_ns: when serial_timer() is called, as
 * CLOCK_MONOTONIC has it; 0 never. */
void serial_set_state(struct serial *, enum serial_state, uint64_t at_ns);

/* The device has gone, line.why says how. */
void serial_lose(struct serial *);

/* A reply has been sent, or there was none: goes on with what has come
 * meanwhile, or becomes idle; ends a worker that drains. */
void serial_listen(struct serial *);

/* ---- serial_in.c ---- */

/* 0, or -1 after worker->why was set. */
int serial_in_init(struct serial *);

/* Forgets what is unfinished. */
void serial_in_reset(struct serial *);

/* The device can be read. */
void serial_take(struct serial *);

/* Reads once, but goes on with nothing. False if there was nothing, or the
 * device has gone. */
bool serial_read(struct serial *);

/* The time of SERIAL_HEARS and SERIAL_UNSURE is over. */
void serial_silence(struct serial *);
void serial_give_up(struct serial *);

/* Whether a message could be a request, whatever it is meant to be: the reply
 * to most writes, and to FC 8/0, is the request over again. */
bool serial_reads_as_request(struct serial *, const uint8_t *adu, size_t len);

/* Goes on with a stream's input. True if nothing is under way any more. */
bool serial_go_on(struct serial *);

/* ---- serial_hand.c ---- */

/* What came, len bytes, is looked at now: a request, or NULL if that is not
 * known; until serial_hand_over(). Should the worker die of it, its successor
 * knows what it was. */
void serial_hand(
    struct serial *, const struct frame *, const uint8_t *adu, size_t len);
void serial_hand_over(struct serial *);

/* What a predecessor has died of: counted, told, and not carried out any more
 * once two have. Before the records are wiped. */
void serial_judge(struct serial *);

/* ---- serial_out.c ---- */

/* There is a reply: it is sent as soon as it may be. True if that is over
 * already, and the line not lost. */
bool serial_respond(struct serial *);

/* The reply will not be sent. */
void serial_unsay(struct serial *);

/* The time of SERIAL_PAUSES, _TURNS, _SAYS, _PARTS, _ENDS and _STAYS is over;
 * and the device takes more. */
void serial_say(struct serial *);
void serial_send(struct serial *);
void serial_stuck(struct serial *);
void serial_ended(struct serial *);
void serial_release(struct serial *);

#endif
