/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast trace: the frames of the daemon as they come, as lines or for
 * Wireshark. They lie in the daemon's shared memory for a while, so this may
 * ask now and then and miss nothing; if it does, it says so.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "control/pcap.h"

enum {
	LOOK_MS = 100, /* between two questions */
	FRAMES_MAX = 1000, /* in one answer */
	AGAIN_MS = 250, /* a daemon that does not answer is asked again */
	AGAIN_TIMES = 40,
};

struct trace {
	struct cli *cli;
	const char *transport, *filter;
	FILE *pcap; /* instead of lines */
	bool hex;
	long left; /* frames that are still wanted; -1: all */
	double after; /* Unix time; 0: from now on */
	json_t *since; /* positions; NULL at first */
	bool more; /* lies there already, behind those */
	int signals;
};

static const char *const heading[] = { "TIME", "TRANSPORT", "PEER", "DIR",
	"UNIT", "US", "FRAME" };

enum { HEADINGS = sizeof(heading) / sizeof(heading[0]) };

/* ---- one frame ---- */

static void
show_line(struct trace *t, const json_t *frame)
{
	const char *cells[HEADINGS];
	struct print p;
	char at[40];

	cells[0] = print_time(json_object_get(frame, "at"), 6, at, sizeof(at));
	cells[1] = print_text(json_object_get(frame, "transport"));
	cells[2] = print_text(json_object_get(frame, "peer"));
	cells[3] = print_text(json_object_get(frame, "direction"));
	cells[4] = print_text(json_object_get(frame, "unit"));
	cells[5] = print_text(json_object_get(frame, "us"));
	cells[6] =
	    json_string_value(json_object_get(frame, t->hex ? "adu" : "text"));
	if (cells[6] == NULL)
		cells[6] = "";
	print_init(&p, t->cli, heading, HEADINGS, 6);
	print_row(&p, cells);
	print_bare(&p);
}

static void
show_record(struct trace *t, const json_t *frame)
{
	static uint8_t record[PCAP_RECORD_MAX];
	size_t len = pcap_record(frame, record);

	fwrite(record, 1, len, t->pcap);
}

static void
show(struct trace *t, const json_t *frame)
{
	if (t->pcap != NULL)
		show_record(t, frame);
	else if (print_is_json(t->cli))
		print_json(frame);
	else
		show_line(t, frame);
}

/* ---- asking ---- */

static json_t *
question(const struct trace *t)
{
	/* to begin with, only where the end is */
	bool begin = t->since == NULL && t->after == 0;
	json_t *params = json_pack("{s:i}", "limit",
	    begin                                     ? 1
		: t->left > 0 && t->left < FRAMES_MAX ? (int)t->left
						      : FRAMES_MAX);

	if (t->transport != NULL)
		json_object_set_new(
		    params, "transport", json_string(t->transport));
	if (t->filter != NULL)
		json_object_set_new(params, "filter", json_string(t->filter));
	if (t->since != NULL)
		json_object_set(params, "since", t->since);
	else if (!begin)
		json_object_set_new(params, "after", json_real(t->after));
	else
		json_object_set_new(params, "newest", json_true());
	return params;
}

/* Waits; false if that ends by a signal, or by whoever read our output. */
static bool
pause_ms(const struct trace *t, int ms)
{
	struct pollfd p[] = {
		{ .fd = t->signals, .events = POLLIN },
		/* says when the reader of a pipe has gone */
		{ .fd = t->pcap != NULL ? fileno(t->pcap) : STDOUT_FILENO },
	};

	poll(p, 2, ms);
	return p[0].revents == 0 && (p[1].revents & POLLERR) == 0;
}

/* Asks, and if nobody is there, as while the control process is replaced, asks
 * again for a while. CLI_TIMEOUT with *stop: that was interrupted. */
static int
ask(struct trace *t, json_t **result, bool *stop)
{
	int code = CLI_OK;

	for (int i = 0; i <= AGAIN_TIMES; i++) {
		/* the first time and the last one may say what is wrong */
		cli_hush(t->since != NULL && i < AGAIN_TIMES);
		code = client_call(
		    t->cli, "trace.read", question(t), CLIENT_CALL_MS, result);
		cli_hush(false);
		if (t->since == NULL ||
		    (code != CLI_UNREACHABLE && code != CLI_TIMEOUT))
			return code;
		client_close(t->cli);
		*stop = !pause_ms(t, AGAIN_MS);
		if (*stop)
			return code;
	}
	return code;
}

