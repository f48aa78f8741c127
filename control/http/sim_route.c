/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pymodbus's paths: brings what was asked to the simulator's pages and their
 * answer back. Runs in the http process. The forms are GET, as pymodbus's are;
 * so a button that was pressed on somebody else's page is refused here.
 */

#include "control/http/sim_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "control/http/auth.h"
#include "control/http/sim_own.h"
#include "control/http/sim_widget.h"
#include "control/jtext.h"

#define COOKIE "holdfast_sim"

enum { ID_LEN = 32 };

static struct sim the_sim;

/* ---- what was asked ---- */

static double
unix_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static json_t *
ask(void *arg, const char *method, json_t *params, struct sim_error *error)
{
	struct http_call *call = arg;
	json_t *result = http_ask(call, method, params);

	if (result == NULL) {
		error->status = http_status_of(call->error);
		snprintf(error->why, sizeof(error->why), "%s", call->message);
	}
	return result;
}

/* The page that the path ends with, -1 if none does. */
static int
page_of(const char *path)
{
	const char *name = strrchr(path, '/');

	for (int p = 0; name != NULL && p < SIM_PAGES; p++)
		if (strcmp(sim_page_names[p], name + 1) == 0)
			return p;
	return -1;
}

static json_t *
fields(const struct http_call *call)
{
	json_t *in = json_object();

	for (unsigned i = 0; i < call->nfields; i++)
		json_object_set_new(in, call->field[i].name,
		    jtext_bytes(
			call->field[i].value, strlen(call->field[i].value)));
	return in;
}

/* What the body says; an empty object after a failure. */
static json_t *
body(struct http_call *call, struct sim_call *c)
{
	char why[JTEXT_WHY_MAX] = "there is nothing";
	json_t *in = NULL;

	if (call->len > 0)
		in = jtext_load(call->body, call->len, why);
	if (json_is_object(in))
		return in;
	sim_fail(c, 400, "the body must be a JSON object%s%s",
	    in == NULL ? ": " : "", in == NULL ? why : "");
	json_decref(in);
	return json_object();
}

/* What the cookie holds; NULL: there is none of ours. */
static const char *
cookie(const struct http_call *call, char id[ID_LEN + 1])
{
	const char *at = http_header(call, "Cookie");

	for (; at != NULL; at = strchr(at, ';')) {
		at += strspn(at, "; ");
		if (strncmp(at, COOKIE "=", sizeof(COOKIE)) != 0)
			continue;
		snprintf(id, ID_LEN + 1, "%s", at + sizeof(COOKIE));
		return strspn(id, "0123456789abcdef") == ID_LEN ? id : NULL;
	}
	return NULL;
}

/* HEAD, and a browser that fetches a page before anybody wants it: neither
 * presses a button, nor keeps a choice. */
static bool
only_looks(const struct http_call *call)
{
	static const char *const names[] = { "Sec-Purpose", "Purpose" };

	if (strcmp(call->head.method, "HEAD") == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *why = http_header(call, names[i]);

		if (why != NULL && strncasecmp(why, "pre", 3) == 0)
			return true;
	}
	return false;
}

static bool
is_button(const char *submit)
{
	static const char *const buttons[] = { "Add", "Clear", "Set", "Monitor",
		"Stop", "Simulate", "Reset", "Restart" };

	for (size_t i = 0; i < sizeof(buttons) / sizeof(buttons[0]); i++)
		if (strcmp(buttons[i], submit) == 0)
			return true;
	return false;
}

static bool
wants_html(const struct http_call *call)
{
	const char *accept = http_header(call, "Accept");

	return accept != NULL && strstr(accept, "text/html") != NULL;
}

/* All of them begin like that, also where a page has an image or a script made
 * of our answer. */
static bool
is_browser(const struct http_call *call)
{
	const char *agent = http_header(call, "User-Agent");

	return wants_html(call) ||
	    (agent != NULL && strncasecmp(agent, "Mozilla/", 8) == 0);
}

/*
 * Somebody else's page may have a browser show ours, but press no button. Old
 * browsers, and all of them where the name is not localhost and there is no
 * TLS, do not say Sec-Fetch-Site: then the page that asks is told by Origin,
 * which has been looked at, or Referer, or else by our cookie, which they send
 * on behalf of no page of others. Scripts say none of these.
 */
static bool
is_foreign(
    const struct http_call *call, const struct sim_call *c, const char *submit)
{
	const char *site = http_header(call, "Sec-Fetch-Site");
	const char *referer = http_header(call, "Referer");

	if (!is_button(submit))
		return false;
	if (site != NULL)
		return strcmp(site, "same-origin") != 0 &&
		    strcmp(site, "none") != 0;
	if (referer != NULL)
		return !auth_is_ours(call, referer);
	/* with POST, browsers say Origin */
	return c->html && http_header(call, "Origin") == NULL &&
	    is_browser(call) && c->session == &c->sim->session[0];
}

