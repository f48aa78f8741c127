/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast certs: certificates for trying out Modbus over TLS. The work is done
 * by a part, which is loaded here and nowhere else. Needs no daemon.
 */

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/certs/certs.h"
#include "control/cli/print.h"
#include "control/jtext.h"
#include "supervisor/near.h"
#include "supervisor/proc.h"

_Static_assert((int)CLI_OPTIONS_MAX <= (int)CERTS_ROLES_MAX,
    "what can be asked for can be made");

/* ---- demo ---- */

static int
days_of(struct cli *cli, unsigned *days)
{
	const char *text = cli_option(cli, "days", 0);
	char *end;
	unsigned long n;

	*days = CERTS_DAYS;
	if (text == NULL)
		return CLI_OK;
	n = strtoul(text, &end, 10);
	if (*end != '\0' || text[0] < '0' || text[0] > '9' || n < 1 ||
	    n > CERTS_DAYS_MAX)
		return cli_fail(CLI_USAGE, "--days %s: 1 to %d are wanted",
		    text, CERTS_DAYS_MAX);
	*days = (unsigned)n;
	return CLI_OK;
}

static int
demo(struct cli *cli, const struct certs_part *part, int argc, char **argv)
{
	const char *roles[CLI_OPTIONS_MAX], *role;
	struct certs_demo wish = {
		.dir = argv[0],
		.force = cli_option(cli, "force", 0) != NULL,
		.names = cli_option(cli, "names", 0),
		.role = roles,
	};
	char why[CERTS_WHY];
	int code = days_of(cli, &wish.days);

	(void)argc;
	if (code != CLI_OK)
		return code;
	while ((role = cli_option(cli, "role", (int)wish.nroles)) != NULL)
		roles[wish.nroles++] = role;
	code = (int)part->demo(&wish, why);
	if (code != CERTS_OK)
		return cli_fail((enum cli_exit)code, "%s", why);
	print_note(cli,
	    "%s is ready, for demonstration only; %s/README says what to try.\n"
	    "Serve it:  holdfastd -c %s/holdfast.json",
	    wish.dir, wish.dir, wish.dir);
	return CLI_OK;
}

/* ---- revoke ---- */

static int
revoke(struct cli *cli, const struct certs_part *part, int argc, char **argv)
{
	char why[CERTS_WHY];
	int code = CERTS_OK;

	for (int i = 1; i < argc && code == CERTS_OK; i++)
		code = (int)part->revoke(argv[0], argv[i], why);
	if (code != CERTS_OK)
		return cli_fail((enum cli_exit)code, "%s", why);
	print_note(cli,
	    "The list is %s/crl.pem; a daemon reads it at its next reload.",
	    argv[0]);
	return CLI_OK;
}

/* ---- show ---- */

struct shown {
	struct print print;
	json_t *list; /* an object for each certificate */
	unsigned n;
	const char *file;
};

static void
take_row(void *arg, unsigned n, const char *field, const char *value)
{
	struct shown *s = arg;
	char where[PATH_MAX + 16];
	const char *cells[3] = { where, field, value };

	snprintf(where, sizeof(where), "%s:%u", s->file, n);
	print_row(&s->print, cells);
}

/* {"file": "...", "subject": ["..."], ...} for each certificate. */
static void
take_json(void *arg, unsigned n, const char *field, const char *value)
{
	struct shown *s = arg;
	json_t *crt, *values;

	if (n != s->n)
		json_array_append_new(
		    s->list, json_pack("{s:s}", "file", s->file));
	s->n = n;
	crt = json_array_get(s->list, json_array_size(s->list) - 1);
	values = json_object_get(crt, field);
	if (values == NULL) {
		values = json_array();
		json_object_set_new(crt, field, values);
	}
	json_array_append_new(values, jtext_bytes(value, strlen(value)));
}

static int
show(struct cli *cli, const struct certs_part *part, int argc, char **argv)
{
	static const char *const columns[] = { "CERTIFICATE", "FIELD",
		"VALUE" };
	struct shown s = { .list = json_array() };
	char why[CERTS_WHY];
	int code = CERTS_OK;

	print_init(&s.print, cli, columns, 3, 2);
	for (int i = 0; i < argc && code == CERTS_OK; i++) {
		s.file = argv[i];
		s.n = 0;
		code = (int)part->show(argv[i],
		    print_is_json(cli) ? take_json : take_row, &s, why);
	}
	if (print_is_json(cli) && code == CERTS_OK)
		print_json(s.list);
	else if (s.print.ncells > 0)
		print_flush(&s.print);
	json_decref(s.list);
	if (code != CERTS_OK)
		return cli_fail((enum cli_exit)code, "%s", why);
	return CLI_OK;
}

/* ---- the command ---- */

static const struct verb {
	const char *name, *args;
	int min_args, max_args; /* -1: any number */
	bool options; /* takes those of the command */
	int (*run)(
	    struct cli *, const struct certs_part *, int argc, char **argv);
} verbs[] = {
	{ "demo",
	    "DIR [--force] [--names NAME,...] [--days N] [--role ROLE]...", 1,
	    1, true, demo },
	{ "revoke", "DIR NAME...", 2, -1, false, revoke },
	{ "show", "FILE...", 1, -1, false, show },
};

enum { NVERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const struct verb *
find_verb(const char *name)
{
	const char *names[NVERBS], *near;

	for (int i = 0; i < NVERBS; i++) {
		names[i] = verbs[i].name;
		if (strcmp(name, names[i]) == 0)
			return &verbs[i];
	}
	near = near_name(name, names, NVERBS);
	cli_fail(CLI_USAGE, "certs has demo, revoke and show, not \"%s\"%s%s%s",
	    name, near != NULL ? "; did you mean \"" : "",
	    near != NULL ? near : "", near != NULL ? "\"?" : "");
	return NULL;
}

int
cli_certs(struct cli *cli, int argc, char **argv)
{
	const struct verb *v = find_verb(argv[0]);
	const struct certs_part *part;
	const char *why;
	int n = argc - 1;

	if (v == NULL)
		return CLI_USAGE;
	if (n < v->min_args || (v->max_args != -1 && n > v->max_args))
		return cli_fail(
		    CLI_USAGE, "usage: holdfast certs %s %s", v->name, v->args);
	if (!v->options && cli->noptions > 0)
		return cli_fail(CLI_USAGE, "--%s is not for certs %s",
		    cli->option[0].name, v->name);
	part = proc_part("certs", "certs_part", &why);
	if (part == NULL)
		return cli_fail(CLI_UNREACHABLE, "%s", why);
	return v->run(cli, part, n, argv + 1);
}
