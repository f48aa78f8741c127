/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_WORKER_FIXTURE_H
#define TESTS_LIB_WORKER_FIXTURE_H

/*
 * A worker without a process: real segments that are unlinked as soon as they
 * are mapped, a configuration of two devices and one transport, and what the
 * parts of a worker need to find. For the check_*.c of workers/.
 *
 *	device 0 "a": hr 0..199 (value = address), hr 300..309 ro, co 0..63,
 *	              di 0..15, ir 0..9, file 1 of 20 records, fifo 2000
 *	device 1 "b": hr 0..99
 *	units: 1 is a, 2 is b
 */

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/notice.h"
#include "workers/worker.h"

enum {
	FX_SLOT = 2,
	FX_CONNS = 6,
	FX_BATCHES = 3,
	FX_HR = 200,
	FX_AUTHOR = 8, /* of connection 0 */
};

struct fx {
	struct conf conf;
	struct conf_device devices[2];
	struct conf_transport transport;
	struct conf_object identity[3];
	struct proc proc;
	struct seg device_seg[2];
	struct store stores[2];
	struct worker worker;
};

/* Everything up to worker.bind, which the caller makes once the configuration
 * is as it wants it. */
void fx_init(struct fx *fx);

/* Unmaps what fx_init() has mapped; worker.bind is the caller's. */
void fx_fini(struct fx *fx);

/* Runs the only case of a suite and reports. */
int fx_report(Suite *s);

#endif
