/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KEEPER_HANDING_H
#define SUPERVISOR_KEEPER_HANDING_H

/*
 * One keeper hands what its worker had open to another one, which was forked
 * from another configuration. There is no worker meanwhile: the records of its
 * connections are the keepers'.
 *
 *	supervisor          former keeper            new keeper
 *	    | IPC_HAND, an end -> |                     |
 *	    | ---------------------- IPC_TAKE, the other end -> |
 *	    |                     | gives up its byte   | waits for that byte
 *	    |                     | IPC_CONN, a descriptor ...->|
 *	    |                     | closes all, ends    | notes their numbers
 *	    | ---------------------- IPC_SPAWN ---------------> |
 */

struct proc;

/* In a keeper, or in a worker that has lost its keeper (widow.h): gives what
 * the records name, and what was accepted and has no record yet; then closes
 * everything. The caller ends after it. */
void handing_give(struct proc *, int fd);

/* Takes that, until the other one has ended. */
void handing_take(struct proc *, int fd);

/* In a keeper: it is alive. As often as a loop beats. */
void handing_beat(struct proc *);

#endif
