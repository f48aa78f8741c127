/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_BENCH_BARE_H
#define TESTS_LIB_BENCH_BARE_H

/*
 * What the bare servers have in common: FC 3 and FC 16 on registers in a plain
 * array, and requests under an MBAP header. They keep no counters and nobody
 * else can see their registers.
 */

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	BARE_HEAD = 7, /* MBAP: transaction, protocol, length, unit */
	BARE_ADU_MAX = 260,
	BARE_PDU_MAX = 253,
};

/* Answers one PDU of len bytes; the length of the reply in rsp, which has room
 * for BARE_PDU_MAX. */
unsigned bare_serve(const uint8_t *req, unsigned len, uint8_t *rsp);

/* Serves every whole request of in[0..len). How many bytes those were, or -1
 * for bytes that are no Modbus. out has room for the replies. */
ssize_t bare_stream(
    const uint8_t *in, size_t len, uint8_t *out, size_t *outlen);

/* A socket on a port of 127.0.0.1, which it prints. type: SOCK_STREAM, which
 * then listens, or SOCK_DGRAM. */
int bare_socket(int type, const char *port);

/* The next client of a socket that listens, or -1. */
int bare_accept(int listener);

/* Has what is to be read from a socket told with what; NULL for the one that
 * listens. */
void bare_watch(int ep, int fd, void *what);

/* Serves whoever comes to a port, for ever. */
void bare_turns(const char *port, void (*accepted)(int ep, int listener),
    void (*readable)(void *what));

#endif
