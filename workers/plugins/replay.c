/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as a recorded device did: reads a capture of Modbus traffic, of
 * holdfast trace --pcap or of tcpdump or Wireshark from a real device, and puts
 * the recorded replies in the place of our own. See holdfast-plugin(7).
 *
 * The same request to the same unit gets the recorded replies in turn, and the
 * last one from then on. What was never asked, the configured device answers.
 * What the recorded device refused is not carried out by ours either.
 */
#include "holdfast.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MBAP = 7, UDP = 17, TCP = 6, SYN = 2 };
enum { FLOWS = 1024 }; /* connections that are followed at the same time */
enum { WAITING = 32 }; /* requests of one that wait for their reply */
enum { STREAM_MAX = 4096 }; /* bytes of one direction that wait for more */

/* Bytes of the file: nothing is read beyond their end. */
struct bytes {
	const uint8_t *p;
	size_t len;
};

struct reply {
	struct reply *next;
	size_t len;
	uint8_t pdu[];
};

/* A request that was recorded, and its replies in turn. */
struct request {
	struct reply *reply, *last;
	uint8_t unit;
	size_t len;
	uint8_t pdu[];
};

/* A request that waits for its reply. */
struct asked {
	uint16_t tid;
	uint8_t unit, len;
	uint8_t pdu[HF_PDU_MAX];
};

/* One connection, or one UDP client, to the recorded server. */
struct flow {
	uint32_t next[2]; /* sequence numbers: to the server, from it */
	uint8_t begun[2];
	size_t held[2];
	unsigned nasked;
	uint8_t stream[2][STREAM_MAX];
	struct asked asked[WAITING];
};

static void *requests; /* a tree of them */
static struct request *probe; /* what is looked for */
static struct flow *flows;
static uint64_t keys[FLOWS]; /* whose each is; 0: nobody's */
static uint64_t used[FLOWS]; /* when: the longest unused gives way */
static uint64_t now;
static unsigned port = 502;
static size_t nrequests, nreplies;
static struct request *answering; /* the request in hand; NULL: not ours */

static unsigned
be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint64_t
hash(uint64_t h, const uint8_t *p, size_t len)
{
	while (len-- > 0)
		h = (h ^ *p++) * 1099511628211ull;
	return h;
}

/* Drops n bytes from the front; 0 if there are not so many. */
static int
skip(struct bytes *b, size_t n)
{
	if (b->len < n)
		return 0;
	b->p += n;
	b->len -= n;
	return 1;
}

/* ---- requests and replies ---- */

static int
compare(const void *one, const void *two)
{
	const struct request *a = one, *b = two;
	int d = (a->unit - b->unit) * 256 + (int)a->len - (int)b->len;

	return d != 0 ? d : memcmp(a->pdu, b->pdu, a->len);
}

/* The recorded request of these bytes, or NULL. */
static struct request *
find(uint8_t unit, const uint8_t *pdu, size_t len)
{
	struct request **at;

	probe->unit = unit;
	probe->len = len;
	memcpy(probe->pdu, pdu, len);
	at = tfind(probe, &requests, compare);
	return at != NULL ? *at : NULL;
}

static struct request *
find_or_add(const struct asked *a)
{
	struct request *r = find(a->unit, a->pdu, a->len);

	if (r != NULL || (r = calloc(1, sizeof(*r) + a->len)) == NULL)
		return r;
	memcpy(r, probe, sizeof(*r) + a->len);
	if (tsearch(r, &requests, compare) == NULL) {
		free(r);
		return NULL;
	}
	nrequests++;
	return r;
}

static void
keep(const struct asked *a, const uint8_t *pdu, size_t len)
{
	struct reply *reply = calloc(1, sizeof(*reply) + len);
	struct request *r = reply != NULL ? find_or_add(a) : NULL;

	if (r == NULL) {
		free(reply);
		return; /* no memory: it has not been recorded */
	}
	reply->len = len;
	memcpy(reply->pdu, pdu, len);
	*(r->last != NULL ? &r->last->next : &r->reply) = reply;
	r->last = reply;
	nreplies++;
}

