/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast watch: changes and notices as they happen, until a signal comes or
 * whoever reads has gone. Changes are printed from the events themselves, so
 * none is skipped; where the daemon had to skip some, that is said.
 */

#include <errno.h>
#include <inttypes.h>
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
#include "control/cli/watched.h"
#include "control/jtext.h"
#include "shm/table.h"

enum {
	TOPIC_BYTES = 128,
	FRAME_BYTES = 1 << 20,
	BURST = 256, /* events between two looks for signals */
};

/* The number of the last event of a topic. */
struct seen {
	char topic[TOPIC_BYTES];
	uint64_t seq;
};

/* Tables of which every register is watched. */
struct whole {
	char prefix[TOPIC_BYTES]; /* of their topics */
	const char *table; /* and their end; NULL: any */
};

struct watch {
	struct cli *cli;
	void *socket;
	struct watched *at; /* the addresses */
	size_t n;
	struct whole *whole;
	size_t nwhole;
	struct seen *seen;
	size_t nseen;
};

/* ---- lines ---- */

static const char *const heading[] = { "TIME", "ADDRESS", "FROM", "TO", "WHO" };

enum { HEADINGS = sizeof(heading) / sizeof(heading[0]) };

/* One line: time, what, from, to, who; "" for what there is not. */
static void
print_line(const struct watch *w, const json_t *event, const char *what,
    const char *from, const char *to, const char *who)
{
	const char *columns[] = { NULL, what, from, to, who };
	const char *named[] = { what, to };
	bool raw = w->cli->output == CLI_RAW;
	struct print p;
	char at[32];

	columns[0] =
	    print_time(json_object_get(event, "at"), 3, at, sizeof(at));
	if (print_is_table(w->cli)) {
		/* peers and roles are as others have called themselves */
		char *plain = print_harmless(who);

		printf("%s  %-20s  %s%s%s  %s\n", at, what, from,
		    from[0] != '\0' ? " -> " : "", to,
		    plain != NULL ? plain : "?");
		free(plain);
	} else {
		/* rows without their heading */
		print_init(&p, w->cli, heading, raw ? 2 : HEADINGS, -1);
		print_row(&p, raw ? named : columns);
		print_bare(&p);
	}
}

static void
print_event(const char *topic, uint64_t seq, const json_t *event)
{
	json_t *json = json_pack("{s:s, s:o, s:O}", "topic", topic, "sequence",
	    jtext_uint(seq), "event", event);

	print_json(json);
	json_decref(json);
}

/* ---- registers ---- */

/* All addresses of a table that changed, as they are. */
static void
print_plain(const struct watch *w, const json_t *event, const char *device,
    enum store_table table)
{
	struct address a = { .table = table };
	const json_t *old = json_object_get(event, "old");
	const json_t *new = json_object_get(event, "new");
	uint32_t addr =
	    (uint32_t)json_integer_value(json_object_get(event, "addr"));
	char name[96];
	json_t *value;
	size_t i;

	snprintf(a.device, sizeof(a.device), "%.63s", device);
	json_array_foreach ((json_t *)(uintptr_t) new, i, value) {
		if (json_equal(value, json_array_get(old, i)))
			continue;
		registers_name(&a, addr + (uint32_t)i, name, sizeof(name));
		print_line(w, event, name, print_text(json_array_get(old, i)),
		    print_text(value),
		    print_text(json_object_get(event, "who")));
	}
}

/* watched_apply() found that a value differs. */
static void
print_value(void *arg, const json_t *event, const char *name, const char *from,
    const char *to)
{
	const json_t *who = json_object_get(event, "who");

	print_line(
	    arg, event, name, from, to, who != NULL ? print_text(who) : "?");
}

static bool
is_whole(const struct watch *w, const char *topic)
{
	for (size_t i = 0; i < w->nwhole; i++) {
		const struct whole *whole = &w->whole[i];

		if (strncmp(topic, whole->prefix, strlen(whole->prefix)) == 0 &&
		    (whole->table == NULL ||
			strcmp(strrchr(topic, '.') + 1, whole->table) == 0))
			return true;
	}
	return false;
}

static void
show_change(struct watch *w, const char *topic, uint64_t seq,
    const json_t *event, const char *device, enum store_table table)
{
	bool whole = is_whole(w, topic), wanted = whole;

	for (size_t i = 0; i < w->n; i++)
		wanted |= watched_covers(&w->at[i], device, table, event);
	if (!wanted)
		return;
	if (print_is_json(w->cli)) {
		print_event(topic, seq, event);
		return;
	}
	if (whole)
		print_plain(w, event, device, table);
	for (size_t i = 0; i < w->n; i++)
		if (watched_covers(&w->at[i], device, table, event))
			watched_apply(&w->at[i], event, print_value, w);
}

/* ---- the others ---- */

