/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast top on a terminal: draws pictures, takes keys. Whatever ends it, the
 * terminal is as it was.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "control/cli/top.h"

enum { WIDTH = 80, HEIGHT = 24, LINE_BYTES = 512 };

struct screen {
	struct top *top;
	struct termios was;
	int signals; /* descriptor that tells of them */
	int columns, rows, used; /* lines */
	bool lost; /* the daemon does not answer */
};

/* ---- lines ---- */

/* One line, as much of it as there is room for. */
static void
put_line(struct screen *s, const char *on, const char *text)
{
	char *plain;

	if (s->used >= s->rows)
		return;
	plain = print_harmless(text);
	printf("%s%.*s%s\033[K%s", s->top->cli->colour ? on : "", s->columns,
	    plain != NULL ? plain : "", s->top->cli->colour ? "\033[0m" : "",
	    ++s->used < s->rows ? "\n" : "");
	free(plain);
}

static void
put_row(struct screen *s, const char *on, const struct top_column *column,
    int n, const json_t *row)
{
	char line[LINE_BYTES] = "", heading[32];
	size_t len = 0;

	for (int c = 0; c < n && len < sizeof(line) - 64; c++) {
		const char *cell = row != NULL ? top_cell(row, column[c].key)
					       : column[c].heading;
		int width = column[c].width;

		if (row == NULL && column == top_transports &&
		    c == s->top->sort) {
			snprintf(heading, sizeof(heading), "%s%s", cell,
			    s->top->up ? "^" : "v");
			cell = heading;
		}
		len += (size_t)snprintf(line + len, sizeof(line) - len,
		    "%*.*s ", width, width < 0 ? -width : width + 8, cell);
	}
	put_line(s, on, line);
}

static const char *
colour_of(const json_t *row)
{
	const char *state = json_string_value(json_object_get(row, "state"));

	if (state == NULL || strcmp(state, "up") == 0)
		return "";
	return strcmp(state, "failed") == 0 ? "\033[1;31m" : "\033[33m";
}

/* ---- what is shown ---- */

static void
put_head(struct screen *s)
{
	const struct top *t = s->top;
	char line[LINE_BYTES], clock[16];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(line, sizeof(line),
	    "holdfast %s  store %s  up %s  %zu clients  %s fault rules  %s",
	    print_text(json_object_get(t->info, "version")),
	    print_text(json_object_get(t->info, "store")),
	    print_span(json_number_value(json_object_get(t->info, "uptime_s"))),
	    json_array_size(t->clients),
	    print_text(json_object_get(t->info, "faults")), clock);
	put_line(s, "\033[1m", line);
	put_line(s, "\033[1;31m",
	    s->lost ? "the daemon does not answer; these are the last numbers"
		    : "");
}

static int sort_column;
static bool sort_up;

static int
by_column(const void *a, const void *b)
{
	const char *key = top_transports[sort_column].key;
	const json_t *x = json_object_get(*(json_t *const *)a, key);
	const json_t *y = json_object_get(*(json_t *const *)b, key);
	double p = json_number_value(x), q = json_number_value(y);
	int c = json_is_string(x) && json_is_string(y)
	    ? strcmp(json_string_value(x), json_string_value(y))
	    : (p > q) - (p < q);

	return sort_up ? c : -c;
}

static int
by_rate(const void *a, const void *b)
{
	double p = json_number_value(
	    json_object_get(*(json_t *const *)a, "requests_s"));
	double q = json_number_value(
	    json_object_get(*(json_t *const *)b, "requests_s"));

	return (p < q) - (p > q);
}

