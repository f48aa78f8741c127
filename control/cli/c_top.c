/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast top: transports, their rates and their clients, again and again. On
 * a terminal top_screen.c draws it; elsewhere each round is rows.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "control/cli/top.h"
#include "control/jtext.h"

enum { UNIT_FRAMES = 1000 };

const struct top_column top_transports[] = {
	{ "name", "TRANSPORT", -14 },
	{ "state", "STATE", -9 },
	{ "connections", "CONNS", 6 },
	{ "requests_s", "REQ/S", 9 },
	{ "exceptions_s", "EXC/S", 8 },
	{ "errors_s", "ERR/S", 8 },
	{ "in_s", "IN B/S", 10 },
	{ "out_s", "OUT B/S", 10 },
	{ "mean_us", "MEAN US", 8 },
	{ "restarts", "RESTARTS", 9 },
};

const struct top_column top_clients[] = {
	{ "id", "CLIENT", -16 },
	{ "peer", "PEER", -24 },
	{ "role", "ROLE", -12 },
	{ "requests_s", "REQ/S", 9 },
	{ "requests", "REQUESTS", 12 },
	{ "last_fc", "FC", 4 },
};

_Static_assert(
    sizeof(top_transports) / sizeof(top_transports[0]) == TOP_TRANSPORTS,
    "columns");
_Static_assert(
    sizeof(top_clients) / sizeof(top_clients[0]) == TOP_CLIENTS, "columns");

/* ---- rates ---- */

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* How fast a counter has moved since the picture before; notes it for the next
 * one. Null if there was none, or it began anew. */
static json_t *
rate(const struct top *t, json_t *next, double took_s, const char *of,
    const char *what, double value)
{
	char key[200];
	const json_t *was;

	snprintf(key, sizeof(key), "%.120s %s", of, what);
	json_object_set_new(next, key, json_real(value));
	was = json_object_get(t->before, key);
	if (was == NULL || took_s <= 0 || value < json_number_value(was))
		return json_null();
	return json_real((value - json_number_value(was)) / took_s);
}

/* Mean time of the requests since the picture before, in us. */
static json_t *
mean_us(const struct top *t, json_t *next, double took_s, const char *of,
    const json_t *durations)
{
	json_t *sum = rate(t, next, took_s, of, "duration",
	    json_number_value(json_object_get(durations, "sum")));
	json_t *count = rate(t, next, took_s, of, "durations",
	    json_number_value(json_object_get(durations, "count")));
	json_t *mean = json_number_value(count) > 0
	    ? json_real(1e6 * json_number_value(sum) / json_number_value(count))
	    : json_null();

	json_decref(sum);
	json_decref(count);
	return mean;
}

static json_t *
transport_rows(const struct top *t, json_t *next, double took_s,
    const json_t *list, const json_t *stats)
{
	static const char *const counters[] = { "requests", "exceptions",
		"errors" };
	static const char *const rates[] = { "requests_s", "exceptions_s",
		"errors_s" };
	json_t *rows = json_array(), *from, *row;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, from) {
		const char *name =
		    json_string_value(json_object_get(from, "name"));
		const json_t *of =
		    json_object_get(json_object_get(stats, "transports"), name);

		row = json_pack("{s:O, s:O, s:O, s:O}", "name",
		    json_object_get(from, "name"), "state",
		    json_object_get(from, "state"), "connections",
		    json_object_get(from, "connections"), "restarts",
		    json_object_get(from, "restarts"));
		if (row == NULL || name == NULL)
			continue;
		for (int k = 0; k < 3; k++)
			json_object_set_new(row, rates[k],
			    rate(t, next, took_s, name, counters[k],
				json_number_value(
				    json_object_get(from, counters[k]))));
		json_object_set_new(row, "in_s",
		    rate(t, next, took_s, name, "in",
			json_number_value(json_object_get(of, "bytes_in"))));
		json_object_set_new(row, "out_s",
		    rate(t, next, took_s, name, "out",
			json_number_value(json_object_get(of, "bytes_out"))));
		json_object_set_new(row, "mean_us",
		    mean_us(t, next, took_s, name,
			json_object_get(of, "request_duration")));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *
client_rows(
    const struct top *t, json_t *next, double took_s, const json_t *list)
{
	json_t *rows = json_array(), *from, *row;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, from) {
		const char *id = json_string_value(json_object_get(from, "id"));

		row = json_copy(from);
		json_object_set_new(row, "requests_s",
		    rate(t, next, took_s, id != NULL ? id : "", "requests",
			json_number_value(json_object_get(from, "requests"))));
		json_array_append_new(rows, row);
	}
	return rows;
}

/* Which units were asked, of the frames that were recorded last. */
static json_t *
unit_rows(const json_t *frames)
{
	json_t *counts = json_object(), *frame;
	char key[16];
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)frames, i, frame) {
		const char *way =
		    json_string_value(json_object_get(frame, "direction"));
		const json_t *unit = json_object_get(frame, "unit");

		if (way == NULL || strcmp(way, "in") != 0 ||
		    !json_is_integer(unit))
			continue;
		snprintf(key, sizeof(key), "%d", (int)json_integer_value(unit));
		json_object_set_new(counts, key,
		    json_integer(
			1 + json_integer_value(json_object_get(counts, key))));
	}
	return counts;
}

/* ---- a picture ---- */

