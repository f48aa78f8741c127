/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tcp endpoints, each in one of four states. Runs in the control process.
 * An endpoint belongs to the socket without keys or to the one with them; what
 * holds a key that is not in force any more is not what is in force, even if it
 * is bound to the same address.
 */

#include "control/zmq/endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "shm/log.h"

#define MS UINT64_C(1000000)

enum {
	AGAIN_MS = 2000,
	SOON_MS = 20, /* our own address is about to be free */
	FAREWELL_MS = 500, /* for what was asked there */
	SOON_TRIES = 100,
	REAL_BYTES = 128,
};

struct endpoint {
	enum {
		WANTED, /* not bound; tried when it is due */
		BOUND,
		NEXT, /* bound, for what is not in force yet */
		LEAVING, /* bound, until it is due */
	} state;
	char *text; /* as it is configured */
	char *key; /* file of the secret key; NULL: without */
	char real[REAL_BYTES]; /* as ZeroMQ knows it */
	uint64_t due_ns;
	bool complained;
	unsigned soon; /* tries at an address that is about to be free */
};

/* ---- sockets ---- */

/* True for 127.0.0.0/8, ::1 and localhost. */
static bool
is_loopback(const char *endpoint)
{
	const char *host = endpoint + strlen("tcp://");

	return strncmp(host, "127.", 4) == 0 ||
	    strncmp(host, "[::1]:", 6) == 0 ||
	    strncmp(host, "localhost:", 10) == 0;
}

static enum sockets_router
router_of(const struct endpoint *e)
{
	return e->key != NULL ? SOCKETS_CURVE : SOCKETS_PLAIN;
}

static int
no_curve(char *why, size_t size)
{
	snprintf(why, size, "cannot use CURVE: %s", zmq_strerror(zmq_errno()));
	return EX_SOFTWARE;
}

/* Who asks to be let in is looked up. */
static int
open_zap(struct sockets *d, char *why, size_t size)
{
	if (d->zap.socket != NULL)
		return 0;
	d->zap.control = d->control;
	d->zap.socket = zmq_socket(d->context, ZMQ_REP);
	if (d->zap.socket == NULL ||
	    zmq_bind(d->zap.socket, "inproc://zeromq.zap.01") == -1)
		return no_curve(why, size);
	return 0;
}

/* Gives the socket the key, which counts for what is bound from then on. */
static int
set_key(struct sockets *d, const char *file, char *why, size_t size)
{
	void *socket = d->router[SOCKETS_CURVE];
	char secret[CURVE_TEXT];
	const int on = 1;
	int rc;

	if (curve_load_secret(file, secret, why, size) == -1)
		return EX_CONFIG;
	rc = zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof(on)) == -1 ||
		zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret,
		    sizeof(secret)) == -1 ||
		zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "holdfast", 8) == -1
	    ? no_curve(why, size)
	    : 0;
	explicit_bzero(secret, sizeof(secret));
	return rc;
}

static int
open_router(struct sockets *d, enum sockets_router r, char *why, size_t size)
{
	if (d->router[r] == NULL)
		d->router[r] = sockets_make(d, ZMQ_ROUTER);
	if (d->router[r] != NULL)
		return 0;
	snprintf(why, size, "out of memory");
	return EX_SOFTWARE;
}

/* What a configuration says of keys; nothing is bound. */
static int
check_keys(struct sockets *d, const struct conf *conf, char *why, size_t size)
{
	struct stat st;
	int rc;

	if (conf->ncontrol_listen == 0 || conf->curve_secret_key == NULL)
		return 0;
	if (conf->curve_authorized == NULL) {
		snprintf(why, size, "control.curve.authorized is missing");
		return EX_CONFIG;
	}
	rc = open_router(d, SOCKETS_CURVE, why, size);
	if (rc == 0)
		rc = set_key(d, conf->curve_secret_key, why, size);
	if (rc == 0 && stat(conf->curve_secret_key, &st) == 0 &&
	    (st.st_mode & 077) != 0)
		log_warnx("others may read the secret key file=%s",
		    conf->curve_secret_key);
	return rc == 0 ? open_zap(d, why, size) : rc;
}

static int
check_endpoint(
    const struct conf *conf, const char *endpoint, char *why, size_t size)
{
	if (strncmp(endpoint, "tcp://", 6) != 0)
		snprintf(why, size, "control.listen: %s is no tcp:// endpoint",
		    endpoint);
	else if (conf->curve_secret_key == NULL && !is_loopback(endpoint))
		snprintf(why, size,
		    "control.listen: %s lies beyond loopback and needs "
		    "control.curve",
		    endpoint);
	else
		return 0;
	return EX_CONFIG;
}

