/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KEEPER_WIDOW_H
#define SUPERVISOR_KEEPER_WIDOW_H

/*
 * A worker whose keeper has died.
 *
 * The supervisor makes another keeper at once. That one has a table of its own,
 * so what the worker has open is still the worker's alone: if connections
 * outlive it, it gives them away and ends, where one turn of its loop is over
 * and nothing is in hand, and the new keeper makes the next worker with them.
 *
 *	supervisor               new keeper                worker
 *	    | fork ------------------> | waits for the byte,   |
 *	    |                          | which the worker has  |
 *	    |                          | open as well          |
 *	    | IPC_TAKE, an end ------> |                       |
 *	    | IPC_HAND, the other end -----------------------> | closes the byte
 *	    |                          | <- IPC_CONN, a        |
 *	    |                          |    descriptor ...     | ends
 *	    | IPC_SPAWN -------------> |                       |
 *
 * Where none does (TLS, UDP, serial lines) IPC_HAND brings no end: the worker
 * closes the byte and stays, and the keeper is told of it by IPC_WARD.
 *
 * If there is no supervisor either, the worker looks for the next one itself,
 * at an address of no directory, since it may be another user's by now. What
 * it says is believed because it holds the byte of its slot.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct proc;

/* What a worker has of its keeper. */
struct widow {
	int keeper; /* a pidfd of it; -1 */
	int byte; /* its description of the lock file */
	int hand; /* where all that is open goes at the end; -1 */
	int call; /* to the next supervisor, not answered yet; -1 */
	uint64_t called; /* where that was */
};

/* Where workers look for the supervisor of a store, which chooses a number that
 * nobody can guess. The length. */
socklen_t widow_address(
    struct sockaddr_un *, const char *store, uint64_t number);

/* In the worker: IPC_HAND has come, with a descriptor, which is taken, or -1.
 * True if the worker is to give way. */
bool widow_hand(struct proc *, int fd);

/* proc.h: proc_seek_parent() puts the channel to the next supervisor in the
 * place of the old one; proc_hand_over() gives away what is to be given. */

#endif
