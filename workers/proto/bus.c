/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RTU messages out of what is heard on a line (Serial Line V1.02, 2.5.1). Runs
 * in the workers of type serial, between two silences. Knows no devices, no
 * clock and no descriptors.
 *
 * What is a request to us, on a line with other stations?
 * -------------------------------------------------------
 * A unit address that is served here is no other station's. So a good message
 * with such an address was sent by the master, and is a request (or our own
 * reply, come back: echo.c takes those away before). A good message with any
 * other address is never ours, be it a request or a reply, and need not be
 * told apart. What remains is to know where messages begin and end: a reply of
 * another station may hold, in its data, every byte of a good request to us.
 *
 * The truth about that is the silence of t3.5 before and behind each message.
 * But it does not always arrive here: USB adapters hand over what they have
 * each few milliseconds, so that two messages come in one piece, and one in
 * several pieces with a false silence between them; and drivers of RS-485
 * lines add a stray character as they turn. So, at each silence, with what has
 * come since the last good message (the lumps between silences):
 *
 *  1. What begins where a silence was and ends here, with a good CRC, is a
 *     message. The longest first, which may have had false silences in it; of
 *     those the function code must call for just that length. (Two messages
 *     together never have a good CRC: that of the first leaves 0 in the
 *     register, the second was made to begin with FFFF.) What false silences
 *     set apart on both sides within another's message is not to be told from
 *     a request that follows a message cut short; that one must be answered.
 *  2. Else, from a silence on, whole good messages that follow each other are
 *     messages: frame_rtu.c reads them, in step, so that nothing inside one is
 *     looked at. Of those to us only the last is answered, and only if no more
 *     than a stray character or two follow: to the others the answer would be
 *     taken for the reply to what the master has asked since.
 *     What is left and cannot go on is looked at by 4.
 *  3. What may still go on, as its function code has it, and has the address
 *     of a station that is served here or was heard before, is waited for.
 *     Nothing inside it is looked at.
 *  4. A good request to us that ends with the silence, with anything before
 *     it, is a request: noise is no reason not to be answered. (A part of
 *     something of another station's would have to be cut right behind bytes
 *     that mean us, from a station never heard before.)
 *  5. What may still go on, from any address, is waited for; the rest is bad.
 *
 * With t15 "strict" only the first holds, for one lump, as the standard has
 * it: right on a built-in port, and mute on many an adapter.
 *
 * More than 256 characters without a silence are an overrun (SL 2.4). But when
 * they begin with whole good messages the silences have been lost on the way,
 * and the messages are taken one by one.
 */
#include "workers/proto/bus.h"

#include <string.h>

#include "workers/proto/fc.h"

enum {
	ADU_MIN = 4,
	AROUND = 3, /* unit and CRC */
	STRAY_MAX = 3, /* too short for a message */
	EXCEPTION = 0x80, /* of a function code: such is a reply only */
};

static void
clear(struct bus *b)
{
	b->len = 0;
	b->nlumps = 0;
	b->fresh = true;
	b->bad = false;
	b->overrun = false;
}

void
bus_reset(struct bus *b)
{
	clear(b);
	memset(b->known, 0, sizeof(b->known));
}

/* ---- telling ---- */

static void
tell(struct bus *b, enum bus_kind kind, unsigned from, unsigned to)
{
	struct bus_message m = {
		.kind = kind, .adu = b->in + from, .len = to - from
	};

	b->heard(b->arg, &m);
}

/* Bytes up to `to` are nobody's message; so is what was thrown away before. */
static void
tell_bad(struct bus *b, unsigned to)
{
	if (to > 0 || b->bad)
		tell(b, BUS_BAD, 0, to);
	b->bad = false;
}

