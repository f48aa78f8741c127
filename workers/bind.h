/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_BIND_H
#define WORKERS_BIND_H

/*
 * Between Modbus and the store: the units of a transport, each a struct
 * mb_unit whose steps are carried out on a device.
 */

#include "shm/store.h"
#include "supervisor/proc.h"
#include "workers/proto/mb.h"

/* One device as a transport serves it. */
struct runner;
struct bind_run;

struct bind_device {
	struct mb_unit unit;
	struct store *store;
	struct bind *bind;
	unsigned index; /* in the configuration */
	uint64_t busy_ns; /* when it was last waited for in vain, 0 never */
	struct mb_identity identity;
	struct mb_object *objects;
	struct action_range *actions; /* by table and address; see action.h */
	unsigned nactions;
	struct bind_run *durable; /* ranges whose writes are waited for, or
				   * NULL: bind_durable.h */
	unsigned ndurable;
	bool special; /* special_step() carries out its requests */
};

struct bind {
	struct proc *proc;
	struct bind_device *device; /* those that some unit names */
	unsigned ndevices;
	struct bind_device *by_unit[CONF_UNITS]; /* NULL: not served */
	struct store_who who; /* author and op of the request in hand; the link
			       * sets them before mb_serve() */
	uint64_t now_ns; /* monotonic; the link sets it with each batch */
	bool resumed; /* the batch in hand was begun by another worker: what
		       * that one committed of it has been carried out, and
		       * what it read for the reply stands there. In a batch of
		       * our own nothing can have been, and a number that the
		       * store knows already is a failure. The stream sets it */
	bool begun; /* and the request in hand is the first of those: what is
		     * carried out already is not refused. The stream sets it,
		     * the link clears it behind that one */
	uint64_t late_ticket; /* what a disk was waited for in vain; 0: none */
	bool saving; /* something that is to be on the disk before it is
		      * answered was committed since it was cleared */
	bool crowded; /* no more requests may wait for the disk. Who serves
		       * sets it */
	bool bare; /* what is asked is done to registers and nothing else */
	bool wrote; /* something was committed since it was cleared */
	struct runner *runner; /* of a Python module; NULL without any */
	uint8_t unit; /* address of the request in hand; set by the link */
	/* operation numbers that the request in hand has used for what a
	 * function code of a plugin has written, and may use */
	unsigned ops, ops_max;
	struct {
		unsigned at, known; /* bytes: this far, and of a predecessor */
		bool full;
	} journal; /* hooks/journal.h */
	/* this process's own, for what nobody asks to be done just once:
	 * actions. Begins behind all that a predecessor can have given out */
	struct store_who self;
};

/* Makes the units that the transport's configuration names. 0, or -1. */
int bind_init(struct bind *, struct proc *);
void bind_fini(struct bind *);

/* What a process writes as itself: behind all that its predecessor can have
 * written. bind->proc is set. */
void bind_self(struct bind *);

/* Carries out steps as one in somebody's name, within the time that a request
 * may wait. What a predecessor has carried out already is fine in a batch that
 * it has begun. */
enum store_rc bind_commit(struct bind_device *, struct store_who *,
    const struct store_step *, unsigned n);

/* What follows from such steps once they are carried out, here or by a
 * predecessor: others are told, and the answer may have to wait. */
void bind_committed(
    struct bind_device *, const struct store_step *, unsigned n);

/* True if a predecessor has carried out the request in hand, so that nothing is
 * left but to answer it. Never of one that only reads. */
bool bind_done(const struct bind *);

/* Carries out the steps of a request, and nothing else: no actions. */
enum mb_ex bind_plain(struct bind_device *, struct mb_step *, unsigned n);

/* What a request is answered that the store has refused. */
enum mb_ex bind_exception(enum store_rc);

#endif
