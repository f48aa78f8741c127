/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace hook that writes what a transport answers into a file for Wireshark,
 * from whichever framer and line it came: each request and reply as Modbus/TCP
 * to port 502, with headers made up for it. See holdfast-plugin(7).
 *
 *	"tcp1": { "type": "tcp", "plugins": ["pcap"],
 *	          "options": { "file": "tcp1.pcap" }, ... }
 *
 * The file may grow as long as the transport runs. Several workers, and those
 * that come after one that died, append to the same file: a record is one
 * write().
 */
#include "holdfast.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IP_HEAD = 20, TCP_HEAD = 20, MBAP = 7, RECORD = 16, PORT = 502 };
enum { FLOWS = 1024 }; /* connections whose bytes are counted */

static int file = -1;
static struct {
	uint64_t connection;
	uint32_t sent[2]; /* from the client, from the server */
} flow[FLOWS];

static uint8_t *
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *
put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

/* The checksum of the 20 bytes of an IP header. */
static unsigned
checksum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (int i = 0; i < IP_HEAD; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

/* Who the client is: its own address and port if it has them, else some that no
 * other connection has. */
static void
client(const struct hf_traced *t, uint32_t *addr, unsigned *port)
{
	const char *colon = strrchr(t->peer, ':');
	char text[INET_ADDRSTRLEN] = "";
	struct in_addr in;

	if (colon != NULL && (size_t)(colon - t->peer) < sizeof(text))
		memcpy(text, t->peer, (size_t)(colon - t->peer));
	if (inet_pton(AF_INET, text, &in) == 1) {
		*addr = ntohl(in.s_addr);
		*port = (unsigned)atoi(colon + 1);
	} else { /* 198.18.0.0/15 is nobody's */
		*addr = 0xc6120000u | ((t->connection >> 14) & 0x1ffff);
		*port = 0xc000u | (t->connection & 0x3fff);
	}
}

/* One segment from its head to the PDU; its length. */
static size_t
segment(uint8_t *p, const struct hf_traced *t, const uint8_t *pdu, size_t len)
{
	size_t size = IP_HEAD + TCP_HEAD + MBAP + len;
	unsigned i = (unsigned)(t->connection % FLOWS), port;
	uint32_t from, to = 0xc0000201u; /* 192.0.2.1 */
	uint8_t *ip = p;

	if (flow[i].connection != t->connection) {
		flow[i].connection = t->connection;
		flow[i].sent[0] = flow[i].sent[1] = 1;
	}
	client(t, &from, &port);
	p = put16(p, 0x4500);
	p = put16(p, (unsigned)size);
	p = put32(p, 0x00004000); /* do not fragment */
	p = put32(p, 0x40060000); /* 64 hops, TCP */
	p = put32(p, t->sending ? to : from);
	p = put32(p, t->sending ? from : to);
	put16(ip + 10, checksum(ip));
	p = put16(p, t->sending ? PORT : port);
	p = put16(p, t->sending ? port : PORT);
	p = put32(p, flow[i].sent[t->sending != 0]);
	p = put32(p, flow[i].sent[t->sending == 0]);
	p = put32(p, 0x5018ffff); /* PSH, ACK; a window */
	p = put32(p, 0); /* its checksum is nobody's concern */
	p = put16(p, t->transaction);
	p = put16(p, 0);
	p = put16(p, (unsigned)len + 1);
	*p++ = t->unit;
	memcpy(p, pdu, len);
	flow[i].sent[t->sending != 0] += (uint32_t)(MBAP + len);
	return size;
}

static size_t
trace_pdu(
    void *arg, const struct hf_traced *t, uint8_t *pdu, size_t len, size_t room)
{
	uint8_t buf[RECORD + IP_HEAD + TCP_HEAD + MBAP + HF_PDU_MAX];
	struct timespec now;
	uint32_t head[4];

	(void)arg;
	(void)room;
	clock_gettime(CLOCK_REALTIME, &now);
	head[0] = (uint32_t)now.tv_sec;
	head[1] = (uint32_t)now.tv_nsec / 1000;
	head[2] = head[3] = (uint32_t)segment(buf + RECORD, t, pdu, len);
	memcpy(buf, head, sizeof(head));
	if (write(file, buf, RECORD + head[2]) == -1) {
		t->host->log(t->host, HF_WARN, "tracing ends: %m");
		close(file);
		file = open("/dev/null", O_WRONLY | O_CLOEXEC);
	}
	return len; /* and the PDU as it is */
}

static const struct hf_hooks hooks = {
	.size = sizeof(hooks),
	.trace_pdu = trace_pdu,
};

static const struct hf_plugin plugin = {
	.abi = HF_PLUGIN_ABI,
	.size = sizeof(plugin),
	.name = "pcap",
	.hooks = &hooks,
};

/* Whoever comes first writes the head; a lock keeps the others from writing
 * before it is there. 0, or -1 with errno. */
static int
open_file(const char *path)
{
	/* microseconds, version 2.4, IP without a link below it */
	static const uint32_t head[] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535,
		101 };
	struct stat st;

	file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_CREAT, 0640);
	if (file == -1)
		return -1;
	if (flock(file, LOCK_EX) == 0 && fstat(file, &st) == 0 &&
	    (st.st_size > 0 ||
		write(file, head, sizeof(head)) == sizeof(head)) &&
	    flock(file, LOCK_UN) == 0)
		return 0;
	close(file);
	return -1;
}

const struct hf_plugin *
holdfast_plugin(const struct hf_host *host)
{
	const char *name = host->option(host, "file");
	char path[4096];

	if (name == NULL) {
		host->fail(host, "the option \"file\" is missing");
		return NULL;
	}
	snprintf(path, sizeof(path), "%s%s%s",
	    name[0] == '/' ? "" : host->folder, name[0] == '/' ? "" : "/",
	    name);
	if (open_file(path) == -1) {
		host->fail(host, "%s: %m", path);
		return NULL;
	}
	return &plugin;
}
