/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The servers of setup files of pymodbus' simulator: each becomes the tree of a
 * transport, whose nodes are where the server's stand, and is read as if that
 * had been written. So all that is checked of transports is checked of these.
 * Runs before the first fork.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/conf/conf_between.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_setup_own.h"
#include "supervisor/conf/conf_transport.h"
#include "supervisor/mem.h"
#include "supervisor/near.h"

/* A transport in the making. */
struct making {
	struct conf_ctx *ctx;
	struct setup *setup;
	const struct jsonc_node *server;
	struct jsonc_node *transport;
};

/* What both call it. */
static const char *const transport_types[] = { [HF_TCP] = "tcp",
	[HF_TLS] = "tls",
	[HF_UDP] = "udp",
	[HF_SERIAL] = "serial" };

/* ---- nodes ---- */

/* A node of the type, where the server says `from`, or where it stands. */
static struct jsonc_node *
new_node(struct making *m, const char *from, enum jsonc_type type)
{
	const struct jsonc_node *at = jsonc_get(m->server, from);
	struct jsonc_node *n = setup_room(m->setup, sizeof(*n));

	if (at == NULL)
		at = m->server;
	n->type = type;
	n->line = at->line;
	n->col = at->col;
	n->key_line = at->key_line;
	n->key_col = at->key_col;
	n->doc = at->doc;
	return n;
}

static void
put(struct jsonc_node *in, const char *key, struct jsonc_node *n)
{
	struct jsonc_node **link = &in->in.first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = n;
	n->key = key;
	in->in.n++;
}

static void
put_text(struct making *m, const char *key, const char *from, const char *text)
{
	struct jsonc_node *n;

	if (text == NULL)
		return;
	n = new_node(m, from, JSONC_STRING);
	n->text = text;
	put(m->transport, key, n);
}

static void
put_number(struct making *m, const char *key, unsigned number)
{
	struct jsonc_node *n;

	if (number == 0)
		return; /* not said */
	n = new_node(m, key, JSONC_INTEGER);
	n->magnitude = number;
	put(m->transport, key, n);
}

static void
put_true(struct making *m, const char *key, const char *from, bool yes)
{
	struct jsonc_node *n;

	if (!yes)
		return;
	n = new_node(m, from, JSONC_BOOL);
	n->yes = true;
	put(m->transport, key, n);
}

/* ---- a server ---- */

/* A path, which begins where the file is; for the simulator, too, where the
 * program is. */
static const char *
path_of(struct making *m, const char *path)
{
	char *cwd, *here;
	size_t len;

	if (path == NULL || path[0] == '/' || m->ctx->conf->pick == NULL ||
	    access(path, F_OK) < 0 || (cwd = getcwd(NULL, 0)) == NULL)
		return path;
	len = strlen(cwd) + strlen(path) + 2;
	here = setup_room(m->setup, len);
	snprintf(here, len, "%s/%s", cwd, path);
	free(cwd);
	return here;
}

static void
put_tls(struct making *m, const struct hf_server_opts *o)
{
	put_text(m, "cert", "certfile", path_of(m, o->certfile));
	put_text(m, "key", o->keyfile != NULL ? "keyfile" : "certfile",
	    path_of(m, o->keyfile != NULL ? o->keyfile : o->certfile));
	put_text(m, "password", "password", o->password);
	put_text(m, "client_cert", "comm", "none");
}

/* The simulator's defaults are 8N1. */
static void
put_serial(struct making *m, const struct hf_server_opts *o)
{
	static const char *const words[] = { "N", "E", "O" };
	const char *parity = words[0];

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((char)o->parity == words[i][0])
			parity = words[i];
	put_text(m, "port", "port", o->port);
	if (o->port != NULL && strncmp(o->port, "socket://", 9) == 0)
		return;
	put_number(m, "baudrate", o->baudrate);
	put_number(m, "bytesize", o->bytesize);
	put_text(m, "parity", "parity", parity);
	put_number(m, "stopbits", o->stopbits != 0 ? o->stopbits : 1);
	put_true(m, "local_echo", "handle_local_echo", o->handle_local_echo);
}

static void
put_units(struct making *m, const char *device)
{
	struct jsonc_node *units = new_node(m, "device_id", JSONC_OBJECT);
	struct jsonc_node *n = new_node(m, "device", JSONC_STRING);
	char *key = setup_room(m->setup, 8);

	snprintf(key, 8, "%d", m->setup->device_id);
	n->text = device;
	put(units, m->setup->device_id == HF_EVERY_UNIT ? "*" : key, n);
	put(m->transport, "units", units);
}

