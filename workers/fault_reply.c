/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies with other values, and frames whose check is wrong. Runs in the
 * workers; pure work on bytes, whose lengths it takes from nobody's word.
 */
#include "workers/fault_reply.h"

enum {
	MBAP_PROTOCOL = 3, /* the low byte of the protocol id */
	ASCII_LRC_FROM_END = 3, /* its low digit, before CR and LF */
};

/* Where the values of a reply lie. */
static const struct row {
	uint8_t head; /* bytes before the values, 0: there are none */
	bool bits;
} rows[32] = {
	[1] = { 2, true },
	[2] = { 2, true },
	[3] = { 2, false },
	[4] = { 2, false },
	[23] = { 2, false },
	[24] = { 5, false },
};

bool
fault_data_find(struct fault_data *d, const uint8_t *req, size_t req_len,
    uint8_t *pdu, size_t len)
{
	const struct row *r;
	unsigned bytes;

	*d = (struct fault_data){ 0 };
	if (len == 0 || pdu[0] >= sizeof(rows) / sizeof(rows[0]))
		return false;
	r = &rows[pdu[0]];
	if (r->head == 0 || len <= r->head || req_len < 5)
		return false;
	bytes = (unsigned)(len - r->head);
	d->at = pdu + r->head;
	d->bits = r->bits;
	d->n = bytes / 2;
	if (r->bits) {
		d->n = (unsigned)req[3] << 8 | req[4];
		if (d->n > bytes * 8)
			d->n = bytes * 8;
	}
	return d->n > 0;
}

/* Another value for a register: any but what it is. */
static void
change_register(struct faults *f, uint8_t *p)
{
	uint32_t other = 1 + faults_below(f, 0xffff);

	p[0] ^= (uint8_t)(other >> 8);
	p[1] ^= (uint8_t)other;
}

/* Each set of that many values is as likely as any other (Knuth, The Art of
 * Computer Programming 3.4.2, algorithm S). */
void
fault_data_change(struct faults *f, const struct fault_data *d, uint32_t share)
{
	uint64_t many = (uint64_t)d->n * share + FAULT_MILLION - 1;
	unsigned want = (unsigned)(many / FAULT_MILLION);

	for (unsigned i = 0; i < d->n && want > 0; i++) {
		if (faults_below(f, d->n - i) >= want)
			continue;
		want--;
		if (d->bits)
			d->at[i / 8] ^= (uint8_t)(1u << i % 8);
		else
			change_register(f, d->at + (size_t)i * 2);
	}
}

void
fault_spoil_check(const struct framer *fr, uint8_t *adu, size_t len)
{
	if (len < FRAME_HEAD_MAX && (fr == &frame_mbap || fr == &frame_tls))
		return;
	if (fr == &frame_mbap || fr == &frame_tls)
		adu[MBAP_PROTOCOL] ^= 1;
	else if (fr == &frame_ascii && len > ASCII_LRC_FROM_END)
		/* another digit: 0 or 1 in place of it */
		adu[len - ASCII_LRC_FROM_END] =
		    adu[len - ASCII_LRC_FROM_END] == '0' ? '1' : '0';
	else
		adu[len - 1] ^= 0xff;
}
