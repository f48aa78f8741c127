/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets to frames, and replies to the requests that they answer. Runs while a
 * capture is read. Lengths and addresses are bytes from outside: what does not
 * fit is left out.
 */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

enum { MBAP = 7, UDP = 17, TCP = 6, SYN = 2 };
enum { FLOWS = 1024 }; /* connections that are followed at the same time */
enum { WAITING = 32 }; /* requests of one that wait for their reply */
enum { STREAM_MAX = 4096 }; /* bytes of one direction that wait for more */

/* A request that waits for its reply. */
struct asked {
	uint64_t at_us;
	uint16_t tid;
	uint8_t unit, len;
	uint8_t pdu[REPLAY_PDU_MAX];
};

/* One connection, or one UDP client, to the recorded server. */
struct flow {
	uint32_t next[2]; /* sequence numbers: to the server, from it */
	uint8_t begun[2];
	size_t held[2];
	unsigned nasked;
	uint64_t answered_us; /* the last time */
	uint8_t stream[2][STREAM_MAX];
	struct asked asked[WAITING];
};

static struct flow *flows;
static uint64_t keys[FLOWS]; /* whose each is; 0: nobody's */
static uint64_t used[FLOWS]; /* when: the longest unused gives way */
static uint64_t now;
static uint64_t at_us; /* when what is looked at was recorded */
static unsigned port;

int
flow_init(unsigned of)
{
	flows = calloc(FLOWS, sizeof(*flows));
	memset(keys, 0, sizeof(keys));
	memset(used, 0, sizeof(used));
	port = of;
	return flows != NULL ? 0 : -1;
}

void
flow_fini(void)
{
	free(flows);
	flows = NULL;
}

int
bytes_skip(struct bytes *b, size_t n)
{
	if (b->len < n)
		return 0;
	b->p += n;
	b->len -= n;
	return 1;
}

unsigned
bytes_16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

uint32_t
bytes_32(const uint8_t *p)
{
	return (uint32_t)bytes_16(p) << 16 | bytes_16(p + 2);
}

static uint64_t
hash(uint64_t h, const uint8_t *p, size_t len)
{
	while (len-- > 0)
		h = (h ^ *p++) * 1099511628211ull;
	return h;
}

/* ---- frames ---- */

/* How long the device took for a request. One that came before the last reply
 * had left has waited for that, as it will here. A clock that has been set back
 * meanwhile tells nothing. */
static uint64_t
took_us(const struct flow *f, const struct asked *a)
{
	uint64_t from = a->at_us > f->answered_us ? a->at_us : f->answered_us;

	return at_us > from ? at_us - from : 0;
}

/* One frame of a flow, in or out; tid -1: the framer has none. */
static void
frame(struct flow *f, int out, int tid, uint8_t unit, const uint8_t *pdu,
    size_t len)
{
	struct asked *a;

	if (len == 0 || len > REPLAY_PDU_MAX)
		return;
	if (!out) {
		if (f->nasked == WAITING)
			f->nasked = 0; /* nobody has answered */
		a = &f->asked[f->nasked++];
		*a = (struct asked){ at_us, (uint16_t)tid, unit, (uint8_t)len,
			{ 0 } };
		memcpy(a->pdu, pdu, len);
		return;
	}
	for (unsigned i = 0; i < f->nasked; i++) {
		a = &f->asked[i];
		if (a->unit != unit || a->pdu[0] != (pdu[0] & 0x7f) ||
		    (tid != -1 && a->tid != tid))
			continue;
		answers_keep(a->unit, a->pdu, a->len, pdu, len, took_us(f, a));
		f->answered_us = at_us;
		memmove(a, a + 1, (--f->nasked - i) * sizeof(*a));
		return;
	}
}

/* ---- flows ---- */

static struct flow *
flow_of(uint64_t key)
{
	unsigned i = 0, oldest = 0;

	key |= 1; /* never 0 */
	for (; i < FLOWS && keys[i] != key; i++)
		if (used[i] < used[oldest])
			oldest = i;
	if (i == FLOWS) {
		i = oldest;
		memset(&flows[i], 0, offsetof(struct flow, stream));
		keys[i] = key;
	}
	used[i] = ++now;
	return &flows[i];
}

/* One MBAP frame at the front of b: how long it is; 0: not all of it is there;
 * -1: it is none. */
static int
mbap(struct flow *f, int out, const struct bytes *b)
{
	size_t len;

	if (b->len < MBAP)
		return 0;
	len = bytes_16(b->p + 4);
	if (bytes_16(b->p + 2) != 0 || len < 2 || len > REPLAY_PDU_MAX + 1)
		return -1;
	if (b->len < 6 + len)
		return 0;
	frame(f, out, (int)bytes_16(b->p), b->p[6], b->p + MBAP, len - 1);
	return (int)(6 + len);
}

/* The whole frames of what has come of a stream. */
static void
drain(struct flow *f, int out)
{
	struct bytes b = { f->stream[out], f->held[out] };
	int n;

	while ((n = mbap(f, out, &b)) > 0)
		bytes_skip(&b, (size_t)n);
	if (n == -1) /* who knows where the next one begins */
		b.len = 0;
	memmove(f->stream[out], b.p, b.len);
	f->held[out] = b.len;
}

