/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_TOKENS_H
#define CONTROL_TOKENS_H

/*
 * The file of bearer tokens: a line "ROLE TOKEN [NAME]" each, "#" and what is
 * behind it left out. It is read again whenever it has changed.
 */

#include <stddef.h>

#include "control/cmd/cmd.h"

enum { TOKENS_MAX = 256, TOKEN_MIN = 16, TOKEN_MAX = 128, TOKEN_NAME = 40 };

struct tokens;

/* Opens it: NULL, and why says what is wrong with the file. */
struct tokens *tokens_open(const char *path, char *why, size_t size);
void tokens_close(struct tokens *);

/* The role of a token and its name, or CMD_NOBODY. How long it takes does not
 * depend on how much of it is right. */
enum cmd_role tokens_find(
    struct tokens *, const char *token, char name[TOKEN_NAME]);

/* Reads a file's text into a list: how many there are, or -1 with why. */
struct token;
int tokens_parse(char *text, struct token *, char *why, size_t size);

#endif
