/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SECRET_H
#define SUPERVISOR_SECRET_H

/*
 * Secrets: keys of session tickets, which the parent makes so that they
 * outlive its workers, and the files of private keys, which only the worker
 * that needs them reads.
 */

#include "supervisor/proc.h"

struct super;

/* A fresh random key. 0, or -1 with errno. */
int secret_ticket(uint8_t key[PROC_TICKET_BYTES]);

/* Has a message tell one, if it is of TLS; the caller wipes that. And takes
 * what such a message tells. */
void secret_put(struct ipc_msg *, const struct conf_transport *,
    const uint8_t key[PROC_TICKET_BYTES]);
void secret_take(uint8_t key[PROC_TICKET_BYTES], const struct ipc_msg *);

/* Wipes those of all transports. */
void secret_forget(struct super *);

/* Wipes the passwords of a configuration that nobody uses any more. */
struct conf;
void secret_retire(const struct conf *);

/*
 * A child's share, before it gives up its parent's user: its ticket key and
 * its files go into proc, the other transports' keys and passwords are wiped.
 * 0, or -1 with errno; a file that cannot be read is no failure, proc_file()
 * tells.
 */
int secret_share(struct proc *, struct super *);

/* The same for a process that only looks whether its files are right, a child
 * of a supervisor's, or of none (NULL). */
int secret_try(struct proc *, const struct super *);

#endif
