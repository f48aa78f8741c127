/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a word may become. Which kinds of names a command takes stands in a
 * table here; the names themselves are asked for as the key is pressed, so
 * they are those that there are.
 */

#include "control/cli/complete.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/named.h"
#include "shm/table.h"

enum { ASK_MS = 1500 };

/* Kinds of things that a word may be; several at once. */
enum {
	COMMANDS = 1,
	DEVICES = 2,
	TRANSPORTS = 4,
	CONNECTIONS = 8,
	PLACES = 16, /* addresses and names of ranges */
	TOPICS = 32,
	METHODS = 64,
	KEPT_OUT = 128,
};

/* What the first argument of a command is, and those behind it. */
static const struct {
	const char *command;
	unsigned first, rest;
	const char *words; /* between spaces, for the first */
} takes[] = {
	{ "get", PLACES, PLACES, NULL },
	{ "set", PLACES, 0, NULL },
	{ "watch", PLACES | TOPICS, PLACES | TOPICS, NULL },
	{ "export", DEVICES, 0, NULL },
	{ "import", 0, DEVICES, NULL },
	{ "start", TRANSPORTS, TRANSPORTS, NULL },
	{ "stop", TRANSPORTS, TRANSPORTS, NULL },
	{ "restart", TRANSPORTS, TRANSPORTS, NULL },
	{ "clients", TRANSPORTS, 0, NULL },
	{ "kick", TRANSPORTS | CONNECTIONS, TRANSPORTS | CONNECTIONS, NULL },
	{ "quarantine", 0, TRANSPORTS | KEPT_OUT, "list lift" },
	{ "trace", TRANSPORTS, 0, "on off" },
	{ "fault", 0, TRANSPORTS, "add list clear" },
	{ "snapshot", 0, 0, "save load" },
	{ "config", 0, 0, "get check" },
	{ "certs", 0, 0, "demo revoke show" },
	{ "call", METHODS, 0, NULL },
	{ "help", COMMANDS, 0, NULL },
};

struct completion {
	struct cli *cli;
	const char *word; /* what has been typed of it */
	complete_fn *add;
	void *arg;
};

static void
offer(void *arg, const char *candidate)
{
	const struct completion *c = arg;

	if (strncmp(candidate, c->word, strlen(c->word)) == 0)
		c->add(c->arg, candidate);
}

static void
offer_words(struct completion *c, const char *words)
{
	char word[64];
	size_t len;

	for (; *words != '\0'; words += len + strspn(words + len, " ")) {
		len = strcspn(words, " ");
		snprintf(word, sizeof(word), "%.*s", (int)len, words);
		offer(c, word);
	}
}

/* ---- what the daemon has ---- */

/* One member of each row of what a method answers. */
static void
offer_rows(struct completion *c, const char *method, const char *key)
{
	json_t *rows, *row;
	const char *text;
	size_t i;

	if (client_call(c->cli, method, NULL, ASK_MS, &rows) != CLI_OK)
		return;
	json_array_foreach (rows, i, row) {
		text = json_string_value(json_object_get(row, key));
		if (text != NULL)
			offer(c, text);
	}
	json_decref(rows);
}

/* Where ranges begin in the table whose "[device/]table:" has been typed. */
static void
offer_addresses(struct completion *c, const struct address *a, int head)
{
	json_t *params = json_pack("{s:s}", "table", table_name(a->table));
	json_t *rows, *row;
	char text[160];
	size_t i;

	if (a->device[0] != '\0')
		json_object_set_new(params, "device", json_string(a->device));
	if (client_call(c->cli, "registers.describe", params, ASK_MS, &rows) !=
	    CLI_OK)
		return;
	json_array_foreach (rows, i, row) {
		snprintf(text, sizeof(text), "%.*s%lld", head, c->word,
		    (long long)json_integer_value(
			json_object_get(row, "addr")));
		offer(c, text);
	}
	json_decref(rows);
}

/* Types and orders behind "[device/]table:addr". */
static void
offer_kinds(struct completion *c, const char *colon)
{
	const char *next = strchr(colon + 1, ':');
	int head = (int)((next != NULL ? next : colon) - c->word) + 1;
	int n = next != NULL ? TYPED_ORDERS : TYPED_TYPES;
	char text[160];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%.*s%s", head, c->word,
		    next != NULL ? typed_order_name((enum typed_order)i)
				 : typed_type_name((enum typed_type)i));
		offer(c, text);
	}
}