static void
put_identity(struct making *m)
{
	const struct jsonc_node *from = jsonc_get(m->server, "identity");
	struct jsonc_node *n;

	if (from == NULL || from->type != JSONC_OBJECT)
		return;
	n = new_node(m, "identity", JSONC_OBJECT);
	n->in = from->in;
	put(m->transport, "identity", n);
}

static void
put_all(struct making *m, const char *device)
{
	const struct hf_server_opts *o = &m->setup->opts;

	put_text(m, "type", "comm", transport_types[o->type]);
	put_text(m, "framer", "framer", o->framer);
	if (o->type == HF_SERIAL)
		put_serial(m, o);
	else /* what is wrong with it has been told, and no more is to be */
		put_text(m, "listen", "host",
		    o->address != NULL ? o->address : "127.0.0.1:0");
	if (o->type == HF_TLS)
		put_tls(m, o);
	if (o->ignore_missing_slaves)
		put_text(m, "missing_unit", "ignore_missing_slaves", "silent");
	put_true(m, "broadcast", "broadcast_enable", o->broadcast_enable);
	put_units(m, device);
	put_identity(m);
}

/* ---- which ---- */

/* The names of the devices that there are, or could be picked. */
static size_t
device_names(const struct conf_ctx *ctx, const char ***out)
{
	const struct jsonc_node *list = jsonc_get(ctx->top, "device_list");
	const struct conf *conf = ctx->conf;
	size_t n = 0, room = conf->ndevices;

	if (list != NULL && list->type == JSONC_OBJECT)
		room += list->in.n;
	else
		list = NULL;
	*out = mem_zero(room + 1, sizeof(**out));
	for (size_t i = 0; i < conf->ndevices; i++)
		(*out)[n++] = conf->devices[i].name;
	for (const struct jsonc_node *m = list != NULL ? list->in.first : NULL;
	     m != NULL; m = m->next)
		(*out)[n++] = m->key;
	return n;
}

/* The device of a server is there; else says so. */
static bool
has_device(struct conf_ctx *ctx, const struct jsonc_node *server)
{
	const char *name = conf_setup_device(ctx, server), **names;
	char hint[2 * CONF_HINT];
	size_t n;

	if (name == NULL)
		return conf_want(ctx, conf_at(server, "device"), JSONC_STRING,
		    "the name of a device");
	if (conf_device_find(ctx->conf, name) != CONF_NO_DEVICE)
		return true;
	n = device_names(ctx, &names);
	if (!ctx->partial)
		conf_fault(ctx, conf_at(server, "device"),
		    "no device is called \"%.60s\"%s", name,
		    near_or_all(hint, sizeof(hint), name, names, n));
	free(names);
	return false;
}

static void
tell_taken(struct conf_ctx *ctx, const struct jsonc_node *server)
{
	char place[CONF_PLACE];

	for (size_t i = 0; i < ctx->conf->ntransports; i++)
		if (strcmp(ctx->conf->transports[i].name, server->key) == 0)
			conf_fault_key(ctx, server,
			    "a transport \"%.60s\" stands at %s already",
			    server->key,
			    conf_place(place, sizeof(place),
				ctx->transport_at[i], server->doc));
}

/* ---- what cannot be served ---- */

/* Why a file that a server needs is not there; "" if it is. */
static void
want_file(const struct making *m, const char *key, const char *path, char *why,
    size_t size)
{
	const struct jsonc_node *n = jsonc_get(m->server, key);
	char *whole;

	why[0] = '\0';
	if (path == NULL) {
		snprintf(why, size, "it has no \"%s\"", key);
		return;
	}
	whole = conf_absolute(n->doc, path);
	if (access(whole, R_OK) < 0)
		snprintf(why, size, "\"%s\": %.200s: %m", key, whole);
	free(whole);
}

/* True for one of all servers that cannot be served, though nothing is wrong
 * with what it says; notes it with its reasons. */