/* ---- endpoints ---- */

/* What is there of an endpoint of a configuration. */
static struct endpoint *
find(const struct sockets *d, const struct conf *conf, const char *text)
{
	for (size_t i = 0; i < d->nendpoints; i++)
		if (strcmp(d->endpoints[i].text, text) == 0 &&
		    conf_same_text(d->endpoints[i].key, conf->curve_secret_key))
			return &d->endpoints[i];
	return NULL;
}

static struct endpoint *
add(struct sockets *d, const struct conf *conf, const char *text)
{
	struct endpoint *e = reallocarray(
	    d->endpoints, d->nendpoints + 1, sizeof(*d->endpoints));

	if (e == NULL)
		return NULL;
	d->endpoints = e;
	e += d->nendpoints;
	*e = (struct endpoint){ .state = WANTED, .text = strdup(text) };
	if (conf->curve_secret_key != NULL)
		e->key = strdup(conf->curve_secret_key);
	if (e->text != NULL &&
	    (e->key != NULL || conf->curve_secret_key == NULL)) {
		d->nendpoints++;
		return e;
	}
	free(e->text);
	free(e->key);
	return NULL;
}

static void
remove_at(struct sockets *d, size_t i)
{
	free(d->endpoints[i].text);
	free(d->endpoints[i].key);
	d->endpoints[i] = d->endpoints[--d->nendpoints];
}

static int
bind_it(struct sockets *d, struct endpoint *e, char *why, size_t size)
{
	enum sockets_router r = router_of(e);
	size_t len = sizeof(e->real);
	int rc = open_router(d, r, why, size);

	if (rc == 0 && e->key != NULL)
		rc = set_key(d, e->key, why, size);
	if (rc == 0)
		rc = sockets_bind(d->router[r], e->text, why, size);
	if (rc == 0 &&
	    zmq_getsockopt(d->router[r], ZMQ_LAST_ENDPOINT, e->real, &len) ==
		-1)
		snprintf(e->real, sizeof(e->real), "%s", e->text);
	return rc;
}

/* Its connections end with it. */
static void
let_go(struct sockets *d, size_t i)
{
	struct endpoint *e = &d->endpoints[i];

	if (zmq_unbind(d->router[router_of(e)], e->real) == -1)
		log_warnx(
		    "cannot leave %s: %s", e->text, zmq_strerror(zmq_errno()));
	else if (e->state == LEAVING)
		log_info("control has left endpoint=%s", e->text);
	remove_at(d, i);
}

static void
try(struct sockets *d, struct endpoint *e)
{
	uint64_t now = d->control->now_ns;
	char why[256];

	if (bind_it(d, e, why, sizeof(why)) == 0) {
		e->state = BOUND;
		log_info("control listens endpoint=%s curve=%s", e->text,
		    e->key != NULL ? "yes" : "no");
		return;
	}
	if (e->soon > 0) {
		e->soon--;
		e->due_ns = now + SOON_MS * MS;
		return;
	}
	if (!e->complained)
		log_error("%s; trying again", why);
	e->complained = true;
	e->due_ns = now + AGAIN_MS * MS;
}

uint64_t
endpoints_turn(struct sockets *d)
{
	uint64_t now = d->control->now_ns, next = UINT64_MAX;

	for (size_t i = 0; i < d->nendpoints; i++)
		if (d->endpoints[i].state == LEAVING &&
		    d->endpoints[i].due_ns <= now)
			let_go(d, i--);
	for (size_t i = 0; i < d->nendpoints; i++) {
		struct endpoint *e = &d->endpoints[i];

		if (e->state == WANTED && e->due_ns <= now)
			try(d, e);
		if ((e->state == WANTED || e->state == LEAVING) &&
		    e->due_ns < next)
			next = e->due_ns;
	}
	return next;
}

/* Who may come in, as the configuration in force says. */
static int
set_authorized(struct sockets *d, const struct conf *conf)
{
	char *dir = NULL;

	if (conf->curve_authorized != NULL &&
	    (dir = strdup(conf->curve_authorized)) == NULL)
		return -1;
	zap_look_in(&d->zap, dir);
	return 0;
}

