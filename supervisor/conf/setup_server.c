/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of a setup file: its keys as a table, from which they become the
 * options of a server of ours. Runs in the program's own process, under
 * mem_try(); no I/O.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/mem.h"
#include "supervisor/conf/setup_own.h"

enum { PORT_MAX = 65535, UNIT_MAX = 255, SPEED_MAX = 100000000 };

#define BIT(type) (1u << (type))
#define NETS (BIT(HF_TCP) | BIT(HF_UDP) | BIT(HF_TLS))
#define ALL (NETS | BIT(HF_SERIAL))

enum take {
	TAKE_NOTHING, /* said elsewhere, or without effect there, too */
	TAKE_NOTE, /* without effect: it is told */
	TAKE_TEXT,
	TAKE_NUMBER,
	TAKE_YES,
	TAKE_PARITY,
	TAKE_DEVICE_ID,
	TAKE_IDENTITY
};

static const struct key {
	const char *name;
	unsigned types, needed; /* BIT() of each */
	enum take take;
	size_t at; /* in struct hf_server_opts */
} keys[] = {
#define AT(member) offsetof(struct hf_server_opts, member)
	{ "comm", ALL, ALL, TAKE_NOTHING, 0 },
	{ "device", ALL, 0, TAKE_NOTHING, 0 }, /* of ours: who picks it */
	{ "framer", ALL, ALL, TAKE_TEXT, AT(framer) },
	{ "host", NETS, NETS, TAKE_NOTHING, 0 },
	{ "port", NETS, NETS, TAKE_NOTHING, 0 },
	{ "port", BIT(HF_SERIAL), BIT(HF_SERIAL), TAKE_TEXT, AT(port) },
	{ "baudrate", BIT(HF_SERIAL), 0, TAKE_NUMBER, AT(baudrate) },
	{ "bytesize", BIT(HF_SERIAL), 0, TAKE_NUMBER, AT(bytesize) },
	{ "stopbits", BIT(HF_SERIAL), 0, TAKE_NUMBER, AT(stopbits) },
	{ "parity", BIT(HF_SERIAL), 0, TAKE_PARITY, AT(parity) },
	{ "timeout", BIT(HF_SERIAL), 0, TAKE_NOTHING, 0 },
	{ "reconnect_delay", BIT(HF_SERIAL), 0, TAKE_NOTHING, 0 },
	{ "handle_local_echo", BIT(HF_SERIAL), 0, TAKE_YES,
	    AT(handle_local_echo) },
	{ "device_id", ALL, 0, TAKE_DEVICE_ID, 0 },
	{ "ignore_missing_slaves", ALL, 0, TAKE_YES,
	    AT(ignore_missing_slaves) },
	/* what pymodbus 3.10 calls it */
	{ "ignore_missing_devices", ALL, 0, TAKE_YES,
	    AT(ignore_missing_slaves) },
	{ "broadcast_enable", ALL, 0, TAKE_YES, AT(broadcast_enable) },
	{ "certfile", BIT(HF_TLS), 0, TAKE_TEXT, AT(certfile) },
	{ "keyfile", BIT(HF_TLS), 0, TAKE_TEXT, AT(keyfile) },
	{ "password", BIT(HF_TLS), 0, TAKE_TEXT, AT(password) },
	{ "identity", ALL, 0, TAKE_IDENTITY, 0 },
	/* what the documents have and no version does anything with */
	{ "auto_reconnect", BIT(HF_SERIAL), 0, TAKE_NOTE, 0 },
	{ "allow_reuse_address", NETS, 0, TAKE_NOTE, 0 },
	{ "backlog", NETS, 0, TAKE_NOTE, 0 },
#undef AT
};
enum { NKEYS = sizeof(keys) / sizeof(keys[0]) };

static const struct {
	const char *name;
	size_t at;
} objects[] = {
#define ROW(name)                                         \
	{                                                 \
#name, offsetof(struct hf_identity, name) \
	}
	ROW(VendorName),
	ROW(ProductCode),
	ROW(MajorMinorRevision),
	ROW(VendorUrl),
	ROW(ProductName),
	ROW(ModelName),
	ROW(UserApplicationName),
#undef ROW
};
enum { NOBJECTS = sizeof(objects) / sizeof(objects[0]) };

/* A number, or the same as text. */
static bool
number_or_text(struct setup_ctx *c, const struct jsonc_node *n, uint64_t max,
    uint64_t *out)
{
	char *end;

	if (n->type != JSONC_STRING)
		return setup_number(c, n, max, out);
	if (n->text[0] >= '0' && n->text[0] <= '9') {
		*out = strtoull(n->text, &end, 10);
		if (*end == '\0' && *out <= max)
			return true;
	}
	setup_fault(c, n, "must be a whole number from 0 to %llu",
	    (unsigned long long)max);
	return false;
}

static void
put_text(void *base, size_t at, const char *text)
{
	memcpy((char *)base + at, &text, sizeof(text));
}

