/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for Wireshark, see pcap.h. Runs in the command line and in the http
 * process. What a frame says of itself is as good as bytes from outside.
 */

#include "control/pcap.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "workers/proto/buf.h"
#include "workers/proto/decode.h"

enum {
	RECORD_HEAD = 16,
	LINKTYPE_WIRESHARK_UPPER_PDU = 252,
	TAG_DISSECTOR = 12,
	TAG_IPV4_SRC = 20,
	TAG_IPV4_DST = 21,
	TAG_IPV6_SRC = 22,
	TAG_IPV6_DST = 23,
	TAG_PORT_TYPE = 24,
	TAG_SRC_PORT = 25,
	TAG_DST_PORT = 26,
	PORT_TCP = 2,
	PORT_UDP = 3,
	PORT_MODBUS = 502,
	PEER_MAX = 128,
};

void
pcap_head(uint8_t head[PCAP_HEAD])
{
	/* microseconds, version 2.4; the byte order tells itself */
	const uint32_t words[] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535,
		LINKTYPE_WIRESHARK_UPPER_PDU };

	memcpy(head, words, PCAP_HEAD);
}

/* ---- tags ---- */

static void
put_u32(struct wbuf *b, uint32_t v)
{
	wbuf_u16(b, (uint16_t)(v >> 16));
	wbuf_u16(b, (uint16_t)v);
}

static void
tag(struct wbuf *b, unsigned what, const void *value, size_t len)
{
	static const uint8_t none[4];
	size_t fill = (4 - len % 4) % 4;

	wbuf_u16(b, (uint16_t)what);
	wbuf_u16(b, (uint16_t)(len + fill));
	wbuf_put(b, value, len);
	wbuf_put(b, none, fill);
}

static void
tag_u32(struct wbuf *b, unsigned what, uint32_t v)
{
	wbuf_u16(b, (uint16_t)what);
	wbuf_u16(b, 4);
	put_u32(b, v);
}

/* ---- who ---- */

struct peer {
	size_t len; /* of its address: 4 or 16 */
	uint8_t addr[16];
	unsigned port;
};

/* One who has no address gets one that no other connection has. */
static void
made_up(const char *connection, struct peer *p)
{
	uint32_t h = 2166136261u;

	for (; *connection != '\0'; connection++)
		h = (h ^ (uint8_t)*connection) * 16777619u;
	p->len = 4;
	p->addr[0] = 198;
	p->addr[1] = 18 | (h >> 16 & 1);
	p->addr[2] = (uint8_t)(h >> 8);
	p->addr[3] = (uint8_t)h;
	p->port = 0xc000u | (h >> 17 & 0x3fff);
}

/* "10.0.0.7:4021", "[::1]:4021", or words. */
static void
find_peer(const char *text, const char *connection, struct peer *p)
{
	const char *colon = strrchr(text, ':');
	char host[PEER_MAX] = "";
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;

	if (len > 0 && len < sizeof(host))
		memcpy(host, text, len);
	p->port = colon != NULL ? (unsigned)atoi(colon + 1) & 0xffff : 0;
	p->len = 4;
	if (inet_pton(AF_INET, host, p->addr) == 1)
		return;
	p->len = 16;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, p->addr) == 1)
			return;
	}
	made_up(connection, p);
}

static void
tag_ends(struct wbuf *b, const struct peer *p, bool out, bool udp)
{
	static const uint8_t us4[] = { 192, 0, 2, 1 },
			     us6[] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0,
				     0, 0, 0, 0, 1 };
	const uint8_t *us = p->len == 4 ? us4 : us6;
	bool four = p->len == 4;

	tag(b, four ? TAG_IPV4_SRC : TAG_IPV6_SRC, out ? us : p->addr, p->len);
	tag(b, four ? TAG_IPV4_DST : TAG_IPV6_DST, out ? p->addr : us, p->len);
	tag_u32(b, TAG_PORT_TYPE, udp ? PORT_UDP : PORT_TCP);
	tag_u32(b, TAG_SRC_PORT, out ? PORT_MODBUS : p->port);
	tag_u32(b, TAG_DST_PORT, out ? p->port : PORT_MODBUS);
	tag(b, 0, NULL, 0);
}

/* ---- frames ---- */

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The bytes of an ADU; how many, -1 if it is none. */
static int
unhex(const char *hex, uint8_t *bytes, size_t max)
{
	size_t n = 0;

	for (; *hex != '\0'; hex += 2) {
		int high = nibble(hex[0]), low;

		low = high == -1 ? -1 : nibble(hex[1]);
		if (low == -1 || n == max)
			return -1;
		bytes[n++] = (uint8_t)(high << 4 | low);
	}
	return (int)n;
}

/* Which dissector takes the frame, and what it is to be given. */
static const char *
dissect(const char *framer, bool udp, uint8_t *adu, size_t *len)
{
	const struct framer *f = framer_find(framer);
	struct mb_adu a;
	uint16_t crc;

	if (f == NULL || !mb_adu_open(f, adu, *len, &a))
		return "data";
	if (f == &frame_mbap || f == &frame_tls)
		return udp ? "mbudp" : "mbtcp";
	adu[0] = a.unit;
	memmove(adu + 1, a.pdu, a.pdu_len);
	crc = frame_crc16(adu, a.pdu_len + 1);
	adu[a.pdu_len + 1] = (uint8_t)crc;
	adu[a.pdu_len + 2] = (uint8_t)(crc >> 8);
	*len = a.pdu_len + 3;
	return "mbrtu";
}

static const char *
word(const json_t *frame, const char *key)
{
	const char *s = json_string_value(json_object_get(frame, key));

	return s != NULL ? s : "";
}

size_t
pcap_record(const json_t *frame, uint8_t record[PCAP_RECORD_MAX])
{
	double at = json_number_value(json_object_get(frame, "at"));
	bool out = strcmp(word(frame, "direction"), "out") == 0;
	bool udp = strcmp(word(frame, "type"), "udp") == 0;
	uint8_t adu[PCAP_ADU_MAX];
	int n = unhex(word(frame, "adu"), adu, sizeof(adu));
	const char *dissector;
	struct peer peer;
	struct wbuf b;
	uint32_t head[4];
	uint64_t us;
	size_t len;

	if (n < 1 || !(at >= 0 && at < 4294967295.0))
		return 0;
	len = (size_t)n;
	dissector = dissect(word(frame, "framer"), udp, adu, &len);
	find_peer(word(frame, "peer"), word(frame, "connection"), &peer);
	wbuf_init(&b, record + RECORD_HEAD, PCAP_RECORD_MAX - RECORD_HEAD);
	tag(&b, TAG_DISSECTOR, dissector, strlen(dissector));
	tag_ends(&b, &peer, out, udp);
	wbuf_put(&b, adu, len);
	us = (uint64_t)(at * 1e6 + 0.5);
	head[0] = (uint32_t)(us / 1000000);
	head[1] = (uint32_t)(us % 1000000);
	head[2] = head[3] = (uint32_t)b.len;
	memcpy(record, head, sizeof(head));
	return b.bad ? 0 : RECORD_HEAD + b.len;
}
