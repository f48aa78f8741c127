/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast ping, status, stats, shutdown, and call for whatever has no
 * command of its own.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/print.h"
#include "control/jtext.h"

enum { END_MS = 60000 }; /* for the last save, once nothing is served */

#define NUMBER(array) (int)(sizeof(array) / sizeof((array)[0]))

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int
cli_ping(struct cli *cli, int argc, char **argv)
{
	json_t *result;
	double from;
	int code =
	    client_call(cli, "system.ping", NULL, CLIENT_CALL_MS, &result);

	(void)argc;
	(void)argv;
	if (code != CLI_OK)
		return code;
	json_decref(result);
	/* the first one opened the connection; time the second */
	from = now_ms();
	code = client_call(cli, "system.ping", NULL, CLIENT_CALL_MS, &result);
	if (code != CLI_OK)
		return code;
	if (print_is_json(cli))
		print_json(result);
	else
		print_note(cli, "answered in %.2f ms", now_ms() - from);
	json_decref(result);
	return CLI_OK;
}

/* ---- status ---- */

static void
show_transports(struct cli *cli, const json_t *list)
{
	static const char *const columns[] = { "NAME", "TYPE", "LISTEN",
		"STATE", "LINE", "PID", "UPTIME", "RESTARTS", "CONNS",
		"REQUESTS", "EXCEPTIONS", "ERRORS", "LAST EXIT", "FAULTS" };
	static const char *const keys[] = { "name", "type", "listen", "state",
		"line", "pid", "uptime_s", "restarts", "connections",
		"requests", "exceptions", "errors", "last_exit", "faults" };
	const char *cells[NUMBER(columns)];
	struct print p;
	json_t *t;
	size_t i;

	_Static_assert(NUMBER(columns) == NUMBER(keys), "columns");
	print_init(&p, cli, columns, NUMBER(columns), -1);
	json_array_foreach ((json_t *)(uintptr_t)list, i, t) {
		for (int c = 0; c < NUMBER(keys); c++)
			cells[c] = strcmp(keys[c], "uptime_s") == 0
			    ? print_span(json_number_value(
				  json_object_get(t, keys[c])))
			    : strdupa(print_text(json_object_get(t, keys[c])));
		print_row(&p, cells);
	}
	print_flush(&p);
}

/* Who looks at a daemon that misbehaves is told that it was asked to. */
static void
show_faults(const struct cli *cli, const json_t *info)
{
	json_int_t n = json_integer_value(json_object_get(info, "faults"));

	if (n > 0)
		print_alarm(cli,
		    "replies are spoiled by %lld fault rule%s: holdfast fault "
		    "list",
		    (long long)n, n == 1 ? "" : "s");
}

/* Registers that are not on a disk are lost with the power. */
static void
show_saved(const struct cli *cli, const json_t *info)
{
	const json_t *s = json_object_get(info, "snapshot");
	const json_t *age = json_object_get(s, "age_s");
	const char *error = json_string_value(json_object_get(s, "error"));

	if (s == NULL)
		return;
	if (error != NULL)
		print_alarm(cli, "REGISTERS ARE NOT SAVED for %s: %s",
		    print_span(
			json_number_value(json_object_get(s, "behind_s"))),
		    error);
	if (json_is_true(json_object_get(s, "lost")))
		print_alarm(cli,
		    "this start found its snapshots damaged, and began with "
		    "configured values");
	error = json_string_value(
	    json_object_get(json_object_get(s, "durable"), "error"));
	if (error != NULL)
		print_alarm(cli,
		    "WRITES TO DURABLE RANGES ARE REFUSED: they cannot be "
		    "saved: %s",
		    error);
	if (age == NULL)
		print_note(cli, "registers have not been saved yet");
	else
		print_note(cli, "registers saved %s ago in %s%s",
		    print_span(json_number_value(age)),
		    print_text(json_object_get(s, "path")),
		    json_number_value(json_object_get(s, "behind_s")) == 0
			? "; nothing has changed since"
			: "");
}

