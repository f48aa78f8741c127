/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_H
#define HTTP_SIM_H

/*
 * The pages and the REST of pymodbus's simulator: what is asked with names and
 * values of its forms, and answered as JSON with its keys; a page shows the
 * same JSON. Knows no HTTP: sim_route.c brings what was asked and takes the
 * answer away. All that it does is done by commands.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SIM_FILTER_MAX = 1000, /* registers that a page shows */
	SIM_ROWS_MAX = 16384, /* registers in one answer */
	SIM_CALLS_MAX = 1000, /* call rows */
	SIM_SESSIONS = 64,
	SIM_REFRESH_MAX = 86400, /* seconds */
	SIM_NAME_MAX = 64, /* of a device or server */
	SIM_WHY_MAX = 320,
};

enum sim_page { SIM_REGISTERS, SIM_CALLS, SIM_LOG, SIM_SERVER, SIM_PAGES };

struct sim_call;

/* Why a command was not carried out: an HTTP status and a sentence. */
struct sim_error {
	int status;
	char why[SIM_WHY_MAX];
};

/* Runs a command; takes params over. A new reference, or NULL with *error. */
typedef json_t *sim_ask_fn(
    void *arg, const char *method, json_t *params, struct sim_error *error);

/* A register on a page: the device's index << 32 | the register. */
typedef uint64_t sim_mark;

/* What one who looks at the pages has chosen. */
struct sim_session {
	char id[33]; /* what his cookie holds; "" of those without */
	uint64_t used_ms; /* unix time; 0: free */
	sim_mark *filter; /* ascending, at most SIM_FILTER_MAX; owned */
	size_t nfilter;
	bool filter_full; /* not all that was asked for is in it */
	unsigned refresh_s;
	double log_from; /* unix time before which lines are hidden */
	bool log_follows;
	struct {
		bool active, stopped, hex, decode;
		int64_t start, stop, function; /* -1: any */
		double since; /* unix time */
		char server[SIM_NAME_MAX];
	} monitor;
};

/* What the Simulate form of a server last said: a rule does not tell all. */
struct sim_form {
	char server[SIM_NAME_MAX];
	int64_t split, delay, junk, error, cr, clear_after;
};

/* One for the process. */
struct sim {
	struct sim_session session[SIM_SESSIONS]; /* 0: without a cookie */
	struct sim_form *form; /* owned, one a server */
	size_t nforms;
};

/* One request. */
struct sim_call {
	struct sim *sim;
	struct sim_session *session;
	enum sim_page page;
	bool html; /* a page is asked for, not JSON */
	const json_t *in; /* the form's fields, or the JSON; an object */
	double now; /* unix time */
	sim_ask_fn *ask;
	void *arg;
	/* the answer */
	int status; /* 200, or that of an error */
	char why[SIM_WHY_MAX]; /* "" if all is well */
	json_t *out; /* the JSON; owned */
};

/* One of zeros is as new. */
void sim_fini(struct sim *);

/*
 * Carries a request out: out, status and why are set. Whatever was asked, out
 * is an object with "result". Where it has failed before, nothing is done but
 * to show so.
 */
void sim_run(struct sim_call *);
void sim_call_fini(struct sim_call *);

/* Fails the request; the first failure stays. Returns false. */
bool sim_fail(struct sim_call *, int status, const char *fmt, ...)
    __attribute__((__format__(printf, 3, 4)));

/* A command's result, a new reference; NULL after the request has failed.
 * Takes params over. */
json_t *sim_ask(struct sim_call *, const char *method, json_t *params);

/* The same where a failure is no failure of the request. */
json_t *sim_try(struct sim_call *, const char *method, json_t *params);

/* Each page: does what is asked, fills in out. */
void sim_registers(struct sim_call *);
void sim_calls(struct sim_call *);
void sim_log(struct sim_call *);
void sim_server(struct sim_call *);

#endif
