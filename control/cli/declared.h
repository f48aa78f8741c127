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
};

/*
 * Gives an address that was typed without count and type those of the range
 * that begins there; if there is none, or it declares single registers, the
 * address stays as it is. The label (or NULL) is emptied or filled in. An exit
 * code.
 */
int declared_resolve(
    struct declared *, struct cli *, struct address *, struct declared_label *);

void declared_fini(struct declared *);

#endif
