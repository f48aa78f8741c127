/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setup files of pymodbus' simulator as part of a configuration: which servers
 * and devices of theirs are meant, and the devices. Runs before the first fork.
 *
 * The simulator runs one server with one device. Here each server that says
 * with the key "device" which one it serves is a transport. A file in which
 * none says so, and which has no transports of ours either, is taken as the
 * simulator takes it: its "server" serves its "device". The others are read as
 * well, for their mistakes, but for the simulator, who is told what to read.
 */
#include "supervisor/conf/conf_setup.h"

#include <stdlib.h>
#include <string.h>

#include "shm/seg.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_paths.h"
#include "supervisor/conf/conf_setup_own.h"
#include "supervisor/mem.h"

enum way {
	NOTHING, /* there are transports of ours, and no server says "device" */
	BY_KEY, /* those that say it */
	ONE, /* "server" */
	PICKED, /* as conf->pick says */
	EVERY, /* picked likewise */
};

static const struct jsonc_node *
list_of(const struct conf_ctx *ctx, const char *name)
{
	const struct jsonc_node *n = jsonc_get(ctx->top, name);

	return n != NULL && n->type == JSONC_OBJECT ? n : NULL;
}

static bool
says_device(const struct jsonc_node *server)
{
	return server->type == JSONC_OBJECT &&
	    jsonc_get(server, "device") != NULL;
}

static enum way
way_of(const struct conf_ctx *ctx)
{
	const struct jsonc_node *servers = list_of(ctx, "server_list");
	const struct conf_pick *pick = ctx->conf->pick;
	const struct jsonc_node *n;

	if (pick != NULL)
		return pick->server == NULL || servers == NULL ||
			strcmp(pick->server, "all") != 0 ||
			jsonc_get(servers, "all") != NULL
		    ? PICKED
		    : EVERY;
	for (n = servers != NULL ? servers->in.first : NULL; n != NULL;
	     n = n->next)
		if (says_device(n))
			return BY_KEY;
	return jsonc_get(ctx->top, "transports") != NULL ? NOTHING : ONE;
}

/* The member that is called so, or the only one. */
static const struct jsonc_node *
named_or_only(const struct jsonc_node *list, const char *name)
{
	const struct jsonc_node *n;

	if (list == NULL)
		return NULL;
	n = jsonc_get(list, name);
	return n != NULL || list->in.n != 1 ? n : list->in.first;
}

/* The one server that is meant. */
static const struct jsonc_node *
one_server(const struct conf_ctx *ctx)
{
	const struct jsonc_node *list = list_of(ctx, "server_list");
	const struct conf_pick *pick = ctx->conf->pick;

	if (pick != NULL && pick->server != NULL)
		return list != NULL ? jsonc_get(list, pick->server) : NULL;
	return named_or_only(list, "server");
}

bool
conf_setup_served(const struct conf_ctx *ctx, const struct jsonc_node *server)
{
	switch (way_of(ctx)) {
	case NOTHING:
		return false;
	case BY_KEY:
		return says_device(server);
	case ONE:
	case PICKED:
		return server == one_server(ctx);
	case EVERY:
		break;
	}
	return true;
}

bool
conf_setup_every(const struct conf_ctx *ctx)
{
	return way_of(ctx) == EVERY;
}

const char *
conf_setup_device(const struct conf_ctx *ctx, const struct jsonc_node *server)
{
	const struct conf_pick *pick = ctx->conf->pick;
	const struct jsonc_node *n;

	if (pick != NULL && pick->device != NULL && way_of(ctx) == PICKED)
		return pick->device;
	n = jsonc_get(server, "device");
	if (n != NULL)
		return n->type == JSONC_STRING ? n->text : NULL;
	if (pick != NULL && pick->device != NULL)
		return pick->device;
	n = named_or_only(list_of(ctx, "device_list"), "device");
	return n != NULL ? n->key : "device";
}

/* True for a device that some server needs, or anything may. */
static bool
device_needed(const struct conf_ctx *ctx, const char *name)
{
	const struct jsonc_node *list = list_of(ctx, "server_list"), *n;
	enum way way = way_of(ctx);
	const char *device;

	if (way == NOTHING || way == BY_KEY ||
	    jsonc_get(ctx->top, "transports") != NULL)
		return true;
	for (n = list != NULL ? list->in.first : NULL; n != NULL; n = n->next) {
		if (n->type != JSONC_OBJECT || !conf_setup_served(ctx, n))
			continue;
		device = conf_setup_device(ctx, n);
		if (device != NULL && strcmp(device, name) == 0)
			return true;
	}
	return false;
}

/* True if actions may have names that nobody knows before the workers run. */
static bool
any_action(const struct conf_ctx *ctx)
{
	const struct jsonc_node *n = list_of(ctx, "transports");

	if (jsonc_get(ctx->top, "actions") != NULL ||
	    (ctx->conf->pick != NULL && ctx->conf->pick->module != NULL))
		return true;
	for (n = n != NULL ? n->in.first : NULL; n != NULL; n = n->next)
		if (n->type == JSONC_OBJECT && jsonc_get(n, "plugins") != NULL)
			return true;
	return false;
}

struct setup *
conf_setup_of(struct conf_ctx *ctx, const struct jsonc_node *server,
    const struct jsonc_node *device)
{
	const struct setup_pick pick = { .any_action = any_action(ctx),
		.note = conf_note_at };
	struct setup *s = setup_of(server, device, &pick, conf_fault_at, ctx);

	ctx->setups =
	    mem_more(ctx->setups, ctx->nsetups, sizeof(struct setup *));
	ctx->setups[ctx->nsetups++] = s;
	return s;
}

/* ---- devices ---- */

