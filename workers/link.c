/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a batch to their units and the replies into the batch, counted and
 * recorded on the way. Runs in the workers. Knows no sockets and allocates
 * nothing; a system call is made only for what is logged or told (refusals,
 * faults that are new) and where a hook, or an action that is a script, makes
 * one.
 */
#include "workers/link.h"

#include <string.h>
#include <sysexits.h>

#include "shm/bell.h"
#include "workers/batch.h"
#include "workers/hooks/hooks.h"
#include "workers/proto/fc.h"
#include "workers/save.h"
#include "workers/serve.h"
#include "workers/wary.h"

_Static_assert((int)SHM_PDU_MAX == MB_PDU_MAX, "a reply that is put aside");

enum {
	FRAME_MIN = 8, /* shortest request that may be broadcast (rtu) */
	FRAME_MIN_FC = 4, /* with function codes of plugins (rtu) */
	FRAME_MIN_HOOK = 2, /* of framers of plugins */
	IN_LEAST = CONN_LEFT_MAX + 256,
};

/*
 * How much is read at once: each request takes operation numbers, for each
 * device if it is a broadcast, several if a plugin's function code writes
 * several times; a batch has BATCH_OPS_MAX. 0, or -1 with
 * words.
 */
static int
limit_input(struct link *l, struct worker *w)
{
	unsigned n = w->conf->broadcast ? w->bind.ndevices : 1;
	unsigned writes = hooks_writes(w), min = FRAME_MIN, most;

	if (l->framer->arg != NULL)
		min = FRAME_MIN_HOOK;
	else if (writes > 1)
		min = FRAME_MIN_FC;
	if (n == 0)
		n = 1;
	most = BATCH_OPS_MAX / (BATCH_IN / min) / n;
	if (writes > most)
		writes = most > 0 ? most : 1;
	l->in_max = BATCH_IN;
	if (n * writes * (BATCH_IN / min) > BATCH_OPS_MAX)
		l->in_max = BATCH_OPS_MAX / (n * writes) * min;
	l->ops_max = n * writes;
	w->bind.ops_max = writes;
	if (l->in_max >= IN_LEAST)
		return 0;
	w->why = "too many devices for broadcasts with a plugin's framer";
	w->code = EX_CONFIG;
	return -1;
}

int
link_init(struct link *l, struct worker *w)
{
	l->worker = w;
	l->rights = NULL;
	l->bus = w->conf->type == CONF_SERIAL;
	l->framer = framer_find(w->conf->framer);
	if (l->framer == NULL)
		l->framer = hooks_framer(w, w->conf->framer);
	if (l->framer == NULL) {
		w->why = "no such framer";
		return -1;
	}
	/* these make other bytes of a PDU, where it stands; so may plugins' */
	l->straight = l->framer != &frame_ascii && l->framer->arg == NULL;
	l->out_max = l->framer->adu_max;
	if ((w->traced & HOOK_PACKET) != 0)
		l->out_max = FRAME_ADU_MAX;
	if (limit_input(l, w) == -1)
		return -1;
	mb_fcs_init(&l->fcs);
	if (!w->conf->serial_functions)
		mb_fcs_drop(&l->fcs, FC_SERIAL);
	hooks_functions(w, &l->fcs);
	record_init(&l->rec, w, l->framer);
	return 0;
}

void
link_fini(struct link *l)
{
	faults_fini(&l->faults);
}

/* Bytes that nobody answers. */
static void
note(struct link *l, const struct shm_conn *c, uint8_t unit,
    const uint8_t *bytes, size_t len)
{
	if (record_on(l->worker))
		record_stray(&l->rec, c, unit, bytes, len);
}

uint8_t
link_delimiter(const struct link *l)
{
	const struct bind *b = &l->worker->bind;
	uint8_t d = 0;

	if (l->framer != &frame_ascii)
		return '\n';
	for (unsigned i = 0; i < b->ndevices && d == 0; i++)
		d = atomic_load_explicit(
		    &b->device[i].unit.diag->ascii_delimiter,
		    memory_order_relaxed);
	return d != 0 ? d : '\n';
}

