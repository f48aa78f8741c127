/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of function codes, and mb_serve(), which every request of every
 * transport goes through. Runs in the workers; holds nothing between two
 * requests, knows no bytes beyond its request and its reply.
 */

#include "workers/proto/fc.h"

#include <errno.h>

#include "workers/proto/fc_run.h"

enum {
	DIAG_LEN = 4, /* FC 8 with one data word */
	EXCEPTION_BIT = 0x80,
	EXCEPTION_LEN = 2,
};

static const struct mb_fc table[] = {
	[1] = { "read_coils", 0, fc_read_coils, .req = { 4 },
	    .rsp = { 1, .count_at = 1, .count_min = 1 },
	    .qty = { { 3, 0, MB_READ_BITS_MAX } } },
	[2] = { "read_discrete_inputs", 0, fc_read_inputs, .req = { 4 },
	    .rsp = { 1, .count_at = 1, .count_min = 1 },
	    .qty = { { 3, 0, MB_READ_BITS_MAX } } },
	[3] = { "read_holding_registers", 0, fc_read_holding, .req = { 4 },
	    .rsp = { 1, .count_at = 1, .count_min = 2, .count_step = 2 },
	    .qty = { { 3, 0, MB_READ_REGS_MAX } } },
	[4] = { "read_input_registers", 0, fc_read_input_regs, .req = { 4 },
	    .rsp = { 1, .count_at = 1, .count_min = 2, .count_step = 2 },
	    .qty = { { 3, 0, MB_READ_REGS_MAX } } },
	[5] = { "write_single_coil", FC_WRITE | FC_BROADCAST, fc_write_coil,
	    .req = { 4 }, .rsp = { 4 } },
	[6] = { "write_single_register", FC_WRITE | FC_BROADCAST, fc_write_reg,
	    .req = { 4 }, .rsp = { 4 } },
	[7] = { "read_exception_status", FC_SERIAL, fc_exception_status,
	    .rsp = { 1 } },
	[8] = { "diagnostics", FC_LISTEN | FC_SERIAL, fc_diagnostics,
	    .req = { DIAG_LEN }, .rsp = { DIAG_LEN } },
	[11] = { "get_comm_event_counter", FC_QUIET | FC_SERIAL,
	    fc_event_counter, .rsp = { 4 } },
	[12] = { "get_comm_event_log", FC_SERIAL, fc_event_log,
	    .rsp = { 1, .count_at = 1, .count_min = 6 } },
	[15] = { "write_multiple_coils", FC_WRITE | FC_BROADCAST,
	    fc_write_coils, .req = { 5, .count_at = 5 }, .rsp = { 4 },
	    .qty = { { 3, 1, MB_WRITE_BITS_MAX } } },
	[16] = { "write_multiple_registers", FC_WRITE | FC_BROADCAST,
	    fc_write_regs, .req = { 5, .count_at = 5 }, .rsp = { 4 },
	    .qty = { { 3, 16, MB_WRITE_REGS_MAX } } },
	[17] = { "report_server_id", FC_SERIAL, fc_server_id,
	    .rsp = { 1, .count_at = 1 } },
	[20] = { "read_file_record", 0, fc_read_file,
	    .req = { 1, .count_at = 1 }, .rsp = { 1, .count_at = 1 } },
	[21] = { "write_file_record", FC_WRITE | FC_BROADCAST, fc_write_file,
	    .req = { 1, .count_at = 1 }, .rsp = { 1, .count_at = 1 } },
	[22] = { "mask_write_register", FC_WRITE | FC_BROADCAST, fc_mask_reg,
	    .req = { 6 }, .rsp = { 6 } },
	[23] = { "read_write_multiple_registers", FC_WRITE, fc_read_write_regs,
	    .req = { 9, .count_at = 9 },
	    .rsp = { 1, .count_at = 1, .count_min = 2, .count_step = 2 },
	    .qty = { { 3, 0, MB_READ_REGS_MAX },
		{ 7, 16, MB_RW_WRITE_REGS_MAX } } },
	[24] = { "read_fifo_queue", 0, fc_read_fifo, .req = { 2 },
	    .rsp = { .walk = fc_fifo_reply_len } },
	[43] = { "encapsulated_interface_transport", 0, fc_encapsulated,
	    .req = { .walk = fc_encapsulated_len },
	    .rsp = { .walk = fc_encapsulated_reply_len } },
};

enum { NROWS = sizeof(table) / sizeof(table[0]) };

static const char *const ex_name[] = {
	[MB_EX_FUNCTION] = "illegal function",
	[MB_EX_ADDRESS] = "illegal data address",
	[MB_EX_VALUE] = "illegal data value",
	[MB_EX_FAILURE] = "server device failure",
	[MB_EX_ACKNOWLEDGE] = "acknowledge",
	[MB_EX_BUSY] = "server device busy",
	[MB_EX_NAK] = "negative acknowledge",
	[MB_EX_PARITY] = "memory parity error",
	[MB_EX_NO_PATH] = "gateway path unavailable",
	[MB_EX_NO_REPLY] = "gateway target device failed to respond",
};

