/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_WATCH_H
#define CONTROL_CLI_WATCH_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "control/cli/cli.h"
#include "control/cli/watched.h"

enum { WATCH_TOPIC_BYTES = 128 };

/* The number of the last event of a topic. */
struct watch_seen {
	char topic[WATCH_TOPIC_BYTES];
	uint64_t seq;
};

/* Tables of which every register is watched. */
struct watch_whole {
	char prefix[WATCH_TOPIC_BYTES]; /* of their topics */
	const char *table; /* and their end; NULL: any */
};

/*
 * What holdfast watch follows: c_watch.c asks for it and takes what comes,
 * watch_show.c prints that.
 */
struct watch {
	struct cli *cli;
	void *socket;
	struct watched *at; /* the addresses */
	size_t n;
	struct watch_whole *whole;
	size_t nwhole;
	struct watch_seen *seen; /* grown by watch_show() */
	size_t nseen;
};

/* The names of the columns, in the format that is asked for. */
void watch_heading(const struct watch *);

/* Prints what is wanted of an event, and before it that some are missing if
 * its number is not the next one of its topic. */
void watch_show(
    struct watch *, const char *topic, uint64_t seq, const json_t *event);

#endif