/* Bad frames on the line are every unit's to count (SL 2.4). */
static void
count_errors(struct link *l, unsigned n)
{
	struct bind *b = &l->worker->bind;

	worker_count(&l->worker->shm->stats.frames_bad, n);
	for (unsigned i = 0; i < b->ndevices; i++)
		for (unsigned k = 0; k < n; k++)
			mb_diag_count(
			    b->device[i].unit.diag, MB_CPT_COMM_ERRORS);
}

/*
 * Shows the request in hand to who wants to see PDUs; false if it is not to be
 * carried out. What a hook makes of it lies beside the input, which stays what
 * came: a successor that finds it begun shows the hook the same bytes.
 */
static bool
show_request(struct run *r)
{
	struct link *l = r->link;
	size_t len = r->frame.pdu_len;

	memcpy(l->pdu, r->frame.pdu, len);
	r->frame.pdu = l->pdu;
	r->frame.pdu_len =
	    hooks_pdu(l->worker, r->conn, &r->frame, false, 0, l->pdu, len);
	if (r->frame.pdu_len != 0)
		return true;
	r->op++; /* it has been served, as far as the batch goes */
	return false;
}

/* serve_request() where somebody may look: hooks, and faults behind them. What
 * the device has answered stays as it is until prog says that the request is
 * done, for a successor that finds the request carried out; what hooks make of
 * it is a copy. */
static size_t
serve_shown(struct run *r, uint8_t *pdu)
{
	struct worker *w = r->link->worker;
	bool shown = (w->traced & HOOK_PDU) != 0;
	size_t len;

	r->refused = 0;
	if (shown && !show_request(r))
		return 0;
	if (r->faulty)
		faults_meet(&r->link->faults, r->conn, r->frame.unit,
		    r->frame.pdu, r->frame.pdu_len);
	len = serve_request(r, r->reply);
	if (len != 0)
		memcpy(pdu, r->reply, len);
	if (shown && len != 0)
		len = hooks_pdu(
		    w, r->conn, &r->frame, true, r->refused, pdu, len);
	return len;
}

/* Whether a reply of len bytes leaves late: faults.late, by rules and by what a
 * hook has asked for. */
static bool
put_off(struct run *r, size_t len)
{
	struct worker *w = r->link->worker;
	struct faults *f = &r->link->faults;
	uint32_t ms = (w->traced & HOOK_PDU) != 0 ? hooks_delay_ms(w) : 0;
	bool late;

	if (!r->faulty)
		f->late = (struct late){ 0 };
	late = r->faulty && faults_late(f, len);
	f->late.delay_ms += ms;
	if (ms != 0 && r->trace)
		record_late(&r->link->rec, f->late.delay_ms);
	return late || ms != 0;
}

/*
 * answer() where hooks look or faults hit, or a frame has other bytes than its
 * PDU. What is made of a reply is what is recorded and sent: an interrupted
 * sending goes on in the very same bytes.
 */
__attribute__((cold, noinline)) static size_t
answer_shown(struct run *r, uint8_t *adu)
{
	struct link *l = r->link;
	struct worker *w = l->worker;
	uint8_t *pdu = adu + l->framer->head;
	size_t len = serve_shown(r, pdu);

	r->spoiled = false;
	if (len == 0)
		return 0;
	serve_count_reply(&w->shm->stats, pdu);
	if (r->faulty)
		faults_pdu(&l->faults, w, &r->frame, pdu, len);
	len = l->framer->seal(&r->frame, r->delimiter, adu, len);
	if (r->faulty)
		len = faults_adu(&l->faults, l->framer, adu, len);
	if ((w->traced & HOOK_PACKET) != 0 && len != 0)
		len =
		    hooks_packet(w, r->conn, NULL, true, adu, len, l->out_max);
	if (len != 0 && !w->draining)
		r->late = put_off(r, len);
	r->spoiled = r->faulty && l->faults.got != 0;
	if (r->spoiled && r->trace)
		record_spoiled(&l->rec, r->late ? l->faults.late.delay_ms : 0);
	return len;
}

