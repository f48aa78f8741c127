/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_RULES_H
#define CONTROL_CLI_RULES_H

/*
 * What commands have in common that list what the daemon keeps and take some of
 * it back: fault and quarantine.
 */

#include <stddef.h>

#include <jansson.h>

#include "control/cli/cli.h"

/* Calls a method, with params taken over (NULL: none), and shows its result, or
 * with -o json prints it. An exit code, after saying what is wrong. */
int rules_list(struct cli *, const char *method, json_t *params,
    void (*show)(struct cli *, const json_t *));

/* The same of one that answers { member: number }, which is added to *sum. */
int rules_take(struct cli *, const char *method, json_t *params,
    const char *member, json_int_t *sum);

/* Says the sum of those: "3 cleared", or the object. */
void rules_taken(struct cli *, const char *member, json_int_t sum);

/* CLI_USAGE, after saying that word is none of a command's n verbs. wanted:
 * "add or list". */
int rules_no_verb(const char *command, const char *word, const char *wanted,
    const char *const *verbs, size_t n);

#endif