struct asked {
	json_t *info, *list, *stats, *clients, *trace;
};

static int
ask_all(struct top *t, struct asked *a)
{
	struct {
		const char *method;
		json_t **result;
	} calls[] = {
		{ "system.info", &a->info },
		{ "transports.list", &a->list },
		{ "stats.get", &a->stats },
		{ "connections.list", &a->clients },
	};
	int code = CLI_OK;

	for (size_t i = 0; i < 4 && code == CLI_OK; i++)
		code = client_call(t->cli, calls[i].method, NULL,
		    CLIENT_CALL_MS, calls[i].result);
	if (code == CLI_OK)
		code = client_call(t->cli, "trace.read",
		    json_pack("{s:i, s:b}", "limit", UNIT_FRAMES, "newest", 1),
		    CLIENT_CALL_MS, &a->trace);
	return code;
}

int
top_sample(struct top *t)
{
	struct asked a = { 0 };
	json_t *next;
	double at, took;
	int code = ask_all(t, &a);

	if (code == CLI_OK) {
		at = now_s();
		took = at - t->before_s;
		next = json_object();
		json_decref(t->info);
		json_decref(t->transports);
		json_decref(t->clients);
		json_decref(t->units);
		t->info = json_incref(a.info);
		t->transports = transport_rows(t, next, took, a.list, a.stats);
		t->clients = client_rows(t, next, took, a.clients);
		t->units = unit_rows(json_object_get(a.trace, "frames"));
		json_decref(t->before);
		t->before = next;
		t->before_s = at;
	}
	json_decref(a.info);
	json_decref(a.list);
	json_decref(a.stats);
	json_decref(a.clients);
	json_decref(a.trace);
	return code;
}

void
top_fini(struct top *t)
{
	json_decref(t->before);
	json_decref(t->info);
	json_decref(t->transports);
	json_decref(t->clients);
	json_decref(t->units);
}

const char *
top_cell(const json_t *row, const char *key)
{
	static char texts[8][32];
	static unsigned next;
	const json_t *value = json_object_get(row, key);
	char *text = texts[next++ % 8];

	if (strcmp(key, "role") == 0)
		return print_role(value);
	if (!json_is_real(value))
		return print_text(value);
	snprintf(text, sizeof(texts[0]), "%.*f",
	    json_real_value(value) < 10 ? 1 : 0, json_real_value(value));
	return text;
}

/* ---- without a screen ---- */

static void
print_rows_of(struct top *t)
{
	const char *cells[TOP_TRANSPORTS], *headings[TOP_TRANSPORTS];
	struct print p;
	json_t *row;
	size_t i;

	for (int c = 0; c < TOP_TRANSPORTS; c++)
		headings[c] = top_transports[c].heading;
	print_init(&p, t->cli, headings, TOP_TRANSPORTS, -1);
	json_array_foreach (t->transports, i, row) {
		for (int c = 0; c < TOP_TRANSPORTS; c++)
			cells[c] =
			    strdupa(top_cell(row, top_transports[c].key));
		print_row(&p, cells);
	}
	print_flush(&p);
}

static int
rounds_of(struct cli *cli, long *rounds)
{
	const char *text = cli_option(cli, "rounds", 0);
	char *end;

	*rounds = 1;
	if (text == NULL)
		return CLI_OK;
	*rounds = strtol(text, &end, 10);
	if (*end != '\0' || end == text || *rounds < 1 || *rounds > 1000000)
		return cli_fail(
		    CLI_USAGE, "-n %s: a number of rounds from 1", text);
	return CLI_OK;
}

static int
print_rounds(struct top *t, long rounds)
{
	const struct timespec wait = { (time_t)t->interval_s,
		(long)((t->interval_s - (double)(time_t)t->interval_s) * 1e9) };
	json_t *json;
	int code = top_sample(t); /* what the first round's rates begin with */

	for (long i = 0; i < rounds && code == CLI_OK; i++) {
		nanosleep(&wait, NULL);
		code = top_sample(t);
		if (code != CLI_OK)
			break;
		if (print_is_json(t->cli)) {
			json = json_pack("{s:O, s:O, s:O, s:O}", "info",
			    t->info, "transports", t->transports, "clients",
			    t->clients, "units", t->units);
			print_json(json);
			json_decref(json);
		} else {
			print_rows_of(t);
		}
		if (fflush(stdout) == EOF)
			break;
	}
	return code;
}

int
cli_top(struct cli *cli, int argc, char **argv)
{
	struct top t = { .cli = cli, .interval_s = 1, .sort = 3 };
	const char *text = cli_option(cli, "interval", 0);
	long rounds;
	char *end;
	int code = rounds_of(cli, &rounds);

	(void)argc;
	(void)argv;
	if (code != CLI_OK)
		return code;
	if (text != NULL) {
		t.interval_s = strtod(text, &end);
		if (*end != '\0' || end == text ||
		    !(t.interval_s >= 0.1 && t.interval_s <= 3600))
			return cli_fail(CLI_USAGE,
			    "--interval %s: 0.1 to 3600 seconds", text);
	}
	if (cli->output == CLI_AUTO && cli->terminal && isatty(STDIN_FILENO) &&
	    cli_option(cli, "rounds", 0) == NULL)
		code = top_screen(&t);
	else
		code = print_rounds(&t, rounds);
	top_fini(&t);
	return code;
}
