/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The section "http" of the configuration: where the page is, and what names
 * its readers may call it by. Asks no name server. Runs before the first fork.
 */
#include "supervisor/conf/conf_http.h"

#include <string.h>
#include <sys/stat.h>

#include "supervisor/conf/conf_net.h"
#include "supervisor/mem.h"

#define HTTP_LISTEN "127.0.0.1:8080"

enum { HOST_MAX = 253 + sizeof(":65535") - 1 };

void
conf_http_listen_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf *conf = obj;

	if (conf_want(ctx, node, JSONC_STRING, key->takes))
		conf->http.listen = conf_listen_text(ctx, node, node->text);
}

static bool
is_host(const char *text)
{
	size_t name = strspn(text,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    ".-_");
	const char *port = text + name;

	if (name == 0 || strlen(text) > HOST_MAX)
		return false;
	if (*port == '\0')
		return true;
	return *port == ':' && port[1] != '\0' && strlen(port) <= 6 &&
	    strspn(port + 1, "0123456789") == strlen(port + 1);
}

void
conf_http_hosts_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_paths *list = (void *)((char *)obj + key->off);

	if (!conf_want(ctx, node, JSONC_ARRAY, key->takes))
		return;
	for (const struct jsonc_node *n = node->in.first; n != NULL;
	     n = n->next) {
		if (!conf_want(ctx, n, JSONC_STRING, "a string"))
			continue;
		if (!is_host(n->text)) {
			conf_fault(ctx, n,
			    "\"%.60s\" is no name of a machine: it must be "
			    "like \"plant.example\" or "
			    "\"plant.example:8443\"",
			    n->text);
			continue;
		}
		list->at = mem_more(list->at, list->n, sizeof(char *));
		list->at[list->n++] = mem_text(n->text);
	}
}

void
conf_http_hosts_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_paths *list =
	    (const void *)((const char *)obj + key->off);

	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < list->n; i++)
		conf_out_text(o, NULL, list->at[i]);
	conf_out_close(o, ']');
}

void
conf_http_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf *conf = obj;

	if (conf->http.listen == NULL)
		return;
	conf_out_open(o, key->name, '{');
	conf_out_section(o, key->section, 0, obj);
	conf_out_close(o, '}');
}

/* Who reads a token is whom it stands for. */
static void
check_tokens(
    struct conf_ctx *ctx, const struct jsonc_node *node, const char *path)
{
	struct stat st;

	if (path != NULL && stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		conf_fault(ctx, node,
		    "\"%s\" holds tokens and may be read by others than its "
		    "owner: chmod 600",
		    path);
}

void
conf_http_check(struct conf_ctx *ctx, const struct jsonc_node *node)
{
	struct conf_http *h = &ctx->conf->http;
	struct stat st;

	if (node == NULL || node->type != JSONC_OBJECT)
		return;
	if (h->listen == NULL)
		h->listen = mem_text(HTTP_LISTEN);
	if (h->anonymous > CONF_HTTP_READ)
		conf_fault(ctx, jsonc_get(node, "anonymous"),
		    "who has no token and is not on this machine may read at "
		    "most");
	check_tokens(ctx, jsonc_get(node, "token_file"), h->token_file);
	if (h->web_root != NULL && stat(h->web_root, &st) == 0 &&
	    !S_ISDIR(st.st_mode))
		conf_fault(ctx, jsonc_get(node, "web_root"),
		    "\"%s\" is no directory", h->web_root);
}

/* ---- the keys ---- */

#define IN_CONF(m) .off = offsetof(struct conf, m)

static const char *const http_roles[] = { [CONF_HTTP_NONE] = "none",
	[CONF_HTTP_READ] = "read",
	[CONF_HTTP_OPERATE] = "operate",
	[CONF_HTTP_ADMIN] = "admin",
	NULL };

static const struct conf_key http_keys[] = {
	{ "listen", CONF_OWN, IN_CONF(http.listen), .takes = "\"HOST:PORT\"",
	    .text = "127.0.0.1:8080", .read = conf_http_listen_read,
	    .dump = conf_text_dump,
	    .help = "the address; port 0 takes one that is free" },
	{ "token_file", CONF_PATH, CONF_FILE, IN_CONF(http.token_file),
	    .max = 4096, .help = "bearer tokens and their roles" },
	{ "local", CONF_WORD, IN_CONF(http.local), .words = http_roles,
	    .def = CONF_HTTP_ADMIN,
	    .help = "what this machine may do without a token" },
	{ "anonymous", CONF_WORD, IN_CONF(http.anonymous), .words = http_roles,
	    .def = CONF_HTTP_READ,
	    .help = "what others may do without a token; \"none\" or "
		    "\"read\"" },
	{ "hosts", CONF_OWN, IN_CONF(http.hosts), .takes = "a list of names",
	    .read = conf_http_hosts_read, .dump = conf_http_hosts_dump,
	    .help = "names that the machine has in browsers" },
	{ "web_root", CONF_PATH, IN_CONF(http.web_root), .max = 4096,
	    .help = "a directory served instead of the page" },
	{ "max_connections", CONF_UINT, IN_CONF(http.max_connections), .min = 4,
	    .max = 2000, .def = 256, .help = "connections at a time" },
	{ "max_streams", CONF_UINT, IN_CONF(http.max_streams), .max = 1000,
	    .def = 64, .help = "of those that are streams of events" },
	{ NULL },
};

const struct conf_section conf_http = { "http", "\"http\"", http_keys, NULL };
