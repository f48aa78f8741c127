/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus over a serial line: the life of its device, and the states between
 * hearing and saying (Serial Line V1.02, 2.5.1). Runs in the workers of type
 * serial, one line each. What is heard is serial_in.c's and bus.c's, where the
 * argument about other stations stands; what is said is serial_out.c's.
 *
 * The device is opened here, as this worker's user, and again whenever it is
 * lost: an adapter that is pulled out and put back goes on being served. A
 * worker whose device is not there is ready all the same, for the daemon's
 * other transports have nothing to do with it. While the line is there it is a
 * connection, which opens and closes with it, so that whoever watches
 * connections or the transport sees it go and come back.
 *
 * A worker that dies leaves its device open: the record of that connection
 * tells where, its keeper keeps it, and the successor goes on with it, without
 * a modem line having moved. What was under way is lost. Nothing of an
 * interrupted reply is sent any more, since whoever asked may have asked
 * something else by then, and would take it for the answer to that.
 *
 *	LOST --opened--> DEAF --t3.5 of silence--> IDLE
 *	IDLE --characters--> HEARS --t3.5--> IDLE, or UNSURE, or a reply:
 *	[PAUSES turnaround_ms, faults] [TURNS: RTS] SAYS [PARTS: faults]
 *	[ENDS STAYS: RTS] --> IDLE
 *
 * A request is served when the silence behind it has lasted t3.5, which is
 * when it may be answered (SL 2.5.1.1, "Idle"), and not before: until then it
 * may turn out to be part of something else. It waits for nothing more.
 *
 * Times are measured with a timer of their own. The loop's have milliseconds,
 * and t3.5 has two.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "shm/layout_control.h"
#include "shm/notice.h"
#include "workers/resume.h"
#include "workers/serial/serial.h"
#include "workers/transport.h"

enum {
	BACKOFF_MIN_MS = 10,
	BACKOFF_MAX_MS = 2000, /* restart.max_backoff_ms, if that is less */
	SETTLE_MS = 200, /* a start waits so much longer than t3.5 for it */
};

/* ---- states ---- */

static void try_open(struct serial *);

/* The silence after the opening has come. */
static void
settled(struct serial *s)
{
	/* what came while this process was away is no silence */
	if (!serial_read(s) && s->state == SERIAL_DEAF)
		serial_listen(s);
}

static const struct row {
	const char *name;
	void (*timeout)(struct serial *);
	bool over; /* nothing is owed to anybody: a drain may end here */
} rows[SERIAL_STATES] = {
	[SERIAL_LOST] = { "lost", try_open, true },
	[SERIAL_DEAF] = { "deaf", settled, true },
	[SERIAL_IDLE] = { "idle", serial_listen, true },
	[SERIAL_HEARS] = { "hears", serial_silence, false },
	[SERIAL_UNSURE] = { "unsure", serial_give_up, true },
	[SERIAL_PAUSES] = { "pauses", serial_say, false },
	[SERIAL_TURNS] = { "turns", serial_send, false },
	[SERIAL_SAYS] = { "says", serial_stuck, false },
	[SERIAL_PARTS] = { "parts", serial_send, false },
	[SERIAL_ENDS] = { "ends", serial_ended, false },
	[SERIAL_STAYS] = { "stays", serial_release, false },
};

void
serial_set_state(struct serial *s, enum serial_state state, uint64_t at_ns)
{
	struct itimerspec at = {
		.it_value = { (time_t)(at_ns / 1000000000),
		    (long)(at_ns % 1000000000) },
	};

	if (s->state != state)
		log_debug(
		    "line %s was=%s", rows[state].name, rows[s->state].name);
	s->state = state;
	/* this also takes back that an earlier time has come */
	timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void
timed_out(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;
	uint64_t times;

	(void)what;
	worker_tick(s->worker);
	/* it may have been set anew since the loop saw it */
	if (read(fd, &times, sizeof(times)) == sizeof(times))
		rows[s->state].timeout(s);
}

void
serial_listen(struct serial *s)
{
	if (s->rtu && (s->bus.len != 0 || s->bus.bad)) {
		/* it came while we spoke */
		serial_set_state(s, SERIAL_HEARS, s->last_ns + s->t35_ns);
		return;
	}
	if (!s->rtu && !serial_go_on(s))
		return;
	serial_set_state(s, SERIAL_IDLE, 0);
	if (s->worker->draining)
		worker_done(s->worker);
}

/* ---- the device ---- */

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;

	(void)fd;
	(void)what;
	serial_take(s);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct serial *s = arg;

	(void)fd;
	(void)what;
	worker_tick(s->worker);
	serial_send(s);
}

