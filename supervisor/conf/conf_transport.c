/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports of the configuration: their types, their units, and the keys that
 * any of them may have. Runs before the first fork; opens no socket.
 */
#include "supervisor/conf/conf_transport.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "shm/seg.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_serial.h"
#include "supervisor/conf/conf_shm.h"
#include "supervisor/conf/conf_tls.h"
#include "supervisor/mem.h"
#include "supervisor/near.h"

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
			every = conf_device_want(ctx, n);
		else if (unit >= 0)
			t->units[unit] = conf_device_want(ctx, n);
		else
			conf_fault_key(ctx, n,
			    "\"%.40s\" is no unit: it must be \"0\" to "
			    "\"255\", or \"*\" for every other",
			    n->key);
	}
	if (t->type == CONF_SHM) {
		conf_shm_units(t, every);
		return;
	}
	/* on a line unit 0 is every station, and none may answer to it */
	for (unit = t->type == CONF_SERIAL; unit < CONF_UNITS; unit++)
		if (t->units[unit] == CONF_NO_DEVICE)
			t->units[unit] = every;
}

/* True for what is a serial line by its own words, not by our guess. */
static bool
says_serial(const struct jsonc_node *node)
{
	const struct jsonc_node *type = jsonc_get(node, "type");

	return type != NULL && type->type == JSONC_STRING &&
	    strcmp(type->text, "serial") == 0;
}

/* Without "units" the one device that there is answers to every address; but
 * not on a line, where other stations have addresses, too. */
static void
default_units(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_transport *t)
{
	int device = ctx->conf->ndevices == 1 ? 0 : CONF_NO_DEVICE;

	t->shm.plain = CONF_NO_DEVICE;
	if (t->type == CONF_SHM) {
		t->shm.plain = device;
		device = CONF_NO_DEVICE;
	}
	for (int unit = 0; unit < CONF_UNITS; unit++)
		t->units[unit] = device;
	if (t->type == CONF_SERIAL)
		t->units[0] = CONF_NO_DEVICE;
	if (node->type != JSONC_OBJECT || jsonc_get(node, "units") != NULL)
		return;
	if (says_serial(node) && !conf_serial_socket(node, t))
		conf_fault(ctx, node,
		    "\"units\" is missing in transport \"%s\": a line may "
		    "have other stations, so say which addresses are ours, "
		    "such as {\"1\": \"%s\"}",
		    node->key,
		    ctx->conf->ndevices > 0 ? ctx->conf->devices[0].name
					    : "plc1");
	else if (ctx->conf->ndevices > 1)
		conf_fault(ctx, node,
		    "\"units\" is missing in transport \"%s\": there are %zu "
		    "devices to choose from",
		    node->key, ctx->conf->ndevices);
}

/* The one device that a transport serves, or CONF_NO_DEVICE if it has several
 * or none. */
static int
only_device(const struct conf_transport *t)
{
	int device = CONF_NO_DEVICE;

	for (int unit = 0; unit < CONF_UNITS; unit++) {
		if (t->units[unit] == CONF_NO_DEVICE)
			continue;
		if (device != CONF_NO_DEVICE && device != t->units[unit])
			return CONF_NO_DEVICE;
		device = t->units[unit];
	}
	return device;
}

/* With the MBAP header it is the network address that finds a server; units 255
 * and 0 are then the server itself (Messaging on TCP/IP Guide V1.0b, 4.4.2.1).
 * That is the device, if there is one; one of several has to be named. */
static void
address_server(struct conf_transport *t)
{
	int device = only_device(t);

	if (t->type == CONF_SERIAL || t->type == CONF_SHM ||
	    (strcmp(t->framer, "socket") != 0 && strcmp(t->framer, "tls") != 0))
		return;
	if (t->units[255] == CONF_NO_DEVICE)
		t->units[255] = device;
	if (t->units[0] == CONF_NO_DEVICE && !t->broadcast)
		t->units[0] = device;
}

/* ---- types ---- */

static const char *const default_framer[] = {
	[CONF_TCP] = "socket",
	[CONF_TLS] = "tls",
	[CONF_UDP] = "socket",
	[CONF_SERIAL] = "rtu",
	[CONF_SHM] = "socket", /* has none */
	[CONF_PLUGIN] = "socket",
};

void
conf_user_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	char **user = (void *)((char *)obj + key->off);

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	if (getpwnam(node->text) == NULL)
		conf_fault(ctx, node, "this machine has no user \"%.60s\"",
		    node->text);
	*user = mem_text(node->text);
}

/* The row of a key that has words. */
static const struct conf_key *
key_of(const char *name)
{
	const struct conf_key *key = conf_transport.keys;

	while (strcmp(key->name, name) != 0)
		key++;
	return key;
}

/* True if somebody may bring types and framers of their own. */
static bool
has_plugins(const struct conf_ctx *ctx, const struct jsonc_node *node)
{
	const struct jsonc_node *list = jsonc_get(node, "plugins");

	return ctx->hooked ||
	    (list != NULL && (list->type != JSONC_ARRAY || list->in.n > 0));
}

/* True for those framers that people take for types. */
static bool
means_line(const char *type)
{
	return strcmp(type, "rtu") == 0 || strcmp(type, "ascii") == 0;
}

/* What a transport whose type is missing or unknown was probably meant to be,
 * so that its other keys are not told to be wrong as well. */
