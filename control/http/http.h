/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_HTTP_H
#define CONTROL_HTTP_H

/*
 * What a page or a REST call is made of: a row in routes.c, a handler, and
 * one answer. The http process runs all of it in one thread; a handler never
 * blocks. It may answer at once or later, but once, by one of the http_*
 * functions below that say so; the call is given back by that.
 *
 *	static void
 *	hello(struct http_call *call)
 *	{
 *		http_reply(call, 200, HTTP_TEXT, "hello\n", 6);
 *	}
 *
 *	{ HTTP_GET, "/hello", CMD_READ, 0, hello, "says hello" },
 */

#include "control/cmd/cmd.h"
#include "control/http/head.h"

#define HTTP_TEXT "text/plain; charset=utf-8"
#define HTTP_HTML "text/html; charset=utf-8"
#define HTTP_JSON "application/json"

struct control;
struct http_call;
struct web_conn;

/* A route that takes GET takes HEAD. */
enum http_method { HTTP_GET = 1, HTTP_POST = 2 };

enum { HTTP_FIELDS_MAX = 256, HTTP_BODY_SMALL = 65536 };

/* One "key=value" of the address or of a form, decoded. */
struct http_field {
	char *name, *value; /* end with NUL, and hold no other */
	bool of_form;
};

typedef void http_fn(struct http_call *);

struct http_call {
	struct control *control; /* for the commands */
	const struct http_route *route;
	enum http_method method; /* a HEAD is shown as HTTP_GET */
	const char *path; /* decoded, begins with '/' */
	const char *rest; /* of a route that ends with '*': what stood there */
	/* of the address, then of the form if the body is one; in order */
	struct http_field field[HTTP_FIELDS_MAX];
	unsigned nfields;
	const char *body; /* ends with NUL behind len bytes */
	size_t len;
	enum cmd_role role; /* what may be done; CMD_NOBODY: nothing */
	char who[64]; /* "127.0.0.1:4021", or the name of a token */
	void *state; /* the handler's own; freed with the call */

	/* set by http_ask() and for http_ask_later(): why not, else CMD_OK */
	enum cmd_error error;
	char message[256];
	const char *reason;

	/* the server's own */
	struct web_conn *conn; /* NULL: whoever asked has gone */
	struct head head;
	char *text; /* of the head */
	char *body_text; /* the body, NUL, the same again, NUL */
	char *extra; /* headers of the answer, or NULL */
	void (*then)(struct http_call *, json_t *);
};

struct http_route {
	unsigned methods;
	const char *path; /* "/x", or "/x/" and '*' for all below */
	enum cmd_role role; /* that is needed to be let in at all;
			     * CMD_NOBODY: everybody */
	size_t body; /* most bytes that a body may have; 0: HTTP_BODY_SMALL */
	http_fn *fn;
	const char *help;
};

extern const struct http_route http_routes[];
extern const unsigned http_nroutes;

/* The value of a field, or NULL. */
const char *http_field(const struct http_call *, const char *name);

/* A header of the request, whatever the case of its name, or NULL. Until the
 * answer only. */
const char *http_header(const struct http_call *, const char *name);

/* Answers. The text is copied. The call is gone afterwards. */
void http_reply(struct http_call *, int status, const char *type,
    const char *text, size_t len);

/* Adds a header to the answer that is to come. Neither may hold a line end;
 * one that does is left out. */
void http_add(struct http_call *, const char *name, const char *value);

/* Answers with JSON; takes the value over. NULL is answered 500. */
void http_reply_json(struct http_call *, int status, json_t *);

/* Answers with a sentence: to a program as {"error": {code, message, reason}},
 * to a browser in words. reason: a fixed word. */
void http_fail(struct http_call *, int status, const char *reason,
    const char *fmt, ...) __attribute__((__format__(printf, 4, 5)));

/* Answers with what call->error, message and reason say. */
void http_fail_as_said(struct http_call *);

/*
 * Runs a command of the table with the call's role; takes params over (NULL:
 * none). The result, which is the caller's then; or NULL, and call->error says
 * why. A command that waits for the supervisor fails so: see below.
 */
json_t *http_ask(struct http_call *, const char *method, json_t *params);

/*
 * The same for any command: then() is called once, now or later, with the
 * result (borrowed) or NULL as above. It answers, or asks again. It is called
 * even if nobody waits for the answer any more.
 */
void http_ask_later(struct http_call *, const char *method, json_t *params,
    void (*then)(struct http_call *, json_t *result));

/* The status that fits an error of a command. */
int http_status_of(enum cmd_error);

#endif
