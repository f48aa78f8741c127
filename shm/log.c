/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The log: one event, one line, one write. Runs in every process; never while
 * a device is owned, never in a signal handler, never allocates, never waits
 * for a reader. What a line is made of may come from outside, so that it stays
 * one line is seen to here.
 */

#include "shm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "shm/notice.h"
#include "shm/seg.h"

enum {
	MESSAGE_MAX = 1024,
	LINE_MAX_BYTES = PIPE_BUF, /* what a pipe takes in one piece */
	PATH_MAX_BYTES = 4096,
	TAIL = 8, /* kept free for what closes a line */
};

struct log_state {
	int fd;
	enum log_format format;
	enum log_level level;
	char file[PATH_MAX_BYTES];
	const char *who;
	const struct slot_env *env;
	pid_t pid; /* whose slot env is: a ring has one writer */
	unsigned long lost; /* lines since the last that got through */
	log_exit_fn *leave;
};

static struct log_state own = {
	.fd = STDERR_FILENO,
	.level = LOG_INFO,
	.who = "holdfast",
	.leave = exit,
};

static struct log_state *the = &own;

struct log_state *
log_state(void)
{
	return the;
}

void
log_share(struct log_state *state)
{
	the = state;
}

static const char *const level_names[LOG_LEVELS] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static int
open_file(const char *file)
{
	return open(
	    file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int
log_open(const char *file, enum log_format format, enum log_level level)
{
	int fd = STDERR_FILENO;

	if (file && strlen(file) >= sizeof(the->file)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (file && (fd = open_file(file)) < 0)
		return -1;
	if (the->fd != STDERR_FILENO)
		close(the->fd);
	the->fd = fd;
	the->format = format;
	the->level = level;
	snprintf(the->file, sizeof(the->file), "%s", file ? file : "");
	return 0;
}

void
log_to(int fd, enum log_level level)
{
	the->fd = fd;
	the->level = level;
	the->lost = 0;
	the->file[0] = '\0';
}

int
log_reopen(void)
{
	int fd, rc;

	if (!the->file[0])
		return 0;
	fd = open_file(the->file);
	if (fd < 0)
		return -1;
	/* the number stays, since others know it */
	rc = dup3(fd, the->fd, O_CLOEXEC);
	close(fd);
	return rc < 0 ? -1 : 0;
}

void
log_as(const char *who, const struct slot_env *env)
{
	if (the->pid != 0 && the->pid != getpid())
		the->lost = 0; /* the parent will tell */
	the->who = who;
	the->env = env;
	the->pid = getpid();
}

void
log_set_level(enum log_level level)
{
	the->level = level;
}

bool
log_enabled(enum log_level level)
{
	return level <= the->level;
}

int
log_fd(void)
{
	return the->fd;
}

int
log_level_find(const char *name)
{
	for (int i = 0; i < LOG_LEVELS; i++)
		if (strcmp(level_names[i], name) == 0)
			return i;
	return -1;
}

const char *
log_level_name(unsigned level)
{
	return level < LOG_LEVELS ? level_names[level] : "unknown";
}

/* ---- a line ---- */

struct line {
	size_t len;
	char text[LINE_MAX_BYTES];
};

/* Adds n bytes or, if they would leave no room for the end, none. */
static void
add(struct line *l, const char *s, size_t n)
{
	if (l->len + n <= sizeof(l->text) - TAIL) {
		memcpy(l->text + l->len, s, n);
		l->len += n;
	}
}

static void
add_end(struct line *l, const char *s)
{
	size_t n = strlen(s);

	memcpy(l->text + l->len, s, n);
	l->len += n;
}

/* Bytes of the UTF-8 character at s; 0 if it is none. Overlong forms and
 * surrogates are none. */
static size_t
utf8_len(const unsigned char *s, size_t left)
{
	uint32_t c = s[0], least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : 4;

	if (n == 1)
		return 1;
	if (c < 0xc2 || c > 0xf4 || n > left)
		return 0;
	c &= 0x7f >> n;
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0
									    : n;
}

/* Adds text so that it stays inside its line and, in JSON, its string. */
static void
add_escaped(struct line *l, const char *text, bool json)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), n;
	char esc[8];

	for (; left > 0; s += n, left -= n) {
		n = utf8_len(s, left);
		if (json && (*s == '"' || *s == '\\')) {
			esc[0] = '\\';
			esc[1] = (char)*s;
			add(l, esc, 2);
		} else if (n == 0 || *s < 0x20 || *s == 0x7f) {
			n = 1;
			snprintf(
			    esc, sizeof(esc), json ? "\\u%04x" : "\\x%02x", *s);
			add(l, esc, strlen(esc));
		} else {
			add(l, (const char *)s, n);
		}
	}
}

static void
add_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char buf[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, now.tv_nsec / 1000000);
	add(l, buf, strlen(buf));
}

