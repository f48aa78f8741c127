/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast watch: changes and notices as they happen, until a signal comes or
 * whoever reads has gone. Changes are printed from the events themselves, so
 * none is skipped; where the daemon had to skip some, that is said. How they
 * are printed: watch_show.c.
 */
#include "control/cli/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "control/cli/client.h"
#include "control/cli/declared.h"
#include "control/cli/named.h"
#include "control/cli/print.h"
#include "control/jtext.h"
#include "shm/table.h"

enum {
	FRAME_BYTES = 1 << 20,
	BURST = 256, /* events between two looks for signals */
};

/* ---- events ---- */

/* One frame as text; its length, or -1. */
static int
take_frame(void *socket, char *buf, size_t size)
{
	int len = zmq_recv(socket, buf, size - 1, ZMQ_DONTWAIT);

	if (len < 0)
		return -1;
	if ((size_t)len > size - 1)
		len = (int)(size - 1);
	buf[len] = '\0';
	return len;
}

/* False when there is none. */
static bool
take_event(struct watch *w)
{
	static char text[FRAME_BYTES];
	char topic[WATCH_TOPIC_BYTES], tail[16], why[JTEXT_WHY_MAX];
	uint64_t seq = 0;
	json_t *event;
	int len;

	if (take_frame(w->socket, topic, sizeof(topic)) == -1)
		return false;
	len = take_frame(w->socket, text, sizeof(text));
	if (take_frame(w->socket, tail, sizeof(tail)) != 8 || len < 0)
		return true;
	for (int i = 7; i >= 0; i--)
		seq = seq << 8 | (uint8_t)tail[i];
	event = jtext_load(text, (size_t)len, why);
	if (event != NULL)
		watch_show(w, topic, seq, event);
	json_decref(event);
	return true;
}

/* ---- life ---- */

/* True if the word is a topic, or begins some. */
static bool
is_topic(const char *word)
{
	static const char *const words[] = { "registers", "transports",
		"connections", "faults", "log" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		if (strncmp(word, words[i], len) == 0 &&
		    (word[len] == '\0' || word[len] == '.'))
			return true;
	}
	return false;
}

/* Mistakes are told before anybody is asked. */
static int
check_words(int argc, char **argv)
{
	char why[ADDRESS_WHY_MAX];
	struct address a;

	for (int i = 0; i < argc; i++) {
		/* what has no colon may be a name, for the daemon to know */
		if (!is_topic(argv[i]) && !address_is_table(argv[i]) &&
		    address_parse(argv[i], &a, why) == -1)
			return cli_fail(CLI_USAGE, "%s", why);
	}
	return CLI_OK;
}

static void
subscribe(struct watch *w, const char *topic)
{
	zmq_setsockopt(w->socket, ZMQ_SUBSCRIBE, topic, strlen(topic));
}

static void
add_topic(struct watch *w, const char *word)
{
	subscribe(w, word);
	if (strncmp(word, "registers", 9) == 0)
		snprintf(w->whole[w->nwhole++].prefix, WATCH_TOPIC_BYTES, "%s",
		    word);
}

/* A table of one device or, if none is named, of all. */
static int
add_table(struct watch *w, const char *word)
{
	struct watch_whole *whole = &w->whole[w->nwhole++];
	char why[ADDRESS_WHY_MAX];
	struct address a;
	json_t *ranges;
	int code;

	if (address_parse_table(word, &a, why) == -1)
		return cli_fail(CLI_USAGE, "%s", why);
	whole->table = table_name(a.table);
	snprintf(whole->prefix, sizeof(whole->prefix), "registers.%s%s",
	    a.device, a.device[0] != '\0' ? "." : "");
	subscribe(w, whole->prefix);
	if (a.device[0] == '\0')
		return CLI_OK;
	/* who has no such device says so */
	code = client_call(w->cli, "registers.describe",
	    json_pack("{s:s, s:s}", "device", a.device, "table", whole->table),
	    CLIENT_CALL_MS, &ranges);
	if (code == CLI_OK)
		json_decref(ranges);
	return code;
}

static int
find_scale(struct cli *cli, struct watched *at)
{
	struct declared_label label = { .is_scaled = true };
	struct declared declared = { 0 };
	int code = declared_scale(&declared, cli, &at->address, &label);

	declared_fini(&declared);
	at->scale = label.scale;
	return code;
}

