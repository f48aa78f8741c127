/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports of the configuration: units, and what must hold between one
 * transport and the others. Runs before the first fork; opens no socket.
 */
#include "supervisor/conf_transport.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "shm/seg.h"
#include "supervisor/conf_device.h"
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

/* ---- one transport ---- */

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

/* True if the transport is of a type that is still to come; that is then all
 * that needs saying about it. */
static bool
of_later_type(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	const struct jsonc_node *type = jsonc_get(node, "type");
	const struct conf_key *key = conf_transport.keys;

	if (type == NULL || type->type != JSONC_STRING)
		return false;
	while (strcmp(key->name, "type") != 0)
		key++;
	for (const char *const *w = key->later_words; *w != NULL; w++)
		if (strcmp(*w, type->text) == 0) {
			conf_fault(ctx, type,
			    "\"type\": \"%s\" is not in this version",
			    type->text);
			return true;
		}
	return false;
}

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
	default_units(ctx, node, &t);
	conf_read_section(ctx, node, &conf_transport, what, 0, &t);
	check_restart(ctx, node, &t);
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
	const struct jsonc_node *node =
	    jsonc_get(ctx->transport_at[i], "listen");
	struct conf_addr mine, other;
	char why[300], place[CONF_PLACE];

	if (t[i].listen == NULL ||
	    conf_addr_parse(t[i].listen, &mine, why, sizeof(why)) == -1)
		return;
	for (size_t j = 0; j < i; j++) {
		if (t[j].listen == NULL ||
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
		if (!of_later_type(ctx, n))
			read_transport(ctx, n);
	for (size_t i = 0; i < ctx->conf->ntransports; i++)
		check_listen(ctx, i);
	check_room(ctx);
}
