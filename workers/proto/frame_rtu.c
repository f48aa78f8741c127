/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The framer "rtu": unit, PDU, CRC (Serial Line V1.02, 2.5.1). A datagram, or
 * what silence on a line has delimited, is one frame. A stream has no marks,
 * so its frames are found by what their function codes call for and proved by
 * their CRC. Runs in the workers; no state between two calls.
 *
 * How a stream is read. At each place, from the first byte on, two things can
 * begin: a request, or another station's reply, which a bus carries too. Of
 * each the function code says how long it is. Then, in this order:
 *
 *  1. A request that is whole, with a good CRC, and plausible (quantity in its
 *     limits, byte count to match) is the frame.
 *  2. A request that is not whole but plausible so far is waited for.
 *  3. A whole reply with a good CRC is stepped over, unless a request that is
 *     shorter has a good CRC too. (After 2, since the first bytes of a good
 *     write can be, to the bit, a good reply to it.)
 *  4. In step, which is right behind a frame or a reply: a whole request with
 *     a good CRC is the frame: it will be answered 03. Behind noise it is noise
 *     too, as it would not have been waited for.
 *  5. In step, what is not whole is waited for. But a reply is not when a
 *     whole good request stands behind what would be a request with a wrong
 *     CRC. And a function code that has no rule is tried at every length up to
 *     a small one, so that its client gets an answer too.
 *  6. Nothing can begin here: the byte is noise, the next place is looked at.
 *
 * Noise that looks like the head of a message holds what follows up until as
 * many bytes as it claims have come, 256 at most, and loses none of it. Out of
 * step only a request whose quantities fit each other can do so. A length that
 * no PDU can have is noise at once.
 *
 * Verdicts depend on the bytes from a place on, and on whether it is in step;
 * more bytes do not change them. Noise is therefore kept until a frame follows
 * it, or 256 bytes of it have come, behind which is in step again. So a stream
 * gives the same frames however it is cut into pieces, and in step nothing
 * inside a frame's data is taken for one. Rule 5's "but" is the one exception:
 * a reply cut behind a request that its data holds. It is needed, since else
 * one request with a wrong CRC could silence the next thirty.
 *
 * Not found in a stream: FC 8/0 with more than one data word. It is found as a
 * datagram.
 */

#include "workers/proto/fc.h"
#include "workers/proto/frame.h"

enum {
	HEAD = 1,
	AROUND = 3, /* unit and CRC */
	ADU_MIN = 4,
	ADU_MAX = MB_PDU_MAX + AROUND,
	GUESS_MAX = 8, /* no longer than a register read, not to hold one up */
	NOISE_MAX = 256, /* bytes of noise that are kept */
};

enum verdict { NONE, SHORT, GOOD }; /* is not, may become, is such a message */

struct guess {
	enum verdict verdict;
	size_t len; /* of the ADU, when it is known */
};

static bool
crc_good(const uint8_t *adu, size_t len)
{
	uint16_t crc = frame_crc16(adu, len - 2);

	return adu[len - 2] == (crc & 0xff) && adu[len - 1] == crc >> 8;
}

/* What len bytes are as a message whose PDU takes pdu_len, as mb_request_len()
 * tells it. */
static struct guess
judge(const uint8_t *in, size_t len, int pdu_len)
{
	struct guess g = { NONE, 0 };

	if (pdu_len < 0)
		return g;
	g.verdict = SHORT;
	if (pdu_len == 0)
		return g;
	g.len = (size_t)pdu_len + AROUND;
	if (g.len <= len)
		g.verdict = crc_good(in, g.len) ? GOOD : NONE;
	return g;
}

/* The same for a function code that has no rule: the first length that fits. */
static struct guess
judge_unknown(const uint8_t *in, size_t len)
{
	struct guess g = { SHORT, ADU_MIN };

	if (len >= 2 && (in[1] == 0 || in[1] > 0x7f))
		g.verdict = NONE;
	for (; g.verdict == SHORT && g.len <= len; g.len++) {
		if (crc_good(in, g.len)) {
			g.verdict = GOOD;
			return g;
		}
		if (g.len == GUESS_MAX)
			g.verdict = NONE;
	}
	return g;
}

static enum frame_rc
found(const uint8_t *in, size_t len, struct frame *f)
{
	f->unit = in[0];
	f->tid = 0;
	f->pdu = in + HEAD;
	f->pdu_len = len - AROUND;
	f->adu = f->used;
	f->used += len;
	return FRAME_OK;
}

