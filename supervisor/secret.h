/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SECRET_H
#define SUPERVISOR_SECRET_H

/*
 * Secrets: keys of session tickets, which the parent makes so that they
 * outlive its workers, and the files of private keys, which only the worker
 * that needs them reads.
 */

#include "supervisor/proc.h"

/* Fresh random keys, PROC_TICKET_BYTES for each transport; the caller's to
 * free. NULL with errno. */
uint8_t *secret_tickets(size_t ntransports);

/* Wipes those. May be NULL. */
void secret_forget(uint8_t *tickets, size_t ntransports);

/*
 * A child's share, before it gives up its parent's user: its ticket key and
 * its files go into proc, the other transports' keys and passwords are wiped.
 * 0, or -1 with errno; a file that cannot be read is no failure, proc_file()
 * tells.
 */
int secret_share(struct proc *, uint8_t *tickets);

#endif
