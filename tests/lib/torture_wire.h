/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_TORTURE_WIRE_H
#define TESTS_LIB_TORTURE_WIRE_H

/*
 * A worker of type tcp or udp that a harness makes, kills and makes again, as a
 * keeper
 * does: each worker shares the harness's table of descriptors, so what one had
 * open is still open for the next. The worker is the product's: worker_main()
 * on segments and a configuration of the harness's.
 *
 * One device, unit 1, holding registers 0.. of it. Function code WIRE_INC adds
 * one to a register, in two writes: the register and the one behind it.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/holdfast.h"
#include "supervisor/proc.h"

enum {
	WIRE_INC = 0x41,
	WIRE_CONNS = 24,
	WIRE_BATCHES = 6,
	WIRE_REGS = 1000,
	WIRE_SLOT = 2,
};

struct wire {
	struct conf conf;
	struct conf_device device;
	struct conf_transport transport;
	struct proc proc;
	struct seg device_seg;
	struct store store; /* the worker's */
	struct store ours; /* the harness's, as its own slot */
	struct slot_env env;
	char lock_path[256];
	struct sockaddr_in at;
	int chan; /* the harness's end */
	pid_t pid;
	uint64_t op; /* of what the harness writes */
	long deaths;
	bool reaped; /* the harness repairs what a dead one has owned */
};

/* Makes the store, the configuration and the listener. All descriptors that
 * are open at the first wire_launch() are the harness's. */
void wire_make(struct wire *, const char *framer);
void wire_make_udp(struct wire *, const char *framer);
/* Of TCP, all of whose registers are durable; the harness is the disk. */
void wire_make_durable(struct wire *);
void wire_unmake(struct wire *);

/* Makes a worker: the next one, if there has been one. traced: it stops before
 * its first instruction, trace_await(). */
void wire_launch(struct wire *, bool traced);

/* After the worker was waited for: declares it dead. */
void wire_bury(struct wire *);

/* Descriptors of the harness's that are made while workers run, and those that
 * are closed. */
void wire_mine(int fd);
void wire_not_mine(int fd);

/* How many descriptors are open; the connections that records tell of, and
 * that the worker counts. */
unsigned wire_fds(void);
unsigned wire_used(struct wire *);
unsigned wire_open(struct wire *);

/* Registers, as the harness sees and sets them. */
uint16_t wire_get(struct wire *, unsigned addr);
void wire_set(struct wire *, unsigned addr, uint16_t value);

#endif
