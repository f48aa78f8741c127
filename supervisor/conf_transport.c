/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports of the configuration: units, and what must hold between one
 * transport and the others. Runs before the first fork; opens no socket.
 */
#include "supervisor/conf_transport.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/seg.h"
#include "supervisor/conf_device.h"
#include "supervisor/conf_dump.h"
#include "supervisor/conf_net.h"
#include "supervisor/mem.h"

/* ---- units ---- */

/* The unit address that a key spells, -1 if it is none. */
static int
unit_of(const char *key)
{
	int unit = 0;

	if (key[0] == '\0' || strlen(key) > 3 || (key[0] == '0' && key[1]))
		return -1;
	for (; *key != '\0'; key++) {
		if (*key < '0' || *key > '9')
			return -1;
		unit = 10 * unit + *key - '0';
	}
	return unit < CONF_UNITS ? unit : -1;
}

/* The device that a unit is given to, or CONF_NO_DEVICE after a mistake. */
static int
unit_device(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	const struct conf *conf = ctx->conf;
	const char **names;
	char hint[CONF_HINT];
	int device;

	if (!conf_want(ctx, node, JSONC_STRING, "the name of a device"))
		return CONF_NO_DEVICE;
	device = conf_device_find(conf, node->text);
	/* no devices at all has been told, or is for another file to mend */
	if (device != CONF_NO_DEVICE || conf->ndevices == 0 || ctx->partial)
		return device;
	names = mem_zero(conf->ndevices, sizeof(*names));
	for (size_t i = 0; i < conf->ndevices; i++)
		names[i] = conf->devices[i].name;
	conf_hint(hint, node->text, names, conf->ndevices);
	conf_fault(
	    ctx, node, "no device is called \"%.60s\"%s", node->text, hint);
	free(names);
	return CONF_NO_DEVICE;
}

void
conf_units_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;
	int unit, every = CONF_NO_DEVICE;

	if (!conf_want(ctx, node, JSONC_OBJECT, key->takes))
		return;
	for (unit = 0; unit < CONF_UNITS; unit++)
		t->units[unit] = CONF_NO_DEVICE;
	if (node->in.n == 0)
		conf_fault(ctx, node, "\"units\" serves no unit");
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		unit = unit_of(n->key);
		if (strcmp(n->key, "*") == 0)
			every = unit_device(ctx, n);
		else if (unit >= 0)
			t->units[unit] = unit_device(ctx, n);
		else
			conf_fault_key(ctx, n,
			    "\"%.40s\" is no unit: it must be \"0\" to "
			    "\"255\", or \"*\" for every other",
			    n->key);
	}
	for (unit = 0; unit < CONF_UNITS; unit++)
		if (t->units[unit] == CONF_NO_DEVICE)
			t->units[unit] = every;
}

/* Without "units" the one device that there is answers to every address. */
static void
default_units(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_transport *t)
{
	int device = ctx->conf->ndevices == 1 ? 0 : CONF_NO_DEVICE;

	for (int unit = 0; unit < CONF_UNITS; unit++)
		t->units[unit] = device;
	if (ctx->conf->ndevices > 1 && node->type == JSONC_OBJECT &&
	    jsonc_get(node, "units") == NULL)
		conf_fault(ctx, node,
		    "\"units\" is missing in transport \"%s\": there are %zu "
		    "devices to choose from",
		    node->key, ctx->conf->ndevices);
}

/* ---- types ---- */

static const char *const default_framer[] = {
	[CONF_TCP] = "socket",
	[CONF_TLS] = "tls",
	[CONF_UDP] = "socket",
	[CONF_SERIAL] = "rtu",
	[CONF_CUSTOM] = "socket",
};

void
conf_user_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	if (getpwnam(node->text) == NULL)
		conf_fault(ctx, node, "this machine has no user \"%.60s\"",
		    node->text);
	t->user = mem_text(node->text);
}

/* The row that lists the types. */
static const struct conf_key *
type_key(void)
{
	const struct conf_key *key = conf_transport.keys;

	while (strcmp(key->name, "type") != 0)
		key++;
	return key;
}

/* What type a transport is of; what is no type of ours is a plugin's. */
static enum conf_type
type_of(const struct jsonc_node *node)
{
	const struct jsonc_node *type = jsonc_get(node, "type");
	const char *const *words = type_key()->words;

	for (int i = 0;
	     type != NULL && type->type == JSONC_STRING && words[i] != NULL;
	     i++)
		if (strcmp(words[i], type->text) == 0)
			return (enum conf_type)i;
	return jsonc_get(node, "plugins") != NULL ? CONF_CUSTOM : CONF_TCP;
}

