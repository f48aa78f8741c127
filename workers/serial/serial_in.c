/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is heard on a serial line: echoes of what was said are taken out, the
 * rest becomes requests, which are served at once. Runs in the workers of type
 * serial. RTU messages end by silence (bus.c); the other framers have marks,
 * and read a stream.
 *
 * What t15 can see. Pauses are measured between reads. A built-in port hands
 * over characters as they come, give or take its FIFO, whose time on the wire
 * is taken off. A USB adapter or a pseudo-terminal hands over lumps: within
 * one no pause is seen, and between two of one frame a pause may be seen that
 * was not on the wire. So "strict" is for built-in ports.
 *
 * Echoes that nobody has told of (local_echo). Most replies are no requests:
 * whatever comes first after such a one is compared with it, until it is known
 * whether this line echoes. A line of which it is known that it does not is not
 * looked at again before it is opened anew; but a message to us that is, to the
 * bit, what was said last, and no request, is an echo at any time.
 *
 * The reply to a write, or to FC 8/0, is the request over again. If it comes,
 * it is an echo, or a master that asks the same once more, and nothing tells
 * which: a master waits t3.5 behind our last bit and an echo comes while we
 * send, but adapters keep either back for longer than that, and many ports have
 * no wire behind them. To take a request for an echo loses a write, and the
 * next, for ever; so it is served. To take an echo for a request carries out
 * again what has just been carried out, and its reply comes back, too, for
 * ever; so this is bounded: what has come SERIAL_REPEATS times in a row, each
 * time at once, is answered 06 once, which a master may repeat. That reply is
 * no request. Its echo says that there are echoes; anything else, that there
 * are none, and then nothing is counted any more. Replies that are no requests
 * decide it sooner, and on most lines nothing is ever repeated so often before
 * the first of them. What comes while RTS drives the line is ours for sure.
 */
#include <string.h>

#include "workers/hooks/hooks.h"
#include "workers/serial/serial.h"

static struct shm_stats *
stats(const struct serial *s)
{
	return &s->worker->shm->stats;
}

/* ---- requests ---- */

/*
 * Serves a request. A worker that is killed in it has given out its operation
 * numbers for good: its successor begins behind them.
 */
static void
serve(struct serial *s, const struct frame *f, const uint8_t *adu, bool answer)
{
	const struct late *late;
	size_t len;

	batch_half(s->conn->rec.shm)->op = s->peer.op + s->link.ops_max + 1;
	atomic_signal_fence(memory_order_seq_cst);
	s->peer.asked = 0;
	serial_unsay(s); /* who asks again waits for this one */
	serial_hand(s, f, adu, f->used);
	len = link_answer(&s->link, &s->peer, f, adu, s->reply, &late);
	serial_hand_over(s);
	s->late = late != NULL ? *late : (struct late){ 0 };
	conns_used(&s->conns, s->conn);
	s->reply_len = len;
	s->reply_unit = f->unit;
	s->sent = 0;
	if (!answer)
		serial_unsay(s);
}

static bool
is_mine(const struct serial *s, uint8_t unit)
{
	const struct worker *w = s->worker;

	return w->bind.by_unit[unit] != NULL ||
	    (unit == 0 && w->conf->broadcast) || !w->conf->silent_units;
}

static void
log_echo(struct serial *s)
{
	if (!s->told_echo && !s->line.conf->local_echo)
		log_warnx("what is sent comes back and is taken out: "
			  "\"local_echo\": true would say so port=%s",
		    s->line.conf->port);
	s->told_echo = true;
	s->echoes = ECHO_THERE;
}

bool
serial_reads_as_request(struct serial *s, const uint8_t *adu, size_t len)
{
	struct frame f = { .arg = s->link.framer->arg };

	if (s->link.framer->datagram(&s->link.fcs, link_delimiter(&s->link),
		adu, len, &f) != FRAME_OK)
		return false;
	return mb_request_len(&s->link.fcs, f.pdu, f.pdu_len) == (int)f.pdu_len;
}

/* What was said last comes back, at once or so. */
static bool
is_repeated(const struct serial *s)
{
	uint64_t until = s->began_ns + 2 * s->sent * s->char_ns +
	    SERIAL_WAIT_MS * 1000000ull;

	return s->echoes == ECHO_UNKNOWN && s->last_ns <= until;
}

