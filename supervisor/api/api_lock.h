/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_API_LOCK_H
#define SUPERVISOR_API_LOCK_H

/*
 * The locks of the library that are not in one of its objects. They are taken
 * around each fork() of the program, so that in the child none of them belongs
 * to a thread that is not there, nor is what they guard half done. Therefore
 * nobody waits for anything while holding one.
 */

/* Who holds several has taken them in this order. */
enum api_lock {
	API_LOCK_LOG, /* where the program's servers log */
	API_LOCK_SERVERS, /* the list of its servers, and their users */
	API_LOCK_FORK, /* the way to the fork server */
	API_LOCK_STORES, /* the list of its stores */
	API_LOCKS
};

void api_lock(enum api_lock);
void api_unlock(enum api_lock);

/* What is to be done in a forked child with what that lock guards; it is held,
 * and so are all others. To be said before there is anything. */
void api_lock_child(enum api_lock, void (*fn)(void));

/* All of them are free in a copy of the process that is made without telling
 * the C library. */
void api_locks_renew(void);

#endif
