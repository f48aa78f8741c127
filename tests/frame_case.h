/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FRAME_CASE_H
#define TESTS_FRAME_CASE_H

/*
 * Framer suites: a stream given in hex or text, cut into pieces in every way,
 * must give the frames that it gives when it comes whole.
 */

#include "tests/fc_case.h"
#include "workers/proto/frame.h"

enum { STREAM_MAX = 4096, FRAMES_MAX = 64 };

/* What came of a stream: a line of text a frame, "unit:pdu" in hex. */
struct frames {
	unsigned n;
	unsigned errors, foreign;
	size_t left; /* bytes that are still waited for */
	bool bad;
	char text[FRAMES_MAX * 600];
};

static inline void
frames_add(struct frames *all, const struct frame *f)
{
	char *end = all->text + strlen(all->text);
	size_t i;

	all->n++;
	end += sprintf(end, "%s%02x:", all->n > 1 ? " " : "", f->unit);
	for (i = 0; i < f->pdu_len; i++)
		end += sprintf(end, "%02x", f->pdu[i]);
}

/*
 * Gives a framer the stream as a connection would: `step` bytes at a time
 * (0: all at once), unused bytes again with those that follow. Each look has
 * its bytes at the end of a block of their own.
 */
static inline void
frames_read(const struct framer *fr, uint8_t delimiter, const uint8_t *in,
    size_t len, size_t step, struct frames *all)
{
	size_t done = 0, have = 0;
	enum frame_rc rc = FRAME_MORE;
	struct frame f;
	uint8_t *block;

	memset(all, 0, sizeof(*all));
	while (rc != FRAME_BAD && (have < len || rc == FRAME_OK)) {
		if (rc == FRAME_MORE)
			have =
			    step == 0 || have + step > len ? len : have + step;
		block = malloc(have - done + 1);
		ck_assert_ptr_nonnull(block);
		memcpy(block + 1, in + done, have - done);
		rc = fr->stream(&fc_fcs, delimiter, block + 1, have - done, &f);
		if (rc == FRAME_OK) {
			ck_assert_uint_ge(f.pdu_len, 1);
			ck_assert_uint_le(f.pdu_len, MB_PDU_MAX);
			frames_add(all, &f);
		}
		free(block);
		if (rc != FRAME_BAD) {
			ck_assert_uint_le(f.used, have - done);
			done += f.used;
			if (rc == FRAME_MORE)
				ck_assert_uint_le(have - done, FRAME_LEFT_MAX);
			all->errors += f.errors;
			all->foreign += f.foreign;
		}
	}
	all->bad = rc == FRAME_BAD;
	all->left = len - done;
}

/* Expects the frames ("" for none) from a stream, in pieces of each size. */
static inline void
frames_expect(const char *title, const struct framer *fr, uint8_t delimiter,
    const uint8_t *in, size_t len, const char *want)
{
	static struct frames all;
	size_t step;

	for (step = 0; step <= len; step++) {
		frames_read(fr, delimiter, in, len, step, &all);
		ck_assert_msg(!all.bad, "%s: hopeless", title);
		ck_assert_msg(strcmp(all.text, want) == 0,
		    "%s: pieces of %zu: '%s', not '%s'", title, step, all.text,
		    want);
	}
}

#endif