/* The topic of the transport says what has become of its line; its state is
 * what it was. */
static void
notify(const struct serial *s, const char *what)
{
	const struct proc *p = s->worker->proc;
	char text[NOTICE_TEXT_MAX];
	uint32_t state;

	snprintf(text, sizeof(text), "%s port=%s%s%s", what, s->line.conf->port,
	    s->line.why[0] != '\0' ? ": " : "", s->line.why);
	state = atomic_load_explicit(
	    &seg_transport(p->env.control, p->transport_index)->state,
	    memory_order_acquire);
	notice_post(
	    &p->env, NOTICE_TRANSPORT, p->transport_index, state, state, text);
}

static void
retry_later(struct serial *s)
{
	unsigned max = s->worker->conf->restart.max_backoff_ms;

	if (max > BACKOFF_MAX_MS)
		max = BACKOFF_MAX_MS;
	s->backoff_ms = s->backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * s->backoff_ms;
	if (s->backoff_ms > max)
		s->backoff_ms = max > 0 ? max : BACKOFF_MIN_MS;
	serial_set_state(
	    s, SERIAL_LOST, s->worker->now_ns + s->backoff_ms * 1000000ull);
}

/* Once for each loss, and once for each further reason. */
static void
tell_lost(struct serial *s, const char *what)
{
	if (s->told && strcmp(s->reason, s->line.why) == 0)
		return;
	memcpy(s->reason, s->line.why, sizeof(s->reason));
	if (s->told) {
		log_info("%s port=%s why=\"%s\"", what, s->line.conf->port,
		    s->line.why);
		return;
	}
	s->told = true;
	log_warnx("%s: it will be tried again port=%s why=\"%s\"", what,
	    s->line.conf->port, s->line.why);
	notify(s, what);
}

static void
tell_found(struct serial *s)
{
	s->line.why[0] = '\0';
	if (!s->told)
		return;
	s->told = false;
	log_info("line found port=%s", s->line.conf->port);
	notify(s, "line found");
}

static void
end_conn(struct serial *s, const char *why, _Atomic uint64_t *counter)
{
	if (s->conn != NULL)
		conns_close(&s->conns, s->conn, why, counter);
	s->conn = NULL;
}

/* The line as a connection. There is a record: only this one is ever open. */
static void
begin_conn(struct serial *s)
{
	struct acl_peer p = { .family = AF_UNSPEC, .text = s->line.conf->port };

	s->conn = conns_open(&s->conns, -1, &p, false);
	if (s->conn == NULL)
		fatal(70, "no record for the line");
	s->conn->ready = true;
	/* where RTS turns the line it must fall with whoever drives it */
	s->conn->rec.shm->fd = s->line.rts ? -1 : s->line.fd;
	s->peer = (struct link_peer){ .shm = s->conn->rec.shm,
		.author = s->conn->author,
		.op = batch_half(s->conn->rec.shm)->op };
}

static void
close_line(struct serial *s)
{
	event_del(&s->readable);
	event_del(&s->writable);
	line_close(&s->line);
	serial_in_reset(s);
}

/* What a predecessor has left open, the first time that it is asked. */
static bool
inherit_line(struct serial *s)
{
	int fd = s->left_fd;

	s->left_fd = -1;
	if (fd == -1 || line_inherit(&s->line, fd) == -1)
		return false;
	log_info(
	    "line taken over from the last worker port=%s", s->line.conf->port);
	return true;
}

static void
try_open(struct serial *s)
{
	struct event_base *base = s->worker->base;

	if (!inherit_line(s) && line_open(&s->line) == -1) {
		tell_lost(s, "line not there");
		retry_later(s);
		return;
	}
	event_assign(&s->readable, base, s->line.fd, EV_READ | EV_PERSIST,
	    on_readable, s);
	event_assign(&s->writable, base, s->line.fd, EV_WRITE | EV_PERSIST,
	    on_writable, s);
	if (event_add(&s->readable, NULL) == -1) {
		snprintf(s->line.why, sizeof(s->line.why),
		    "the device cannot be waited for");
		close_line(s);
		tell_lost(s, "line not there");
		retry_later(s);
		return;
	}
	tell_found(s);
	begin_conn(s);
	s->last_ns = s->worker->now_ns;
	serial_set_state(s, SERIAL_DEAF, s->last_ns + s->t35_ns);
}

