/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHM_LOG_H
#define SHM_LOG_H

/*
 * One event, one line, one write(2): to standard error or a file, as text
 *
 *	2026-01-31T12:00:00.123Z info tcp1: connection closed peer=... why=...
 *
 * or as one JSON object a line. Lines of warn and above, and others as the
 * level says, also go to the slot's notices, from which the control process
 * publishes them. Lower case, no full stop. Never called while owning.
 *
 * A line never waits for whoever reads a pipe or a terminal. One that cannot
 * be written at once is lost, and the next that can says "log lines lost n=".
 */

#include <stdarg.h>
#include <stdbool.h>

#include "shm/slot.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };
enum log_format { LOG_TEXT, LOG_JSON };

/* Where this process logs; file NULL is standard error. 0, or -1 with errno
 * and the former state kept. */
int log_open(const char *file, enum log_format, enum log_level);

/* Logs to a descriptor that stays the caller's; -1: nowhere. */
void log_to(int fd, enum log_level);

/* Opens the file anew, after it was moved away. */
int log_reopen(void);

/* Who is speaking: "supervisor", "control", "tcp1". Borrowed. env: for the
 * notices; NULL none. A forked child posts none until it has called this. */
void log_as(const char *who, const struct slot_env *env);

/* Where, what and as whom this process logs. A shared object with a copy of
 * this code logs as its host does once it was given the host's; that stays the
 * host's and lives as long as the process. */
struct log_state;
struct log_state *log_state(void);
void log_share(struct log_state *);

void log_set_level(enum log_level);
bool log_enabled(enum log_level);
int log_fd(void); /* to keep open across closing the rest */
int log_level_find(const char *name); /* -1 if unknown */
const char *log_level_name(unsigned); /* "unknown" if it is none */

#define LOG_FMT(a, b) __attribute__((__format__(printf, a, b)))
void log_warn(const char *fmt, ...) LOG_FMT(1, 2); /* adds ": strerror" */
void log_warnx(const char *fmt, ...) LOG_FMT(1, 2);
void log_error(const char *fmt, ...) LOG_FMT(1, 2);
void log_info(const char *fmt, ...) LOG_FMT(1, 2);
void log_debug(const char *fmt, ...) LOG_FMT(1, 2);

/*
 * Ends the process: with exit(), or with what log_exit_with() has named. What a
 * program wants done at its exit, and what it has buffered, is not for its
 * copies to do: they name _exit(), once, and so do all that they fork.
 */
typedef void log_exit_fn(int code);
void log_exit_with(log_exit_fn *);
void log_exit(int code) __attribute__((__noreturn__));

/* Logs as an error and exits with code. Before READY, or when our own memory
 * is broken; never for bytes from outside. */
void fatal(int code, const char *fmt, ...) LOG_FMT(2, 3)
    __attribute__((__noreturn__));

#endif