/* One frame of a flow, in or out; tid -1: the framer has none. */
static void
frame(struct flow *f, int out, int tid, uint8_t unit, const uint8_t *pdu,
    size_t len)
{
	struct asked *a;

	if (len == 0 || len > HF_PDU_MAX)
		return;
	if (!out) {
		if (f->nasked == WAITING)
			f->nasked = 0; /* nobody has answered */
		a = &f->asked[f->nasked++];
		*a = (struct asked){ (uint16_t)tid, unit, (uint8_t)len, { 0 } };
		memcpy(a->pdu, pdu, len);
		return;
	}
	for (unsigned i = 0; i < f->nasked; i++) {
		a = &f->asked[i];
		if (a->unit != unit || a->pdu[0] != (pdu[0] & 0x7f) ||
		    (tid != -1 && a->tid != tid))
			continue;
		keep(a, pdu, len);
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
	len = be16(b->p + 4);
	if (be16(b->p + 2) != 0 || len < 2 || len > HF_PDU_MAX + 1)
		return -1;
	if (b->len < 6 + len)
		return 0;
	frame(f, out, (int)be16(b->p), b->p[6], b->p + MBAP, len - 1);
	return (int)(6 + len);
}

/* The whole frames of what has come of a stream. */
static void
drain(struct flow *f, int out)
{
	struct bytes b = { f->stream[out], f->held[out] };
	int n;

	while ((n = mbap(f, out, &b)) > 0)
		skip(&b, (size_t)n);
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
	} else if (!skip(&b, (size_t) - (int64_t)ahead)) {
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
		skip(&b, n);
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

	if (b.len < 8 || (be16(b.p) != port && be16(b.p + 2) != port))
		return;
	out = be16(b.p + 2) != port; /* the client first, either way */
	key = hash(key, addrs + (out ? n : 0), n);
	key = hash(key, addrs + (out ? 0 : n), n);
	key = hash(key, ports + (out ? 2 : 0), 2);
	f = flow_of(key);
	if (proto == UDP) {
		skip(&b, 8);
		mbap(f, out, &b);
		return;
	}
	if (proto != TCP || b.len < 20)
		return;
	seq = be32(b.p + 4);
	if ((b.p[13] & SYN) != 0) { /* SYN: a new connection */
		f->begun[out] = 1;
		f->held[out] = 0;
		f->next[out] = seq + 1;
		return;
	}
	if (skip(&b, (size_t)(b.p[12] >> 4) * 4) && b.len > 0)
		segment(f, out, seq, b);
}

static void
ip(struct bytes b)
{
	const uint8_t *p = b.p;
	size_t head, total;

	if (b.len >= 20 && p[0] >> 4 == 4) {
		head = (size_t)(p[0] & 15) * 4;
		total = be16(p + 2);
		if ((be16(p + 6) & 0x3fff) != 0) /* a fragment */
			return;
		/* Ethernet fills short packets up; offloading says 0 */
		if (total >= head && total < b.len)
			b.len = total;
		if (head >= 20 && skip(&b, head))
			transport(p[9], p + 12, 4, b);
	} else if (b.len >= 40 && p[0] >> 4 == 6) {
		total = 40u + be16(p + 4);
		if (total > 40 && total < b.len)
			b.len = total;
		skip(&b, 40);
		transport(p[6], p + 8, 16, b);
	}
}

/* An exported PDU, as holdfast trace writes it: tags that say whose it is, then
 * the frame. Its server has port 502, whatever the port was. */
static void
exported(struct bytes b)
{
	uint32_t from = 0, to = 0;
	uint64_t key = 0, addr[2] = { 0, 0 };
	int is_mbap = 0, is_rtu = 0, out;
	unsigned tag = 1, len;

	while (tag != 0) {
		if (b.len < 4)
			return;
		tag = be16(b.p);
		len = be16(b.p + 2);
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
			*(tag == 25 ? &from : &to) = be32(b.p + 4);
		}
		skip(&b, 4u + len);
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

/* What IP lies behind: so many bytes, of which those at type_at say that it is
 * IP, unless there is nothing else (-1). */
static const struct {
	unsigned link;
	int type_at;
	size_t head;
} links[] = {
	{ 0, -1, 4 }, /* loopback of the BSDs */
	{ 1, 12, 14 }, /* Ethernet */
	{ 12, -1, 0 }, { 101, -1, 0 }, { 228, -1, 0 }, { 229, -1, 0 }, /* IP */
	{ 113, 14, 16 }, { 276, 0, 20 }, /* Linux's "any" */
};
enum { NLINKS = sizeof(links) / sizeof(links[0]), EXPORTED = 252 };

/* 0 if nobody here knows such a link. */
static int
packet(unsigned link, struct bytes b)
{
	unsigned i = 0, type = 0x0800;

	if (link == EXPORTED) {
		exported(b);
		return 1;
	}
	while (i < NLINKS && links[i].link != link)
		i++;
	if (i == NLINKS || b.len < links[i].head)
		return i < NLINKS;
	if (links[i].type_at >= 0)
		type = be16(b.p + links[i].type_at);
	skip(&b, links[i].head);
	while ((type == 0x8100 || type == 0x88a8) && b.len >= 4) { /* VLAN */
		type = be16(b.p + 2);
		skip(&b, 4);
	}
	if (type == 0x0800 || type == 0x86dd)
		ip(b);
	return 1;
}

/* ---- files ---- */

/* A number as the file's byte order has it. */
static uint32_t
word(const uint8_t *p, int swapped)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return swapped ? __builtin_bswap32(v) : v;
}

/* NULL, or what is wrong. A file that ends in a record, as one that is still
 * being written does, is read as far as it goes. */
static const char *
read_pcap(struct bytes b, int swapped)
{
	uint32_t link = word(b.p + 20, swapped) & 0xfffffff, len;

	skip(&b, 24);
	while (b.len >= 16) {
		len = word(b.p + 8, swapped);
		skip(&b, 16);
		if (len > b.len)
			break;
		if (!packet(link, (struct bytes){ b.p, len }))
			return "its link type is none that is known";
		skip(&b, len);
	}
	return NULL;
}

enum { INTERFACES = 32, BLOCK_SECTION = 0x0a0d0d0a };

static void
read_pcapng(struct bytes b)
{
	unsigned link[INTERFACES], n = 0, i;
	uint32_t type, len, caught;
	int swapped = 0;

	while (b.len >= 12) {
		type = word(b.p, swapped);
		if (type == BLOCK_SECTION) {
			swapped = word(b.p + 8, 0) != 0x1a2b3c4d;
			n = 0;
		}
		len = word(b.p + 4, swapped);
		if (len < 12 || len > b.len || len % 4 != 0)
			break;
		if (type == 1 && n < INTERFACES && len >= 20)
			link[n++] = swapped ? be16(b.p + 8)
					    : b.p[8] | (unsigned)b.p[9] << 8;
		if (type == 6 && len >= 32) {
			i = word(b.p + 8, swapped);
			caught = word(b.p + 20, swapped);
			if (i < n && caught <= len - 32)
				packet(link[i],
				    (struct bytes){ b.p + 28, caught });
		}
		skip(&b, len);
	}
}

static const char *
read_any(struct bytes b)
{
	uint32_t magic = b.len >= 24 ? word(b.p, 0) : 0;

	if (magic == 0xa1b2c3d4 || magic == 0xa1b23c4d)
		return read_pcap(b, 0);
	if (magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1)
		return read_pcap(b, 1);
	if (magic != BLOCK_SECTION)
		return "it is no pcap and no pcapng file";
	read_pcapng(b);
	return NULL;
}

/* NULL, or what is wrong. */
static const char *
read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *why = NULL;
	struct stat st = { 0 };
	void *at = MAP_FAILED;

	flows = calloc(FLOWS, sizeof(*flows));
	if (fd != -1 && flows != NULL && fstat(fd, &st) == 0 && st.st_size > 0)
		at = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at != MAP_FAILED) {
		why = read_any((struct bytes){ at, (size_t)st.st_size });
		munmap(at, (size_t)st.st_size);
	} else {
		why = fd != -1 && st.st_size == 0 ? "it is empty"
						  : strerror(errno);
	}
	if (fd != -1)
		close(fd);
	free(flows);
	return why;
}

