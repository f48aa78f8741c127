/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_UDP_FIXTURE_H
#define TESTS_LIB_UDP_FIXTURE_H

/*
 * A worker of type udp on a real socket of loopback, in a loop that is turned
 * by hand, and clients of it. What the system says to the daemon's sendmmsg()
 * and recvmmsg() can be prescribed.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "tests/lib/worker_fixture.h"
#include "workers/batch.h"
#include "workers/transport.h"

enum { REQUEST = 12, REPLY = 11, MANY = 100 };

/* What the system says to the daemon, how often yet and how often so far. */
struct uf_refusal {
	int error;
	unsigned left, said;
};

struct udp_fixture {
	struct fx fx;
	uint16_t port; /* of the worker */
	struct uf_refusal no_send, no_recv;
	bool multicast; /* datagrams seem to be for everybody on the link */
};

extern struct udp_fixture uf;

/* Starts the transport, as a new process of the worker does. */
void uf_begin(void);

/* A worker that listens at `where`, with that framer. */
void uf_setup_at(const char *where, const char *framer);

/* The same at any address, with MBAP: what most cases begin with. */
void uf_setup(void);

/* Stops the worker and closes all that uf_setup_at() opened. */
void uf_teardown(void);

/* The same with other arguments. */
void uf_again(const char *where, const char *framer);

/* Turns the loop once, without waiting. */
void uf_turn(void);

/* Turns it until nothing can be left to do. */
void uf_turns(void);

/* The port of the worker at that address. */
struct sockaddr_storage uf_at(const char *host);

/* A client that asks from that address. */
int uf_client(const char *host);

/* Sends to the worker at an address: what sendto() says. */
int uf_send_to(int fd, const char *host, const void *p, size_t len);

/* Sends to the worker, all of it. */
void uf_tell(int fd, const void *p, size_t len);

/* Asks for register addr, whose value is its address. */
void uf_ask_at(int fd, const char *host, unsigned tid, unsigned addr);

/* The same at 127.0.0.1. */
void uf_ask(int fd, unsigned tid, unsigned addr);

/* What has come for a client: its length, -1 for nothing. */
int uf_receive(int fd, uint8_t *p, size_t room);

/* Whether nothing comes for a client, however often the loop turns. */
bool uf_silent(int fd);

/* The reply to uf_ask(), checked. */
void uf_answered(int fd, unsigned tid, unsigned addr);

/* A good request, to a register that nobody writes, goes its way. */
void uf_serves(int fd);

/* Writes a register; the reply is waited for. Returns the operation number. */
uint64_t uf_write_hr(int fd, unsigned unit, unsigned addr, unsigned value);

/* The register, as the store has it. */
unsigned uf_value(int device, unsigned addr);

/* The worker's counters. */
struct shm_stats *uf_stats(void);

/* What a counter has now. */
uint64_t uf_stat_of(const _Atomic uint64_t *counter);

#endif