static void
offer_tables(struct completion *c, const char *device)
{
	char text[SHM_NAME_MAX + 8];

	for (int t = 0; t < TABLE_PLAIN; t++) {
		snprintf(text, sizeof(text), "%s%s%s:", device,
		    device[0] != '\0' ? "/" : "",
		    table_short((enum store_table)t));
		offer(c, text);
	}
}

static void
offer_devices(struct completion *c)
{
	json_t *rows, *row;
	const char *name;
	size_t i, n;

	if (client_call(c->cli, "devices.list", NULL, ASK_MS, &rows) != CLI_OK)
		return;
	n = json_array_size(rows);
	json_array_foreach (rows, i, row) {
		name = json_string_value(json_object_get(row, "name"));
		if (name != NULL &&
		    (n > 1 || strchr(c->word, '/') != NULL ||
			(c->word[0] != '\0' &&
			    strncmp(name, c->word, strlen(c->word)) == 0)))
			offer_tables(c, name);
		if (name != NULL && n == 1)
			offer_tables(c, "");
	}
	json_decref(rows);
}

static void
offer_places(struct completion *c)
{
	const char *colon = strchr(c->word, ':'), *second;
	char head[160], why[ADDRESS_WHY_MAX];
	struct address a;

	if (colon == NULL) {
		named_each(c->cli, offer, c);
		offer_devices(c);
		return;
	}
	second = strchr(colon + 1, ':');
	snprintf(head, sizeof(head), "%.*s", (int)(colon - c->word), c->word);
	if (second != NULL)
		offer_kinds(c, second);
	else if (address_parse_table(head, &a, why) == 0)
		offer_addresses(c, &a, (int)(colon - c->word) + 1);
}

/* ---- which kind ---- */

static void
offer_kind(struct completion *c, unsigned kind)
{
	const struct cli_command *command;
	size_t n;

	command = cli_table(&n);
	for (size_t i = 0; i < n && (kind & COMMANDS); i++)
		offer(c, command[i].name);
	if (kind & DEVICES)
		offer_rows(c, "devices.list", "name");
	if (kind & TRANSPORTS)
		offer_rows(c, "transports.list", "name");
	if (kind & CONNECTIONS)
		offer_rows(c, "connections.list", "id");
	if (kind & KEPT_OUT)
		offer_rows(c, "quarantine.list", "peer");
	if (kind & METHODS)
		offer_rows(c, "system.methods", "name");
	if (kind & TOPICS)
		offer_words(c, "registers transports connections faults log");
	if (kind & PLACES)
		offer_places(c);
}

/* Skips options, and what belongs to those that take something, in front of
 * the last word; where the command stands, or -1, and how many words follow it
 * before the last. */
static int
find_command_word(int n, char **words, int *behind)
{
	int at = -1;

	*behind = 0;
	for (int i = 0; i < n - 1; i++) {
		if (words[i][0] == '-' && words[i][1] != '\0') {
			i += cli_option_takes(words[i]);
			continue;
		}
		if (at == -1)
			at = i;
		else
			++*behind;
	}
	return at;
}

static void
offer_arguments(struct completion *c, const char *name, int behind)
{
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		if (strcmp(takes[i].command, name) != 0)
			continue;
		if (behind == 0 && takes[i].words != NULL)
			offer_words(c, takes[i].words);
		offer_kind(c, behind == 0 ? takes[i].first : takes[i].rest);
	}
}

void
complete_words(
    struct cli *cli, int n, char **words, complete_fn *add, void *arg)
{
	struct completion c = { cli, n > 0 ? words[n - 1] : "", add, arg };
	int behind, at = find_command_word(n, words, &behind);
	const char *before = n > 1 ? words[n - 2] : "";

	if (strcmp(before, "-o") == 0 || strcmp(before, "--output") == 0)
		offer_words(&c, "table json csv raw");
	else if (before[0] == '-' && cli_option_takes(before))
		return; /* a file, a number: not ours to know */
	else if (c.word[0] == '-')
		cli_each_option(at != -1 ? words[at] : "", offer, &c);
	else if (at == -1)
		offer_kind(&c, COMMANDS);
	else
		offer_arguments(&c, words[at], behind);
}

static void
print_candidate(void *arg, const char *candidate)
{
	(void)arg;
	for (const char *s = candidate; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return;
	puts(candidate);
}

int
complete_print(struct cli *cli, int n, char **words)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* who presses a key does not want to read why there is nothing */
	if (null != -1)
		dup2(null, STDERR_FILENO);
	if (cli->timeout_s <= 0)
		cli->timeout_s = ASK_MS / 1e3;
	complete_words(cli, n, words, print_candidate, NULL);
	return CLI_OK;
}