static void
compose(struct line *l, enum log_level level, const char *message)
{
	const char *name = level_names[level];

	l->len = 0;
	if (the->format == LOG_JSON) {
		add(l, "{\"time\":\"", 9);
		add_time(l);
		add(l, "\",\"level\":\"", 11);
		add(l, name, strlen(name));
		add(l, "\",\"who\":\"", 9);
		add_escaped(l, the->who, true);
		add(l, "\",\"message\":\"", 13);
		add_escaped(l, message, true);
		add_end(l, "\"}\n");
	} else {
		add_time(l);
		add(l, " ", 1);
		add(l, name, strlen(name));
		add(l, " ", 1);
		add_escaped(l, the->who, false);
		add(l, ": ", 2);
		add_escaped(l, message, false);
		add_end(l, "\n");
	}
}

/*
 * Whoever reads a pipe, a socket or a terminal may have stopped to, and nobody
 * here is to wait for that. The descriptor cannot be made non-blocking: that
 * mode belongs to all that share it. A pipe that polls as writable takes
 * PIPE_BUF bytes, but another process may be quicker to use them, so the write
 * itself is told not to wait where the kernel knows how. False: nothing was
 * written, or not all.
 */
static bool
put_line(const struct line *l)
{
	struct iovec iov = { (void *)(uintptr_t)l->text, l->len };
	struct pollfd p = { .fd = the->fd, .events = POLLOUT };
	struct stat st;
	ssize_t n = -1;

	if (fstat(the->fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
			return false;
		n = pwritev2(the->fd, &iov, 1, -1, RWF_NOWAIT);
		if (n >= 0 || errno == EAGAIN)
			return n == (ssize_t)l->len;
	}
	do {
		n = write(the->fd, l->text, l->len);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)l->len;
}

static void
write_line(enum log_level level, const char *message)
{
	struct line l;
	char lost[64];

	if (the->fd < 0)
		return;
	if (the->lost > 0) {
		snprintf(lost, sizeof(lost), "log lines lost n=%lu", the->lost);
		compose(&l, LOG_WARN, lost);
		if (!put_line(&l)) {
			the->lost++;
			return;
		}
		the->lost = 0;
	}
	compose(&l, level, message);
	the->lost += !put_line(&l);
}

LOG_FMT(3, 0)
static void
vlog(enum log_level level, int error, const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX];
	int kept = errno;
	size_t len;

	if (!log_enabled(level) && level > LOG_WARN)
		return;
	vsnprintf(message, sizeof(message), fmt, ap);
	if (error) {
		char buf[128];

		len = strlen(message);
		snprintf(message + len, sizeof(message) - len, ": %s",
		    strerror_r(error, buf, sizeof(buf)));
	}
	if (log_enabled(level))
		write_line(level, message);
	if (the->env && the->env->me && the->pid == getpid()) {
		struct shm_slot *slot =
		    seg_slot(the->env->control, SLOT_OF(the->env->me));

		notice_post(the->env, NOTICE_LOG,
		    atomic_load_explicit(
			&slot->transport, memory_order_relaxed),
		    level, 0, message);
	}
	errno = kept;
}

#define LOG_CALL(level, error)               \
	do {                                 \
		va_list ap;                  \
                                             \
		va_start(ap, fmt);           \
		vlog(level, error, fmt, ap); \
		va_end(ap);                  \
	} while (0)

void
log_warn(const char *fmt, ...)
{
	LOG_CALL(LOG_WARN, errno);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_CALL(LOG_WARN, 0);
}

void
log_error(const char *fmt, ...)
{
	LOG_CALL(LOG_ERROR, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_CALL(LOG_INFO, 0);
}

void
log_debug(const char *fmt, ...)
{
	LOG_CALL(LOG_DEBUG, 0);
}

void
log_exit_with(log_exit_fn *leave)
{
	the->leave = leave;
}

void
log_exit(int code)
{
	the->leave(code);
	abort(); /* it does not return */
}

void
fatal(int code, const char *fmt, ...)
{
	LOG_CALL(LOG_ERROR, 0);
	log_exit(code);
}