static int
add_address(struct watch *w, const char *word)
{
	struct watched *at = &w->at[w->n];
	char topic[WATCH_TOPIC_BYTES + 16], why[ADDRESS_WHY_MAX];
	int code = CLI_OK;

	if (named_is(word))
		code = named_resolve(w->cli, word, &at->address, NULL);
	else if (address_parse(word, &at->address, why) == -1)
		return cli_fail(CLI_USAGE, "%s", why);
	if (code == CLI_OK)
		code = watched_resolve(at, w->cli);
	if (code == CLI_OK && cli_option(w->cli, "scaled", 0) != NULL)
		code = find_scale(w->cli, at);
	if (code != CLI_OK)
		return code;
	snprintf(topic, sizeof(topic), "registers.%s.%s", at->address.device,
	    table_name(at->address.table));
	subscribe(w, topic);
	w->n++;
	return CLI_OK;
}

static int
add_words(struct watch *w, int argc, char **argv)
{
	int code = CLI_OK;

	w->at = calloc((size_t)argc + 1, sizeof(w->at[0]));
	w->whole = calloc((size_t)argc + 1, sizeof(w->whole[0]));
	if (w->at == NULL || w->whole == NULL)
		return cli_fail(CLI_INTERNAL, "out of memory");
	if (argc == 0)
		add_topic(w, "registers.");
	for (int i = 0; i < argc && code == CLI_OK; i++)
		if (is_topic(argv[i]))
			add_topic(w, argv[i]);
		else if (address_is_table(argv[i]) && !named_is(argv[i]))
			code = add_table(w, argv[i]);
		else
			code = add_address(w, argv[i]);
	/* what they are now, once changes to them are on their way */
	for (size_t i = 0; i < w->n && code == CLI_OK; i++)
		code = watched_read(&w->at[i], w->cli);
	return code;
}

/* A descriptor that tells of the signals that end it: one that came just before
 * a wait ends that wait, too, which a handler could not. -1 with errno. */
static int
catch_signals(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	return signalfd(-1, &ends, SFD_CLOEXEC);
}

static int
follow(struct watch *w, int signals)
{
	zmq_pollitem_t item[] = {
		{ .socket = w->socket, .events = ZMQ_POLLIN },
		/* says when the reader of a pipe has gone */
		{ .fd = STDOUT_FILENO, .events = ZMQ_POLLERR },
		{ .fd = signals, .events = ZMQ_POLLIN },
	};

	for (;;) {
		if (zmq_poll(item, 3, -1) == -1 && errno != EINTR)
			return cli_fail(CLI_INTERNAL, "ZeroMQ: %s",
			    zmq_strerror(zmq_errno()));
		if (item[1].revents != 0 || item[2].revents != 0)
			return CLI_OK;
		for (int i = 0; i < BURST && take_event(w); i++)
			continue;
		if (fflush(stdout) == EOF)
			return CLI_OK;
	}
}

/* The heading, and then events until a signal comes. */
static int
show_all(struct watch *w)
{
	int signals = catch_signals(), code;

	if (signals == -1)
		return cli_fail(CLI_INTERNAL, "signals: %s", strerror(errno));
	print_note(w->cli, "watching; ^C ends it");
	if (w->cli->output == CLI_CSV)
		watch_heading(w);
	fflush(stdout);
	code = follow(w, signals);
	close(signals);
	return code;
}

int
cli_watch(struct cli *cli, int argc, char **argv)
{
	struct watch w = { .cli = cli };
	json_t *ignored;
	int code = registers_scalable(cli);

	if (code == CLI_OK)
		code = check_words(argc, argv);
	if (code == CLI_OK)
		code = client_call(
		    cli, "system.ping", NULL, CLIENT_CALL_MS, &ignored);
	if (code != CLI_OK)
		return code;
	json_decref(ignored);
	w.socket = client_subscriber(cli);
	code = w.socket == NULL ? CLI_USAGE : add_words(&w, argc, argv);
	if (code == CLI_OK)
		code = show_all(&w);
	for (size_t i = 0; i < w.n; i++)
		watched_fini(&w.at[i]);
	free(w.at);
	free(w.whole);
	free(w.seen);
	return code;
}
