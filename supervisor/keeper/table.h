/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_KEEPER_TABLE_H
#define SUPERVISOR_KEEPER_TABLE_H

/*
 * The descriptors of a process: which stay open and which do not.
 */

#include <stdbool.h>
#include <stddef.h>

/* A list of them. Zeroed to begin with; -1 may be added and is left out. */
struct table {
	int *fd;
	size_t n, room;
	bool failed; /* memory ran out */
};

void table_add(struct table *, int fd);

/* Adds one if it is a connection that was accepted at a listener of TCP: the
 * number of one that has been closed may be anybody's by now. */
void table_add_client(struct table *, int fd, int listen_fd);

/* Adds one if it is a terminal, as serial lines are. */
void table_add_line(struct table *, int fd);

/* Adds all of those connections. 0, or -1 with errno. */
int table_add_clients(struct table *, int listen_fd);

/* Closes all that are not in the list. 0, or -1 with errno, also for a list
 * that failed. */
int table_close_others(struct table *);

void table_free(struct table *);

#endif