void
serial_lose(struct serial *s)
{
	tell_lost(s, "line lost");
	end_conn(s, s->line.why, NULL);
	close_line(s);
	retry_later(s);
	if (s->worker->draining)
		worker_done(s->worker);
}

/* ---- the transport ---- */

/* A descriptor that may be the line, where a predecessor had it; -1. It has
 * no more than one connection. */
static int
find_left(struct worker *w)
{
	for (unsigned i = 0; w->proc->kept && i < seg_conns(w->shm); i++) {
		struct shm_conn *c = seg_conn(w->shm, i);

		if (atomic_load_explicit(&c->used, memory_order_acquire) !=
			CONN_FREE &&
		    c->fd >= 0 && isatty(c->fd))
			return c->fd;
	}
	return -1;
}

static int
init(struct serial *s, struct worker *w)
{
	const struct conf_serial *conf = &w->conf->serial;

	s->worker = w;
	s->state = SERIAL_LOST;
	s->left_fd = find_left(w);
	line_init(&s->line, conf);
	s->char_ns = line_char_ns(conf);
	s->t15_ns = line_t15_ns(conf);
	s->t35_ns = line_t35_ns(conf);
	s->timer_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	event_assign(&s->timer, w->base, s->timer_fd, EV_READ | EV_PERSIST,
	    timed_out, s);
	w->why = "no timer";
	if (s->timer_fd == -1 || event_add(&s->timer, NULL) == -1)
		return -1;
	if (serial_in_init(s) == -1 || conns_init(&s->conns, w) == -1)
		return -1;
	worker_tick(w);
	serial_judge(s);
	return resume_wipe(&s->conns, NULL, -1);
}

/* A worker that is ready answers the first request: so the silence after the
 * opening is waited for before, unless the line is never silent. */
static void
settle(struct serial *s)
{
	uint64_t end = s->worker->now_ns + s->t35_ns + SETTLE_MS * 1000000ull;

	while (s->state == SERIAL_DEAF && s->worker->now_ns < end) {
		struct pollfd p[2] = {
			{ .fd = s->timer_fd, .events = POLLIN },
			{ .fd = s->line.fd, .events = POLLIN },
		};

		poll(p, 2, SETTLE_MS);
		worker_tick(s->worker);
		if (p[1].revents != 0)
			serial_take(s);
		else if (p[0].revents != 0)
			timed_out(s->timer_fd, EV_READ, s);
	}
}

static int
start(struct worker *w)
{
	struct serial *s = calloc(1, sizeof(*s));

	w->why = "not enough memory";
	if (s == NULL)
		return -1;
	w->state = s;
	if (init(s, w) == -1)
		return -1;
	try_open(s);
	settle(s);
	return 0;
}

static void
drain(struct worker *w)
{
	struct serial *s = w->state;

	if (rows[s->state].over) {
		worker_done(w);
		return;
	}
	/* what a fault puts off waits no longer */
	if ((s->state == SERIAL_PAUSES && s->late.delay_ms != 0) ||
	    s->state == SERIAL_PARTS)
		serial_set_state(s, s->state, w->now_ns);
	s->late = (struct late){ 0 };
}

/* Who kicks the line wants what is under way to end. */
static bool
kick(struct worker *w, uint64_t serial)
{
	struct serial *s = w->state;

	if (s->conn == NULL || conns_by_serial(&s->conns, serial) != s->conn)
		return false;
	end_conn(s, "closed by an operator", &w->shm->stats.conns_kicked);
	event_del(&s->writable);
	line_flush_out(&s->line);
	line_drive(&s->line, false);
	serial_in_reset(s);
	begin_conn(s);
	s->last_ns = w->now_ns;
	serial_set_state(s, SERIAL_DEAF, s->last_ns + s->t35_ns);
	return true;
}

static void
stop(struct worker *w)
{
	struct serial *s = w->state;

	end_conn(s, "stopped", NULL);
	if (s->line.fd != -1)
		close_line(s);
	event_del(&s->timer);
	close(s->timer_fd);
	conns_fini(&s->conns);
	link_fini(&s->link);
	free(s);
}

const struct transport_ops transport_serial = {
	.name = "serial",
	.start = start,
	.drain = drain,
	.kick = kick,
	.stop = stop,
};
