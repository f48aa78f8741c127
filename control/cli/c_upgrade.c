/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast upgrade: returns when all that served is served by the new program.
 * Each process is another one then, and that is how it can be told from here.
 */

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/print.h"

enum { LOOK_MS = 20, ASK_MS = 1000, PATIENCE_S = 60 };

static bool
is_up(const json_t *transport)
{
	const char *state =
	    json_string_value(json_object_get(transport, "state"));

	return state != NULL && strcmp(state, "up") == 0;
}

static const json_t *
find(const json_t *list, const json_t *name)
{
	json_t *t;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, t)
		if (json_equal(json_object_get(t, "name"), name))
			return t;
	return NULL;
}

/* How many of those that served before do not, or by the same process. */
static unsigned
left(const json_t *before, const json_t *now)
{
	const json_t *t;
	unsigned n = 0;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)before, i, t) {
		const json_t *is = find(now, json_object_get(t, "name"));

		if (is_up(t) && is != NULL &&
		    (!is_up(is) ||
			json_equal(json_object_get(t, "pid"),
			    json_object_get(is, "pid"))))
			n++;
	}
	return n;
}

/* How many are left now; -1: it cannot be asked, it is between two programs. */
static int
look(struct cli *cli, const json_t *before)
{
	json_t *now = NULL;
	int code, n = -1;

	cli_hush(true);
	code = client_call(cli, "transports.list", NULL, ASK_MS, &now);
	cli_hush(false);
	if (code == CLI_OK)
		n = (int)left(before, now);
	else
		client_close(cli);
	json_decref(now);
	return n;
}

static int
wait_renewed(struct cli *cli, const json_t *before)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	double s = cli->timeout_s > 0 ? cli->timeout_s : PATIENCE_S;
	time_t until = time(NULL) + (time_t)s + 1;
	int n;

	while ((n = look(cli, before)) != 0) {
		if (time(NULL) >= until)
			return cli_fail(CLI_TIMEOUT,
			    n < 0 ? "the new program does not answer"
				  : "%d transports are not served by the new "
				    "program yet",
			    n);
		nanosleep(&pause, NULL);
	}
	return CLI_OK;
}

static int
tell(struct cli *cli)
{
	json_t *info;
	int code = client_call(cli, "system.info", NULL, CLIENT_CALL_MS, &info);

	if (code != CLI_OK)
		return code;
	if (print_is_json(cli))
		print_json(info);
	else
		print_alarm(cli, "%s %s has taken over, pid %s",
		    print_text(json_object_get(info, "name")),
		    print_text(json_object_get(info, "version")),
		    print_text(json_object_get(info, "pid")));
	json_decref(info);
	return CLI_OK;
}

int
cli_upgrade(struct cli *cli, int argc, char **argv)
{
	json_t *before = NULL, *result = NULL;
	int code =
	    client_call(cli, "transports.list", NULL, CLIENT_CALL_MS, &before);

	(void)argc;
	(void)argv;
	if (code == CLI_OK)
		code = client_call(
		    cli, "system.upgrade", NULL, 12 * CLIENT_CALL_MS, &result);
	if (code == CLI_OK)
		code = wait_renewed(cli, before);
	if (code == CLI_OK)
		code = tell(cli);
	json_decref(before);
	json_decref(result);
	return code;
}