void
mb_fcs_init(struct mb_fcs *fcs)
{
	size_t fc;

	memset(fcs, 0, sizeof(*fcs));
	for (fc = 0; fc < NROWS; fc++)
		if (table[fc].run != NULL)
			fcs->row[fc] = &table[fc];
}

int
mb_fcs_set(struct mb_fcs *fcs, uint8_t fc, const struct mb_fc *row)
{
	if (fc == 0 || fc >= EXCEPTION_BIT) {
		errno = EINVAL;
		return -1;
	}
	fcs->row[fc] = row;
	return 0;
}

void
mb_fcs_drop(struct mb_fcs *fcs, unsigned flag)
{
	for (unsigned fc = 1; fc < EXCEPTION_BIT; fc++)
		if (fcs->row[fc] != NULL && (fcs->row[fc]->flags & flag) != 0)
			fcs->row[fc] = NULL;
}

/* The row of a sub-function, or the one that has all others; NULL. */
__attribute__((cold, noinline)) static const struct mb_fc *
find_sub(const struct mb_fc *row, const uint8_t *pdu, size_t len)
{
	for (const struct mb_fc *s = row->subs; s != NULL; s = s->next) {
		if (len < 1u + s->sub_len)
			continue;
		if (s->sub == (s->sub_len == 1 ? pdu[1] : pdu[1] << 8 | pdu[2]))
			return s;
	}
	return row->run != NULL ? row : NULL;
}

/* The row of a PDU of at least one byte. */
static const struct mb_fc *
find(const struct mb_fcs *fcs, const uint8_t *pdu, size_t len)
{
	const struct mb_fc *row;

	if (pdu[0] >= EXCEPTION_BIT)
		return NULL;
	row = fcs->row[pdu[0]];
	return row == NULL || row->subs == NULL ? row : find_sub(row, pdu, len);
}

/* Whether more bytes may show that a PDU is a sub-function's. */
static bool
is_open(const struct mb_fcs *fcs, const uint8_t *pdu, size_t len)
{
	const struct mb_fc *s = NULL;

	if (pdu[0] < EXCEPTION_BIT && fcs->row[pdu[0]] != NULL)
		s = fcs->row[pdu[0]]->subs;
	for (; s != NULL; s = s->next)
		if (len < 1u + s->sub_len)
			return true;
	return false;
}

/* What stands between a request and its handler, then the handler. */
static enum mb_ex
run(struct mb_call *call, const struct mb_fc *row, size_t len)
{
	enum mb_ex ex;

	if (len == 0 || len > MB_PDU_MAX)
		return MB_EX_VALUE;
	if (row == NULL)
		return MB_EX_FUNCTION;
	if ((row->flags & FC_WRITE) != 0 && call->unit->read_only)
		return MB_EX_FUNCTION;
	if (call->broadcast && (row->flags & FC_BROADCAST) == 0)
		return MB_EX_FUNCTION;
	call->arg = row->arg;
	ex = row->run(call);
	if (ex == MB_EX_NONE && call->out.bad)
		ex = MB_EX_FAILURE;
	return ex;
}

static void
count_exception(struct mb_diag *d, enum mb_ex ex)
{
	mb_diag_count(d, MB_CPT_EXCEPTIONS);
	if (ex == MB_EX_BUSY)
		mb_diag_count(d, MB_CPT_BUSY);
	else if (ex == MB_EX_NAK)
		mb_diag_count(d, MB_CPT_NAK);
}

/* Counts what became of the request; the length of what is sent. */
static size_t
finish(struct mb_call *call, const struct mb_fc *row, enum mb_ex ex)
{
	struct mb_diag *d = call->unit->diag;
	bool listening = mb_diag_listening(d);

	if (ex != MB_EX_NONE) {
		wbuf_init(&call->out, call->out.base, MB_PDU_MAX);
		wbuf_u8(&call->out, call->fc | EXCEPTION_BIT);
		wbuf_u8(&call->out, (uint8_t)ex);
		count_exception(d, ex);
	}
	if (ex != MB_EX_NONE || (row->flags & FC_QUIET) != 0)
		mb_diag_no_event(d);
	if (call->event >= 0)
		mb_diag_sent(d, (unsigned)call->event, ex, listening);
	if (call->broadcast || call->silent) {
		mb_diag_count(d, MB_CPT_NO_REPLY);
		return 0;
	}
	return call->out.len;
}

