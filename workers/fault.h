/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_FAULT_H
#define WORKERS_FAULT_H

/*
 * Faults: replies that are spoiled because a rule in the control segment says
 * so (shm/fault.h). A worker keeps a copy of the rules that can hit it, and
 * looks for others with one relaxed load a batch. While there are none that is
 * all that is ever done.
 *
 * Of the rules that fit a request and whose rate lets them, the oldest one has
 * its way in each kind of effect; one that finds all of its kinds taken, or
 * nothing to change, has not hit and counts nothing.
 */

#include "shm/fault.h"
#include "workers/proto/frame.h"
#include "workers/worker.h"

/* How the sending of a reply is put off. */
struct late {
	uint32_t delay_ms; /* 0: not */
	uint32_t split_ms; /* 0: in one part */
	unsigned at; /* where in the output the reply begins */
	unsigned first; /* bytes of its first part */
};

struct faults {
	uint64_t version; /* of the table, as of which the copy is */
	unsigned n; /* rules that can hit */
	struct fault_live
	    *rule; /* oldest first; room for SHM_FAULTS, NULL until
			     * there has been one */
	uint64_t due_ns; /* when the first of them expires, 0 never */
	uint64_t random;
	/* of the request in hand */
	uint64_t met; /* a bit for each rule that may still hit */
	uint32_t got; /* enum fault_effect */
	struct fault_rule now; /* what those are */
	struct late late; /* until somebody has taken it */
};

/* The table has changed, or a rule is due. True if any can hit. */
bool faults_load(struct faults *, struct worker *);

/* Whether there are rules that can hit this worker; once a batch. */
static inline bool
faults_on(struct faults *f, struct worker *w)
{
	if (__builtin_expect(
		fault_version(w->proc->env.control) != f->version, 0))
		return faults_load(f, w);
	if (__builtin_expect(f->n == 0, 1))
		return false;
	if (f->due_ns != 0 && w->now_ns >= f->due_ns)
		return faults_load(f, w);
	return true;
}

void faults_fini(struct faults *);

/* ---- one request; only where faults_on() ---- */

/* A request of c is about to be served: which rules it meets. */
void faults_meet(struct faults *, const struct shm_conn *c, uint8_t unit,
    const uint8_t *pdu, size_t len);

/* The exception that it is answered and not carried out, 0 for none. Asked only
 * if there will be a reply. */
unsigned faults_exception(struct faults *, struct worker *);

/* There is a reply, pdu: changes it, and the unit that it will carry. */
void faults_pdu(struct faults *, struct worker *, struct frame *req,
    uint8_t *pdu, size_t len);

/* The same for the frame made of it, in room for FRAME_ADU_MAX. Its length
 * then, 0: none is sent. */
size_t faults_adu(
    struct faults *, const struct framer *, uint8_t *adu, size_t len);

/* So many bytes are sent now, or late: true if they are, faults.late. */
bool faults_late(struct faults *, size_t len);

#endif
