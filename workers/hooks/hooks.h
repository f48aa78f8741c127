/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_HOOKS_H
#define WORKERS_HOOKS_H

/*
 * What plugins, or the program whose server this is, add to a worker: traces,
 * function codes, actions, framers. supervisor/holdfast/hooks.h is what they
 * were promised. Where there are none worker->traced is 0, and nothing here is
 * called after the start.
 *
 * A crash or an endless loop in a hook costs this process. What its results
 * claim is held against what they can be; one that has written beyond its
 * room ends the worker (70), for nobody knows what it has hit.
 */

#include "workers/proto/frame.h"
#include "workers/worker.h"

/* Bits of worker->traced: such a hook is there. */
enum { HOOK_PACKET = 1, HOOK_PDU = 2, HOOK_CONNECT = 4, HOOK_REFUSE = 8 };

enum {
	HOOK_WRITES_MAX = 32, /* of one request; each has an operation number */
	HOOK_REGS_MAX = 4096, /* of one reading or writing */
};

struct acl_peer;

/* Collects and checks what the plugins bring: worker->hooks, NULL if that is
 * nothing; and that the transport's framer is there. 0, or -1 after worker->why
 * and code were set. */
int hooks_load(struct worker *);
void hooks_free(struct worker *);

/* ---- traces ---- */

/* Shows bytes that have come from c, or from p where there is no record yet, or
 * that are about to go to c. The length that they have then, 0: suppressed. */
size_t hooks_packet(struct worker *, const struct shm_conn *c,
    const struct acl_peer *p, bool sending, uint8_t *bytes, size_t len,
    size_t room);

/* The same for the PDU of a request, or of the reply to it, in room for
 * MB_PDU_MAX bytes. f: the request; refused: a reply is that exception of
 * ours, and no device's. */
size_t hooks_pdu(struct worker *, const struct shm_conn *,
    const struct frame *f, bool sending, unsigned refused, uint8_t *pdu,
    size_t len);

/* How much later a hook wants the reply to leave that hooks_pdu() has just
 * shown, 0: not at all. */
uint32_t hooks_delay_ms(const struct worker *);

/* The exception that a hook wants in place of the request's being carried out,
 * MB_EX_NONE if none does. */
enum mb_ex hooks_refuse(struct worker *, const struct shm_conn *,
    const struct frame *, bool broadcast);

void hooks_connect(struct worker *, const struct shm_conn *, bool connected);

/* ---- function codes, framers ---- */

/* Puts what they bring into a worker's table, beside or in place of what is
 * there. */
void hooks_functions(struct worker *, struct mb_fcs *);

/* How many operation numbers a request may take for each device. */
unsigned hooks_writes(const struct worker *);

/* The framer of that name, NULL if nobody brings it. */
const struct framer *hooks_framer(const struct worker *, const char *name);

/* ---- actions ---- */

/* Finds the action of each range of the devices in worker->bind. 0, or -1 after
 * worker->why and code were set. */
int hooks_actions(struct worker *);

#endif