/* ---- the answer ---- */

/* Browsers keep a cookie, and have what they choose for themselves. */
static void
keep_session(struct http_call *call, struct sim_call *c)
{
	const char *id;
	char text[128];

	if (only_looks(call) || c->session != &c->sim->session[0] ||
	    !wants_html(call))
		return;
	id = sim_session_new(c);
	if (id == NULL)
		return;
	snprintf(text, sizeof(text),
	    COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict", id);
	http_add(call, "Set-Cookie", text);
}

static void
reply_html(struct http_call *call, struct sim_call *c)
{
	bool file = c->page == SIM_LOG && c->why[0] == '\0' &&
	    strcmp(widget_member(c->in, "submit"), "Download") == 0;
	struct text t = { 0 };

	if (file) {
		sim_log_text(c, &t);
		http_add(call, "Content-Disposition",
		    "attachment; filename=\"holdfast.log\"");
	} else {
		sim_html(c, &t);
		keep_session(call, c);
	}
	http_add(call, "Cache-Control", "no-store");
	if (t.failed)
		http_fail(call, 500, "internal", "out of memory");
	else
		http_reply(call, c->status, file ? HTTP_TEXT : HTTP_HTML,
		    t.at != NULL ? t.at : "", t.len);
	text_free(&t);
}

static void
begin(struct http_call *call, struct sim_call *c)
{
	char id[ID_LEN + 1];
	int page = page_of(call->path);
	json_t *in;

	*c = (struct sim_call){
		.sim = &the_sim,
		.page = page != -1 ? (enum sim_page)page : SIM_REGISTERS,
		.html = call->method == HTTP_GET,
		.now = unix_now(),
		.ask = ask,
		.arg = call,
	};
	c->in = in = c->html ? fields(call) : body(call, c);
	if (only_looks(call)) {
		json_object_del(in, "submit");
		json_object_del(in, "refresh");
	}
	c->session = sim_session_of(c, cookie(call, id));
}

static void
finish(struct http_call *call, struct sim_call *c)
{
	sim_run(c);
	if (c->html)
		reply_html(call, c);
	else
		http_reply_json(call, c->status, json_incref(c->out));
	json_decref((json_t *)(uintptr_t)c->in);
	sim_call_fini(c);
}

/* ---- the handlers ---- */

static void
restarted(struct http_call *call, json_t *result)
{
	struct sim_call c;

	if (result == NULL) {
		struct sim_error e = { .status = http_status_of(call->error) };

		snprintf(e.why, sizeof(e.why), "%s", call->message);
		begin(call, &c);
		sim_fail(&c, e.status, "%s", e.why);
	} else {
		begin(call, &c);
	}
	finish(call, &c);
}

/* False if it has failed, and is still to be answered. */
static bool
restart(struct http_call *call, struct sim_call *c)
{
	json_t *row;
	const char *name;

	c->out = json_object();
	name = sim_server_of(c, &row);
	if (name != NULL)
		http_ask_later(call, "transports.restart",
		    json_pack("{s:s}", "name", name), restarted);
	sim_call_fini(c);
	json_decref(row);
	if (name != NULL)
		json_decref((json_t *)(uintptr_t)c->in);
	return name != NULL;
}

void
sim_route(struct http_call *call)
{
	struct sim_call c;
	const char *submit;

	begin(call, &c);
	submit = widget_member(c.in, "submit");
	if (is_foreign(call, &c, submit))
		sim_fail(&c, 403,
		    "%s was not pressed on a page of this server; press it on "
		    "this one",
		    submit);
	else if (c.page == SIM_SERVER && c.why[0] == '\0' &&
	    strcmp(submit, "Restart") == 0 && restart(call, &c))
		return;
	finish(call, &c);
}

static void
refuse(struct http_call *call, int status, const char *why)
{
	http_reply_json(call, status,
	    json_pack("{s:s, s:s}", "result", "error", "error", why));
}

void
sim_route_post_only(struct http_call *call)
{
	if (call->method == HTTP_POST) {
		sim_route(call);
		return;
	}
	http_add(call, "Allow", "POST");
	refuse(call, 405, "what is below /restapi is asked with POST");
}

void
sim_route_unknown(struct http_call *call)
{
	if (strncmp(call->path, "/api/v1/", strlen("/api/v1/")) == 0)
		http_fail(call, 404, "no_path", "There is nothing at %.200s.",
		    call->path);
	else
		refuse(call, 404,
		    "there is no such page; there are registers, calls, log and "
		    "server");
}