/* Whether a good message is what was said last, and nothing that anybody
 * would ask. */
static bool
is_late_echo(struct serial *s, const uint8_t *adu, size_t len)
{
	bool same = len == s->sent && memcmp(adu, s->reply, len) == 0;

	s->peer.busy = false;
	if (same && !serial_reads_as_request(s, adu, len)) {
		log_echo(s);
		return true;
	}
	s->repeats = same && is_repeated(s) ? s->repeats + 1 : 0;
	if (s->repeats == SERIAL_REPEATS) {
		s->repeats = 0;
		s->peer.busy = true;
	}
	return false;
}

static void
heard(void *arg, const struct bus_message *m)
{
	struct serial *s = arg;

	switch (m->kind) {
	case BUS_REQUEST:
		if (!is_late_echo(s, m->adu, m->len))
			serve(s, m->frame, m->adu, m->answer);
		break;
	case BUS_OTHER:
		if (is_late_echo(s, m->adu, m->len))
			break;
		link_heard(&s->link, &s->peer, m->adu[0], m->adu, m->len);
		break;
	case BUS_BAD:
		link_noise(&s->link, &s->peer, m->adu, m->len);
		break;
	case BUS_OVERRUN:
		link_overrun(&s->link);
		break;
	}
}

/* ---- silence ---- */

/* SL 2.4: characters that the driver could not keep. */
static void
count_overruns(struct serial *s)
{
	for (unsigned n = line_overruns(&s->line); n > 0; n--)
		link_overrun(&s->link);
}

void
serial_silence(struct serial *s)
{
	bool unsure;

	if (!s->rtu) {
		serial_give_up(s);
		return;
	}
	/* the last word on it: this process may have been away meanwhile */
	if (serial_read(s) || s->state != SERIAL_HEARS)
		return;
	count_overruns(s);
	if (s->interrupted)
		link_noise(&s->link, &s->peer, NULL, 0);
	s->interrupted = false;
	unsure = bus_quiet(&s->bus);
	if (s->reply_len == 0 && unsure)
		serial_set_state(s, SERIAL_UNSURE,
		    s->last_ns + s->t35_ns + SERIAL_WAIT_MS * 1000000ull);
	else if (s->reply_len == 0 || serial_respond(s))
		serial_listen(s);
}

void
serial_give_up(struct serial *s)
{
	if (s->rtu)
		bus_give_up(&s->bus);
	else
		link_noise(&s->link, &s->peer, s->in, s->in_len);
	s->in_len = 0;
	if (s->reply_len == 0 || serial_respond(s))
		serial_listen(s);
}

/* ---- streams: ascii, socket, tls ---- */

/* How long the rest of a frame may take from one character to the next. */
static uint64_t
patience_ns(const struct serial *s)
{
	unsigned ms = s->link.framer == &frame_ascii
	    ? s->line.conf->ascii_timeout_ms
	    : SERIAL_WAIT_MS;

	return ms * 1000000ull;
}

/* A frame of the stream, which ends at `end` of in[]. */
static void
take_frame(struct serial *s, const struct frame *f)
{
	/* on a bus who asks again has given up waiting for the first */
	bool answer = s->link.framer != &frame_ascii ||
	    memchr(s->in + f->used, ':', s->in_len - f->used) == NULL;

	if (is_mine(s, f->unit) && is_late_echo(s, s->in, f->used))
		return;
	if (is_mine(s, f->unit) && (f->pdu[0] & 0x80) == 0)
		serve(s, f, s->in, answer);
	else
		link_heard(&s->link, &s->peer, f->unit, s->in, f->used);
}

/* Hopeless: the stream begins anew behind the next silence. */
static void
resync(struct serial *s)
{
	link_noise(&s->link, &s->peer, s->in, s->in_len);
	s->in_len = 0;
	serial_set_state(s, SERIAL_DEAF, s->last_ns + s->t35_ns);
}

