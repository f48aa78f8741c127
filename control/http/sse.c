/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of events for browsers. Runs in the http process. Each event has a
 * number, by which a stream that was cut goes on: the last events are kept, and
 * what a stream wanted stays wanted for a while after it has gone. What all of
 * them hold is bounded; nobody waits for one that does not read.
 */
#include "control/http/sse.h"

#include <event2/buffer.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/http/web_conn.h"
#include "control/jtext.h"
#include "shm/log.h"

#define MS 1000000ull

enum { SEQ_BITS = 12, SOCKET_BYTES = 64 << 10 };

struct sse {
	struct sse_hub *all;
	struct sse *next;
	struct web_conn *conn; /* NULL: it has gone, and may come back */
	uint64_t since; /* number of the last event before it */
	uint64_t due_ns; /* its next beat, or when it is forgotten */
	char *want; /* as it was asked for */
	char *words; /* the same, each ended with NUL */
	const char *topic[SSE_TOPICS_MAX];
	unsigned ntopics;
};

struct kept {
	uint64_t seq;
	char *topic, *text; /* one piece of memory */
	size_t len;
};

struct sse_hub {
	struct server *server;
	struct sse *first;
	unsigned live, away;
	uint64_t seq; /* of the last event */
	struct kept kept[SSE_KEPT]; /* by seq modulo */
	uint64_t oldest; /* that is kept */
	size_t bytes;
};

struct sse_hub *
sse_hub_new(struct server *s)
{
	struct sse_hub *all = calloc(1, sizeof(*all));
	struct timespec now;

	if (all == NULL)
		return NULL;
	/* above every number of a former process, and a double holds it */
	clock_gettime(CLOCK_REALTIME, &now);
	all->seq =
	    ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000)
	    << SEQ_BITS;
	all->oldest = all->seq + 1;
	all->server = s;
	return all;
}

static void
forget(struct sse_hub *all, struct sse **at)
{
	struct sse *st = *at;

	for (unsigned i = 0; i < st->ntopics; i++)
		events_subscribe(&all->server->events, st->topic[i],
		    strlen(st->topic[i]), false);
	*at = st->next;
	all->away--;
	free(st->want);
	free(st->words);
	free(st);
}

static void
let_go(struct sse_hub *all, uint64_t seq)
{
	struct kept *k = &all->kept[seq % SSE_KEPT];

	all->bytes -= k->len;
	free(k->topic);
	memset(k, 0, sizeof(*k));
}

void
sse_hub_free(struct sse_hub *all)
{
	if (all == NULL)
		return;
	while (all->first != NULL)
		forget(all, &all->first);
	for (; all->oldest <= all->seq; all->oldest++)
		let_go(all, all->oldest);
	free(all);
}

void
sse_gone(struct sse *st)
{
	struct sse_hub *all = st->all;

	st->conn = NULL;
	st->due_ns = all->server->control.now_ns + SSE_BACK_MS * MS;
	all->live--;
	all->away++;
}

/* ---- writing ---- */

/* False: it did not read, and has gone. */
static bool
put(struct sse *st, const char *text, size_t len)
{
	struct bufferevent *bev = st->conn->bev;
	size_t held = evbuffer_get_length(bufferevent_get_output(bev));

	if (held + len > SSE_OUT_MAX) {
		log_info(
		    "stream dropped peer=%s unread=%zu", st->conn->peer, held);
		st->all->server->stats->streams_dropped++;
		web_conn_close(st->conn);
		return false;
	}
	bufferevent_write(bev, text, len);
	st->due_ns = st->all->server->control.now_ns + SSE_BEAT_MS * MS;
	return true;
}

static bool
wants(const struct sse *st, const char *topic)
{
	for (unsigned i = 0; i < st->ntopics; i++)
		if (strncmp(topic, st->topic[i], strlen(st->topic[i])) == 0)
			return true;
	return false;
}

/* Keeps an event for those who come back. */
static void
keep(struct sse_hub *all, const char *topic, const char *text, size_t len)
{
	struct kept *k = &all->kept[all->seq % SSE_KEPT];
	size_t name = strlen(topic) + 1;

	while (all->oldest < all->seq &&
	    (all->seq - all->oldest >= SSE_KEPT ||
		all->bytes + len > SSE_KEPT_BYTES))
		let_go(all, all->oldest++);
	k->topic = malloc(name + len);
	if (k->topic == NULL) { /* a gap, which who comes back is told of */
		while (all->oldest <= all->seq)
			let_go(all, all->oldest++);
		return;
	}
	memcpy(k->topic, topic, name);
	k->text = k->topic + name;
	memcpy(k->text, text, len);
	k->seq = all->seq;
	k->len = len;
	all->bytes += len;
}

void
sse_hub_send(
    void *arg, const char *topic, const char *json, size_t len, uint64_t seq)
{
	static const char wide[] = "{\"lost\":true}";
	struct sse_hub *all = arg;
	struct sse *st, *next;
	char *text;
	int n;

	(void)seq; /* that of the topic; here all are counted as one */
	if (len > SSE_OUT_MAX / 2) {
		/* who is asked to look again loses nothing */
		json = wide;
		len = sizeof(wide) - 1;
	}
	all->seq++;
	n = asprintf(&text, "event: %s\nid: %llu\ndata: %.*s\n\n", topic,
	    (unsigned long long)all->seq, (int)len, json);
	if (n < 0)
		return;
	keep(all, topic, text, (size_t)n);
	for (st = all->first; st != NULL; st = next) {
		next = st->next;
		if (st->conn != NULL && wants(st, topic))
			put(st, text, (size_t)n);
	}
	free(text);
}

