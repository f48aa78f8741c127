/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function codes on bits: 1, 2, 5, 15. Each is one step of the model; what is
 * read goes straight into the reply. Runs in the workers.
 */

#include "workers/proto/fc_run.h"

enum { COIL_OFF = 0x0000, COIL_ON = 0xff00 };

static enum mb_ex
read_bits(struct mb_call *call, enum mb_table table)
{
	struct mb_step s = { .op = MB_READ, .table = table };
	size_t nbytes;

	s.addr = rbuf_u16(&call->in);
	s.count = rbuf_u16(&call->in);
	if (!rbuf_done(&call->in) || s.count < 1 || s.count > MB_READ_BITS_MAX)
		return MB_EX_VALUE;
	if (s.addr + s.count > MB_ADDRESSES)
		return MB_EX_ADDRESS;
	nbytes = (s.count + 7u) / 8;
	wbuf_u8(&call->out, (uint8_t)nbytes);
	s.out = wbuf_room(&call->out, nbytes);
	return call->unit->step(call->unit->arg, &s, 1);
}

enum mb_ex
fc_read_coils(struct mb_call *call)
{
	return read_bits(call, MB_CO);
}

enum mb_ex
fc_read_inputs(struct mb_call *call)
{
	return read_bits(call, MB_DI);
}

enum mb_ex
fc_write_coil(struct mb_call *call)
{
	struct mb_step s = { .op = MB_WRITE, .table = MB_CO, .count = 1 };
	uint16_t value;
	uint8_t bit, echo;
	enum mb_ex ex;

	s.addr = rbuf_u16(&call->in);
	value = rbuf_u16(&call->in);
	if (!rbuf_done(&call->in) || (value != COIL_OFF && value != COIL_ON))
		return MB_EX_VALUE;
	bit = echo = value == COIL_ON;
	s.in = &bit;
	s.out = &echo;
	ex = call->unit->step(call->unit->arg, &s, 1);
	if (ex != MB_EX_NONE)
		return ex;
	wbuf_u16(&call->out, (uint16_t)s.addr);
	wbuf_u16(&call->out, echo & 1 ? COIL_ON : COIL_OFF);
	return MB_EX_NONE;
}

enum mb_ex
fc_write_coils(struct mb_call *call)
{
	struct mb_step s = { .op = MB_WRITE, .table = MB_CO };
	uint8_t nbytes;
	enum mb_ex ex;

	s.addr = rbuf_u16(&call->in);
	s.count = rbuf_u16(&call->in);
	nbytes = rbuf_u8(&call->in);
	s.in = rbuf_take(&call->in, nbytes);
	if (!rbuf_done(&call->in) || s.count < 1 ||
	    s.count > MB_WRITE_BITS_MAX || nbytes != (s.count + 7) / 8)
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