/* The values in wire form. */
static uint8_t *
wire_of(const struct hf_range *r)
{
	bool bits = r->table == HF_CO || r->table == HF_DI;
	uint8_t *wire =
	    mem_zero(1, store_bytes((enum store_table)r->table, r->count));

	for (uint32_t i = 0; i < r->count; i++)
		if (bits) {
			wire[i / 8] |= (uint8_t)((r->values[i] & 1) << i % 8);
		} else {
			wire[2 * i] = (uint8_t)(r->values[i] >> 8);
			wire[2 * i + 1] = (uint8_t)r->values[i];
		}
	return wire;
}

static void
take_parameters(struct conf_ctx *ctx, const char *text, struct conf_range *r)
{
	char *copy = mem_text(text);
	struct jsonc_doc *doc =
	    jsonc_parse("parameters", copy, strlen(copy), conf_fault_at, ctx);

	if (doc->root != NULL && doc->root->type == JSONC_OBJECT)
		conf_options_take(ctx, doc->root, NULL, &r->parameters);
	jsonc_free(doc);
	free(copy);
}

/* A character that a configuration cannot say makes a string registers. */
static bool
sayable(const struct hf_range *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		unsigned a = r->values[i] >> 8, b = r->values[i] & 0xff;

		if (a < ' ' || a > '~' || b < ' ' || b > '~')
			return false;
	}
	return true;
}

static void
add_range(
    struct conf_ctx *ctx, struct conf_device *d, const struct hf_range *from)
{
	struct conf_range r = {
		.table = (enum store_table)from->table,
		.addr = from->addr,
		.count = from->count,
		.read_only = from->read_only,
		.type = (enum typed_type)from->type,
		.scale = 1,
		.init = wire_of(from),
	};

	if (r.type == TYPED_STRING && !sayable(from))
		r.type = TYPED_UINT16;
	if (from->action != NULL)
		r.action = mem_text(from->action);
	if (from->parameters != NULL)
		take_parameters(ctx, from->parameters, &r);
	d->ranges = mem_more(d->ranges, d->nranges, sizeof(r));
	d->ranges[d->nranges++] = r;
}

static void
read_device(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	struct conf *conf = ctx->conf;
	struct conf_device d = {
		.name = mem_text(node->key), .counters = true, .simulator = true
	};
	struct conf_placed placed = { .device = (unsigned)conf->ndevices };
	struct setup *s;

	if (!seg_name_ok(node->key))
		conf_fault_key(ctx, node,
		    "\"%.60s\" is no name for a device: letters, digits, "
		    "\"_\" and \"-\", at most 40",
		    node->key);
	if (conf_device_find(conf, node->key) != CONF_NO_DEVICE)
		conf_fault_key(ctx, node,
		    "\"devices\" has a device \"%.60s\" already", node->key);
	if (conf_want(ctx, node, JSONC_OBJECT, "an object")) {
		s = conf_setup_of(ctx, NULL, node);
		d.shared_blocks = s->shared;
		d.type_exception = s->type_exception;
		memcpy(d.sizes, s->sizes, sizeof(d.sizes));
		for (size_t i = 0; i < s->nranges; i++)
			add_range(ctx, &d, &s->ranges[i]);
		placed.range_at = s->range_at; /* actions are looked at later */
		s->range_at = NULL;
	}
	ctx->placed = mem_more(ctx->placed, ctx->nplaced, sizeof(*ctx->placed));
	ctx->placed[ctx->nplaced++] = placed;
	d.nidentity = conf_identity_take(ctx, NULL, &d.identity);
	conf->devices =
	    mem_more(conf->devices, conf->ndevices, sizeof(*conf->devices));
	conf->devices[conf->ndevices++] = d;
}

static void
read_needed(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	if (device_needed(ctx, node->key))
		read_device(ctx, node);
}

/* A device that nobody serves is read like any other, behind those that
 * somebody does, and forgotten when all that there is to check has been. */
static void
read_spare(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	if (device_needed(ctx, node->key))
		return;
	read_device(ctx, node);
	ctx->nspare++;
}

void
conf_device_list_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	(void)key;
	(void)obj;
	conf_read_members(ctx, node, read_needed);
	if (ctx->conf->pick == NULL && node->type == JSONC_OBJECT)
		conf_read_members(ctx, node, read_spare);
}

/* ---- the whole ---- */

bool
conf_elsewhere(const struct conf_ctx *ctx, const char *key)
{
	const char *list = strcmp(key, "devices") == 0 ? "device_list"
	    : strcmp(key, "transports") == 0           ? "server_list"
						       : NULL;

	return ctx->partial ||
	    (list != NULL && ctx->top != NULL &&
		jsonc_get(ctx->top, list) != NULL);
}

static void
take(char **to, const char *text)
{
	free(*to);
	*to = text != NULL ? mem_text(text) : NULL;
}

void
conf_setup_pick(struct conf_ctx *ctx)
{
	const struct conf_pick *pick = ctx->conf->pick;
	struct conf *conf = ctx->conf;

	if (pick == NULL || ctx->top == NULL)
		return;
	if (jsonc_get(ctx->top, "store") == NULL)
		take(&conf->store, pick->store);
	take(&conf->http.listen, pick->http);
	if (pick->module != NULL) {
		take(&conf->actions.module, pick->module);
		conf->actions.needed = true;
		take(&conf->actions.folder, pick->folder);
	}
}

void
conf_setup_end(struct conf_ctx *ctx)
{
	for (; ctx->nspare > 0; ctx->nspare--)
		conf_device_free(&ctx->conf->devices[--ctx->conf->ndevices]);
	for (size_t i = 0; i < ctx->nsetups; i++)
		setup_free(ctx->setups[i]);
	free(ctx->setups);
}
