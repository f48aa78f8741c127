/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function codes on file records and queues: 20, 21, 24. All groups of a
 * request are one call of the model. Runs in the workers.
 */

#include "workers/proto/fc_run.h"

enum {
	REF_TYPE = 6, /* the only one, AP 6.14 */
	READ_GROUP = 7, /* bytes of a group in a request of FC 20 */
	READ_MIN = 0x07,
	READ_MAX = 0xf5,
	WRITE_MIN = 0x09,
	WRITE_MAX = 0xfb,
	GROUP_HEAD = 2, /* length and type before the data in a reply */
};

/* One group's fields; true if the address can exist. */
static bool
group(struct rbuf *in, struct mb_step *s)
{
	uint8_t type = rbuf_u8(in);
	uint16_t file = rbuf_u16(in);
	uint16_t record = rbuf_u16(in);

	s->table = MB_FILE;
	s->addr = (uint32_t)file << 16 | record;
	s->count = rbuf_u16(in);
	return type == REF_TYPE && file != 0 &&
	    (uint32_t)record + s->count <= MB_FILE_RECORDS;
}

enum mb_ex
fc_read_file(struct mb_call *call)
{
	struct mb_step s[MB_STEPS_MAX];
	uint8_t nbytes = rbuf_u8(&call->in);
	size_t room = MB_PDU_MAX - 2, total = 0, len;
	bool found = true;
	unsigned i, n;

	if (!rbuf_ok(&call->in) || nbytes < READ_MIN || nbytes > READ_MAX ||
	    nbytes % READ_GROUP != 0 || nbytes != call->in.left)
		return MB_EX_VALUE;
	n = nbytes / READ_GROUP;
	memset(s, 0, n * sizeof(s[0]));
	for (i = 0; i < n; i++) {
		if (!group(&call->in, &s[i]))
			found = false;
		len = GROUP_HEAD + 2u * s[i].count;
		if (s[i].count == 0 || len > room - total)
			return MB_EX_VALUE;
		total += len;
	}
	if (!found)
		return MB_EX_ADDRESS;
	wbuf_u8(&call->out, (uint8_t)total);
	for (i = 0; i < n; i++) {
		s[i].op = MB_READ;
		wbuf_u8(&call->out, (uint8_t)(1 + 2 * s[i].count));
		wbuf_u8(&call->out, REF_TYPE);
		s[i].out = wbuf_room(&call->out, 2u * s[i].count);
	}
	return call->unit->step(call->unit->arg, s, n);
}

enum mb_ex
fc_write_file(struct mb_call *call)
{
	struct mb_step s[MB_STEPS_MAX];
	uint8_t nbytes = rbuf_u8(&call->in);
	const uint8_t *groups = call->in.p;
	bool found = true;
	unsigned n = 0;
	enum mb_ex ex;

	if (!rbuf_ok(&call->in) || nbytes < WRITE_MIN || nbytes > WRITE_MAX ||
	    nbytes != call->in.left)
		return MB_EX_VALUE;
	while (call->in.left > 0) {
		s[n] = (struct mb_step){ .op = MB_WRITE };
		if (!group(&call->in, &s[n]))
			found = false;
		s[n].in = rbuf_take(&call->in, 2u * s[n].count);
		if (!rbuf_ok(&call->in) || s[n].count == 0)
			return MB_EX_VALUE;
		n++;
	}
	if (!found)
		return MB_EX_ADDRESS;
	ex = call->unit->step(call->unit->arg, s, n);
	if (ex != MB_EX_NONE)
		return ex;
	wbuf_u8(&call->out, nbytes);
	wbuf_put(&call->out, groups, nbytes);
	return MB_EX_NONE;
}

enum mb_ex
fc_read_fifo(struct mb_call *call)
{
	struct mb_step s = { .op = MB_READ, .table = MB_FIFO };
	struct wbuf count;
	enum mb_ex ex;

	s.addr = rbuf_u16(&call->in);
	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	wbuf_init(&count, wbuf_room(&call->out, 2), 2);
	s.out = wbuf_room(&call->out, 2 + 2 * MB_FIFO_MAX);
	ex = call->unit->step(call->unit->arg, &s, 1);
	if (ex != MB_EX_NONE)
		return ex;
	if (s.count > MB_FIFO_MAX)
		return MB_EX_VALUE; /* AP 6.18 */
	wbuf_u16(&count, (uint16_t)(2 + 2 * s.count));
	wbuf_cut(&call->out, 1u + 2 + 2 + 2u * s.count);
	return MB_EX_NONE;
}

int
fc_fifo_reply_len(const uint8_t *pdu, size_t len)
{
	unsigned nbytes;

	if (len < 3)
		return 0;
	nbytes = (unsigned)pdu[1] << 8 | pdu[2];
	if (nbytes < 2 || nbytes > 2 + 2 * MB_FIFO_MAX || nbytes % 2 != 0)
		return -1;
	return (int)(3 + nbytes);
}
