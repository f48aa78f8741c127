/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace hook: every request and reply of a server, as a capture that
 * Wireshark decodes by itself, on standard output.
 *
 *	cc pcap.c -o pcap $(pkg-config --cflags --libs holdfast)
 *	./pcap 127.0.0.1:5020 | wireshark -k -i -
 *
 * The hook sees bytes, not packets, so their IP and TCP headers are made up:
 * the server is 127.0.0.1 port 502, a client's port is its connection's number.
 * holdfastd has the same for any of its transports: the plugin pcap.
 */
#include <holdfast.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HEADERS = 40, CONNECTIONS = 4096, LINKTYPE_RAW = 101 };

/* What each side of a connection has sent: TCP counts its bytes. The worker is
 * a process of its own; this is its copy. */
static uint32_t sent[CONNECTIONS][2];

static void
put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void
put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

static void
make_headers(
    uint8_t *h, uint64_t connection, int sending, uint32_t seq, size_t len)
{
	static const uint8_t fixed[HEADERS] = { 0x45, [6] = 0x40, [8] = 64,
		[9] = 6, [12] = 127, [15] = 1, [16] = 127, [19] = 1,
		[32] = 0x50, [33] = 0x18, [34] = 0xff, [35] = 0xff };
	uint16_t client = (uint16_t)(1024 + connection % CONNECTIONS);

	memcpy(h, fixed, HEADERS);
	put16(h + 2, (uint32_t)(HEADERS + len));
	put16(h + 20, sending ? 502 : client);
	put16(h + 22, sending ? client : 502);
	put32(h + 24, seq);
	put32(h + 28, sent[connection % CONNECTIONS][!sending]);
}

static size_t
trace(void *arg, const struct hf_traced *t, uint8_t *bytes, size_t len,
    size_t room)
{
	uint8_t packet[16 + HEADERS + HF_ADU_MAX];
	size_t n = len < HF_ADU_MAX ? len : HF_ADU_MAX;
	uint32_t *seq = &sent[t->connection % CONNECTIONS][t->sending != 0];
	uint32_t record[4];
	struct timespec now;

	(void)arg;
	(void)room;
	clock_gettime(CLOCK_REALTIME, &now);
	record[0] = (uint32_t)now.tv_sec;
	record[1] = (uint32_t)(now.tv_nsec / 1000);
	record[2] = (uint32_t)(HEADERS + n);
	record[3] = (uint32_t)(HEADERS + len);
	memcpy(packet, record, sizeof(record));
	make_headers(packet + 16, t->connection, t->sending, *seq, len);
	memcpy(packet + 16 + HEADERS, bytes, n);
	*seq += (uint32_t)len;
	/* whoever does not read the pipe holds up this worker; a server that
	 * must not wait would write to a file, as the plugin does */
	(void)!write(STDOUT_FILENO, packet, 16 + HEADERS + n);
	return len; /* as it is; 0 would have suppressed it */
}

int
main(int argc, char **argv)
{
	const uint32_t begin[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535,
		LINKTYPE_RAW };
	const struct hf_hooks hooks = { .size = sizeof(hooks),
		.trace_packet = trace };
	const struct hf_range range = { .table = HF_HR, .count = 100 };
	struct hf_server_opts opts = { .size = sizeof(opts), .hooks = &hooks };
	struct hf_store *store = hf_store_new(NULL);
	struct hf_device *plc = NULL;

	opts.address = argc > 1 ? argv[1] : "127.0.0.1:5020";
	if (write(STDOUT_FILENO, begin, sizeof(begin)) < 0)
		return 1;
	if (store != NULL)
		plc = hf_store_add_device(store, "plc", HF_EVERY_UNIT);
	if (plc == NULL || hf_device_add_range(plc, &range) < 0 ||
	    hf_start_tcp_server(store, &opts) < 0) {
		fprintf(stderr, "%s\n", hf_error());
		return 1;
	}
	hf_store_free(store);
	return 0;
}