static bool
left_out(struct making *m)
{
	static const enum conf_type types[] = { [HF_TCP] = CONF_TCP,
		[HF_TLS] = CONF_TLS,
		[HF_UDP] = CONF_UDP,
		[HF_SERIAL] = CONF_SERIAL };
	const struct hf_server_opts *o = &m->setup->opts;
	struct conf_ctx *ctx = m->ctx;
	char place[CONF_PLACE], taken[CONF_PLACE + 100] = "";
	char cert[300] = "", key[300] = "";
	size_t n = ctx->conf->ntransports, i;

	i = conf_between_taken(ctx, n, types[o->type], o->address);
	if (i < n)
		snprintf(taken, sizeof(taken),
		    "%.60s is taken by \"%.40s\" at %s", o->address,
		    ctx->conf->transports[i].name,
		    conf_place(place, sizeof(place), ctx->transport_at[i],
			m->server->doc));
	if (o->type == HF_TLS) {
		want_file(
		    m, "certfile", path_of(m, o->certfile), cert, sizeof(cert));
		if (o->keyfile != NULL)
			want_file(m, "keyfile", path_of(m, o->keyfile), key,
			    sizeof(key));
	}
	if (taken[0] == '\0' && cert[0] == '\0' && key[0] == '\0')
		return false;
	conf_note_key(ctx, m->server, "\"%.40s\" is left out: %s%s%s%s%s",
	    m->server->key, taken, taken[0] && (cert[0] || key[0]) ? "; " : "",
	    cert, cert[0] && key[0] ? "; " : "", key);
	return true;
}

/* Something is wrong with what the server says, which has been told: true if
 * enough is known of it to go on, so that its other mistakes are told, too. */
static bool
goes_on(const struct making *m)
{
	const struct jsonc_node *comm = jsonc_get(m->server, "comm");
	const struct hf_server_opts *o = &m->setup->opts;

	if (comm == NULL || comm->type != JSONC_STRING ||
	    strcmp(comm->text, transport_types[o->type]) != 0)
		return false;
	return o->framer != NULL && (o->type != HF_SERIAL || o->port != NULL);
}

static void
read_server(struct conf_ctx *ctx, const struct jsonc_node *server)
{
	size_t faults = ctx->nfaults + ctx->dropped;
	struct making m = { .ctx = ctx, .server = server };
	const struct conf *conf = ctx->conf;
	const char *device = NULL;

	if (!conf_want(ctx, server, JSONC_OBJECT, "an object"))
		return;
	tell_taken(ctx, server);
	m.setup = conf_setup_of(ctx, server, NULL);
	if (has_device(ctx, server))
		device = conf_setup_device(ctx, server);
	else if (conf->ndevices > 0)
		device = conf->devices[0].name; /* any will do */
	if (device == NULL ||
	    (ctx->nfaults + ctx->dropped > faults && !goes_on(&m)) ||
	    (conf_setup_every(ctx) && left_out(&m)))
		return;
	m.transport = new_node(&m, "", JSONC_OBJECT);
	m.transport->key = server->key;
	put_all(&m, device);
	conf_transport_read(ctx, m.transport);
}

/* Nobody serves it, but what it says must be right. */
static void
check_server(struct conf_ctx *ctx, const struct jsonc_node *server)
{
	if (conf_want(ctx, server, JSONC_OBJECT, "an object"))
		conf_setup_of(ctx, server, NULL);
}

/* None of the servers is the one that is wanted. */
static void
tell_none(struct conf_ctx *ctx, const struct jsonc_node *list)
{
	const struct conf_pick *pick = ctx->conf->pick;
	const char *name =
	    pick != NULL && pick->server != NULL ? pick->server : "server";
	const char **names = mem_zero(list->in.n + 1, sizeof(*names));
	char hint[2 * CONF_HINT];
	size_t n = 0;

	for (const struct jsonc_node *m = list->in.first; m != NULL;
	     m = m->next)
		names[n++] = m->key;
	conf_fault(ctx, list,
	    pick != NULL
		? "\"server_list\" has no \"%.60s\"%s"
		: "\"server_list\" has no \"%.60s\", and no server of it says "
		  "with \"device\" what it serves%s",
	    name, near_or_all(hint, sizeof(hint), name, names, n));
	free(names);
}

static void
read_any(struct conf_ctx *ctx, const struct jsonc_node *server)
{
	if (conf_setup_served(ctx, server))
		read_server(ctx, server);
	else if (ctx->conf->pick == NULL)
		check_server(ctx, server);
}

void
conf_server_list_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	bool native = jsonc_get(ctx->top, "transports") != NULL;
	size_t n = 0, had = ctx->conf->ntransports;

	(void)key;
	(void)obj;
	conf_read_members(ctx, node, read_any);
	if (node->type != JSONC_OBJECT)
		return;
	for (const struct jsonc_node *s = node->in.first; s != NULL;
	     s = s->next)
		n += conf_setup_served(ctx, s);
	if (n == 0 && (!native || ctx->conf->pick != NULL) && !ctx->partial)
		tell_none(ctx, node);
	if (conf_setup_every(ctx) && ctx->conf->ntransports == had && !native)
		conf_notes_refuse(ctx);
}