/* answer() while something is known that workers die of. */
__attribute__((cold, noinline)) static size_t
answer_wary(struct run *r, const uint8_t *in, uint8_t *adu)
{
	enum poison what = wary_meet(r, in);
	size_t len;

	if (what != POISON_NONE) {
		len = wary_spare(r, adu);
		r->shut = r->late = what == POISON_SHUT;
		return len;
	}
	len = answer_shown(r, adu);
	wary_done(r, in);
	return len;
}

/* The frame in hand, which lies at in: its reply in adu, the length of it. */
static size_t
answer(struct run *r, const uint8_t *in, uint8_t *adu)
{
	const struct framer *fr = r->link->framer;
	struct worker *w = r->link->worker;
	struct shm_stats *stats = &w->shm->stats;
	uint8_t fc = r->frame.pdu[0] % SHM_FC;
	uint64_t asked = r->asked;
	size_t len;

	if (r->trace && !r->together)
		asked = record_request(&r->link->rec, r->conn, r->frame.unit,
		    in + r->frame.adu, r->frame.used - r->frame.adu);
	worker_count(&stats->requests[fc], 1);
	if (r->straight) {
		len = serve_request(r, adu + fr->head);
		if (len != 0) {
			serve_count_reply(stats, adu + fr->head);
			len = fr->seal(&r->frame, r->delimiter, adu, len);
		}
	} else {
		len = r->wary ? answer_wary(r, in, adu) : answer_shown(r, adu);
	}
	if (r->trace && (len != 0 || r->spoiled))
		record_reply(&r->link->rec, r->conn, r->frame.unit, asked,
		    r->together, adu, len);
	/* the unanswered ones, too: replies tell which request is theirs */
	r->link->rec.input_done++;
	r->last_fc = fc;
	r->requests++;
	w->bind.begun = false;
	return len;
}

static void
begin(struct run *r, struct link *l, struct shm_conn *c, unsigned author)
{
	struct worker *w = l->worker;

	r->link = l;
	r->conn = c;
	r->delimiter = link_delimiter(l);
	r->frame.arg = l->framer->arg;
	r->before = 0;
	r->busy = false;
	r->requests = 0;
	r->last_fc = 0;
	r->trace = record_on(w);
	r->faulty = faults_on(&l->faults, w);
	r->plain = w->traced == 0 && !r->faulty;
	r->straight = r->plain && l->straight;
	r->reply = l->reply;
	r->late = false;
	r->spoiled = false;
	r->wary = r->shut = false;
	r->suspect = NULL;
	r->together = false;
	r->asked = 0;
	w->bind.who.author = author;
	w->bind.now_ns = w->now_ns;
	w->bind.wrote = false;
	w->bind.saving = false;
	proc_busy(w->proc, w->now_ns);
}

static void
end(struct run *r)
{
	struct worker *w = r->link->worker;

	proc_busy(w->proc, 0);
	record_end(&r->link->rec, r->conn, r->requests);
	if (r->requests != 0) {
		worker_count(&r->conn->requests, r->requests);
		atomic_store_explicit(
		    &r->conn->last_fc, r->last_fc, memory_order_relaxed);
	}
	if (w->bind.wrote)
		bell_ring(w->proc->env.control, &w->proc->bell_fd);
}

/* ---- streams ---- */

/* What is left of the input is hopeless. */
static enum link_rc
give_up(struct run *r, const uint8_t *in, size_t len, const char **why,
    const char *words)
{
	*why = words;
	if (r->trace)
		record_stray(&r->link->rec, r->conn, 0, in, len);
	worker_count(&r->link->worker->shm->stats.frames_bad, 1);
	return LINK_BAD;
}

