/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said on a serial line: a reply waits for its turn, takes hold of the
 * line where that is done by hand, is written as the device takes it, and the
 * line is let go of when its last bit has gone. Runs in the workers of type
 * serial. Never blocks: a device that takes nothing loses the reply.
 */
#include "workers/serial/serial.h"

enum {
	STUCK_MS = 500, /* a reply may take twice its time and this */
	LATE_MS = 20, /* an adapter hands over what it has so often */
	ECHO_MS = 1000, /* one that is sure to come may be read so late */
	LOOK_NS = 100000, /* how often a device is asked if all has gone */
};

static uint64_t
wire_ns(const struct serial *s, size_t len)
{
	return s->line.wire ? len * s->char_ns : 0;
}

void
serial_unsay(struct serial *s)
{
	if (s->reply_len == 0)
		return;
	link_unsent(&s->link, s->reply_unit);
	s->reply_len = 0;
}

/* Whether what is sent may come back, and until when it would. */
static void
await_echo(struct serial *s)
{
	bool known = s->line.conf->local_echo || s->echoes == ECHO_THERE;
	uint64_t until = s->worker->now_ns + wire_ns(s, s->reply_len) +
	    s->late.split_ms * 1000000ull;

	if (s->line.conf->rs485.rx_during_tx && s->line.rts)
		known = true;
	if (known)
		until += ECHO_MS * 1000000ull;
	else if (s->echoes == ECHO_ABSENT ||
	    (!s->line.rts &&
		serial_reads_as_request(s, s->reply, s->reply_len)))
		return; /* serial_in.c says why */
	else
		until += s->line.wire ? LATE_MS * 1000000ull : s->t35_ns;
	echo_await(&s->echo, s->reply, s->reply_len, until);
}

/* True if the line need not be let go of. */
static bool
all_written(struct serial *s)
{
	event_del(&s->writable);
	s->reply_len = 0;
	if (!s->line.rts)
		return true;
	serial_set_state(s, SERIAL_ENDS, s->began_ns + wire_ns(s, s->sent) + 1);
	return false;
}

/* The first part of what a fault has parted is out: the line stays ours until
 * the second one is. True if it is to wait. */
static bool
part(struct serial *s)
{
	unsigned ms = s->late.split_ms;

	if (ms == 0 || s->sent < s->late.first)
		return false;
	s->late.split_ms = 0;
	event_del(&s->writable);
	/* the time that it may take begins anew behind the wait */
	s->began_ns += ms * 1000000ull;
	serial_set_state(s, SERIAL_PARTS, s->worker->now_ns + ms * 1000000ull);
	return true;
}

/* Writes what the device takes. True if all is over. */
static bool
push(struct serial *s)
{
	size_t upto = s->reply_len;
	ssize_t n;

	if (s->sent == 0) {
		s->began_ns = s->worker->now_ns;
		await_echo(s);
	}
	if (s->late.split_ms != 0)
		upto = s->late.first;
	n = line_write(&s->line, s->reply + s->sent, upto - s->sent);
	if (n < 0) {
		serial_lose(s);
		return false;
	}
	s->sent += (size_t)n;
	worker_count(&s->worker->shm->stats.bytes_out, (uint64_t)n);
	if (s->sent == s->reply_len)
		return all_written(s);
	if (part(s))
		return false;
	if (s->state == SERIAL_SAYS)
		return false;
	worker_count(&s->worker->shm->stats.backpressured, 1);
	event_add(&s->writable, NULL);
	serial_set_state(s, SERIAL_SAYS,
	    s->began_ns + 2 * s->reply_len * s->char_ns +
		STUCK_MS * 1000000ull);
	return false;
}

/* Nobody else may have begun to speak meanwhile, where there may be others:
 * reading says so, and the reply is none any more. */
static bool
say(struct serial *s)
{
	if (s->rtu || s->link.framer == &frame_ascii)
		serial_read(s);
	if (s->reply_len == 0)
		return s->state != SERIAL_LOST;
	if (!s->line.rts)
		return push(s);
	line_drive(&s->line, true);
	serial_set_state(s, SERIAL_TURNS,
	    s->worker->now_ns + s->line.conf->rs485.before_us * 1000ull);
	return false;
}

bool
serial_respond(struct serial *s)
{
	unsigned ms = s->line.conf->turnaround_ms + s->late.delay_ms;

	s->sent = 0;
	if (ms == 0)
		return say(s);
	serial_set_state(
	    s, SERIAL_PAUSES, s->worker->now_ns + (uint64_t)ms * 1000000);
	return false;
}

void
serial_say(struct serial *s)
{
	if (say(s))
		serial_listen(s);
}

void
serial_send(struct serial *s)
{
	if (push(s))
		serial_listen(s);
}

void
serial_stuck(struct serial *s)
{
	if (!s->told_stuck)
		log_warnx("the line takes no reply: thrown away port=%s",
		    s->line.conf->port);
	s->told_stuck = true;
	worker_count(&s->worker->shm->stats.replies_lost, 1);
	event_del(&s->writable);
	line_flush_out(&s->line);
	echo_forget(&s->echo);
	serial_unsay(s);
	line_drive(&s->line, false);
	serial_listen(s);
}

void
serial_ended(struct serial *s)
{
	uint64_t now = s->worker->now_ns;
	uint64_t latest =
	    s->began_ns + 2 * wire_ns(s, s->sent) + STUCK_MS * 1000000ull;

	if (!line_sent(&s->line) && now < latest)
		serial_set_state(s, SERIAL_ENDS, now + LOOK_NS);
	else if (s->line.conf->rs485.after_us != 0)
		serial_set_state(s, SERIAL_STAYS,
		    now + s->line.conf->rs485.after_us * 1000ull);
	else
		serial_release(s);
}

void
serial_release(struct serial *s)
{
	/* what came while we held the line was ours; what comes now may not */
	if (s->echoes == ECHO_UNKNOWN && !s->line.conf->local_echo &&
	    s->echo.at == 0 && serial_reads_as_request(s, s->reply, s->sent))
		echo_forget(&s->echo);
	line_drive(&s->line, false);
	serial_listen(s);
}
