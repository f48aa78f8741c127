/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of the configuration. Asks no name server and opens no socket.
 * Runs before the first fork.
 */
#include "supervisor/conf/conf_net.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/mem.h"

enum { HOST_MAX = 64, LISTEN_TEXT = 4096 /* for a plugin */ };

/* A port or a prefix length: only digits, at most max. */
static bool
small_number(const char *text, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = 10 * n + (unsigned)(*text - '0');
	}
	*out = n;
	return n <= max;
}

static int
parse_host(const char *host, struct conf_addr *a)
{
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	a->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(a->family, host, a->addr) == 1 ? 0 : -1;
}

/* Splits "HOST:PORT" or "[HOST]:PORT". */
static int
split(const char *text, char host[HOST_MAX], const char **port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (colon == NULL)
		return -1;
	*port = colon + 1;
	len = (size_t)(colon - text);
	if (text[0] == '[') {
		if (len < 2 || colon[-1] != ']')
			return -1;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL) {
		return -1;
	}
	if (len >= HOST_MAX)
		return -1;
	memcpy(host, text, len);
	host[len] = '\0';
	return 0;
}

int
conf_addr_parse(const char *text, struct conf_addr *a, char *why, size_t size)
{
	char host[HOST_MAX];
	const char *port;
	unsigned number;

	memset(a, 0, sizeof(*a));
	if (split(text, host, &port) == -1) {
		snprintf(why, size,
		    "\"%.100s\" is no address to listen on: it must be "
		    "\"HOST:PORT\" or \"[IPV6]:PORT\"",
		    text);
		return -1;
	}
	if (host[0] == '\0' || strcmp(host, "*") == 0) {
		snprintf(why, size,
		    "\"%.100s\" names no address; for every IPv4 address of "
		    "this machine say \"0.0.0.0:%.10s\", for IPv6 "
		    "\"[::]:%.10s\"",
		    text, port, port);
		return -1;
	}
	if (parse_host(host, a) == -1) {
		snprintf(why, size,
		    "\"%.64s\" is no numeric address; names other than "
		    "localhost are not looked up",
		    host);
		return -1;
	}
	if (!small_number(port, UINT16_MAX, &number)) {
		snprintf(why, size, "\"%.20s\" is no port: 0 to 65535", port);
		return -1;
	}
	a->port = (uint16_t)number;
	return 0;
}

void
conf_addr_text(const struct conf_addr *a, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(a->family, a->addr, host, sizeof(host));
	snprintf(buf, size, a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
	    a->port);
}

bool
conf_addr_any(const struct conf_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->addr, zero, sizeof(zero)) == 0;
}

/* True for 127.0.0.0/8 and ::1. */
static bool
loopback(const struct conf_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->addr[0] == 127;
	return memcmp(a->addr, one, sizeof(one)) == 0;
}

/* True if the bits behind the prefix are all 0. */
static bool
host_bits_clear(const struct conf_cidr *c, unsigned all)
{
	for (unsigned bit = c->bits; bit < all; bit++)
		if (c->addr[bit / 8] & (0x80u >> bit % 8))
			return false;
	return true;
}

/* Reads "10.0.0.0/8", "2001:db8::/32" or a single address. 0, or -1 with
 * words in why. */
static int
cidr_parse(const char *text, struct conf_cidr *c, char *why, size_t size)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct conf_addr a = { 0 };
	char host[HOST_MAX];
	unsigned all;

	snprintf(why, size,
	    "\"%.60s\" is no network: it must be like \"10.0.0.0/8\", "
	    "\"2001:db8::/32\" or a single address",
	    text);
	if (len == 0 || len >= sizeof(host))
		return -1;
	memcpy(host, text, len);
	host[len] = '\0';
	if (parse_host(host, &a) == -1)
		return -1;
	c->family = a.family;
	memcpy(c->addr, a.addr, sizeof(c->addr));
	all = c->bits = a.family == AF_INET ? 32 : 128;
	if (slash != NULL && !small_number(slash + 1, all, &c->bits)) {
		snprintf(why, size,
		    "\"%.60s\": \"%.10s\" is no prefix length: 0 to %u", text,
		    slash + 1, all);
		return -1;
	}
	if (!host_bits_clear(c, all)) {
		snprintf(why, size,
		    "\"%.60s\" has bits set behind its %u bits of network",
		    text, c->bits);
		return -1;
	}
	return 0;
}

/* ---- keys ---- */

char *
conf_listen_text(
    struct conf_ctx *ctx, const struct jsonc_node *node, const char *text)
{
	struct conf_addr a;
	char words[300];

	if (conf_addr_parse(text, &a, words, sizeof(words)) == -1) {
		conf_fault(ctx, node, "%s", words);
		return NULL;
	}
	conf_addr_text(&a, words, sizeof(words));
	return mem_text(words);
}

void
conf_listen_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	if (t->type == CONF_PLUGIN) {
		if (conf_text_ok(ctx, node, key->name, LISTEN_TEXT))
			t->listen = mem_text(node->text);
	} else {
		t->listen = conf_listen_text(ctx, node, node->text);
	}
}

void
conf_cidrs_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_cidrs *list = (void *)((char *)obj + key->off);
	struct conf_cidr c;
	char why[200];

	if (!conf_want(ctx, node, JSONC_ARRAY, key->takes))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		if (!conf_want(ctx, n, JSONC_STRING, "a string"))
			continue;
		if (cidr_parse(n->text, &c, why, sizeof(why)) == -1) {
			conf_fault(ctx, n, "%s", why);
			continue;
		}
		list->at = mem_more(list->at, list->n, sizeof(c));
		list->at[list->n++] = c;
	}
}

void
conf_endpoints_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf *conf = obj;
	struct conf_addr a;
	char why[300];

	if (!conf_want(ctx, node, JSONC_ARRAY, key->takes))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		if (!conf_want(ctx, n, JSONC_STRING, "a string"))
			continue;
		if (strncmp(n->text, "tcp://", 6) != 0) {
			conf_fault(ctx, n,
			    "\"%.60s\" is no endpoint: it must be "
			    "\"tcp://HOST:PORT\"",
			    n->text);
			continue;
		}
		if (conf_addr_parse(n->text + 6, &a, why, sizeof(why)) == -1) {
			conf_fault(ctx, n, "%s", why);
			continue;
		}
		if (!loopback(&a) && conf->curve_secret_key == NULL)
			conf_fault(ctx, n,
			    "\"%s\" is open to other machines: that needs "
			    "\"curve\" with \"secret_key\" and \"authorized\"",
			    n->text);
		conf_addr_text(&a, why, sizeof(why));
		conf->control_listen = mem_more(conf->control_listen,
		    conf->ncontrol_listen, sizeof(char *));
		conf->control_listen[conf->ncontrol_listen++] =
		    mem_format("tcp://%s", why);
	}
}

void
conf_control_check(struct conf_ctx *ctx, const struct jsonc_node *control)
{
	const struct jsonc_node *curve = jsonc_get(control, "curve");
	bool secret = jsonc_get(curve, "secret_key") != NULL;
	bool authorized = jsonc_get(curve, "authorized") != NULL;

	if (secret != authorized)
		conf_fault(ctx, curve, "\"%s\" is missing in \"curve\"",
		    secret ? "authorized" : "secret_key");
}
