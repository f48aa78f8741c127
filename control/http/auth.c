/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what over HTTP. A browser carries out what any page tells it, so
 * it is not enough that a request comes from this machine: the name that it
 * was sent to must be ours, or somebody has bent a name of his own to our
 * address, and the page that sent it must be ours as well. Runs in the http
 * process.
 */
#include "control/http/auth.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "control/http/call.h"
#include "control/http/tokens.h"

/* ---- roles ---- */

/* A proxy speaks for others, and its address says nothing of them. */
static bool
forwarded(const struct http_call *call)
{
	static const char *const names[] = { "forwarded", "via", "x-real-ip",
		"x-client-ip", "true-client-ip", "cf-connecting-ip" };
	static const char family[] = "x-forwarded-";

	for (unsigned i = 0; i < call->head.n; i++)
		if (strncasecmp(call->head.header[i].name, family,
			sizeof(family) - 1) == 0)
			return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (http_header(call, names[i]) != NULL)
			return true;
	return false;
}

bool
auth_role(struct http_call *call)
{
	struct server *s = call->conn->server;
	const struct conf_http *conf = &s->control.proc->conf->http;
	const char *said = http_header(call, "authorization");
	bool local = call->conn->local && !forwarded(call);
	char name[TOKEN_NAME];

	if (said != NULL && strncasecmp(said, "bearer ", 7) == 0) {
		said += 7 + strspn(said + 7, " ");
		call->role = s->tokens != NULL
		    ? tokens_find(s->tokens, said, name)
		    : CMD_NOBODY;
		if (call->role == CMD_NOBODY)
			return false;
		snprintf(call->who, sizeof(call->who), "%s", name);
		return true;
	}
	if (said !=
	    NULL) /* who says who he is is not taken for somebody else */
		return false;
	/* CONF_HTTP_NONE is CMD_NOBODY, and so on */
	call->role = (enum cmd_role)(
	    (int)(local ? conf->local : conf->anonymous) - CONF_HTTP_READ);
	return true;
}

/* ---- places ---- */

/* Splits "name:port", "[::1]:port" or "name"; the name without brackets and in
 * lower case. */
static bool
split(const char *text, char name[256], const char **port)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;
	size_t len;

	if (text[0] == '[') {
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*port = end[1] == ':' ? end + 2 : "";
		text++;
		len = (size_t)(end - text);
	} else {
		len = strcspn(text, ":");
		*port = text[len] == ':' ? text + len + 1 : "";
	}
	if (len == 0 || len > 255 ||
	    strspn(*port, "0123456789") != strlen(*port))
		return false;
	for (size_t i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)text[i]);
	name[len] = '\0';
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	return true;
}

static bool
is_address(const char *name)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, name, addr) == 1 ||
	    inet_pton(AF_INET6, name, addr) == 1;
}

static bool
ends_with(const char *name, const char *end)
{
	size_t a = strlen(name), b = strlen(end);

	return a > b && strcmp(name + a - b, end) == 0;
}

/* An address is nobody's to bend; names are, but those that nobody can have
 * and those that we are told of. */
static bool
is_ours(const struct server *s, const char *name)
{
	const struct conf_http *conf = &s->control.proc->conf->http;
	size_t len = strlen(name);

	if (is_address(name) || strcmp(name, "localhost") == 0 ||
	    ends_with(name, ".localhost") || strcasecmp(name, s->host) == 0)
		return true;
	for (size_t i = 0; i < conf->hosts.n; i++)
		if (strncasecmp(conf->hosts.at[i], name, len) == 0 &&
		    (conf->hosts.at[i][len] == '\0' ||
			conf->hosts.at[i][len] == ':'))
			return true;
	return false;
}

/* "https://name:port" is the page of a server; of us, if we are asked under
 * that name, or are told that it is one of ours. */
static bool
same_place(const struct server *s, const char *origin, const char *host)
{
	const struct conf_http *conf = &s->control.proc->conf->http;
	const char *at = strstr(origin, "://"), *usual, *port, *other;
	char name[256], other_name[256];

	if (at == NULL || !split(at + 3, name, &port))
		return false;
	usual = strncasecmp(origin, "https", 5) == 0 ? "443" : "80";
	if (port[0] == '\0')
		port = usual;
	if (split(host, other_name, &other) && strcmp(name, other_name) == 0 &&
	    strcmp(port, other[0] != '\0' ? other : usual) == 0)
		return true;
	for (size_t i = 0; i < conf->hosts.n; i++)
		if (split(conf->hosts.at[i], other_name, &other) &&
		    strcmp(name, other_name) == 0 &&
		    strcmp(port, other[0] != '\0' ? other : usual) == 0)
			return true;
	return false;
}

const char *
auth_place(const struct http_call *call)
{
	static char why[400];
	const char *host = call->head.host;
	const char *origin = http_header(call, "origin");
	const char *site = http_header(call, "sec-fetch-site"), *port;
	char name[256] = "";

	if (host[0] != '\0' &&
	    (!split(host, name, &port) || !is_ours(call->conn->server, name))) {
		snprintf(why, sizeof(why),
		    "This server is not called \"%.200s\"; if it is, name that "
		    "in http.hosts.",
		    host);
		return why;
	}
	if (origin != NULL && !same_place(call->conn->server, origin, host)) {
		snprintf(why, sizeof(why),
		    "The page at \"%.200s\" is not this server's.", origin);
		return why;
	}
	if (origin == NULL && site != NULL &&
	    strcmp(call->head.method, "POST") == 0 &&
	    strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return "The page that asks is not this server's.";
	return NULL;
}

bool
auth_is_ours(const struct http_call *call, const char *url)
{
	const char *at = strstr(url, "://");
	char origin[300];
	size_t len;

	if (at == NULL)
		return false;
	len = (size_t)(at + 3 - url) + strcspn(at + 3, "/?#");
	if (len >= sizeof(origin))
		return false;
	memcpy(origin, url, len);
	origin[len] = '\0';
	return same_place(call->conn->server, origin, call->head.host);
}
