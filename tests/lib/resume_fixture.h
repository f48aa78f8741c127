/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_RESUME_FIXTURE_H
#define TESTS_LIB_RESUME_FIXTURE_H

/*
 * A worker of type tcp (rs.fx.worker), and the one that succeeds it when it is
 * dead (rs.next): what the first has open stays open, and of its memory nothing
 * is used but the segment. Both have the devices of worker_fixture.h.
 */

#include <netinet/in.h>

#include "supervisor/holdfast.h"
#include "tests/lib/worker_fixture.h"
#include "workers/resume.h"

enum { RS_REG = 10 }; /* a register, and its value */

extern struct resume_fixture {
	/* what both are made with; set before rs_setup() */
	const struct hf_hooks *hooks;
	char *framer;
	bool broadcast;
	struct fx fx;
	struct worker next;
	struct sockaddr_in at;
} rs;

/* Requests and their replies: FC 23, which writes 7 to register 11 and reads 10
 * and 11, and FC 3 of register 10. */
extern const uint8_t rs_both[19], rs_both_reply[13];
extern const uint8_t rs_read_1[12], rs_read_1_reply[11];

/* The first one serves; it is succeeded; all ends. */
void rs_setup(void);
void rs_succeed(void);
void rs_teardown(void);

/* One of them begins. */
void rs_start(struct worker *);

/* Lets a worker do all that there is to do. */
void rs_turns(struct worker *);

/* A client's socket; the same when the first worker has let it in. */
int rs_client(void);
struct conn *rs_served(int *fd);

/* Sends; exactly these bytes have come; the other end has closed it. */
void rs_say(int fd, const void *bytes, size_t len);
void rs_hear(int fd, const void *bytes, size_t len);
bool rs_ended(int fd);

/* A client that has asked rs_both, of the first worker. */
struct conn *rs_asked(int *fd);

/* What a successor sends: it comes; and it, or the next request, is answered:
 * rs_both. */
void rs_next_says(int fd, const void *bytes, size_t len);
void rs_next_answers(int fd);
void rs_next_is_asked(int fd);

/* Somebody else writes a register of unit 1. */
void rs_set_reg(unsigned addr, uint16_t value);

/* What the first worker does: it reads what has come into a record; and carries
 * that out, len bytes of whole requests, without sending anything. */
struct shm_batch *rs_begin(struct conn *);
struct shm_batch *rs_carry_out(struct conn *, size_t len);

/* A client whose rs_both has been carried out and not been answered, and a
 * register that is another one since. */
void rs_unanswered(int *fd);

/* As if it had been killed just before prog was stored the first time. */
void rs_not_noted(struct shm_batch *);

/* Connections that the successor counts. */
unsigned rs_open_now(void);

#endif
