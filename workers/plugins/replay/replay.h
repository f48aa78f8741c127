/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPLAY_H
#define REPLAY_H

/*
 * The parts of the plugin replay: capture.c reads files, flow.c finds requests
 * and their replies in packets, answers.c keeps them. There is one recording in
 * a process, and one thread.
 */

#include <stddef.h>
#include <stdint.h>

/* nobody's business but the plugin's */
#pragma GCC visibility push(hidden)

enum { REPLAY_PDU_MAX = 253 };

/* Bytes of the file: nothing is read beyond their end. */
struct bytes {
	const uint8_t *p;
	size_t len;
};

/* Drops n bytes from the front; 0 if there are not so many. */
int bytes_skip(struct bytes *, size_t n);

/* Two and four bytes as networks have them. */
unsigned bytes_16(const uint8_t *p);
uint32_t bytes_32(const uint8_t *p);

struct reply {
	struct reply *next;
	uint64_t took_us; /* the device for it */
	size_t len;
	uint8_t pdu[];
};

/* A request that was recorded, and its replies in turn. */
struct request {
	struct reply *reply, *last;
	uint8_t unit;
	size_t len;
	uint8_t pdu[];
};

/* ---- answers.c ---- */

struct answers {
	void *requests; /* a tree of them */
	struct request *probe; /* what is looked for */
	size_t nrequests, nreplies;
};

extern struct answers answers;

/* 0, or -1 with errno: there is no memory. */
int answers_init(void);

/* The recorded request of these bytes, at most REPLAY_PDU_MAX, or NULL. */
struct request *answers_find(uint8_t unit, const uint8_t *pdu, size_t len);

/* Keeps one more reply to a request; lost if there is no memory. */
void answers_keep(uint8_t unit, const uint8_t *asked, size_t asked_len,
    const uint8_t *pdu, size_t len, uint64_t took_us);

/* Takes what was answered for used: the next time it is the next one. */
void answers_step(struct request *);

/* ---- flow.c ---- */

/* For as long as a file is read. port: of the recorded device. 0, or -1. */
int flow_init(unsigned port);
void flow_fini(void);

/* An IP packet, or a PDU as holdfast trace exports it, that was recorded at
 * that time. */
void flow_ip(struct bytes, uint64_t at_us);
void flow_exported(struct bytes, uint64_t at_us);

/* ---- capture.c ---- */

/* Reads a file, or bytes of one, into the answers. NULL, or what is wrong. */
const char *capture_read(const char *path, unsigned port);
const char *capture_bytes(struct bytes);

#pragma GCC visibility pop

#endif
