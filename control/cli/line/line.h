/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CLI_LINE_LINE_H
#define CONTROL_CLI_LINE_LINE_H

/*
 * Line editing, a part that `holdfast shell` alone loads: libedit and all that
 * it brings are not for a command that reads one register.
 */

typedef void line_add_fn(void *arg, const char *candidate);

/* Adds what the last word of the text may become. */
typedef void line_complete_fn(
    void *ctx, const char *text, line_add_fn *add, void *arg);

struct line_part {
	/* Begins: the file of earlier lines, or NULL, and who completes. */
	void (*open)(const char *history, line_complete_fn *, void *ctx);
	/* The next line without its end; NULL at the end. free() it. */
	char *(*read)(const char *prompt);
	/* Ends; writes the history back. */
	void (*close)(void);
};

#endif
