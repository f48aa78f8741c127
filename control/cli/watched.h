/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_WATCHED_H
#define CONTROL_CLI_WATCHED_H

#include <jansson.h>

#include "control/cli/address.h"
#include "control/cli/c_registers.h"
#include "control/cli/cli.h"

/*
 * One address that is watched, with an image of its registers: a change of a
 * part of a wide value shows the whole one before and after.
 */
struct watched {
	struct address address; /* its device is named once resolved */
	enum typed_type type;
	enum typed_order order;
	unsigned step; /* registers, or bits, of one value */
	uint32_t units; /* of all */
	uint16_t *image; /* units registers or bits */
	uint64_t seq; /* commit that the image is of */
	double scale; /* to be shown by; 0: as they are stored */
};

/* Called for each value that differs. */
typedef void watched_fn(void *arg, const json_t *event, const char *name,
    const char *from, const char *to);

/* Finds out device, type and order where they were left out. An exit code. */
int watched_resolve(struct watched *, struct cli *);

/* Reads the image. An exit code. */
int watched_read(struct watched *, struct cli *);

/* True if a change touches it. */
bool watched_covers(const struct watched *, const char *device,
    enum store_table, const json_t *event);

/* Carries a change over into the image and tells what differs. */
void watched_apply(struct watched *, const json_t *event, watched_fn *, void *);

/* After changes were missed: reads the image anew and tells what differs; fn
 * may be NULL. */
void watched_catch_up(
    struct watched *, struct cli *, const json_t *event, watched_fn *, void *);

void watched_fini(struct watched *);

#endif
