/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its handler: who asks, whether that is let in, which route
 * it is, what stands in its address and its form. Runs in the http process.
 */
#include "control/http/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/http/assets.h"
#include "control/http/auth.h"
#include "control/http/form.h"

struct http_call *
call_new(struct web_conn *c, char *text)
{
	struct http_call *call = calloc(1, sizeof(*call));

	if (call == NULL) {
		free(text);
		return NULL;
	}
	call->control = &c->server->control;
	call->conn = c;
	call->text = text;
	snprintf(call->who, sizeof(call->who), "%s", c->peer);
	return call;
}

void
call_free(struct http_call *call)
{
	free(call->text);
	free(call->body_text);
	free(call->extra);
	free(call->state);
	free(call);
}

/* ---- which route ---- */

static bool
matches(const struct http_route *r, const char *path, const char **rest)
{
	size_t len = strlen(r->path);

	*rest = "";
	if (r->path[len - 1] != '*')
		return strcmp(r->path, path) == 0;
	if (strncmp(r->path, path, len - 1) != 0)
		return false;
	*rest = path + len - 1;
	return true;
}

/* The first row of the path that takes the method; NULL, and *allowed says
 * which methods its rows take. */
static const struct http_route *
find_route(struct http_call *call, unsigned method, unsigned *allowed)
{
	const struct http_route *r;
	bool all;

	*allowed = 0;
	for (unsigned i = 0; i < http_nroutes; i++) {
		r = &http_routes[i];
		all = r->path[strlen(r->path) - 1] == '*';
		/* what stands there itself says which methods it takes */
		if ((all && *allowed != 0) ||
		    !matches(r, call->path, &call->rest))
			continue;
		if (r->methods & method)
			return r;
		/* what takes everything says nothing of what there is */
		if (r->fn != assets_serve || assets_have(call))
			*allowed |= r->methods;
	}
	return NULL;
}

static unsigned
method_of(const char *name)
{
	if (strcmp(name, "GET") == 0 || strcmp(name, "HEAD") == 0)
		return HTTP_GET;
	return strcmp(name, "POST") == 0 ? HTTP_POST : 0;
}

/* Methods that there are, and which nothing here takes. */
static bool
is_known(const char *name)
{
	static const char *const known[] = { "PUT", "DELETE", "PATCH",
		"OPTIONS", "TRACE", "CONNECT" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

static void
not_allowed(struct http_call *call, unsigned allowed)
{
	const char *words = allowed == (HTTP_GET | HTTP_POST)
	    ? "GET, HEAD, POST"
	    : allowed == HTTP_POST ? "POST"
				   : "GET, HEAD";

	http_add(call, "Allow", words);
	http_fail(call, 405, "method", "%s takes %s, not %s.", call->path,
	    words, call->head.method);
}

static bool
take_route(struct http_call *call)
{
	const char *method = call->head.method;
	unsigned bit = method_of(method), allowed;

	if (bit == 0 && !is_known(method)) {
		http_fail(call, 501, "method", "There is no method %.32s here.",
		    method);
		return false;
	}
	call->route = find_route(call, bit, &allowed);
	if (call->route == NULL && allowed != 0) {
		not_allowed(call, allowed);
	} else if (call->route == NULL) {
		http_fail(call, 404, "no_path", "There is nothing at %.200s.",
		    call->path);
	} else {
		call->method = (enum http_method)bit;
		return true;
	}
	return false;
}

/* ---- whether it is let in ---- */

static bool
take_target(struct http_call *call)
{
	char *path, *query;

	if (!form_target(call->head.target, &path, &query)) {
		call->path = "/";
		http_fail(call, 400, "bad_path",
		    "The address holds what no path here has.");
		return false;
	}
	call->path = path;
	if (query != NULL && !form_take(call, query, false)) {
		http_fail(call, 400, "bad_query",
		    "The part of the address behind \"?\" cannot be read.");
		return false;
	}
	return true;
}

static bool
take_role(struct http_call *call)
{
	enum cmd_role needed = call->route->role;

	if (!auth_role(call)) {
		call->control->stats->auth_refused++;
		http_add(call, "WWW-Authenticate",
		    "Bearer realm=\"holdfast\", error=\"invalid_token\"");
		http_fail(call, 401, "bad_token",
		    strncasecmp(head_find(&call->head, "authorization"),
			"bearer ", 7) == 0
			? "The token is none of this daemon's."
			: "Only \"Authorization: Bearer TOKEN\" is taken here.");
		return false;
	}
	if (call->role >= needed)
		return true;
	if (head_find(&call->head, "authorization") == NULL)
		http_add(call, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
	http_fail(call, call->role == CMD_NOBODY ? 401 : 403, "role",
	    "This needs the role \"%s\"; %s has \"%s\".", cmd_role_name(needed),
	    call->who, cmd_role_name(call->role));
	return false;
}

bool
call_admit(struct http_call *call, size_t *limit)
{
	const char *why;

	/* a body that nobody will read ends the connection */
	call->conn->keep = call->head.keep && call->head.length == 0;
	if (!take_target(call))
		return false;
	if ((why = auth_place(call)) != NULL) {
		http_fail(call, 403, "wrong_host", "%s", why);
		return false;
	}
	if (!take_route(call) || !take_role(call))
		return false;
	*limit = call->route->body != 0 ? call->route->body : HTTP_BODY_SMALL;
	if (call->head.length <= *limit) {
		call->conn->keep = call->head.keep;
		return true;
	}
	http_fail(call, 413, "too_long",
	    "%.200s takes a body of at most %zu bytes.", call->path, *limit);
	return false;
}

static bool
is_form(const struct http_call *call)
{
	const char *type = http_header(call, "content-type");

	return type != NULL &&
	    head_lists(type, "application/x-www-form-urlencoded");
}

void
call_run(struct http_call *call)
{
	/* the body stays as it is for who wants to read that: what is taken
	 * apart lies behind it */
	if (call->len > 0 && is_form(call) &&
	    !form_take(call, call->body_text + call->len + 1, true)) {
		http_fail(call, 400, "bad_form", "The form cannot be read.");
		return;
	}
	call->route->fn(call);
}