/* Listen-only: monitored, neither carried out nor answered (AP 6.8). */
static size_t
ignore(struct mb_call *call)
{
	struct mb_diag *d = call->unit->diag;

	mb_diag_count(d, MB_CPT_NO_REPLY);
	mb_diag_no_event(d);
	mb_diag_sent(d, (unsigned)call->event, MB_EX_NONE, true);
	return 0;
}

/* A request has come: counts it and gets ready for the reply. */
static void
begin(struct mb_call *call, struct mb_unit *unit, bool broadcast,
    const uint8_t *pdu, size_t len, uint8_t out[MB_PDU_MAX])
{
	bool listening = mb_diag_listening(unit->diag);

	call->unit = unit;
	call->broadcast = broadcast;
	call->silent = listening;
	rbuf_init(&call->in, pdu, len);
	call->fc = rbuf_u8(&call->in);
	wbuf_init(&call->out, out, MB_PDU_MAX);
	wbuf_u8(&call->out, call->fc);
	call->event = (int)mb_diag_received(
	    unit->diag, broadcast, listening, unit->alone);
}

size_t
mb_serve(const struct mb_fcs *fcs, struct mb_unit *unit, bool broadcast,
    const uint8_t *pdu, size_t len, uint8_t out[MB_PDU_MAX])
{
	struct mb_call call;
	const struct mb_fc *row;

	begin(&call, unit, broadcast, pdu, len, out);
	row = len == 0 ? NULL : find(fcs, pdu, len);
	if (call.silent && (row == NULL || (row->flags & FC_LISTEN) == 0))
		return ignore(&call);
	return finish(&call, row, run(&call, row, len));
}

size_t
mb_refuse(struct mb_unit *unit, enum mb_ex ex, const uint8_t *pdu, size_t len,
    uint8_t out[MB_PDU_MAX])
{
	struct mb_call call;

	begin(&call, unit, false, pdu, len, out);
	return call.silent ? ignore(&call) : finish(&call, NULL, ex);
}

/* As mb_request_len(), for one row's rule. */
static int
pdu_len(const struct mb_len *rule, const uint8_t *pdu, size_t len)
{
	unsigned count = 0;
	int n;

	if (rule->walk != NULL) {
		n = rule->walk(pdu, len);
	} else {
		if (rule->count_at != 0) {
			if (len <= rule->count_at)
				return 0;
			count = pdu[rule->count_at];
			if (count < rule->count_min ||
			    (rule->count_step != 0 &&
				count % rule->count_step != 0))
				return -1;
		}
		n = (int)(1 + rule->fixed + count);
	}
	return n > MB_PDU_MAX ? -1 : n;
}

int
mb_request_len(const struct mb_fcs *fcs, const uint8_t *pdu, size_t len)
{
	const struct mb_fc *row;

	if (len == 0)
		return 0;
	if (is_open(fcs, pdu, len))
		return 0;
	row = find(fcs, pdu, len);
	return row == NULL ? -1 : pdu_len(&row->req, pdu, len);
}

int
mb_reply_len(const struct mb_fcs *fcs, const uint8_t *pdu, size_t len)
{
	const struct mb_fc *row;

	if (len == 0)
		return 0;
	if (pdu[0] > EXCEPTION_BIT)
		return EXCEPTION_LEN;
	if (is_open(fcs, pdu, len))
		return 0;
	row = find(fcs, pdu, len);
	return row == NULL ? -1 : pdu_len(&row->rsp, pdu, len);
}

/* Whether what is there of one quantity can be right. */
static bool
qty_plausible(const struct mb_fc *row, const struct mb_qty *q,
    const uint8_t *pdu, size_t len)
{
	unsigned n;

	if (q->at == 0 || len <= q->at)
		return true;
	if (len == q->at + 1u)
		return pdu[q->at] <= q->max >> 8;
	n = (unsigned)pdu[q->at] << 8 | pdu[q->at + 1];
	if (n < 1 || n > q->max)
		return false;
	if (q->bits == 0 || len <= row->req.count_at)
		return true;
	return pdu[row->req.count_at] == (n * q->bits + 7) / 8;
}

bool
mb_fc_plausible(const struct mb_fcs *fcs, const uint8_t *pdu, size_t len)
{
	const struct mb_fc *row = find(fcs, pdu, len);

	return row == NULL ||
	    (qty_plausible(row, &row->qty[0], pdu, len) &&
		qty_plausible(row, &row->qty[1], pdu, len));
}

const char *
mb_fc_name(const struct mb_fcs *fcs, uint8_t fc)
{
	const struct mb_fc *row = fc < EXCEPTION_BIT ? fcs->row[fc] : NULL;

	return row == NULL ? NULL : row->name;
}

const char *
mb_ex_name(enum mb_ex ex)
{
	const char *name = NULL;

	if ((size_t)ex < sizeof(ex_name) / sizeof(ex_name[0]))
		name = ex_name[ex];
	return name == NULL ? "unknown exception" : name;
}