/* Shows what is new. How many frames that were, -1 after *code was set. */
static int
show_new(struct trace *t, int *code, bool *stop)
{
	bool first = t->since == NULL && t->after == 0;
	json_t *result, *frames, *frame;
	size_t i, n = 0;

	*code = ask(t, &result, stop);
	if (*code != CLI_OK)
		return -1;
	frames = json_object_get(result, "frames");
	if (t->since != NULL && json_is_true(json_object_get(result, "lost")))
		fputs("holdfast: frames were lost: they come faster than they "
		      "can be told\n",
		    stderr);
	json_array_foreach (frames, i, frame) {
		if (first || t->left == 0) /* from before we came */
			continue;
		show(t, frame);
		t->left -= t->left > 0;
		n++;
	}
	json_decref(t->since);
	t->since = json_incref(json_object_get(result, "next"));
	t->more = !first && json_is_true(json_object_get(result, "more"));
	json_decref(result);
	return (int)n;
}

static int
follow(struct trace *t)
{
	FILE *out = t->pcap != NULL ? t->pcap : stdout;
	bool stop = false;
	int code = CLI_OK, n;

	while (!stop && t->left != 0) {
		n = show_new(t, &code, &stop);
		if (n == -1)
			return stop ? CLI_OK : code;
		if (fflush(out) == EOF)
			return errno == EPIPE ? CLI_OK
					      : cli_fail(CLI_CANNOT_CREATE,
						    "%s", strerror(errno));
		if (!pause_ms(t, t->more ? 0 : LOOK_MS))
			stop = true;
	}
	return CLI_OK;
}

/* ---- options ---- */

static int
read_count(struct trace *t)
{
	const char *word = cli_option(t->cli, "count", 0);
	char *end;

	t->left = -1;
	if (word == NULL)
		return CLI_OK;
	t->left = strtol(word, &end, 10);
	if (*end != '\0' || end == word || t->left < 1)
		return cli_fail(CLI_USAGE,
		    "--count %s: a number of frames is wanted", word);
	return CLI_OK;
}

/* "30", "30s", "5m", "2h" ago, or "all". */
static int
read_since(struct trace *t)
{
	const char *word = cli_option(t->cli, "since", 0);
	struct timespec now;
	double ago;
	char *end;

	if (word == NULL)
		return CLI_OK;
	clock_gettime(CLOCK_REALTIME, &now);
	t->after = 1e-6;
	if (strcmp(word, "all") == 0)
		return CLI_OK;
	ago = strtod(word, &end);
	if (*end == 'm')
		ago *= 60;
	else if (*end == 'h')
		ago *= 3600;
	if (end == word || !(ago >= 0) ||
	    (*end != '\0' && (strchr("smh", *end) == NULL || end[1] != '\0')))
		return cli_fail(CLI_USAGE,
		    "--since %s: how long ago is wanted: 30s, 5m, 2h; or all",
		    word);
	t->after = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - ago;
	if (t->after < 1e-6)
		t->after = 1e-6;
	return CLI_OK;
}

static int
open_pcap(struct trace *t)
{
	const char *path = cli_option(t->cli, "pcap", 0);
	uint8_t head[PCAP_HEAD];

	if (path == NULL)
		return CLI_OK;
	if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO))
		return cli_fail(CLI_USAGE,
		    "--pcap - is for a pipe: holdfast trace --pcap - | "
		    "wireshark -k -i -");
	t->pcap = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	if (t->pcap == NULL)
		return cli_fail(
		    CLI_CANNOT_CREATE, "%s: %s", path, strerror(errno));
	pcap_head(head);
	fwrite(head, 1, sizeof(head), t->pcap);
	fflush(t->pcap);
	return CLI_OK;
}

static int
catch_signals(struct trace *t)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	t->signals = signalfd(-1, &ends, SFD_CLOEXEC);
	if (t->signals == -1)
		return cli_fail(CLI_INTERNAL, "signals: %s", strerror(errno));
	return CLI_OK;
}

static int
show_all(struct trace *t)
{
	struct print p;
	int code;

	if (t->pcap == NULL)
		print_note(t->cli, "tracing; ^C ends it");
	if (t->pcap == NULL && t->cli->output == CLI_CSV) {
		print_init(&p, t->cli, heading, HEADINGS, -1);
		print_flush(&p);
	}
	fflush(stdout);
	code = follow(t);
	json_decref(t->since);
	if (t->pcap != NULL && t->pcap != stdout && fclose(t->pcap) == EOF)
		code = cli_fail(CLI_CANNOT_CREATE, "%s", strerror(errno));
	return code;
}

int
cli_trace(struct cli *cli, int argc, char **argv)
{
	struct trace t = {
		.cli = cli,
		.transport = argc > 0 ? argv[0] : NULL,
		.filter = cli_option(cli, "filter", 0),
		.hex = cli_option(cli, "hex", 0) != NULL,
	};
	int code = read_count(&t);

	if (code == CLI_OK)
		code = read_since(&t);
	if (code == CLI_OK)
		code = catch_signals(&t);
	if (code == CLI_OK)
		code = open_pcap(&t);
	if (code == CLI_OK)
		code = show_all(&t);
	return code;
}