/* Serves up to the next reply. False if the stream is broken. */
static bool
next_reply(struct serial *s)
{
	enum frame_rc rc = FRAME_OK;
	struct frame f = { .arg = s->link.framer->arg };

	while (rc == FRAME_OK && s->in_len > 0 && s->reply_len == 0) {
		rc = s->link.framer->stream(&s->link.fcs,
		    link_delimiter(&s->link), s->in, s->in_len, &f);
		if (rc == FRAME_BAD) {
			resync(s);
			return false;
		}
		for (unsigned i = 0; i < f.errors; i++)
			link_noise(&s->link, &s->peer, s->in, f.used);
		if (rc == FRAME_OK)
			take_frame(s, &f);
		s->in_len -= f.used;
		memmove(s->in, s->in + f.used, s->in_len);
	}
	return true;
}

bool
serial_go_on(struct serial *s)
{
	for (;;) {
		if (!next_reply(s))
			return false;
		if (s->reply_len == 0)
			break;
		if (!serial_respond(s))
			return false;
	}
	event_add(&s->readable, NULL);
	if (s->in_len > 0)
		serial_set_state(s, SERIAL_HEARS, s->last_ns + patience_ns(s));
	return s->in_len == 0;
}

static void
put_stream(struct serial *s, const uint8_t *p, size_t n)
{
	memcpy(s->in + s->in_len, p, n);
	s->in_len += n;
	/* who asks again does not wait for the first reply any more */
	if (s->state < SERIAL_TURNS && s->link.framer == &frame_ascii &&
	    memchr(p, ':', n) != NULL)
		serial_unsay(s);
}

/* ---- RTU ---- */

/* Whether there was a pause on the wire before the n characters that have come
 * now; without a wire they have come all at once. */
static bool
was_pause(const struct serial *s, size_t n)
{
	uint64_t gap = s->worker->now_ns - s->last_ns;
	uint64_t took = s->line.wire ? n * s->char_ns : 0;

	return gap > took + s->t15_ns;
}

static void
put_rtu(struct serial *s, const uint8_t *p, size_t n)
{
	/* a reply that has not been begun has lost its turn */
	if (s->state < SERIAL_TURNS)
		serial_unsay(s);
	if (s->line.conf->t15 != CONF_T15_OFF && s->state == SERIAL_HEARS &&
	    was_pause(s, n)) {
		s->interrupted |= !s->bus.strict;
		bus_paused(&s->bus);
	}
	bus_put(&s->bus, p, n);
	s->last_ns = s->worker->now_ns;
	if (s->state < SERIAL_TURNS)
		serial_set_state(s, SERIAL_HEARS, s->last_ns + s->t35_ns);
}

/* ---- bytes ---- */

static void
put(struct serial *s, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	if (s->rtu) {
		put_rtu(s, p, n);
		return;
	}
	s->last_ns = s->worker->now_ns;
	put_stream(s, p, n);
}

static void
damaged(struct serial *s)
{
	echo_forget(&s->echo);
	if (s->rtu) {
		bus_damaged(&s->bus);
		s->last_ns = s->worker->now_ns;
		if (s->state < SERIAL_TURNS)
			serial_set_state(
			    s, SERIAL_HEARS, s->last_ns + s->t35_ns);
		return;
	}
	link_noise(&s->link, &s->peer, s->in, s->in_len);
	s->in_len = 0;
}

/* What has come instead of an echo, or too late for one. */
static void
no_echo(struct serial *s)
{
	bool told = s->line.conf->local_echo;

	if (told && !s->told_echo)
		log_warnx("what is sent does not come back: \"local_echo\" "
			  "promises it port=%s",
		    s->line.conf->port);
	s->told_echo |= told;
	s->echoes =
	    s->echoes == ECHO_THERE || told ? ECHO_UNKNOWN : ECHO_ABSENT;
}

/*
 * What was held for an echo, and is none, is input. Behind a silence it is a
 * piece of its own, behind a long one it is noise.
 */
static void
give_back(struct serial *s, size_t held)
{
	uint64_t gap = s->worker->now_ns - s->held_ns;

	if (held == 0)
		return;
	if (gap > s->t35_ns + SERIAL_WAIT_MS * 1000000ull) {
		link_noise(&s->link, &s->peer, s->echo.sent, held);
		return;
	}
	put(s, s->echo.sent, held);
	if (s->rtu && gap > s->t35_ns)
		bus_quiet(&s->bus);
}

