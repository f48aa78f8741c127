/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_DECLARED_H
#define CONTROL_CLI_DECLARED_H

#include <jansson.h>

#include "control/cli/address.h"
#include "control/cli/cli.h"

/*
 * What the configuration declares at an address. Where neither count nor type
 * is typed and a range begins exactly there, a person means its value, not the
 * first register of it.
 */

/* The ranges of the table that was asked about last. Zeroed to begin with. */
struct declared {
	json_t *ranges; /* NULL: none yet */
	char device[SHM_NAME_MAX];
	enum store_table table;
};

/* What a person calls the value. */
struct declared_label {
	char name[64]; /* "" if it has none */
	char unit[64]; /* "0.1 m3/h": of what the number counts tenths */
	char action[64]; /* what happens when a client reads it */
	double scale; /* 0: there is none to speak of */
	bool is_scaled; /* set by who asks: the number is shown scaled, so the
			 * unit stays as it is */
};

/* Fills a label in from a row of registers.describe. */
void declared_describe(const json_t *range, struct declared_label *);

/*
 * The range that an address lies in, whatever else was typed: its scale and
 * unit go into the label. An exit code.
 */
int declared_scale(struct declared *, struct cli *, const struct address *,
    struct declared_label *);

/*
 * Gives an address that was typed without count and type those of the range
 * that begins there; if there is none, or it declares single registers, the
 * address stays as it is. The label (or NULL), zeroed by the caller but for
 * is_scaled, is filled in. An exit code.
 */
int declared_resolve(
    struct declared *, struct cli *, struct address *, struct declared_label *);

void declared_fini(struct declared *);

#endif
