/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function codes on registers: 3, 4, 6, 16, 22, 23. Each is one call of the
 * model; what is read goes straight into the reply. Runs in the workers.
 */

#include "workers/proto/fc_run.h"

#include <string.h>

static enum mb_ex
read_regs(struct mb_call *call, enum mb_table table)
{
	struct mb_step s = { .op = MB_READ, .table = table };

	s.addr = rbuf_u16(&call->in);
	s.count = rbuf_u16(&call->in);
	if (!rbuf_done(&call->in) || s.count < 1 || s.count > MB_READ_REGS_MAX)
		return MB_EX_VALUE;
	if (s.addr + s.count > MB_ADDRESSES)
		return MB_EX_ADDRESS;
	wbuf_u8(&call->out, (uint8_t)(2 * s.count));
	s.out = wbuf_room(&call->out, 2u * s.count);
	return call->unit->step(call->unit->arg, &s, 1);
}

enum mb_ex
fc_read_holding(struct mb_call *call)
{
	return read_regs(call, MB_HR);
}

enum mb_ex
fc_read_input_regs(struct mb_call *call)
{
	return read_regs(call, MB_IR);
}

enum mb_ex
fc_write_reg(struct mb_call *call)
{
	struct mb_step s = { .op = MB_WRITE, .table = MB_HR, .count = 1 };
	uint8_t echo[2];
	enum mb_ex ex;

	s.addr = rbuf_u16(&call->in);
	s.in = rbuf_take(&call->in, 2);
	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	memcpy(echo, s.in, sizeof(echo));
	s.out = echo;
	ex = call->unit->step(call->unit->arg, &s, 1);
	if (ex != MB_EX_NONE)
		return ex;
	wbuf_u16(&call->out, (uint16_t)s.addr);
	wbuf_put(&call->out, echo, sizeof(echo));
	return MB_EX_NONE;
}

enum mb_ex
fc_write_regs(struct mb_call *call)
{
	struct mb_step s = { .op = MB_WRITE, .table = MB_HR };
	uint8_t nbytes;
	enum mb_ex ex;

	s.addr = rbuf_u16(&call->in);
	s.count = rbuf_u16(&call->in);
	nbytes = rbuf_u8(&call->in);
	s.in = rbuf_take(&call->in, nbytes);
	if (!rbuf_done(&call->in) || s.count < 1 ||
	    s.count > MB_WRITE_REGS_MAX || nbytes != 2 * s.count)
		return MB_EX_VALUE;
	if (s.addr + s.count > MB_ADDRESSES)
		return MB_EX_ADDRESS;
	ex = call->unit->step(call->unit->arg, &s, 1);
	if (ex != MB_EX_NONE)
		return ex;
	wbuf_u16(&call->out, (uint16_t)s.addr);
	wbuf_u16(&call->out, s.count);
	return MB_EX_NONE;
}

enum mb_ex
fc_mask_reg(struct mb_call *call)
{
	struct mb_step s = { .op = MB_MASK, .table = MB_HR, .count = 1 };
	enum mb_ex ex;

	s.addr = rbuf_u16(&call->in);
	s.and_mask = rbuf_u16(&call->in);
	s.or_mask = rbuf_u16(&call->in);
	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	ex = call->unit->step(call->unit->arg, &s, 1);
	if (ex != MB_EX_NONE)
		return ex;
	wbuf_u16(&call->out, (uint16_t)s.addr);
	wbuf_u16(&call->out, s.and_mask);
	wbuf_u16(&call->out, s.or_mask);
	return MB_EX_NONE;
}

enum mb_ex
fc_read_write_regs(struct mb_call *call)
{
	struct mb_step s[2] = {
		{ .op = MB_WRITE, .table = MB_HR }, /* first, AP 6.17 */
		{ .op = MB_READ, .table = MB_HR },
	};
	struct mb_step *wr = &s[0], *rd = &s[1];
	uint8_t nbytes;

	rd->addr = rbuf_u16(&call->in);
	rd->count = rbuf_u16(&call->in);
	wr->addr = rbuf_u16(&call->in);
	wr->count = rbuf_u16(&call->in);
	nbytes = rbuf_u8(&call->in);
	wr->in = rbuf_take(&call->in, nbytes);
	if (!rbuf_done(&call->in) || rd->count < 1 ||
	    rd->count > MB_READ_REGS_MAX || wr->count < 1 ||
	    wr->count > MB_RW_WRITE_REGS_MAX || nbytes != 2 * wr->count)
		return MB_EX_VALUE;
	if (rd->addr + rd->count > MB_ADDRESSES ||
	    wr->addr + wr->count > MB_ADDRESSES)
		return MB_EX_ADDRESS;
	wbuf_u8(&call->out, (uint8_t)(2 * rd->count));
	rd->out = wbuf_room(&call->out, 2u * rd->count);
	return call->unit->step(call->unit->arg, s, 2);
}
