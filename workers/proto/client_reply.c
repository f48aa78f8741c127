/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reply PDUs as a client checks them. What comes is not trusted: a server that
 * lies about a count or answers another question is told from one that does
 * not. Runs in tests and tools.
 */

#include "workers/proto/client.h"

/* A request and what may be its reply; the reply's length fits its function
 * code, both begin with the same one. */
struct pair {
	const uint8_t *req, *rsp;
	size_t req_len, rsp_len;
};

/* What a row's reply must have to do with its request, and where its data
 * begins. */
struct row {
	bool (*match)(const struct pair *);
	uint8_t data_at;
};

static unsigned
be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool
bits(const struct pair *p)
{
	return p->req_len == 5 && p->rsp[1] == (be16(p->req + 3) + 7) / 8;
}

static bool
regs(const struct pair *p)
{
	return p->req_len >= 5 && p->rsp[1] == 2 * be16(p->req + 3);
}

static bool
echo(const struct pair *p)
{
	return p->req_len == p->rsp_len &&
	    memcmp(p->req, p->rsp, p->req_len) == 0;
}

/* Address and quantity come back. */
static bool
head(const struct pair *p)
{
	return p->req_len >= 5 && p->rsp_len >= 5 &&
	    memcmp(p->req, p->rsp, 5) == 0;
}

static bool
diag(const struct pair *p)
{
	if (p->req_len < 3 || be16(p->req + 1) == 0)
		return echo(p);
	return p->rsp_len == 5 && be16(p->rsp + 1) == be16(p->req + 1);
}

static bool
file(const struct pair *p)
{
	struct mb_records group;
	struct rbuf req, rsp;

	rbuf_init(&req, p->req, p->req_len);
	rbuf_init(&rsp, p->rsp, p->rsp_len);
	rbuf_take(&req, 2);
	rbuf_take(&rsp, 2);
	while (rbuf_ok(&req) && req.left > 0) {
		rbuf_take(&req, 5);
		if (!mb_reply_next_group(&rsp, &group) ||
		    group.count != rbuf_u16(&req))
			return false;
	}
	return rbuf_done(&req) && rbuf_done(&rsp);
}

static bool
fifo(const struct pair *p)
{
	return be16(p->rsp + 1) == 2 + 2 * be16(p->rsp + 3);
}

/* The same read device id code, and as many objects as it says; one object is
 * the one that was asked for. */
static bool
identity(const struct pair *p)
{
	struct mb_object o;
	struct rbuf b;
	unsigned n;
	int next;

	if (p->req_len != 4 || p->rsp_len < 7 || p->rsp[1] != p->req[1] ||
	    p->rsp[2] != p->req[2])
		return false;
	rbuf_init(&b, p->rsp + 3, p->rsp_len - 3);
	if (!mb_reply_objects(&b, &next))
		return false;
	for (n = 0; mb_reply_next_object(&b, &o); n++)
		if (p->req[2] == 4 && o.id != p->req[3])
			return false;
	return rbuf_ok(&b) && n == p->rsp[6];
}

static bool
any(const struct pair *p)
{
	(void)p;
	return true;
}

static const struct row rows[] = {
	[1] = { bits, 2 },
	[2] = { bits, 2 },
	[3] = { regs, 2 },
	[4] = { regs, 2 },
	[5] = { echo, 1 },
	[6] = { echo, 1 },
	[7] = { any, 1 },
	[8] = { diag, 3 },
	[11] = { any, 1 },
	[12] = { any, 2 },
	[15] = { head, 1 },
	[16] = { head, 1 },
	[17] = { any, 2 },
	[20] = { file, 2 },
	[21] = { echo, 1 },
	[22] = { echo, 1 },
	[23] = { regs, 2 },
	[24] = { fifo, 5 },
	[43] = { identity, 3 },
};

static enum mb_reply_rc
bad(struct mb_reply *r, const char *why)
{
	r->why = why;
	return MB_REPLY_BAD;
}

enum mb_reply_rc
mb_reply_check(const struct mb_fcs *fcs, const uint8_t *req, size_t req_len,
    const uint8_t *rsp, size_t rsp_len, struct mb_reply *r)
{
	static const struct row own = { any, 1 };
	struct pair p = { req, rsp, req_len, rsp_len };
	const struct row *row = &own;

	memset(r, 0, sizeof(*r));
	if (req_len == 0 || rsp_len == 0 || rsp_len > MB_PDU_MAX)
		return bad(r, "no PDU");
	if ((rsp[0] & 0x7f) != req[0])
		return bad(r, "another function code");
	/* the return of query data has any length; it must be what was sent */
	if (mb_reply_len(fcs, rsp, rsp_len) != (int)rsp_len &&
	    (rsp[0] != 8 || !echo(&p)))
		return bad(r, "a length that its function code does not have");
	if (rsp[0] != req[0]) {
		r->ex = (enum mb_ex)rsp[1];
		return r->ex == MB_EX_NONE ? bad(r, "exception 0")
					   : MB_REPLY_EXCEPTION;
	}
	if (rsp[0] < sizeof(rows) / sizeof(rows[0]) &&
	    rows[rsp[0]].match != NULL)
		row = &rows[rsp[0]];
	/* the table may have been told other lengths than the standard's */
	if (rsp_len < row->data_at || !row->match(&p))
		return bad(r, "not what was asked for");
	r->data = rsp + row->data_at;
	r->len = rsp_len - row->data_at;
	return MB_REPLY_OK;
}

uint16_t
mb_reply_reg(const struct mb_reply *r, unsigned i)
{
	return i < r->len / 2 ? (uint16_t)be16(r->data + 2 * i) : 0;
}

bool
mb_reply_bit(const struct mb_reply *r, unsigned i)
{
	return i / 8 < r->len && (r->data[i / 8] >> i % 8 & 1) != 0;
}

bool
mb_reply_next_group(struct rbuf *b, struct mb_records *group)
{
	uint8_t len = rbuf_u8(b), type = rbuf_u8(b);

	if (!rbuf_ok(b) || len % 2 == 0 || type != 6)
		return false;
	memset(group, 0, sizeof(*group));
	group->count = len / 2;
	group->data = rbuf_take(b, len - 1u);
	return group->data != NULL;
}

bool
mb_reply_next_object(struct rbuf *b, struct mb_object *o)
{
	const uint8_t *text;

	if (b->left == 0)
		return false;
	o->id = rbuf_u8(b);
	o->len = rbuf_u8(b);
	text = rbuf_take(b, o->len);
	o->text = (const char *)text;
	return text != NULL;
}

bool
mb_reply_objects(struct rbuf *b, int *next)
{
	uint8_t more, object;

	rbuf_u8(b); /* conformity level */
	more = rbuf_u8(b);
	object = rbuf_u8(b);
	rbuf_u8(b); /* number of objects: told by their end */
	*next = more == 0xff ? object : -1;
	return rbuf_ok(b);
}