int
cli_status(struct cli *cli, int argc, char **argv)
{
	json_t *info = NULL, *list = NULL;
	int code =
	    client_call(cli, "transports.list", NULL, CLIENT_CALL_MS, &list);

	(void)argc;
	(void)argv;
	if (code == CLI_OK && print_is_json(cli)) {
		print_json(list);
	} else if (code == CLI_OK) {
		code = client_call(
		    cli, "system.info", NULL, CLIENT_CALL_MS, &info);
		if (code == CLI_OK) {
			print_note(cli, "%s %s, store %s, pid %s, up %s",
			    print_text(json_object_get(info, "name")),
			    print_text(json_object_get(info, "version")),
			    print_text(json_object_get(info, "store")),
			    print_text(json_object_get(info, "pid")),
			    print_span(json_number_value(
				json_object_get(info, "uptime_s"))));
			show_faults(cli, info);
			show_saved(cli, info);
			if (json_object_get(info, "http") != NULL)
				print_note(cli, "page at %s",
				    print_text(json_object_get(info, "http")));
			show_transports(cli, list);
		}
	}
	json_decref(info);
	json_decref(list);
	return code;
}

/* ---- stats ---- */

/* transports.tcp1.requests.3 and its number: a row for each leaf. */
static void
add_leaves(struct print *p, const char *path, const json_t *json)
{
	const char *key, *cells[2];
	char deeper[256];
	json_t *value;

	if (!json_is_object(json)) {
		cells[0] = path;
		cells[1] = print_text(json);
		print_row(p, cells);
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
		snprintf(deeper, sizeof(deeper), "%s%s%s", path,
		    path[0] != '\0' ? "." : "", key);
		add_leaves(p, deeper, value);
	}
}

int
cli_stats(struct cli *cli, int argc, char **argv)
{
	static const char *const columns[] = { "COUNTER", "VALUE" };
	struct print p;
	json_t *result;
	int code = client_call(cli, "stats.get", NULL, CLIENT_CALL_MS, &result);

	(void)argc;
	(void)argv;
	if (code != CLI_OK)
		return code;
	if (print_is_json(cli)) {
		print_json(result);
	} else {
		print_init(&p, cli, columns, NUMBER(columns), -1);
		add_leaves(&p, "", result);
		print_flush(&p);
	}
	json_decref(result);
	return CLI_OK;
}

/* ---- call, shutdown ---- */

int
cli_call(struct cli *cli, int argc, char **argv)
{
	char why[JTEXT_WHY_MAX];
	json_t *params = NULL, *result;
	int code;

	if (argc > 1) {
		params = jtext_load(argv[1], strlen(argv[1]), why);
		if (params == NULL)
			return cli_fail(CLI_USAGE, "%s: %s", argv[1], why);
	}
	code = client_call(cli, argv[0], params, 10 * CLIENT_CALL_MS, &result);
	if (code != CLI_OK)
		return code;
	print_json(result);
	json_decref(result);
	return CLI_OK;
}

/* The daemon's process, if it is one of this machine; else -1. */
static int
find_daemon(struct cli *cli, int *fd)
{
	json_t *info;
	int code;

	*fd = -1;
	if (strncmp(cli->endpoint, "ipc://", 6) != 0)
		return CLI_OK;
	code = client_call(cli, "system.info", NULL, CLIENT_CALL_MS, &info);
	if (code != CLI_OK)
		return code;
	*fd = (int)syscall(SYS_pidfd_open,
	    (pid_t)json_integer_value(json_object_get(info, "pid")), 0);
	json_decref(info);
	return CLI_OK;
}

/* Until it has ended, and with that its lock is free and all is saved that
 * could be. */
static int
await_end(const struct cli *cli, int fd, double from_ms)
{
	double ms = END_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (cli->timeout_s > 0)
		ms = cli->timeout_s * 1e3 - (now_ms() - from_ms);
	if (poll(&p, 1, ms > 0 ? (int)ms : 0) == 1)
		return CLI_OK;
	return cli_fail(CLI_TIMEOUT,
	    "the transports have stopped, but the daemon has not ended yet; "
	    "what is left is to save registers");
}

int
cli_shutdown(struct cli *cli, int argc, char **argv)
{
	double from = now_ms();
	json_t *result = NULL;
	int fd, code = find_daemon(cli, &fd);

	(void)argc;
	(void)argv;
	if (code == CLI_OK)
		code = client_call(
		    cli, "system.shutdown", NULL, 12 * CLIENT_CALL_MS, &result);
	if (code == CLI_OK && fd >= 0)
		code = await_end(cli, fd, from);
	if (code == CLI_OK && print_is_json(cli))
		print_json(result);
	else if (code == CLI_OK)
		print_note(cli, "%s",
		    fd >= 0 ? "the daemon has ended"
			    : "the transports have stopped; the daemon ends");
	json_decref(result);
	if (fd >= 0)
		close(fd);
	return code;
}
