/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function codes about the line: 7, 8, 11, 12. They read and change the unit's
 * struct mb_diag only, never a register. Runs in the workers.
 */

#include "workers/proto/fc_run.h"

enum {
	SUB_ECHO = 0,
	SUB_RESTART = 1,
	SUB_LISTEN_ONLY = 4,
	SUB_COUNTERS = 11, /* to 18: one counter each */
	CLEAR_LOG_TOO = 0xff00, /* data of a restart */
	ANY_CHARACTER = 0xff00, /* data of the delimiter's change */
	STATUS_BUSY = 0xffff, /* FC 11, 12 */
	LOG_HEAD = 6, /* bytes before the events in FC 12's count */
};

/* A sub-function of FC 8; returns the reply's data word. */
typedef uint16_t sub_fn(struct mb_call *, uint16_t sub, uint16_t data);

struct sub {
	sub_fn *run;
	uint16_t bits; /* those that its data may have set */
	bool changes; /* something: refused on read-only units */
};

/* Begins afresh: counters, log if asked for, and no longer silent. A restart
 * that was asked for while only listening is not answered. */
static uint16_t
restart(struct mb_call *call, uint16_t sub, uint16_t data)
{
	struct mb_diag *d = call->unit->diag;

	(void)sub;
	mb_diag_clear(d);
	if (data == CLEAR_LOG_TOO) {
		mb_diag_clear_log(d);
		call->event = -1;
	}
	mb_diag_log(d, MB_EVENT_RESTART);
	mb_diag_listen(d, false);
	return data;
}

static uint16_t
diag_register(struct mb_call *call, uint16_t sub, uint16_t data)
{
	(void)sub;
	(void)data;
	return atomic_load_explicit(
	    &call->unit->diag->diag_register, memory_order_relaxed);
}

static uint16_t
delimiter(struct mb_call *call, uint16_t sub, uint16_t data)
{
	(void)sub;
	atomic_store_explicit(&call->unit->diag->ascii_delimiter,
	    (uint8_t)(data >> 8), memory_order_relaxed);
	return data;
}

static uint16_t
listen_only(struct mb_call *call, uint16_t sub, uint16_t data)
{
	(void)sub;
	mb_diag_listen(call->unit->diag, true);
	mb_diag_log(call->unit->diag, MB_EVENT_LISTEN_ONLY);
	call->silent = true;
	return data;
}

static uint16_t
clear(struct mb_call *call, uint16_t sub, uint16_t data)
{
	(void)sub;
	mb_diag_clear(call->unit->diag);
	atomic_store_explicit(
	    &call->unit->diag->diag_register, 0, memory_order_relaxed);
	return data;
}

static uint16_t
counter(struct mb_call *call, uint16_t sub, uint16_t data)
{
	(void)data;
	return (uint16_t)mb_diag_get(
	    call->unit->diag, (enum mb_counter)(sub - SUB_COUNTERS));
}

static uint16_t
clear_overruns(struct mb_call *call, uint16_t sub, uint16_t data)
{
	(void)sub;
	mb_diag_clear_counter(call->unit->diag, MB_CPT_OVERRUNS);
	return data;
}

static const struct sub subs[] = {
	[SUB_RESTART] = { restart, CLEAR_LOG_TOO, true },
	[2] = { diag_register },
	[3] = { delimiter, ANY_CHARACTER, true },
	[SUB_LISTEN_ONLY] = { listen_only, 0, true },
	[10] = { clear, 0, true },
	[11] = { counter }, /* bus messages */
	[12] = { counter }, /* communication errors */
	[13] = { counter }, /* exceptions */
	[14] = { counter }, /* messages for this unit */
	[15] = { counter }, /* not answered */
	[16] = { counter }, /* answered 07 */
	[17] = { counter }, /* answered 06 */
	[18] = { counter }, /* overruns */
	[20] = { clear_overruns, 0, true },
};

/* The return of what was sent, however long (AP 6.8.1, sub-function 0). */
static enum mb_ex
echo(struct mb_call *call)
{
	size_t len = call->in.left;

	if (len < 2)
		return MB_EX_VALUE;
	wbuf_u16(&call->out, SUB_ECHO);
	wbuf_put(&call->out, rbuf_take(&call->in, len), len);
	return MB_EX_NONE;
}

enum mb_ex
fc_diagnostics(struct mb_call *call)
{
	uint16_t sub = rbuf_u16(&call->in);
	uint16_t data;

	if (!rbuf_ok(&call->in))
		return MB_EX_VALUE;
	if (mb_diag_listening(call->unit->diag) && sub != SUB_RESTART) {
		mb_diag_no_event(call->unit->diag);
		return MB_EX_NONE;
	}
	if (sub == SUB_ECHO)
		return echo(call);
	if (sub >= sizeof(subs) / sizeof(subs[0]) || subs[sub].run == NULL)
		return MB_EX_FUNCTION;
	if (subs[sub].changes && call->unit->read_only)
		return MB_EX_FUNCTION;
	if (sub == SUB_LISTEN_ONLY && call->unit->no_silence)
		return MB_EX_FUNCTION;
	data = rbuf_u16(&call->in);
	if (!rbuf_done(&call->in) || (data & ~subs[sub].bits) != 0)
		return MB_EX_VALUE;
	if (sub == SUB_RESTART && data != 0 && data != CLEAR_LOG_TOO)
		return MB_EX_VALUE;
	data = subs[sub].run(call, sub, data);
	wbuf_u16(&call->out, sub);
	wbuf_u16(&call->out, data);
	return MB_EX_NONE;
}

enum mb_ex
fc_exception_status(struct mb_call *call)
{
	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	wbuf_u8(&call->out,
	    atomic_load_explicit(
		&call->unit->diag->exception_status, memory_order_relaxed));
	return MB_EX_NONE;
}

/* Status word and event count, which the message in hand is not part of. */
static void
put_status(struct mb_call *call)
{
	struct mb_diag *d = call->unit->diag;
	uint32_t events = mb_diag_events(d);

	if (atomic_load_explicit(&d->busy, memory_order_relaxed) != 0)
		wbuf_u16(&call->out, STATUS_BUSY);
	else
		wbuf_u16(&call->out, 0);
	wbuf_u16(&call->out, (uint16_t)(events == 0 ? 0 : events - 1));
}

enum mb_ex
fc_event_counter(struct mb_call *call)
{
	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	put_status(call);
	return MB_EX_NONE;
}

enum mb_ex
fc_event_log(struct mb_call *call)
{
	const struct mb_diag *d = call->unit->diag;
	uint8_t event[MB_EVENTS_MAX];
	unsigned n;

	if (!rbuf_done(&call->in))
		return MB_EX_VALUE;
	n = mb_diag_read_log(d, (unsigned)call->event, event);
	wbuf_u8(&call->out, (uint8_t)(LOG_HEAD + n));
	put_status(call);
	wbuf_u16(&call->out, (uint16_t)mb_diag_get(d, MB_CPT_BUS_MESSAGES));
	wbuf_put(&call->out, event, n);
	return MB_EX_NONE;
}