/* Takes the echo out of n bytes; what is left is input. */
static void
sift(struct serial *s, const uint8_t *p, size_t n)
{
	struct echo *e = &s->echo;
	size_t taken, held = e->at;

	if (e->len != 0 && s->worker->now_ns > e->until_ns) {
		no_echo(s);
		echo_forget(e);
		give_back(s, held);
	}
	switch (echo_match(e, p, n, &taken)) {
	case ECHO_ALL:
		log_echo(s);
		break;
	case ECHO_OTHER:
		no_echo(s);
		give_back(s, held);
		put(s, e->sent + held, e->at - held);
		break;
	case ECHO_PART:
		s->held_ns = s->worker->now_ns;
		break;
	default:
		break;
	}
	put(s, p + taken, n - taken);
}

/* While the line is driven by hand its receiver hears at most ourselves: all
 * is dropped, and what is the echo is known for it, as its rest may come when
 * the line has been let go of. */
static bool
drop_own(struct serial *s, const uint8_t *p, size_t n)
{
	size_t taken;

	if (!s->line.rts || s->state < SERIAL_TURNS)
		return false;
	echo_match(&s->echo, p, n, &taken);
	return true;
}

/* A stream is read no faster than it is answered; the kernel keeps the rest.
 * What has been held for an echo needs room, too. */
static bool
has_room(struct serial *s)
{
	if (s->rtu ||
	    sizeof(s->in) - s->in_len >= BUS_READ_MAX + sizeof(s->reply))
		return true;
	event_del(&s->readable);
	return false;
}

/* Shows hooks what has come; how much there is then. */
static size_t
show(struct serial *s, uint8_t *buf, size_t n, size_t room)
{
	serial_hand(s, NULL, buf, n);
	n = hooks_packet(
	    s->worker, s->conn->rec.shm, NULL, false, buf, n, room);
	serial_hand_over(s);
	return n;
}

bool
serial_read(struct serial *s)
{
	uint8_t buf[BUS_READ_MAX];
	struct line_got got;
	int rc;

	if (!has_room(s))
		return false;
	rc = line_read(&s->line, buf, sizeof(buf), &got);
	if (rc == -1)
		serial_lose(s);
	if (rc != 1)
		return false;
	worker_tick(s->worker);
	worker_count(&stats(s)->bytes_in, got.n);
	worker_count(&stats(s)->batches, 1);
	s->backoff_ms = 0;
	if ((s->worker->traced & HOOK_PACKET) != 0 && got.n != 0 &&
	    s->conn != NULL)
		got.n = show(s, buf, got.n, sizeof(buf));
	if (s->state == SERIAL_DEAF) {
		s->last_ns = s->worker->now_ns;
		serial_set_state(s, SERIAL_DEAF, s->last_ns + s->t35_ns);
	} else if (!drop_own(s, buf, got.n)) {
		if (got.bad)
			damaged(s);
		sift(s, buf, got.n);
	}
	return true;
}

void
serial_take(struct serial *s)
{
	bool waits;

	if (!serial_read(s) || s->rtu)
		return;
	waits = s->state == SERIAL_IDLE || s->state == SERIAL_HEARS ||
	    s->state == SERIAL_PAUSES;
	if (waits && s->reply_len == 0)
		serial_listen(s);
}

/* ---- its life ---- */

void
serial_in_reset(struct serial *s)
{
	bus_reset(&s->bus);
	s->in_len = 0;
	s->interrupted = false;
	s->reply_len = 0;
	s->sent = 0;
	s->repeats = 0;
	echo_forget(&s->echo);
	s->echoes = ECHO_UNKNOWN;
}

int
serial_in_init(struct serial *s)
{
	struct worker *w = s->worker;

	if (link_init(&s->link, w) == -1)
		return -1;
	s->rtu = s->link.framer == &frame_rtu;
	s->bus.fcs = &s->link.fcs;
	s->bus.strict = w->conf->serial.t15 == CONF_T15_STRICT;
	s->bus.heard = heard;
	s->bus.arg = s;
	for (unsigned u = 0; u < CONF_UNITS; u++)
		s->bus.mine[u] = is_mine(s, (uint8_t)u);
	serial_in_reset(s);
	return 0;
}