static enum conf_type
guess_type(const struct jsonc_node *node, const struct jsonc_node *type)
{
	const char *const *words = key_of("type")->words;
	const char *near = NULL;

	if (type != NULL && type->type == JSONC_STRING) {
		if (means_line(type->text))
			return CONF_SERIAL;
		near = near_name(type->text, words, CONF_PLUGIN);
	}
	for (int i = 0; near != NULL && words[i] != NULL; i++)
		if (words[i] == near)
			return (enum conf_type)i;
	if (jsonc_get(node, "port") != NULL)
		return CONF_SERIAL;
	return jsonc_get(node, "cert") != NULL ? CONF_TLS : CONF_TCP;
}

/* What type a transport is of; what is no type of ours is a plugin's. */
static enum conf_type
type_of(const struct conf_ctx *ctx, const struct jsonc_node *node)
{
	const struct jsonc_node *type = jsonc_get(node, "type");
	const char *const *words = key_of("type")->words;

	for (int i = 0;
	     type != NULL && type->type == JSONC_STRING && words[i] != NULL;
	     i++)
		if (strcmp(words[i], type->text) == 0)
			return (enum conf_type)i;
	if (type != NULL && has_plugins(ctx, node))
		return CONF_PLUGIN;
	return guess_type(node, type);
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
	if (t->type == CONF_PLUGIN) {
		if (!seg_name_ok(node->text))
			conf_fault(ctx, node,
			    "\"%.60s\" is no name for a type: letters, digits, "
			    "\"_\" and \"-\", at most 40",
			    node->text);
		return;
	}
	if (strcmp(key->words[t->type], node->text) == 0)
		return;
	for (int i = 0; i < CONF_PLUGIN; i++)
		names[i] = key->words[i];
	if (means_line(node->text))
		snprintf(hint, sizeof(hint),
		    "; did you mean \"serial\" with \"framer\": \"%s\"?",
		    node->text);
	else
		conf_hint(hint, node->text, names, CONF_PLUGIN);
	conf_fault(ctx, node,
	    "\"type\" must be \"tcp\", \"tls\", \"udp\", \"serial\" or "
	    "\"shm\", or what one of \"plugins\" serves, not \"%.60s\"%s",
	    node->text, hint);
}

void
conf_type_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	conf_out_text(o, key->name, t->type_name);
}

/* ---- framers ---- */

void
conf_framer_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	free(t->framer);
	t->framer = mem_text(node->text);
}

/* What is none of ours may be a plugin's; the worker knows. */
static void
check_framer(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	const struct jsonc_node *framer = jsonc_get(node, "framer");
	const char *const *words = key_of("framer")->words;
	char hint[CONF_HINT];
	size_t n = 0;

	if (framer == NULL || framer->type != JSONC_STRING)
		return;
	for (; words[n] != NULL; n++)
		if (strcmp(words[n], framer->text) == 0)
			return;
	if (has_plugins(ctx, node))
		return;
	conf_hint(hint, framer->text, words, n);
	conf_fault(ctx, framer,
	    "unknown framer \"%.60s\": it must be \"socket\", \"tls\", "
	    "\"rtu\" or \"ascii\", or what one of \"plugins\" brings%s",
	    framer->text, hint);
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

/* What must hold between the keys that any type may have. */
static void
check_keys(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_transport *t)
{
	const struct jsonc_node *n;

	if (t->type < CONF_SERIAL && node->type == JSONC_OBJECT &&
	    jsonc_get(node, "listen") == NULL)
		conf_fault(ctx, node,
		    "\"listen\" is missing in transport "
		    "\"%.60s\"",
		    node->key);
	n = jsonc_get(jsonc_get(node, "units"), "0");
	if (t->broadcast && n != NULL)
		conf_fault_key(ctx, n,
		    "unit 0 is for broadcasts here, as \"broadcast\" says; it "
		    "cannot be one device's");
	n = jsonc_get(node, "options");
	if (n != NULL && t->plugins.n == 0 && !ctx->hooked)
		conf_fault_key(ctx, n,
		    "\"options\" are for \"plugins\", and there are none");
}

unsigned
conf_transport_skip(const struct conf_transport *t)
{
	if (t->type == CONF_SERIAL && t->listen != NULL)
		return CONF_NOT_SOCKET;
	return (unsigned)CONF_NOT_TCP << t->type;
}

void
conf_transport_read(struct conf_ctx *ctx, const struct jsonc_node *node)
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
	t.type = type_of(ctx, node);
	t.folder = conf_folder(node->doc);
	t.framer = mem_text(default_framer[t.type]);
	t.silent_units = t.type == CONF_SERIAL;
	t.serial.stopbits = 1;
	conf_shm_preset(&t);
	default_units(ctx, node, &t);
	conf_read_section(ctx, node, &conf_transport, what,
	    conf_serial_socket(node, &t) ? CONF_NOT_SOCKET
					 : conf_transport_skip(&t),
	    &t);
	check_restart(ctx, node, &t);
	check_framer(ctx, node);
	check_keys(ctx, node, &t);
	if (t.type == CONF_TLS)
		conf_tls_check(ctx, node, &t);
	if (t.type == CONF_SERIAL)
		conf_serial_check(ctx, node, &t);
	if (t.type == CONF_SHM)
		t.max_connections = 1; /* an author */
	address_server(&t);
	conf->transports = mem_more(
	    conf->transports, conf->ntransports, sizeof(*conf->transports));
	ctx->transport_at = mem_more(
	    ctx->transport_at, conf->ntransports, sizeof(*ctx->transport_at));
	ctx->transport_at[conf->ntransports] = node;
	conf->transports[conf->ntransports++] = t;
}

void
conf_transports_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	(void)key;
	(void)obj;
	conf_read_members(ctx, node, conf_transport_read);
}