/* ---- replaying ---- */

/* The recorded reply takes the place of our device's, but not of refusals by
 * roles, as busy or by faults, which come before any device. */
static size_t
trace_pdu(
    void *arg, const struct hf_traced *t, uint8_t *pdu, size_t len, size_t room)
{
	struct reply *reply;

	(void)arg;
	if (!t->sending) {
		answering = find(t->unit, pdu, len);
		return len;
	}
	if (answering == NULL || t->refused || answering->reply->len > room)
		return len;
	reply = answering->reply;
	if (reply->next != NULL)
		answering->reply = reply->next;
	answering = NULL;
	memcpy(pdu, reply->pdu, reply->len);
	return reply->len;
}

/* What was refused is not carried out; trace_pdu() says in which words. */
static enum hf_exception
refuse(void *arg, const struct hf_traced *t, const uint8_t *pdu, size_t len)
{
	(void)arg, (void)t, (void)pdu, (void)len;
	if (answering == NULL || (answering->reply->pdu[0] & 0x80) == 0)
		return HF_EX_NONE;
	return HF_EX_FAILURE;
}

static const struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.trace_pdu = trace_pdu,
	.refuse = refuse,
};

static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "replay",
	.hooks = &hooks,
};

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	const char *name = host->option(host, "file"), *why;
	const char *from = host->option(host, "port");
	char path[4096];

	if (name == NULL) {
		host->fail(host, "the option \"file\" is missing");
		return NULL;
	}
	if (from != NULL)
		port = (unsigned)atoi(from);
	if (port == 0 || port > 65535) {
		host->fail(host, "the option \"port\" is no port: %s", from);
		return NULL;
	}
	snprintf(path, sizeof(path), "%s%s%s",
	    name[0] == '/' ? "" : host->folder, name[0] == '/' ? "" : "/",
	    name);
	probe = calloc(1, sizeof(*probe) + HF_PDU_MAX);
	why = probe != NULL ? read_file(path) : strerror(errno);
	if (why == NULL && nreplies == 0)
		why = "no request with its reply is in it; the recorded device "
		      "has port 502 unless the option \"port\" says otherwise";
	if (why != NULL) {
		host->fail(host, "%s: %s", path, why);
		return NULL;
	}
	host->log(host, HF_INFO, "replaying %s requests=%zu replies=%zu", path,
	    nrequests, nreplies);
	return &plugin;
}