/* What the framer has stepped over. */
static void
count_skipped(struct run *r, const uint8_t *in, bool found)
{
	size_t junk = found ? r->frame.adu : r->frame.used;

	if (r->trace && junk != 0)
		record_stray(&r->link->rec, r->conn, 0, in, junk);
	if (r->frame.errors != 0)
		count_errors(r->link, r->frame.errors);
	if (r->link->bus)
		for (unsigned i = 0; i < r->frame.foreign; i++)
			serve_heard(r->link, NULL);
}

/* Records what was read at once, if frames need not be recorded one by one. */
static void
record_all(struct run *r, const struct shm_batch *b, size_t len)
{
	struct recorder *rec = &r->link->rec;
	bool begun = atomic_load_explicit(&b->prog, memory_order_relaxed) != 0;

	r->together = r->trace && r->plain && rec->splits && len != 0;
	if (r->together && !begun)
		record_input(rec, r->conn, b->in, len);
	/* else it has been: this is another round of the same input */
	r->asked = record_again(rec, r->conn, r->together);
}

static enum link_rc
run(struct run *r, struct shm_batch *b, const char **why)
{
	struct link *l = r->link;
	struct batch_prog prog = batch_prog_get(b);
	unsigned len = atomic_load_explicit(&b->in_len, memory_order_relaxed);
	/* random bytes may be more than any reply */
	size_t room = r->faulty ? FRAME_ADU_MAX : l->out_max;
	uint64_t before = r->op;

	r->op += prog.ops;
	r->before = prog.ops; /* in earlier rounds of the same input */
	record_all(r, b, len);
	while (prog.done < len) {
		unsigned at = prog.out;
		enum frame_rc rc = l->framer->stream(&l->fcs, r->delimiter,
		    b->in + prog.done, len - prog.done, &r->frame);

		if (rc == FRAME_BAD)
			return give_up(r, b->in + prog.done, len - prog.done,
			    why, r->frame.why);
		if (rc == FRAME_OK && prog.out + room > BATCH_OUT)
			return LINK_FULL;
		count_skipped(r, b->in + prog.done, rc == FRAME_OK);
		if (rc == FRAME_OK)
			prog.out += (unsigned)answer(
			    r, b->in + prog.done, b->out + prog.out);
		else if (r->frame.used == 0)
			break;
		if (l->worker->bind.saving)
			rc = save_note(r, b, &prog, prog.done, at);
		prog.done += (unsigned)r->frame.used;
		prog.ops = (unsigned)(r->op - before);
		batch_prog_set(b, &prog);
		if (r->late && r->shut) {
			*why = "asks for what workers die of";
			return LINK_BAD;
		}
		if (r->late) {
			l->faults.late.at = at;
			return LINK_LATE;
		}
		if (rc != FRAME_OK)
			break;
	}
	if (batch_saves(b) == BATCH_SAVES)
		return LINK_FULL;
	if (len - prog.done > CONN_LEFT_MAX)
		return give_up(r, b->in + prog.done, len - prog.done, why,
		    "request too long");
	return LINK_MORE;
}

enum link_rc
link_run(struct link *l, struct shm_conn *c, unsigned author,
    struct shm_batch *b, const char **why)
{
	struct run r;
	enum link_rc rc;

	begin(&r, l, c, author);
	r.op = batch_half(c)->op;
	wary_begin(&r, b);
	if (!r.straight || r.wary ||
	    atomic_load_explicit(&b->aside, memory_order_relaxed) != 0)
		wary_put_aside(&r, b);
	rc = run(&r, b, why);
	end(&r);
	return rc;
}

void
link_left(
    struct link *l, const struct shm_conn *c, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return;
	note(l, c, 0, bytes, len);
	/* with a length in front it is a request that was not finished; without
	 * one, it is as likely one that was spoilt */
	if (l->framer == &frame_rtu || l->framer == &frame_ascii)
		count_errors(l, 1);
}

/* ---- datagrams ---- */