/* The frame in hand, which ends at `to`. */
static void
tell_frame(struct bus *b, unsigned to, bool answer)
{
	unsigned len = (unsigned)b->frame.pdu_len + AROUND;
	struct bus_message m = {
		.kind = BUS_OTHER, .adu = b->in + to - len, .len = len
	};

	b->frame.used = len;
	if (b->mine[b->frame.unit] && (b->frame.pdu[0] & EXCEPTION) == 0) {
		m.kind = BUS_REQUEST;
		m.frame = &b->frame;
		m.answer = answer;
	} else {
		b->known[b->frame.unit] = true;
	}
	b->heard(b->arg, &m);
}

/* n replies of other stations, the first of which begins at `at`. */
static void
tell_replies(struct bus *b, unsigned at, unsigned n)
{
	while (n-- > 0) {
		const uint8_t *in = b->in + at;
		unsigned len = AROUND +
		    (unsigned)mb_reply_len(b->fcs, in + 1, b->len - at - 1);

		b->known[in[0]] = true;
		tell(b, BUS_OTHER, at, at + len);
		at += len;
	}
}

/* ---- lengths ---- */

/* Whether a reply of this length may go by that function code. */
static bool
is_reply(const struct bus *b, const uint8_t *in, size_t len)
{
	int n = mb_reply_len(b->fcs, in + 1, len - 1);

	return n > 0 && (size_t)n + AROUND == len;
}

static bool
is_request(const struct bus *b, const uint8_t *in, size_t len)
{
	int n = mb_request_len(b->fcs, in + 1, len - 1);

	return n > 0 && (size_t)n + AROUND == len;
}

/* Whether what begins here may become a message when more has come. */
static bool
may_grow(const struct bus *b, const uint8_t *in, size_t len)
{
	const uint8_t *pdu = in + 1;
	int n;

	if (len >= BUS_ADU_MAX)
		return false;
	if (len < 2)
		return len == 1;
	n = mb_request_len(b->fcs, pdu, len - 1);
	if ((n == 0 || (n > 0 && (size_t)n + AROUND > len)) &&
	    mb_fc_plausible(b->fcs, pdu, len - 1))
		return true;
	if (b->mine[in[0]])
		return false; /* nobody else replies for it */
	n = mb_reply_len(b->fcs, pdu, len - 1);
	return n == 0 || (n > 0 && (size_t)n + AROUND > len);
}

/* ---- what has been heard ---- */

static bool
good(struct bus *b, const uint8_t *in, size_t len)
{
	return frame_rtu.datagram(b->fcs, 0, in, len, &b->frame) == FRAME_OK;
}

/* A CRC stays good when zeros follow it, as a driver that turns may add. */
static bool
has_tail(struct bus *b, const uint8_t *in, size_t len)
{
	int n = mb_request_len(b->fcs, in + 1, len - 1);

	return in[len - 1] == 0 && n > 0 && (size_t)n + AROUND < len &&
	    good(b, in, (size_t)n + AROUND);
}

/* For the same reason a request whose CRC ends in a zero seems to be good, and
 * to have a wrong length, when all but that zero has come. */
static bool
may_be_cut(const struct bus *b, const uint8_t *in, size_t len)
{
	int n = mb_request_len(b->fcs, in + 1, len - 1);

	return n > 0 && (size_t)n + AROUND == len + 1 &&
	    mb_fc_plausible(b->fcs, in + 1, len - 1) &&
	    (b->mine[in[0]] || !is_reply(b, in, len));
}

/* A good message from `from` to the end, see 1. */
static bool
exact(struct bus *b, unsigned from, bool lumps)
{
	const uint8_t *in = b->in + from;
	size_t len = b->len - from;

	if (len < ADU_MIN || len > BUS_ADU_MAX)
		return false;
	if (lumps && !is_request(b, in, len) &&
	    (b->mine[in[0]] || !is_reply(b, in, len)))
		return false;
	if (!b->strict && (has_tail(b, in, len) || may_be_cut(b, in, len)))
		return false;
	return good(b, in, len);
}

