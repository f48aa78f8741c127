/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_NAMED_H
#define CONTROL_CLI_NAMED_H

#include "control/cli/address.h"
#include "control/cli/cli.h"
#include "control/cli/declared.h"

/*
 * Names in place of addresses: "flow" or "plc1/flow" is the range that the
 * configuration calls so, all of it. Without a device every one is looked at.
 */

/* True if a word can only be a name: it is neither an address nor a table. */
bool named_is(const char *text);

/*
 * Asks the daemon for the range of that name, and fills in the address, with
 * the device, and the label (or NULL). An exit code, after saying what there is
 * instead.
 */
int named_resolve(
    struct cli *, const char *text, struct address *, struct declared_label *);

/* Told of each range that has a name: "plc1/flow" if there are several
 * devices, else "flow". For completion. An exit code. */
typedef void named_fn(void *arg, const char *name);
int named_each(struct cli *, named_fn *, void *arg);

#endif
