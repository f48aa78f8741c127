/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold between one transport of the configuration and the others.
 * Runs before the first fork; opens nothing.
 */
#include "supervisor/conf/conf_between.h"

#include <stdlib.h>
#include <string.h>

#include "shm/layout.h"
#include "supervisor/conf/conf_net.h"
#include "supervisor/conf/conf_shm.h"

/* True if the kernel would not let both be bound. */
static bool
collide(const struct conf_addr *a, const struct conf_addr *b)
{
	if (a->family != b->family || a->port != b->port || a->port == 0)
		return false;
	return conf_addr_any(a) || conf_addr_any(b) ||
	    memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

size_t
conf_between_taken(const struct conf_ctx *ctx, size_t n, enum conf_type type,
    const char *listen)
{
	const struct conf_transport *t = ctx->conf->transports;
	struct conf_addr mine, other;
	char why[300];

	if (listen == NULL || type == CONF_PLUGIN ||
	    conf_addr_parse(listen, &mine, why, sizeof(why)) == -1)
		return n;
	for (size_t i = 0; i < n; i++)
		if (t[i].listen != NULL && t[i].type != CONF_PLUGIN &&
		    (type == CONF_UDP) == (t[i].type == CONF_UDP) &&
		    conf_addr_parse(t[i].listen, &other, why, sizeof(why)) ==
			0 &&
		    collide(&mine, &other))
			return i;
	return n;
}

static void
check_listen(struct conf_ctx *ctx, size_t i)
{
	const struct conf_transport *t = ctx->conf->transports;
	const struct jsonc_node *node = jsonc_get(
	    ctx->transport_at[i], t[i].type == CONF_SERIAL ? "port" : "listen");
	size_t j = conf_between_taken(ctx, i, t[i].type, t[i].listen);
	char place[CONF_PLACE];

	if (j < i)
		conf_fault(ctx, node,
		    "%s is taken by transport \"%s\" (%s) at %s", t[i].listen,
		    t[j].name, t[j].listen,
		    conf_place(
			place, sizeof(place), ctx->transport_at[j], node->doc));
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

/* Two names may lead to one device: /dev/serial/by-id/... are links. */
static bool
same_file(const char *a, const char *b)
{
	char *x = realpath(a, NULL), *y = realpath(b, NULL);
	bool same = strcmp(x != NULL ? x : a, y != NULL ? y : b) == 0;

	free(x);
	free(y);
	return same;
}

static void
check_port(struct conf_ctx *ctx, size_t i)
{
	const struct conf_transport *t = ctx->conf->transports;
	const struct jsonc_node *node = conf_at(ctx->transport_at[i], "port");
	char place[CONF_PLACE];

	for (size_t j = 0; t[i].serial.port != NULL && j < i; j++) {
		if (t[j].serial.port == NULL ||
		    !same_file(t[i].serial.port, t[j].serial.port))
			continue;
		conf_fault(ctx, node,
		    "%.100s is taken by transport \"%s\" (%.100s) at %s",
		    t[i].serial.port, t[j].name, t[j].serial.port,
		    conf_place(
			place, sizeof(place), ctx->transport_at[j], node->doc));
		return;
	}
}

static void
check_prefix(struct conf_ctx *ctx, size_t i)
{
	const struct conf_transport *t = ctx->conf->transports;
	const struct jsonc_node *node = conf_at(ctx->transport_at[i], "prefix");
	char place[CONF_PLACE];

	for (size_t j = 0; t[i].type == CONF_SHM && j < i; j++) {
		if (t[j].type != CONF_SHM ||
		    !conf_shm_collide(t[i].shm.prefix, t[j].shm.prefix))
			continue;
		conf_fault(ctx, node,
		    "with the prefix \"%s\" objects have the names of those of "
		    "transport \"%s\" (\"%s\") at %s",
		    t[i].shm.prefix, t[j].name, t[j].shm.prefix,
		    conf_place(
			place, sizeof(place), ctx->transport_at[j], node->doc));
		return;
	}
}

void
conf_between_check(struct conf_ctx *ctx)
{
	for (size_t i = 0; i < ctx->conf->ntransports; i++) {
		check_listen(ctx, i);
		check_port(ctx, i);
		check_prefix(ctx, i);
	}
	check_room(ctx);
}