/* Whether a request begins here that is whole, good and plausible. */
static bool
good_request(const struct mb_fcs *fcs, const uint8_t *in, size_t len)
{
	const uint8_t *pdu = in + HEAD;
	int want;

	if (len < ADU_MIN)
		return false;
	want = mb_request_len(fcs, pdu, len - HEAD);
	return want > 0 && judge(in, len, want).verdict == GOOD &&
	    mb_fc_plausible(fcs, pdu, (size_t)want);
}

/*
 * Looks at one place. FRAME_OK and FRAME_MORE are final; FRAME_BAD says that
 * *skip bytes can be stepped over: a reply (*reply), or noise.
 */
static enum frame_rc
look(const struct mb_fcs *fcs, const uint8_t *in, size_t len, bool in_step,
    struct frame *f, size_t *skip, bool *reply)
{
	const uint8_t *pdu = in + HEAD;
	size_t n = len > HEAD ? len - HEAD : 0;
	int want = mb_request_len(fcs, pdu, n);
	struct guess req = judge(in, len, want);
	struct guess rsp = judge(in, len, mb_reply_len(fcs, pdu, n));
	bool plausible = want >= 0 && (n == 0 || mb_fc_plausible(fcs, pdu, n));

	*reply = false;
	*skip = 1;
	if (plausible && req.verdict == GOOD)
		return found(in, req.len, f);
	if (plausible && req.verdict == SHORT)
		return FRAME_MORE;
	if (rsp.verdict == GOOD &&
	    (req.verdict != GOOD || rsp.len <= req.len)) {
		*reply = true;
		*skip = rsp.len;
		return FRAME_BAD;
	}
	if (in_step && want < 0 && rsp.verdict == NONE)
		req = judge_unknown(in, len);
	if (in_step && req.verdict == GOOD)
		return found(in, req.len, f);
	if (in_step && req.verdict == SHORT)
		return FRAME_MORE;
	if (in_step && rsp.verdict == SHORT &&
	    !good_request(fcs, in + req.len, len - req.len))
		return FRAME_MORE;
	return FRAME_BAD;
}

static enum frame_rc
rtu_stream(const struct mb_fcs *fcs, uint8_t delimiter, const uint8_t *in,
    size_t len, struct frame *f)
{
	size_t step = 0, noise,
	       skip; /* step: where it is known to be in step */
	enum frame_rc rc;
	bool reply;

	(void)delimiter;
	f->used = 0;
	f->errors = 0;
	f->foreign = 0;
	while (f->used < len) {
		noise = f->used - step;
		rc = look(fcs, in + f->used, len - f->used, noise == 0, f,
		    &skip, &reply);
		if (rc == FRAME_MORE)
			break;
		if ((rc == FRAME_OK || reply) && noise > 0)
			f->errors++;
		if (rc == FRAME_OK)
			return rc;
		f->foreign += reply;
		f->used += skip;
		if (reply) {
			step = f->used;
		} else if (f->used - step == NOISE_MAX) {
			f->errors++;
			step = f->used;
		}
	}
	f->used = step;
	return FRAME_MORE;
}

static enum frame_rc
rtu_datagram(const struct mb_fcs *fcs, uint8_t delimiter, const uint8_t *in,
    size_t len, struct frame *f)
{
	(void)fcs;
	(void)delimiter;
	f->used = 0;
	f->errors = 0;
	f->foreign = 0;
	if (len < ADU_MIN)
		f->why = "shorter than 4 bytes";
	else if (len > ADU_MAX)
		f->why = "longer than 256 bytes";
	else if (!crc_good(in, len))
		f->why = "wrong CRC";
	else
		return found(in, len, f);
	f->errors = 1;
	return FRAME_BAD;
}

static size_t
rtu_seal(
    const struct frame *req, uint8_t delimiter, uint8_t *adu, size_t pdu_len)
{
	uint16_t crc;

	(void)delimiter;
	adu[0] = req->unit;
	crc = frame_crc16(adu, HEAD + pdu_len);
	adu[HEAD + pdu_len] = (uint8_t)crc;
	adu[HEAD + pdu_len + 1] = (uint8_t)(crc >> 8);
	return pdu_len + AROUND;
}

const struct framer frame_rtu = {
	.name = "rtu",
	.head = HEAD,
	.adu_max = ADU_MAX,
	.stream = rtu_stream,
	.datagram = rtu_datagram,
	.seal = rtu_seal,
};
