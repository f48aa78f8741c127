/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What any framer must do with any input. Runs in the fuzz targets of framers.
 */
#include "tests/lib/fuzz_frame.h"

enum { FRAMES = 2048 };

struct found {
	unsigned n, errors, foreign;
	size_t left;
	bool bad;
	struct {
		uint8_t unit;
		uint16_t tid;
		size_t pdu_len;
		uint16_t crc; /* of the PDU: enough to tell it from another */
	} frame[FRAMES];
};

/* A frame that was found can be sealed and is then found again. */
static void
seal(const struct framer *fr, const struct mb_fcs *fcs, uint8_t delimiter,
    const struct frame *f)
{
	uint8_t adu[FRAME_ADU_MAX];
	struct frame again;
	size_t len;

	memcpy(adu + fr->head, f->pdu, f->pdu_len);
	len = fr->seal(f, delimiter, adu, f->pdu_len);
	HOLDS(len <= fr->adu_max);
	HOLDS(fr->datagram(fcs, delimiter, adu, len, &again) == FRAME_OK);
	HOLDS(again.unit == f->unit && again.tid == f->tid);
	HOLDS(again.pdu_len == f->pdu_len);
	HOLDS(memcmp(again.pdu, f->pdu, f->pdu_len) == 0);
}

static void
note(struct found *all, const struct frame *f)
{
	HOLDS(f->used >= 1 && f->pdu_len >= 1 && f->pdu_len <= MB_PDU_MAX);
	HOLDS(all->n < FRAMES);
	all->frame[all->n].unit = f->unit;
	all->frame[all->n].tid = f->tid;
	all->frame[all->n].pdu_len = f->pdu_len;
	all->frame[all->n].crc = frame_crc16(f->pdu, f->pdu_len);
	all->n++;
}

/* Reads the stream in pieces whose sizes follow from seed; 0: whole. */
static void
stream(const struct framer *fr, const struct mb_fcs *fcs, uint8_t delimiter,
    const uint8_t *in, size_t len, uint32_t seed, struct found *all)
{
	size_t done = 0, have = seed == 0 ? len : 0;
	enum frame_rc rc = FRAME_MORE;
	struct frame f;
	uint8_t *block;

	all->n = all->errors = all->foreign = 0;
	for (;;) {
		block = malloc(have - done + 1); /* its end is seen by ASan */
		HOLDS(block != NULL);
		memcpy(block + 1, in + done, have - done);
		rc = fr->stream(fcs, delimiter, block + 1, have - done, &f);
		if (rc == FRAME_OK) {
			note(all, &f);
			seal(fr, fcs, delimiter, &f);
		}
		free(block);
		if (rc == FRAME_BAD)
			break;
		HOLDS(f.used <= have - done);
		done += f.used;
		all->errors += f.errors;
		all->foreign += f.foreign;
		if (rc == FRAME_OK)
			continue;
		HOLDS(have - done <= FRAME_LEFT_MAX);
		if (have == len)
			break;
		seed = seed * 1103515245 + 12345;
		have += 1 + (seed >> 16) % 17;
		if (have > len)
			have = len;
	}
	all->left = len - done;
	all->bad = rc == FRAME_BAD;
}

static void
compare(const struct found *a, const struct found *b)
{
	unsigned i;

	HOLDS(a->n == b->n && a->bad == b->bad);
	for (i = 0; i < a->n; i++) {
		HOLDS(a->frame[i].unit == b->frame[i].unit);
		HOLDS(a->frame[i].tid == b->frame[i].tid);
		HOLDS(a->frame[i].pdu_len == b->frame[i].pdu_len);
		HOLDS(a->frame[i].crc == b->frame[i].crc);
	}
	HOLDS(a->left == b->left || a->bad);
}

void
fuzz_framer(const struct framer *fr, const uint8_t *data, size_t size)
{
	static struct found whole, cut;
	static struct mb_fcs fcs;
	struct frame f;
	uint8_t delimiter;

	if (size < 2 || size > 2 + 4096)
		return;
	if (fcs.row[3] == NULL)
		mb_fcs_init(&fcs);
	delimiter = data[0];
	stream(fr, &fcs, delimiter, data + 2, size - 2, 0, &whole);
	stream(fr, &fcs, delimiter, data + 2, size - 2, 1u + data[1], &cut);
	if (whole.foreign == 0)
		compare(&whole, &cut);
	if (fr->datagram(&fcs, delimiter, data + 2, size - 2, &f) == FRAME_OK)
		seal(fr, &fcs, delimiter, &f);
	else
		HOLDS(f.why != NULL);
}
