/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_LISTEN_H
#define SUPERVISOR_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

enum { LISTEN_ADDR_MAX = 64 };

/*
 * Opens a TCP listener, or a UDP socket, on a numeric "127.0.0.1:502",
 * "[::1]:502" or ":502" (every IPv4 address), non-blocking and CLOEXEC. What
 * its connections are to have (no delay, keep-alive, urgent bytes in line) is
 * set here and inherited by them. real gets the address with the port that it
 * really has. Returns the descriptor, or -1 with errno: EINVAL not an address,
 * EADDRINUSE, EACCES, EADDRNOTAVAIL ...
 */
int listen_open(const char *text, bool udp, char *real, size_t size);

/*
 * Makes a socket that somebody else has bound what listen_open() returns, if it
 * is a TCP or UDP one, as asked for, and bound to text (NULL: wherever; port 0
 * there is any port). 0, or -1 with errno and nothing changed: EINVAL it is
 * something else.
 */
int listen_adopt(int fd, const char *text, bool udp, char *real, size_t size);

/* Where a socket is, as listen_open() says it. 0, or -1 and nothing changed. */
int listen_name(int fd, char *real, size_t size);

/* True if a listener that was asked for at want may be at text: the same, or
 * any port of the same address if that leaves the port open. */
bool listen_same(const char *want, const char *text);

#endif