/* Draws up to `most` rows from the first on, in an order. */
static void
put_rows(struct screen *s, const json_t *rows, size_t first, int most,
    const struct top_column *column, int n,
    int (*order)(const void *, const void *))
{
	size_t count = json_array_size(rows);
	json_t **sorted = calloc(count + 1, sizeof(sorted[0]));

	if (sorted == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(rows, i);
	qsort(sorted, count, sizeof(sorted[0]), order);
	for (size_t i = first; i < count && most-- > 0; i++)
		put_row(s, colour_of(sorted[i]), column, n, sorted[i]);
	free(sorted);
}

static void
put_units(struct screen *s)
{
	char line[LINE_BYTES];
	const char *unit;
	json_int_t sum = 0;
	json_t *count;
	size_t len;

	json_object_foreach (s->top->units, unit, count)
		sum += json_integer_value(count);
	len = (size_t)snprintf(line, sizeof(line),
	    "units, of the last %d "
	    "requests:",
	    (int)sum);
	json_object_foreach (s->top->units, unit, count)
		if (len < sizeof(line) - 40)
			len += (size_t)snprintf(line + len, sizeof(line) - len,
			    "  %s %.0f%%", unit,
			    100.0 * (double)json_integer_value(count) /
				(double)sum);
	put_line(s, "", sum > 0 ? line : "units: no frames are recorded");
}

static void
draw(struct screen *s)
{
	struct top *t = s->top;
	size_t clients = json_array_size(t->clients);
	struct winsize size;

	s->columns = WIDTH;
	s->rows = HEIGHT;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
	    size.ws_row > 0) {
		s->columns = size.ws_col;
		s->rows = size.ws_row;
	}
	if (t->first >= clients)
		t->first = clients > 0 ? clients - 1 : 0;
	s->used = 0;
	fputs("\033[H", stdout);
	put_head(s);
	put_row(s, "\033[7m", top_transports, TOP_TRANSPORTS, NULL);
	sort_column = t->sort;
	sort_up = t->up;
	put_rows(s, t->transports, 0, s->rows / 2, top_transports,
	    TOP_TRANSPORTS, by_column);
	put_line(s, "", "");
	put_units(s);
	put_line(s, "", "");
	put_row(s, "\033[7m", top_clients, TOP_CLIENTS, NULL);
	put_rows(s, t->clients, t->first, s->rows - s->used - 1, top_clients,
	    TOP_CLIENTS, by_rate);
	while (s->used < s->rows - 1)
		put_line(s, "", "");
	put_line(s, "\033[2m",
	    "q ends  left, right: sort by  r: other way round  up, down: "
	    "clients");
	fflush(stdout);
}

/* ---- keys ---- */

/* False if it is over. */
static bool
take_keys(struct screen *s)
{
	struct top *t = s->top;
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	for (ssize_t i = 0; i < n; i++) {
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 4)
			return false;
		if (keys[i] == 'r')
			t->up = !t->up;
		/* arrows are ESC [ A to D, or ESC O A to D */
		if (keys[i] != 27 || i + 2 >= n)
			continue;
		i += 2;
		if (keys[i] == 'A' && t->first > 0)
			t->first--;
		else if (keys[i] == 'B')
			t->first++;
		else if (keys[i] == 'C')
			t->sort = (t->sort + 1) % TOP_TRANSPORTS;
		else if (keys[i] == 'D')
			t->sort =
			    (t->sort + TOP_TRANSPORTS - 1) % TOP_TRANSPORTS;
	}
	return true;
}

/* ---- life ---- */

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
sample_again(struct screen *s)
{
	int code = top_sample(s->top);

	s->lost = code != CLI_OK;
	if (s->lost)
		client_close(s->top->cli); /* the next one looks anew */
}

static void
follow(struct screen *s)
{
	double next = now_s() + s->top->interval_s, left;
	struct signalfd_siginfo info;
	struct pollfd fd[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = s->signals, .events = POLLIN },
	};

	for (;;) {
		draw(s);
		left = next - now_s();
		if (poll(fd, 2, left > 0 ? (int)(left * 1e3) + 1 : 0) == -1 &&
		    errno != EINTR)
			return;
		if (fd[1].revents != 0 &&
		    (read(s->signals, &info, sizeof(info)) !=
			    (ssize_t)sizeof(info) ||
			info.ssi_signo != SIGWINCH))
			return;
		if (fd[0].revents != 0 && !take_keys(s))
			return;
		if (now_s() >= next) {
			sample_again(s);
			next = now_s() + s->top->interval_s;
		}
	}
}

static bool
begin(struct screen *s)
{
	struct termios raw;
	sigset_t set;

	if (tcgetattr(STDIN_FILENO, &s->was) == -1)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (s->signals == -1)
		return false;
	raw = s->was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	/* another screen, and no cursor */
	fputs("\033[?1049h\033[?25l\033[2J", stdout);
	return true;
}

int
top_screen(struct top *t)
{
	struct screen s = { .top = t, .signals = -1 };
	sigset_t mask;
	FILE *null;
	int code = top_sample(t), err;

	if (code != CLI_OK)
		return code;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (!begin(&s))
		return cli_fail(CLI_INTERNAL, "terminal: %s", strerror(errno));
	/* what a lost daemon would make said has no place on the screen */
	fflush(stderr);
	err = dup(STDERR_FILENO);
	null = fopen("/dev/null", "we");
	if (null != NULL)
		dup2(fileno(null), STDERR_FILENO);
	follow(&s);
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &s.was);
	if (err != -1) {
		dup2(err, STDERR_FILENO);
		close(err);
	}
	if (null != NULL)
		fclose(null);
	close(s.signals);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return CLI_OK;
}
