/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_API_RUN_H
#define SUPERVISOR_API_RUN_H

/*
 * Between api_server.c and api_run.c.
 */

#include "supervisor/api/api_server.h"

/* What conf_parse() takes; borrowed from the server. */
struct conf_text api_text(const struct hf_server *);

/* True unless this is a forked child of the program whose server it is. May be
 * called in a signal handler. */
bool api_ours(const struct hf_server *);

/* It is being started: it is what stop(NULL) means from now on. What was meant
 * before, for api_failed(), which takes that back. */
struct hf_server *api_starts(struct hf_server *);
void api_failed(struct hf_server *, struct hf_server *before);

/* What stop(NULL) means. May be called in a signal handler. */
struct hf_server *api_last(void);

/* Holds on to a server (NULL: the one started last), so that nobody frees it
 * meanwhile. NULL if there is none. */
struct hf_server *api_use(struct hf_server *);
void api_unuse(struct hf_server *);

/* Takes in what its process has said. Its lock is held. */
void api_hear(struct hf_server *);

/* Gives back what it has of a process that has gone, or leaves it alone. */
void api_forget(struct hf_server *);

#endif
