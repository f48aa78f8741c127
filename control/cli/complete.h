/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_COMPLETE_H
#define CONTROL_CLI_COMPLETE_H

#include "control/cli/cli.h"

typedef void complete_fn(void *arg, const char *candidate);

/*
 * What the last of n words may become, as bash's completion and the shell have
 * it: commands, options, and what the daemon knows by name. Says nothing about
 * a daemon that is not there. A candidate that ends in ":", "/" or "=" is to be
 * gone on with.
 */
void complete_words(
    struct cli *, int n, char **words, complete_fn *, void *arg);

/* `holdfast --complete [WORD...]`: prints them, a line each. */
int complete_print(struct cli *, int n, char **words);

#endif