/* A segment: what was there already is left out, and behind a gap all begins
 * anew, as the beginning of a frame. */
static void
segment(struct flow *f, int out, uint32_t seq, struct bytes b)
{
	int32_t ahead = (int32_t)(seq - f->next[out]);
	size_t n;

	if (!f->begun[out] || ahead > 0) {
		f->held[out] = 0;
		f->begun[out] = 1;
	} else if (!bytes_skip(&b, (size_t) - (int64_t)ahead)) {
		return;
	} else {
		seq = f->next[out];
	}
	f->next[out] = seq + (uint32_t)b.len;
	while (b.len > 0) {
		n = STREAM_MAX - f->held[out];
		if (n > b.len)
			n = b.len;
		memcpy(f->stream[out] + f->held[out], b.p, n);
		f->held[out] += n;
		bytes_skip(&b, n);
		drain(f, out);
		if (f->held[out] == STREAM_MAX)
			f->held[out] = 0;
	}
}

/* ---- packets ---- */

/* TCP or UDP; addresses of n bytes each, source first. */
static void
transport(unsigned proto, const uint8_t *addrs, size_t n, struct bytes b)
{
	uint64_t key = 14695981039346656037ull ^ proto;
	const uint8_t *ports = b.p;
	uint32_t seq;
	struct flow *f;
	int out;

	if (b.len < 8 || (bytes_16(b.p) != port && bytes_16(b.p + 2) != port))
		return;
	out = bytes_16(b.p + 2) != port; /* the client first, either way */
	key = hash(key, addrs + (out ? n : 0), n);
	key = hash(key, addrs + (out ? 0 : n), n);
	key = hash(key, ports + (out ? 2 : 0), 2);
	f = flow_of(key);
	if (proto == UDP) {
		bytes_skip(&b, 8);
		mbap(f, out, &b);
		return;
	}
	if (proto != TCP || b.len < 20)
		return;
	seq = bytes_32(b.p + 4);
	if ((b.p[13] & SYN) != 0) { /* SYN: a new connection */
		f->begun[out] = 1;
		f->held[out] = 0;
		f->next[out] = seq + 1;
		return;
	}
	if (bytes_skip(&b, (size_t)(b.p[12] >> 4) * 4) && b.len > 0)
		segment(f, out, seq, b);
}

void
flow_ip(struct bytes b, uint64_t us)
{
	const uint8_t *p = b.p;
	size_t head, total;

	at_us = us;
	if (b.len >= 20 && p[0] >> 4 == 4) {
		head = (size_t)(p[0] & 15) * 4;
		total = bytes_16(p + 2);
		if ((bytes_16(p + 6) & 0x3fff) != 0) /* a fragment */
			return;
		/* Ethernet fills short packets up; offloading says 0 */
		if (total >= head && total < b.len)
			b.len = total;
		if (head >= 20 && bytes_skip(&b, head))
			transport(p[9], p + 12, 4, b);
	} else if (b.len >= 40 && p[0] >> 4 == 6) {
		total = 40u + bytes_16(p + 4);
		if (total > 40 && total < b.len)
			b.len = total;
		bytes_skip(&b, 40);
		transport(p[6], p + 8, 16, b);
	}
}

/* An exported PDU, as holdfast trace writes it: tags that say whose it is, then
 * the frame. Its server has port 502, whatever the port was. */
void
flow_exported(struct bytes b, uint64_t us)
{
	uint32_t from = 0, to = 0;
	uint64_t key = 0, addr[2] = { 0, 0 };
	int is_mbap = 0, is_rtu = 0, out;
	unsigned tag = 1, len;

	at_us = us;
	while (tag != 0) {
		if (b.len < 4)
			return;
		tag = bytes_16(b.p);
		len = bytes_16(b.p + 2);
		if (b.len - 4 < len)
			return;
		if (tag == 12) {
			is_mbap = len >= 5 &&
			    (memcmp(b.p + 4, "mbtcp", 5) == 0 ||
				memcmp(b.p + 4, "mbudp", 5) == 0);
			is_rtu = len >= 5 && memcmp(b.p + 4, "mbrtu", 5) == 0;
		} else if (tag >= 20 && tag <= 23) {
			addr[tag & 1] = hash(1, b.p + 4, len);
		} else if ((tag == 25 || tag == 26) && len == 4) {
			*(tag == 25 ? &from : &to) = bytes_32(b.p + 4);
		}
		bytes_skip(&b, 4u + len);
	}
	out = to == 502 ? 0 : from == 502 ? 1 : -1;
	if (out == -1)
		return;
	key = addr[out] * 31 + (out ? to : from) * 64 + (unsigned)is_rtu * 2;
	if (is_mbap)
		mbap(flow_of(key), out, &b);
	else if (is_rtu && b.len >= 4) /* what has another CRC is "data" */
		frame(flow_of(key), out, -1, b.p[0], b.p + 1, b.len - 3);
}