static void
take_identity(struct setup_ctx *c, const struct jsonc_node *n)
{
	const char *names[NOBJECTS];
	const struct jsonc_node *m;
	size_t i;

	for (i = 0; i < NOBJECTS; i++)
		names[i] = objects[i].name;
	setup_known(c, n, "an identity", names, NOBJECTS);
	for (m = n->in.first; m != NULL; m = m->next) {
		for (i = 0; i < NOBJECTS; i++)
			if (strcmp(names[i], m->key) == 0)
				break;
		if (i == NOBJECTS)
			continue;
		if (m->type != JSONC_STRING)
			setup_fault(c, m, "\"%s\" must be a string", m->key);
		else
			put_text(&c->to->identity, objects[i].at, m->text);
	}
	c->to->opts.identity = &c->to->identity;
}

static bool
is(struct setup_ctx *c, const struct jsonc_node *n, enum jsonc_type type)
{
	if (n->type == type)
		return true;
	setup_fault(c, n, "\"%s\" must be %s, not %s", n->key,
	    jsonc_type_words(type), jsonc_type_words(n->type));
	return false;
}

static void
take(struct setup_ctx *c, const struct key *k, const struct jsonc_node *n)
{
	char *to = (char *)&c->to->opts + k->at;
	uint64_t v;

	switch (k->take) {
	case TAKE_NOTHING:
		break;
	case TAKE_NOTE:
		setup_note(c, n, "\"%s\" does nothing here", n->key);
		break;
	case TAKE_TEXT:
		if (is(c, n, JSONC_STRING))
			put_text(to, 0, n->text);
		break;
	case TAKE_NUMBER:
		if (setup_number(c, n, SPEED_MAX, &v))
			*(unsigned *)(void *)to = (unsigned)v;
		break;
	case TAKE_YES:
		if (is(c, n, JSONC_BOOL))
			*(int *)(void *)to = n->yes;
		break;
	case TAKE_PARITY:
		if (is(c, n, JSONC_STRING) && n->text[0] != '\0' &&
		    strchr("NEO", n->text[0]) != NULL && n->text[1] == '\0')
			c->to->opts.parity = (enum hf_parity)n->text[0];
		else if (n->type == JSONC_STRING)
			setup_fault(
			    c, n, "\"parity\" must be \"N\", \"E\" or \"O\"");
		break;
	case TAKE_DEVICE_ID:
		if (number_or_text(c, n, UNIT_MAX, &v))
			c->to->device_id = (int)v;
		break;
	case TAKE_IDENTITY:
		if (is(c, n, JSONC_OBJECT))
			take_identity(c, n);
		break;
	}
}

static const struct key *
key_of(enum hf_server_type type, const char *name)
{
	for (size_t i = 0; i < NKEYS; i++)
		if (keys[i].types & BIT(type) &&
		    strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* A server has the keys of its kind, and no others. */
static void
check_keys(struct setup_ctx *c, const struct jsonc_node *server,
    enum hf_server_type type, const char *comm)
{
	const char *names[NKEYS];
	char what[60];
	size_t count = 0;

	for (size_t i = 0; i < NKEYS; i++) {
		if (keys[i].types & BIT(type))
			names[count++] = keys[i].name;
		if (keys[i].needed & BIT(type) &&
		    jsonc_get(server, keys[i].name) == NULL)
			setup_fault(
			    c, server, "\"%s\" is missing", keys[i].name);
	}
	snprintf(what, sizeof(what), "a server with comm \"%.10s\"", comm);
	setup_known(c, server, what, names, count);
}

/* "127.0.0.1:5020"; NULL after a mistake, or without what it needs. */
static const char *
address_of(struct setup_ctx *c, const struct jsonc_node *server)
{
	const struct jsonc_node *host = jsonc_get(server, "host");
	const struct jsonc_node *port = jsonc_get(server, "port");
	const char *h;
	uint64_t p;

	if (host == NULL || port == NULL || !is(c, host, JSONC_STRING) ||
	    !number_or_text(c, port, PORT_MAX, &p))
		return NULL;
	h = host->text[0] == '\0'                  ? "0.0.0.0"
	    : strcmp(host->text, "localhost") == 0 ? "127.0.0.1"
						   : host->text;
	return setup_keep(c,
	    strchr(h, ':') != NULL ? mem_format("[%s]:%u", h, (unsigned)p)
				   : mem_format("%s:%u", h, (unsigned)p));
}

void
setup_server(struct setup_ctx *c, const struct jsonc_node *server)
{
	static const char *const comms[] = { "tcp", "tls", "udp", "serial" };
	const struct jsonc_node *comm, *n;
	unsigned type = 0;

	comm = setup_need(c, server, "comm", JSONC_STRING);
	if (comm == NULL)
		return;
	while (type <= HF_SERIAL && strcmp(comms[type], comm->text) != 0)
		type++;
	if (type > HF_SERIAL) {
		setup_fault(c, comm,
		    "\"comm\" must be \"tcp\", \"udp\", \"tls\" or \"serial\"");
		return;
	}
	c->to->opts.type = (enum hf_server_type)type;
	check_keys(c, server, c->to->opts.type, comm->text);
	for (n = server->in.first; n != NULL; n = n->next) {
		const struct key *k = key_of(c->to->opts.type, n->key);

		if (k != NULL && n->type != JSONC_NULL)
			take(c, k, n);
		else if (k != NULL && k->needed)
			setup_fault(c, n, "\"%s\" is null", n->key);
	}
	if (type != HF_SERIAL)
		c->to->opts.address = address_of(c, server);
}