int
endpoints_open(struct sockets *d, char *why, size_t size)
{
	const struct conf *conf = d->control->proc->conf;
	int rc = check_keys(d, conf, why, size);

	for (size_t i = 0; rc == 0 && i < conf->ncontrol_listen; i++) {
		rc = check_endpoint(conf, conf->control_listen[i], why, size);
		if (rc == 0 && find(d, conf, conf->control_listen[i]) == NULL &&
		    add(d, conf, conf->control_listen[i]) == NULL) {
			snprintf(why, size, "out of memory");
			rc = EX_SOFTWARE;
		}
	}
	if (rc == 0 && set_authorized(d, conf) < 0)
		rc = EX_SOFTWARE;
	if (rc == 0)
		endpoints_turn(d);
	return rc;
}

void
endpoints_free(struct sockets *d)
{
	while (d->nendpoints > 0)
		remove_at(d, 0);
	free(d->endpoints);
	d->endpoints = NULL;
}

/* ---- another configuration ---- */

/* True if one of ours has that address under other keys. */
static bool
is_ours(const struct sockets *d, const char *text)
{
	for (size_t i = 0; i < d->nendpoints; i++)
		if (strcmp(d->endpoints[i].text, text) == 0 &&
		    d->endpoints[i].state != WANTED)
			return true;
	return false;
}

/* One that is added. What has the same address is let go first, which cannot
 * be done before it is in force. */
static int
look_at(struct sockets *d, const struct conf *next, const char *text, char *why,
    size_t size)
{
	bool ours = is_ours(d, text);
	struct endpoint *e;
	int rc = check_endpoint(next, text, why, size);

	if (rc != 0 || ours)
		return rc;
	e = add(d, next, text);
	if (e == NULL) {
		snprintf(why, size, "out of memory");
		return EX_SOFTWARE;
	}
	rc = bind_it(d, e, why, size);
	if (rc == 0)
		e->state = NEXT;
	else
		remove_at(d, d->nendpoints - 1);
	return rc;
}

int
endpoints_look(
    struct sockets *d, const struct conf *next, char *why, size_t size)
{
	int rc;

	endpoints_abandon(d);
	rc = check_keys(d, next, why, size);
	for (size_t i = 0; rc == 0 && i < next->ncontrol_listen; i++)
		if (find(d, next, next->control_listen[i]) == NULL)
			rc = look_at(
			    d, next, next->control_listen[i], why, size);
	if (rc != 0)
		endpoints_abandon(d);
	return rc == 0 ? 0 : -1;
}

void
endpoints_abandon(struct sockets *d)
{
	for (size_t i = 0; i < d->nendpoints; i++)
		if (d->endpoints[i].state == NEXT)
			let_go(d, i--);
}

static bool
is_asked_for(const struct endpoint *e, const struct conf *conf)
{
	for (size_t i = 0; i < conf->ncontrol_listen; i++)
		if (strcmp(conf->control_listen[i], e->text) == 0 &&
		    conf_same_text(conf->curve_secret_key, e->key))
			return true;
	return false;
}

/* What is there, as the configuration wants it. */
static void
follow(struct sockets *d, struct endpoint *e, const struct conf *conf)
{
	if (is_asked_for(e, conf)) {
		if (e->state == NEXT)
			log_info("control listens endpoint=%s curve=%s",
			    e->text, e->key != NULL ? "yes" : "no");
		if (e->state != WANTED)
			e->state = BOUND;
	} else if (e->state != LEAVING) {
		e->due_ns = d->control->now_ns + FAREWELL_MS * MS;
		e->state = LEAVING;
	}
}

void
endpoints_force(struct sockets *d)
{
	const struct conf *conf = d->control->proc->conf;
	struct endpoint *e;
	char why[256];

	if (set_authorized(d, conf) < 0 ||
	    check_keys(d, conf, why, sizeof(why)) != 0)
		log_warnx("keys of control.curve cannot be used");
	for (size_t i = 0; i < d->nendpoints; i++) {
		e = &d->endpoints[i];
		if (e->state == WANTED && !is_asked_for(e, conf))
			remove_at(d, i--);
		else
			follow(d, e, conf);
	}
	for (size_t i = 0; i < conf->ncontrol_listen; i++) {
		if (find(d, conf, conf->control_listen[i]) != NULL)
			continue;
		e = add(d, conf, conf->control_listen[i]);
		if (e == NULL)
			continue;
		e->soon = SOON_TRIES;
		e->due_ns = d->control->now_ns + (FAREWELL_MS + 1) * MS;
	}
}
