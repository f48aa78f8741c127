/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_PLAIN_H
#define SHM_PLAIN_H

/*
 * Files that somebody else names: keys, certificates, lists, roles. Whoever
 * reads one may be serving, so what is no plain file is not waited for: a FIFO
 * may never have a writer, and a device never an end.
 */

#include <stddef.h>
#include <stdint.h>

/* Opens a plain file for reading, without waiting. The caller closes it. -1
 * with errno, for which plain_why() has words. */
int plain_open(const char *path);

/* All of a plain file of at most max bytes: len bytes and a NUL behind them,
 * the caller's to free. NULL with errno: EFBIG if it is larger. */
uint8_t *plain_read(const char *path, size_t max, size_t *len);

/* The same of one that is open, from where it is; closes it, whatever comes of
 * it. fd -1: NULL, with errno as it is. */
uint8_t *plain_take(int fd, size_t max, size_t *len);

/* strerror() of what the above leave in errno, and what a file is that is no
 * plain one. */
const char *plain_why(int err);

#endif