/* What was overrun has lost its beginning. */
static bool
find_exact(struct bus *b)
{
	for (unsigned i = 0; i < b->nlumps && !b->overrun; i++) {
		if (!exact(b, b->lump[i], i + 1 < b->nlumps))
			continue;
		tell_bad(b, b->lump[i]);
		tell_frame(b, b->len, true);
		clear(b);
		return true;
	}
	return false;
}

/* The length of another station's reply at `at` that is whole and good, or 0.
 * The first bytes of a write look so once in 65536 times; a reply to a write
 * looks like the first bytes of one once in 256. */
static size_t
reply_at(const struct bus *b, unsigned at)
{
	const uint8_t *in = b->in + at;
	int n = mb_reply_len(b->fcs, in + 1, b->len - at - 1);
	struct frame f;

	if (b->mine[in[0]] || n <= 0 || (size_t)n + AROUND > b->len - at ||
	    frame_rtu.datagram(b->fcs, 0, in, (size_t)n + AROUND, &f) !=
		FRAME_OK)
		return 0;
	return (size_t)n + AROUND;
}

/*
 * Whole good messages from `from` on, see 2: told, all of them but the last
 * as `answer` has it. Returns where they end; *held: the one in hand is a
 * request that ends there and has not been told.
 */
static unsigned
walk(struct bus *b, unsigned from, bool *held)
{
	struct frame f;
	unsigned at = from;
	enum frame_rc rc;

	*held = false;
	while (at < b->len) {
		rc = frame_rtu.stream(b->fcs, 0, b->in + at, b->len - at, &f);
		if (rc != FRAME_OK && f.errors == 0 && f.used == 0) {
			f.used = reply_at(b, at);
			f.foreign = f.used != 0;
		}
		if (f.errors != 0 || f.used == 0)
			break;
		if (at == from)
			tell_bad(b, from);
		if (*held)
			tell_frame(b, at, false);
		*held = rc == FRAME_OK;
		b->frame = f;
		tell_replies(b, at, f.foreign);
		at += (unsigned)f.used;
	}
	return at;
}

/* Drops the first n bytes; a lump begins at what is left. */
static void
shift(struct bus *b, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < b->nlumps; i++)
		if (b->lump[i] > n)
			b->lump[++kept] = b->lump[i] - n;
	b->len -= n;
	memmove(b->in, b->in + n, b->len);
	b->lump[0] = 0;
	b->nlumps = b->len > 0 ? kept + 1 : 0;
}

/* Where a good request to us begins, not before `from`, that ends at the very
 * end, see 4; b->len if none does. It is the frame in hand then. */
static unsigned
last_from(struct bus *b, unsigned from)
{
	if (b->len > BUS_ADU_MAX && from < b->len - BUS_ADU_MAX)
		from = b->len - BUS_ADU_MAX;
	for (; from + ADU_MIN <= b->len; from++) {
		const uint8_t *in = b->in + from;
		size_t len = b->len - from;

		if (b->mine[in[0]] && is_request(b, in, len) &&
		    mb_fc_plausible(b->fcs, in + 1, len - 3) &&
		    good(b, in, len))
			return from;
	}
	return b->len;
}

static bool
find_last(struct bus *b)
{
	unsigned from = last_from(b, 0);

	if (from == b->len)
		return false;
	tell_bad(b, from);
	tell_frame(b, b->len, true);
	clear(b);
	return true;
}

/* Messages that follow each other without a silence. True if there were any:
 * what is left may be something unfinished. */
static bool
find_several(struct bus *b)
{
	unsigned end = 0, from = 0;
	bool held, stray;

	for (unsigned i = 0; end == from && i < b->nlumps && !b->overrun; i++)
		end = walk(b, from = b->lump[i], &held);
	if (end == from)
		return false;
	stray = (held && b->mine[b->frame.unit] && b->len - end <= STRAY_MAX) ||
	    !may_grow(b, b->in + end, b->len - end);
	if (held) {
		struct frame f = b->frame;
		bool last = !stray || last_from(b, end) != b->len;

		b->frame = f;
		tell_frame(b, end, !last);
	}
	shift(b, end);
	if (stray && !find_last(b)) {
		tell_bad(b, b->len);
		clear(b);
	}
	return true;
}

