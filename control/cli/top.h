/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_TOP_H
#define CONTROL_CLI_TOP_H

#include <jansson.h>

#include "control/cli/cli.h"

/*
 * What holdfast top shows: counters of two moments, as rates between them.
 */
struct top {
	struct cli *cli;
	double interval_s;
	json_t *before; /* counters by what they are of; NULL: none yet */
	double before_s; /* monotonic time of those */
	/* the last picture: rows of objects, keys as top_columns[] has them */
	json_t *info, *transports, *clients, *units;
	/* how a person looks at it */
	int sort; /* index of the column of transports */
	bool up; /* the smallest first */
	size_t first; /* client that is shown first */
};

struct top_column {
	const char *key, *heading;
	int width; /* on a screen; below 0: to the left */
};

extern const struct top_column top_transports[], top_clients[];
enum { TOP_TRANSPORTS = 10, TOP_CLIENTS = 6 };

/* Takes a picture. An exit code; after another than CLI_OK the last picture is
 * still there. */
int top_sample(struct top *);
void top_fini(struct top *);

/* One picture after the other on the terminal, until q or a signal. */
int top_screen(struct top *);

/* A cell as text, good until the next but seven calls. */
const char *top_cell(const json_t *row, const char *key);

#endif