uint64_t
sse_hub_tick(struct sse_hub *all)
{
	uint64_t now = all->server->control.now_ns, next = UINT64_MAX;
	unsigned away = all->server->control.proc->conf->http.max_streams;
	struct sse **at = &all->first, *st;

	while ((st = *at) != NULL) {
		if (st->conn == NULL && (now >= st->due_ns || away == 0)) {
			forget(all, at);
			continue;
		}
		away -= st->conn == NULL;
		if (st->conn != NULL && now >= st->due_ns)
			put(st, ":hb\n\n", 5);
		if (st->due_ns < next)
			next = st->due_ns;
		at = &st->next;
	}
	all->server->stats->streams = all->live;
	return next;
}

/* ---- the beginning ---- */

static bool
is_topic(const struct events *ev, const char *word)
{
	size_t len = strlen(word);

	for (unsigned i = 0; i < ev->ntopics; i++)
		if (strncmp(ev->topics[i].name, word, len) == 0)
			return true;
	return false;
}

/* Takes the list apart. False after the call was answered. */
static bool
take_topics(struct http_call *call, struct sse *st)
{
	const struct events *ev = &call->conn->server->events;
	char *rest = st->words, *word;

	while ((word = strsep(&rest, ",")) != NULL) {
		word += strspn(word, " ");
		word[strcspn(word, " ")] = '\0';
		if (*word == '\0' && st->want[0] != '\0')
			continue;
		if (!is_topic(ev, word)) {
			http_fail(call, 400, "no_topic",
			    "No topic begins with \"%.100s\".", word);
			return false;
		}
		if (st->ntopics == SSE_TOPICS_MAX) {
			http_fail(call, 400, "too_long",
			    "At most %d topics can be asked for.",
			    SSE_TOPICS_MAX);
			return false;
		}
		st->topic[st->ntopics++] = word;
	}
	return true;
}

static struct sse *
sse_new(struct sse_hub *all, const char *topics)
{
	struct sse *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	st->all = all;
	st->since = all->seq;
	st->want = strdup(topics != NULL ? topics : "");
	st->words = strdup(topics != NULL ? topics : "");
	if (st->want != NULL && st->words != NULL)
		return st;
	free(st->want);
	free(st->words);
	free(st);
	return NULL;
}

/* True if nothing has been missed since the event of that number: it is still
 * there, and all that was wanted was wanted all the time. */
static bool
is_whole(const struct sse_hub *all, const struct sse *st, uint64_t last)
{
	const struct sse *other;

	if (last > all->seq || last + 1 < all->oldest)
		return false;
	for (other = all->first; other != NULL; other = other->next)
		if (other != st && other->since <= last &&
		    strcmp(other->want, st->want) == 0)
			return true;
	return false;
}

static bool
greet(struct sse *st, uint64_t last, bool back)
{
	char text[300];
	int n = snprintf(text, sizeof(text),
	    "retry: 1000\nid: %llu\nevent: hello\ndata: {\"version\":\"%s\","
	    "\"sequence\":%llu,\"resumed\":%s}\n\n",
	    (unsigned long long)last, HOLDFAST_VERSION,
	    (unsigned long long)st->all->seq, back ? "true" : "false");

	return put(st, text, (size_t)n);
}

/* Says where it goes on, and what happened while it was away. */
static void
catch_up(struct sse *st, const char *last_id)
{
	struct sse_hub *all = st->all;
	char *end = NULL;
	uint64_t last = last_id != NULL ? strtoull(last_id, &end, 10) : 0;
	bool back = end != NULL && end != last_id && *end == '\0' &&
	    is_whole(all, st, last);

	if (!greet(st, back ? last : all->seq, back) || !back)
		return;
	for (uint64_t seq = last + 1; seq <= all->seq; seq++) {
		const struct kept *k = &all->kept[seq % SSE_KEPT];

		if (k->seq == seq && wants(st, k->topic) &&
		    !put(st, k->text, k->len))
			return;
	}
}

/* False: it has not become one. */
static bool
begin(struct http_call *call, struct sse *st)
{
	struct sse_hub *all = st->all;
	struct web_conn *c = call->conn;
	const char *last = http_header(call, "last-event-id");
	char last_id[24] = "";
	int bytes = SOCKET_BYTES;

	if (last != NULL)
		snprintf(last_id, sizeof(last_id), "%s", last);
	/* what the kernel holds for it is bounded, too */
	setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_SNDBUF, &bytes,
	    sizeof(bytes));
	http_add(call, "X-Accel-Buffering", "no");
	web_conn_answer(c, 200, "text/event-stream", NULL, 0);
	if (c->state != WEB_STREAM)
		return false;
	st->conn = c;
	c->stream = st;
	for (unsigned i = 0; i < st->ntopics; i++)
		events_subscribe(&all->server->events, st->topic[i],
		    strlen(st->topic[i]), true);
	st->next = all->first;
	all->first = st;
	all->live++;
	catch_up(st, last_id);
	return true;
}

void
sse_open(struct http_call *call)
{
	struct sse_hub *all = call->conn->server->sse;
	const struct conf_http *conf = &call->control->proc->conf->http;
	struct sse *st;

	if (call->conn->head_only) {
		http_reply(call, 200, "text/event-stream", "", 0);
		return;
	}
	if (all->live >= conf->max_streams) {
		http_add(call, "Retry-After", "5");
		http_fail(call, 503, "too_many",
		    "There are %u streams already, which is http.max_streams.",
		    all->live);
		return;
	}
	st = sse_new(all, http_field(call, "topics"));
	if (st == NULL) {
		http_fail(call, 503, "no_memory", "Out of memory.");
		return;
	}
	if (take_topics(call, st) && begin(call, st))
		return;
	free(st->want);
	free(st->words);
	free(st);
}