/* What is worth telling of a connection's event, in text. */
static void
about_connection(const json_t *event, char *text, size_t size)
{
	const json_t *peer = json_object_get(event, "peer");
	const json_t *fc = json_object_get(event, "fc");

	if (fc == NULL)
		snprintf(text, size, "%s",
		    print_text(
			peer != NULL ? peer : json_object_get(event, "why")));
	else
		snprintf(text, size, "%s role=%s unit=%s fc=%s",
		    print_text(peer),
		    print_role(json_object_get(event, "role")),
		    print_text(json_object_get(event, "unit")), print_text(fc));
}

static void
show_notice(
    struct watch *w, const char *topic, uint64_t seq, const json_t *event)
{
	const json_t *was = json_object_get(event, "was");
	const json_t *what = json_object_get(event, "event");
	const json_t *rule = json_object_get(event, "rule");
	char about[256];

	if (print_is_json(w->cli))
		print_event(topic, seq, event);
	else if (was != NULL)
		print_line(w, event, topic, print_text(was),
		    print_text(json_object_get(event, "state")),
		    print_text(json_object_get(event, "why")));
	else if (rule != NULL)
		print_line(w, event, topic,
		    print_text(json_object_get(event, "id")), print_text(what),
		    print_text(rule));
	else if (what != NULL) {
		about_connection(event, about, sizeof(about));
		print_line(w, event, print_text(json_object_get(event, "id")),
		    "", print_text(what), about);
	} else
		print_line(w, event, topic, "",
		    print_text(json_object_get(event, "level")),
		    print_text(json_object_get(event, "line")));
}

/* ---- events ---- */

/* True if the event is not the one after the last of its topic. */
static bool
is_gap(struct watch *w, const char *topic, uint64_t seq)
{
	struct seen *grown;
	bool gap;

	for (size_t i = 0; i < w->nseen; i++) {
		if (strcmp(w->seen[i].topic, topic) != 0)
			continue;
		gap = w->seen[i].seq + 1 != seq;
		w->seen[i].seq = seq;
		return gap;
	}
	grown = realloc(w->seen, (w->nseen + 1) * sizeof(w->seen[0]));
	if (grown == NULL)
		return false;
	w->seen = grown;
	snprintf(grown[w->nseen].topic, TOPIC_BYTES, "%s", topic);
	grown[w->nseen++].seq = seq;
	return false;
}

static void
show_gap(struct watch *w, const char *topic, const json_t *event)
{
	fflush(stdout);
	fprintf(stderr, "holdfast: %s: some events were missed\n", topic);
	for (size_t i = 0; i < w->n; i++)
		watched_catch_up(&w->at[i], w->cli, event,
		    print_is_json(w->cli) ? NULL : print_value, w);
}

/* "registers.DEVICE.TABLE" into its parts. */
static bool
split_topic(
    const char *topic, char device[SHM_NAME_MAX], enum store_table *table)
{
	const char *dot = strrchr(topic, '.');
	static const size_t head = sizeof("registers.") - 1;
	int found;

	if (strncmp(topic, "registers.", head) != 0 || dot < topic + head ||
	    (size_t)(dot - topic) - head >= SHM_NAME_MAX)
		return false;
	memcpy(device, topic + head, (size_t)(dot - topic) - head);
	device[(size_t)(dot - topic) - head] = '\0';
	found = table_find(dot + 1);
	*table = (enum store_table)found;
	return found != -1 && found < TABLE_PLAIN;
}

static void
show(struct watch *w, const char *topic, uint64_t seq, const json_t *event)
{
	char device[SHM_NAME_MAX];
	enum store_table table = STORE_HR;

	if (is_gap(w, topic, seq) || json_object_get(event, "lost") != NULL)
		show_gap(w, topic, event);
	if (json_object_get(event, "lost") != NULL)
		return;
	if (split_topic(topic, device, &table))
		show_change(w, topic, seq, event, device, table);
	else if (strncmp(topic, "registers.", 10) != 0)
		show_notice(w, topic, seq, event);
}

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
	char topic[TOPIC_BYTES], tail[16], why[JTEXT_WHY_MAX];
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
		show(w, topic, seq, event);
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
		snprintf(w->whole[w->nwhole++].prefix, TOPIC_BYTES, "%s", word);
}

/* A table of one device or, if none is named, of all. */
static int
add_table(struct watch *w, const char *word)
{
	struct whole *whole = &w->whole[w->nwhole++];
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
	char topic[TOPIC_BYTES + 16], why[ADDRESS_WHY_MAX];
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
	struct print p;

	if (signals == -1)
		return cli_fail(CLI_INTERNAL, "signals: %s", strerror(errno));
	print_note(w->cli, "watching; ^C ends it");
	if (w->cli->output == CLI_CSV) {
		print_init(&p, w->cli, heading, HEADINGS, -1);
		print_flush(&p);
	}
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