void
conf_type_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;
	const char *names[CONF_TYPES];
	char hint[CONF_HINT];

	if (!conf_want(ctx, node, JSONC_STRING, "a string"))
		return;
	t->type_name = mem_text(node->text);
	if (t->type == CONF_CUSTOM ||
	    strcmp(key->words[t->type], node->text) == 0)
		return;
	for (int i = 0; i < CONF_CUSTOM; i++)
		names[i] = key->words[i];
	conf_hint(hint, node->text, names, CONF_CUSTOM);
	conf_fault(ctx, node,
	    "\"type\" must be \"tcp\", \"tls\", \"udp\" or \"serial\", or what "
	    "one of \"plugins\" serves, not \"%.60s\"%s",
	    node->text, hint);
}

void
conf_type_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	conf_out_text(o, key->name, t->type_name);
}

/* ---- lists ---- */

static void
add_path(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_paths *list)
{
	char *path;

	if (!conf_want(ctx, node, JSONC_STRING, "a path"))
		return;
	path = conf_absolute(node->doc, node->text);
	if (access(path, F_OK) != 0)
		conf_fault(ctx, node, "%s: %m", path);
	list->at = mem_more(list->at, list->n, sizeof(char *));
	list->at[list->n++] = path;
}

void
conf_paths_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_paths *list = (void *)((char *)obj + key->off);

	if (node->type != JSONC_ARRAY) {
		add_path(ctx, node, list);
		return;
	}
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next)
		add_path(ctx, n, list);
}

void
conf_paths_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_paths *list =
	    (const void *)((const char *)obj + key->off);

	if (list->n == 0)
		return;
	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < list->n; i++)
		conf_out_text(o, NULL, list->at[i]);
	conf_out_close(o, ']');
}

void
conf_options_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;
	struct conf_option o;

	if (!conf_want(ctx, node, JSONC_OBJECT, key->takes))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		if (n->type == JSONC_INTEGER || n->type == JSONC_REAL)
			o.value = mem_format("%.17g", jsonc_number(n));
		else if (n->type == JSONC_BOOL)
			o.value = mem_text(n->yes ? "true" : "false");
		else if (conf_want(ctx, n, JSONC_STRING, "a string or number"))
			o.value = mem_text(n->text);
		else
			continue;
		o.name = mem_text(n->key);
		t->options = mem_more(t->options, t->noptions, sizeof(o));
		t->options[t->noptions++] = o;
	}
}

void
conf_options_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	if (t->noptions == 0)
		return;
	conf_out_open(o, key->name, '{');
	for (size_t i = 0; i < t->noptions; i++)
		conf_out_text(o, t->options[i].name, t->options[i].value);
	conf_out_close(o, '}');
}

/* ---- serial ---- */

void
conf_port_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	static const char socket_prefix[] = "socket://";
	struct conf_transport *t = obj;
	size_t skip = sizeof(socket_prefix) - 1;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	if (strncmp(node->text, socket_prefix, skip) == 0)
		conf_listen_text(ctx, node, node->text + skip, t);
	else
		t->serial.port = conf_absolute(node->doc, node->text);
}

void
conf_port_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;
	char *text;

	if (t->serial.port != NULL) {
		conf_out_text(o, key->name, t->serial.port);
		return;
	}
	text = mem_format("socket://%s", t->listen);
	conf_out_text(o, key->name, text);
	free(text);
}

/* ---- one transport ---- */

static void
check_restart(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_transport *t)
{
	const struct jsonc_node *restart = jsonc_get(node, "restart");

	if (t->restart.min_backoff_ms > t->restart.max_backoff_ms)
		conf_fault(ctx, restart != NULL ? restart : node,
		    "min_backoff_ms %u is above max_backoff_ms %u",
		    t->restart.min_backoff_ms, t->restart.max_backoff_ms);
}

/* What must hold between the keys of one type. */
static void
check_type(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_transport *t)
{
	if (t->type < CONF_SERIAL && node->type == JSONC_OBJECT &&
	    jsonc_get(node, "listen") == NULL)
		conf_fault(ctx, node,
		    "\"listen\" is missing in transport \"%.60s\"", node->key);
	if (t->type == CONF_TLS && t->tls.cert.n != t->tls.key.n)
		conf_fault(ctx, node,
		    "there are %zu certificates and %zu keys; each needs its "
		    "own",
		    t->tls.cert.n, t->tls.key.n);
	if (t->type != CONF_SERIAL || t->serial.port == NULL)
		return;
	t->max_connections = 1; /* the line */
	if (t->serial.parity == 0 && jsonc_get(node, "stopbits") == NULL)
		t->serial.stopbits = 2; /* SL 2.5.1: 11 bits a character */
}