/* Drops lumps off the front that can come to nothing. True if one is left. */
static bool
may_go_on(struct bus *b)
{
	unsigned i = 0;

	if (b->overrun)
		i = b->nlumps;
	while (i < b->nlumps &&
	    !may_grow(b, b->in + b->lump[i], b->len - b->lump[i]))
		i++;
	if (i == b->nlumps) {
		tell_bad(b, b->len);
		clear(b);
		return false;
	}
	if (b->lump[i] != 0) {
		tell_bad(b, b->lump[i]);
		shift(b, b->lump[i]);
	}
	return true;
}

static bool
expected(const struct bus *b)
{
	return !b->overrun && (b->mine[b->in[0]] || b->known[b->in[0]]) &&
	    may_grow(b, b->in, b->len);
}

static bool
quiet_strict(struct bus *b)
{
	if (!b->bad && exact(b, 0, false))
		tell_frame(b, b->len, true);
	else if (!b->overrun)
		tell_bad(b, b->len);
	clear(b);
	return false;
}

bool
bus_quiet(struct bus *b)
{
	b->fresh = true;
	if (b->overrun)
		tell(b, BUS_OVERRUN, 0, b->len);
	if (b->strict)
		return quiet_strict(b);
	if (b->len == 0) {
		tell_bad(b, 0);
		clear(b);
		return false;
	}
	if (find_exact(b))
		return false;
	if (find_several(b))
		return b->len > 0;
	if (!expected(b) && find_last(b))
		return false;
	if (b->overrun) {
		clear(b);
		return false;
	}
	return may_go_on(b);
}

void
bus_give_up(struct bus *b)
{
	/* nothing was cut: it has a wrong length, which is to be answered */
	if (b->nlumps == 1 && may_be_cut(b, b->in, b->len) &&
	    good(b, b->in, b->len)) {
		tell_bad(b, 0);
		tell_frame(b, b->len, true);
	} else {
		tell_bad(b, b->len);
	}
	clear(b);
}

/* ---- input ---- */

void
bus_damaged(struct bus *b)
{
	bool overrun = b->overrun;

	clear(b);
	b->bad = true;
	b->overrun = overrun;
}

void
bus_paused(struct bus *b)
{
	if (b->strict)
		b->bad = true;
}

/* More has come without a silence than one message may have, or more in all
 * than can be kept: it gets shorter. */
static void
too_long(struct bus *b)
{
	unsigned last = b->lump[b->nlumps - 1], end, len;
	bool held;

	if (last != 0) {
		tell_bad(b, last);
		shift(b, last);
		return;
	}
	if (!b->overrun && !b->strict) {
		end = walk(b, 0, &held);
		len = (unsigned)b->frame.pdu_len + AROUND;
		if (held && end == b->len && end > len)
			end -= len; /* silence may follow it */
		else if (held)
			tell_frame(b, end, false);
		shift(b, end);
		if (end != 0)
			return;
	}
	b->overrun = true;
	shift(b, b->len - BUS_ADU_MAX);
}

/* Characters since the last silence. */
static unsigned
unbroken(const struct bus *b)
{
	return b->nlumps == 0 ? 0 : b->len - b->lump[b->nlumps - 1];
}

void
bus_put(struct bus *b, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	if (b->fresh && b->nlumps == BUS_LUMPS) {
		tell_bad(b, b->lump[1]);
		shift(b, b->lump[1]);
	}
	if (b->fresh || b->nlumps == 0)
		b->lump[b->nlumps++] = b->len;
	b->fresh = false;
	memcpy(b->in + b->len, p, n);
	b->len += (unsigned)n;
	while (unbroken(b) > BUS_ADU_MAX || b->len > BUS_IN - BUS_READ_MAX)
		too_long(b);
}
