/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function codes of plugins: rows of a worker's table. Runs in the workers, on
 * the request path; allocates nothing.
 *
 * What a handler writes is numbered by its place in the request (bind_hook.h),
 * and what it has read is in the journal (journal.h). A successor that carries
 * out the request of a dead worker once more, because no reply to it was
 * recorded, so does not write again what had been written, and the handler
 * reads what it had read; one that does the same on the same request need not
 * know.
 */
#include <string.h>
#include <sysexits.h>

#include "workers/hooks/bind_hook.h"
#include "workers/hooks/hooks_own.h"
#include "workers/hooks/journal.h"

enum { FC_MAX = 127, SUB_MAX = 2, FC_HEADS = 128 };

/* ---- rows ---- */

/* Words for what is wrong with its numbers, or NULL. */
static const char *
wrong(const struct hf_function *f)
{
	unsigned before = 1u + f->sub_len;

	if (f->fc < 1 || f->fc > FC_MAX)
		return "its function code is not 1 to 127";
	if (f->sub_len > SUB_MAX)
		return "its sub-function code has more than 2 bytes";
	if (f->sub_len < SUB_MAX && f->sub >> 8 * f->sub_len != 0)
		return "its sub-function code does not fit into sub_len bytes";
	if (before + f->request.fixed > MB_PDU_MAX ||
	    before + f->reply.fixed > MB_PDU_MAX)
		return "its length is beyond the 253 bytes of a PDU";
	if ((f->request.count_at != 0 &&
		f->request.count_at >= before + f->request.fixed) ||
	    (f->reply.count_at != 0 &&
		f->reply.count_at >= before + f->reply.fixed))
		return "count_at lies behind its fixed bytes";
	if ((f->flags & ~(unsigned)(HF_WRITES | HF_BROADCAST)) != 0)
		return "it has a flag that is not known";
	return NULL;
}

static enum hf_exception
call_read(const struct hf_call *c, enum hf_table t, uint32_t addr,
    uint16_t count, uint16_t *values)
{
	struct bind_device *d = c->self;
	size_t len = count * sizeof(values[0]);
	enum mb_ex ex;

	if (journal_recall(d->bind, JOURNAL_READ, values, len, &ex))
		return (enum hf_exception)ex;
	ex = bind_read(d, (enum mb_table)t, addr, count, values);
	journal_note(d->bind, JOURNAL_READ, values, len, ex);
	return (enum hf_exception)ex;
}

static enum hf_exception
call_write(const struct hf_call *c, enum hf_table t, uint32_t addr,
    uint16_t count, const uint16_t *values)
{
	return (enum hf_exception)bind_write(
	    c->self, (enum mb_table)t, addr, count, values);
}

static void
begin_reply(struct mb_call *call, const struct hf_function *f)
{
	if (f->sub_len == 2)
		wbuf_u16(&call->out, f->sub);
	else if (f->sub_len == 1)
		wbuf_u8(&call->out, (uint8_t)f->sub);
}

static enum mb_ex
run(struct mb_call *call)
{
	const struct hook_function *h = call->arg;
	struct bind_device *d = call->unit->arg;
	struct hf_call c = { .host = &h->plugin->host,
		.unit = d->bind->unit,
		.fc = call->fc,
		.broadcast = call->broadcast,
		.request = call->in.p - 1,
		.request_len = call->in.left + 1,
		.reply = call->out.base,
		.read = call_read,
		.write = call_write,
		.self = d };
	uint32_t was;
	unsigned ex;

	begin_reply(call, &h->f);
	c.reply_len = call->out.len;
	d->bind->ops = 0;
	journal_begin(d->bind);
	was = plugin_enter(h->plugin);
	ex = (unsigned)h->f.run(h->plugin->hooks.arg, &c);
	plugin_leave(h->plugin, was);
	if (c.reply_len > MB_PDU_MAX)
		fatal(EX_SOFTWARE,
		    "%s: %s made a reply of %zu bytes in room "
		    "for %d",
		    h->plugin->path, h->f.name, c.reply_len, MB_PDU_MAX);
	if (ex != HF_EX_NONE)
		return ex <= UINT8_MAX ? (enum mb_ex)ex : MB_EX_FAILURE;
	call->silent |= c.reply_len == 0;
	call->out.len = c.reply_len;
	return MB_EX_NONE;
}

int
hook_function_check(struct plugins *ps, struct hook_function *h)
{
	const struct hf_function *f = &h->f;
	const char *words = wrong(f);
	uint8_t before = f->sub_len;

	if (f->name == NULL || f->name[0] == '\0' || f->run == NULL)
		return plugins_refuse(ps, "%s: a function of it has no %s",
		    h->plugin->file, f->run == NULL ? "run" : "name");
	if (words != NULL)
		return plugins_refuse(ps, "%s: the function \"%.40s\": %s",
		    h->plugin->file, f->name, words);
	h->row = (struct mb_fc){ .name = f->name,
		.flags = ((f->flags & HF_WRITES) != 0 ? FC_WRITE : 0) |
		    ((f->flags & HF_BROADCAST) != 0 ? FC_BROADCAST : 0),
		.run = run,
		.req = { .fixed = (uint8_t)(before + f->request.fixed),
		    .count_at = f->request.count_at },
		.rsp = { .fixed = (uint8_t)(before + f->reply.fixed),
		    .count_at = f->reply.count_at },
		.arg = h,
		.sub_len = f->sub_len,
		.sub = f->sub_len != 0 ? f->sub : 0 };
	return 0;
}

/* ---- the table of a worker ---- */

/* A row of its own for a function code, over what has been there: what its
 * sub-functions are not stays as it was. */
static void
add_sub(struct hooks *h, struct mb_fcs *fcs, struct mb_fc *row, uint8_t fc)
{
	struct mb_fc *head = &h->heads[fc];

	if (fcs->row[fc] != head) {
		*head = (struct mb_fc){ .name = row->name };
		if (fcs->row[fc] != NULL)
			*head = *fcs->row[fc];
		fcs->row[fc] = head;
	}
	row->next = head->subs;
	head->subs = row;
}

void
hooks_functions(struct worker *w, struct mb_fcs *fcs)
{
	struct hooks *h = w->hooks;

	for (size_t i = 0; h != NULL && i < h->nfunctions; i++)
		if (h->functions[i].f.sub_len == 0)
			mb_fcs_set(
			    fcs, h->functions[i].f.fc, &h->functions[i].row);
	for (size_t i = 0; h != NULL && i < h->nfunctions; i++)
		if (h->functions[i].f.sub_len != 0)
			add_sub(
			    h, fcs, &h->functions[i].row, h->functions[i].f.fc);
}

unsigned
hooks_writes(const struct worker *w)
{
	return w->hooks != NULL && w->hooks->nfunctions != 0 ? HOOK_WRITES_MAX
							     : 1;
}