static void
read_transport(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	struct conf *conf = ctx->conf;
	struct conf_transport t = { .name = mem_text(node->key) };
	char what[100];

	snprintf(what, sizeof(what), "transport \"%.60s\"", node->key);
	if (!seg_name_ok(node->key))
		conf_fault_key(ctx, node,
		    "\"%.60s\" is no name for a transport: letters, digits, "
		    "\"_\" and \"-\", at most 40",
		    node->key);
	t.type = type_of(node);
	t.framer = mem_text(default_framer[t.type]);
	t.silent_units = t.type == CONF_SERIAL;
	t.serial.stopbits = 1;
	default_units(ctx, node, &t);
	conf_read_section(ctx, node, &conf_transport, what,
	    (unsigned)CONF_NOT_TCP << t.type, &t);
	check_restart(ctx, node, &t);
	check_type(ctx, node, &t);
	conf->transports = mem_more(
	    conf->transports, conf->ntransports, sizeof(*conf->transports));
	ctx->transport_at = mem_more(
	    ctx->transport_at, conf->ntransports, sizeof(*ctx->transport_at));
	ctx->transport_at[conf->ntransports] = node;
	conf->transports[conf->ntransports++] = t;
}

/* ---- between transports ---- */

/* True if the kernel would not let both be bound. */
static bool
collide(const struct conf_addr *a, const struct conf_addr *b)
{
	if (a->family != b->family || a->port != b->port || a->port == 0)
		return false;
	return conf_addr_any(a) || conf_addr_any(b) ||
	    memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static void
check_listen(struct conf_ctx *ctx, size_t i)
{
	const struct conf_transport *t = ctx->conf->transports;
	const struct jsonc_node *node = jsonc_get(
	    ctx->transport_at[i], t[i].type == CONF_SERIAL ? "port" : "listen");
	struct conf_addr mine, other;
	char why[300], place[CONF_PLACE];

	if (t[i].listen == NULL || t[i].type == CONF_CUSTOM ||
	    conf_addr_parse(t[i].listen, &mine, why, sizeof(why)) == -1)
		return;
	for (size_t j = 0; j < i; j++) {
		if (t[j].listen == NULL || t[j].type == CONF_CUSTOM ||
		    (t[i].type == CONF_UDP) != (t[j].type == CONF_UDP) ||
		    conf_addr_parse(t[j].listen, &other, why, sizeof(why)) ==
			-1 ||
		    !collide(&mine, &other))
			continue;
		conf_fault(ctx, node,
		    "%s is taken by transport \"%s\" (%s) at %s", t[i].listen,
		    t[j].name, t[j].listen,
		    conf_place(
			place, sizeof(place), ctx->transport_at[j], node->doc));
		return;
	}
}

/* Every process has a slot and every connection an author number in shared
 * memory; both are limited. */
static void
check_room(struct conf_ctx *ctx)
{
	const struct conf_transport *t = ctx->conf->transports;
	uint64_t workers = 0, authors = 0;
	unsigned others = SHM_SLOTS_MAX - SHM_WORKERS_MAX;

	for (size_t i = 0; i < ctx->conf->ntransports; i++) {
		workers += t[i].workers;
		authors += (uint64_t)t[i].workers * t[i].max_connections;
		if (workers > SHM_WORKERS_MAX) {
			conf_fault_key(ctx, ctx->transport_at[i],
			    "too many workers: with those of \"%s\" there are "
			    "%llu; %u is the most",
			    t[i].name, (unsigned long long)workers,
			    SHM_WORKERS_MAX);
			return;
		}
		if (others + workers + authors > SHM_AUTHORS_MAX) {
			conf_fault_key(ctx, ctx->transport_at[i],
			    "too many connections: with workers x "
			    "max_connections of \"%s\" there are %llu; %u is "
			    "the most",
			    t[i].name, (unsigned long long)authors,
			    SHM_AUTHORS_MAX - others - (unsigned)workers);
			return;
		}
	}
}

void
conf_transports_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	(void)key;
	(void)obj;
	if (!conf_want(ctx, node, JSONC_OBJECT, "an object"))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next)
		read_transport(ctx, n);
	for (size_t i = 0; i < ctx->conf->ntransports; i++)
		check_listen(ctx, i);
	check_room(ctx);
}
