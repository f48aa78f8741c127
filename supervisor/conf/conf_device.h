/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_DEVICE_H
#define SUPERVISOR_CONF_DEVICE_H

/*
 * Devices: tables of ranges, files, queues and the identification.
 */

#include "supervisor/conf/conf_read.h"

enum {
	CONF_ID_NAMED = 7, /* identification objects 0..6 have names */
	CONF_ID_MUST = 3, /* 0..2 are always there */
	CONF_ID_PRIVATE = 128,
	CONF_ID_BYTES = 244, /* what one reply has room for, AP 6.21 */
};

/* What the section conf_device fills in. */
struct conf_device_in {
	struct conf_device d; /* first, so that the dump can use the rows */
	const struct jsonc_node **range_at; /* beside d.ranges */
	const struct jsonc_node *identity;
};

/* What the section conf_identity fills in. */
struct conf_identity_in {
	char *named[CONF_ID_NAMED];
	const struct jsonc_node *objects;
};

conf_read_fn conf_devices_read, conf_table_read, conf_files_read,
    conf_fifos_read, conf_map_read, conf_identity_read; /* of transports */

/* Makes what a map holds a device "map". 0 after mistakes, too; -1 with errno
 * if the file behind fd, which it closes, cannot be read. */
int conf_device_map(struct conf_ctx *, int fd, const char *path);

/* An identification, NULL for all its defaults: objects ascending by id, which
 * become the caller's. Returns how many. */
size_t conf_identity_take(
    struct conf_ctx *, const struct jsonc_node *, struct conf_object **);

/* The device of that name, or CONF_NO_DEVICE. */
int conf_device_find(const struct conf *, const char *name);

/* The device that a node names, or CONF_NO_DEVICE after noting a mistake; the
 * devices have been read. */
int conf_device_want(struct conf_ctx *, const struct jsonc_node *);

#endif