bool
link_frame(struct link *l, const struct acl_peer *from, const uint8_t *in,
    size_t len, struct frame *f)
{
	/* connection 0, since it is none */
	struct shm_conn nobody = {
		.family = (uint16_t)from->family,
		.port = from->port,
	};

	f->arg = l->framer->arg;
	if (l->framer->datagram(&l->fcs, link_delimiter(l), in, len, f) ==
		FRAME_OK &&
	    (f->pdu[0] & 0x80) == 0)
		return true;
	count_errors(l, 1);
	memcpy(nobody.addr, from->addr, sizeof(nobody.addr));
	note(l, &nobody, 0, in, len);
	return false;
}

/*
 * What devices answer is put aside if it is not what is sent. Where that is not
 * as it was when a predecessor began the request, its answer is brought to
 * where it is looked for now.
 */
static void
put_aside_one(struct run *r, const struct link_peer *p, uint8_t *out)
{
	uint8_t *pdu = out + r->link->framer->head;
	uint32_t aside = !r->straight;

	r->reply = p->reply;
	if (r->link->worker->bind.resumed && *p->aside != aside)
		memcpy(
		    aside ? p->reply : pdu, aside ? pdu : p->reply, MB_PDU_MAX);
	atomic_signal_fence(memory_order_seq_cst); /* then: */
	*p->aside = aside;
	atomic_signal_fence(memory_order_seq_cst);
}

size_t
link_answer(struct link *l, struct link_peer *p, const struct frame *f,
    const uint8_t *in, uint8_t *out, const struct late **late)
{
	struct run r;
	size_t len;

	begin(&r, l, p->shm, p->author);
	/* without the scratch, into which pdu may point */
	r.frame.unit = f->unit;
	r.frame.tid = f->tid;
	r.frame.pdu = f->pdu;
	r.frame.pdu_len = f->pdu_len;
	r.frame.used = f->used;
	r.frame.adu = f->adu;
	r.before = p->asked;
	r.busy = p->busy;
	r.op = p->op;
	wary_begin_one(&r, in, p->died);
	if (p->aside != NULL)
		put_aside_one(&r, p, out);
	len = answer(&r, in, out);
	p->saving = false;
	if (l->worker->bind.saving)
		len = save_answer(l, p, f, out, len);
	p->op = r.op;
	p->asked++;
	*late = r.late && !r.shut ? &l->faults.late : NULL;
	end(&r);
	return len;
}

void
link_repeat(struct link *l, struct shm_conn *c, const struct frame *f,
    const uint8_t *in, const uint8_t *reply, size_t len)
{
	uint64_t asked;

	worker_count(&c->requests, 1);
	if (!record_on(l->worker))
		return;
	asked = record_request(&l->rec, c, f->unit, in, f->used);
	if (len != 0)
		record_reply(&l->rec, c, f->unit, asked, false, reply, len);
	record_end(&l->rec, c, 1);
}

/* ---- buses ---- */

void
link_heard(struct link *l, const struct link_peer *p, uint8_t unit,
    const uint8_t *adu, size_t len)
{
	serve_heard(l, NULL);
	note(l, p->shm, unit, adu, len);
}

void
link_noise(
    struct link *l, const struct link_peer *p, const uint8_t *bytes, size_t len)
{
	count_errors(l, 1);
	if (len != 0)
		note(l, p->shm, 0, bytes, len);
}

/* What happens to the line happens to every unit on it. */
static void
count_all(struct link *l, enum mb_counter c)
{
	struct bind *b = &l->worker->bind;

	for (unsigned i = 0; i < b->ndevices; i++)
		mb_diag_count(b->device[i].unit.diag, c);
}

void
link_overrun(struct link *l)
{
	worker_count(&l->worker->shm->stats.frames_bad, 1);
	count_all(l, MB_CPT_OVERRUNS);
}

void
link_unsent(struct link *l, uint8_t unit)
{
	const struct bind_device *d = l->worker->bind.by_unit[unit];

	if (d != NULL)
		mb_diag_count(d->unit.diag, MB_CPT_NO_REPLY);
}
