/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of captures, pcap and pcapng, to packets. Runs as the plugin is loaded,
 * or asked whether its options are right. Every length is a byte from outside:
 * nothing is read beyond the end of the file.
 */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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
packet(unsigned link, struct bytes b, uint64_t at_us)
{
	unsigned i = 0, type = 0x0800;

	if (link == EXPORTED) {
		flow_exported(b, at_us);
		return 1;
	}
	while (i < NLINKS && links[i].link != link)
		i++;
	if (i == NLINKS || b.len < links[i].head)
		return i < NLINKS;
	if (links[i].type_at >= 0)
		type = bytes_16(b.p + links[i].type_at);
	bytes_skip(&b, links[i].head);
	while ((type == 0x8100 || type == 0x88a8) && b.len >= 4) { /* VLAN */
		type = bytes_16(b.p + 2);
		bytes_skip(&b, 4);
	}
	if (type == 0x0800 || type == 0x86dd)
		flow_ip(b, at_us);
	return 1;
}

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
read_pcap(struct bytes b, int swapped, unsigned ticks)
{
	uint64_t us;
	uint32_t link = word(b.p + 20, swapped) & 0xfffffff, len;

	bytes_skip(&b, 24);
	while (b.len >= 16) {
		us = word(b.p, swapped) * 1000000ull +
		    word(b.p + 4, swapped) / ticks;
		len = word(b.p + 8, swapped);
		bytes_skip(&b, 16);
		if (len > b.len)
			break;
		if (!packet(link, (struct bytes){ b.p, len }, us))
			return "its link type is none that is known";
		bytes_skip(&b, len);
	}
	return NULL;
}

enum { INTERFACES = 32, BLOCK_SECTION = 0x0a0d0d0a };
enum { OPTION_END, OPTION_TSRESOL = 9 };

/* An interface that packets were recorded at. */
struct interface {
	unsigned link;
	uint64_t ticks; /* of its clock in a second */
};

static unsigned
half(const uint8_t *p, int swapped)
{
	return swapped ? bytes_16(p) : p[0] | (unsigned)p[1] << 8;
}

/* if_tsresol: a negative power of 10, or of 2; of no use beyond 64 bits. */
static uint64_t
ticks_of(uint8_t resolution)
{
	unsigned power = resolution & 0x7f;
	uint64_t ticks = 1;

	if (resolution & 0x80)
		return power < 64 ? 1ull << power : 1000000;
	if (power > 19)
		return 1000000;
	while (power-- > 0)
		ticks *= 10;
	return ticks;
}

/* An interface's block, b being all of it but its last four bytes. */
static struct interface
interface(struct bytes b, int swapped)
{
	struct interface i = { half(b.p + 8, swapped), 1000000 };
	unsigned option, len;

	bytes_skip(&b, 16);
	while (b.len >= 4) {
		option = half(b.p, swapped);
		len = half(b.p + 2, swapped);
		bytes_skip(&b, 4);
		if (option == OPTION_END || b.len < len)
			break;
		if (option == OPTION_TSRESOL && len == 1)
			i.ticks = ticks_of(b.p[0]);
		if (!bytes_skip(&b, (len + 3u) & ~3u))
			break;
	}
	return i;
}

/* An enhanced packet block of len bytes. */
static void
enhanced(
    const struct interface *at, const uint8_t *p, uint32_t len, int swapped)
{
	uint32_t caught = word(p + 20, swapped);
	uint64_t t =
	    (uint64_t)word(p + 12, swapped) << 32 | word(p + 16, swapped);
	uint64_t s = t / at->ticks;
	double part = (double)(t % at->ticks) / (double)at->ticks;

	if (caught <= len - 32)
		packet(at->link, (struct bytes){ p + 28, caught },
		    s * 1000000 + (uint64_t)(part * 1e6));
}

static void
read_pcapng(struct bytes b)
{
	struct interface at[INTERFACES];
	unsigned n = 0, i;
	uint32_t type, len;
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
			at[n++] =
			    interface((struct bytes){ b.p, len - 4 }, swapped);
		if (type == 6 && len >= 32) {
			i = word(b.p + 8, swapped);
			if (i < n)
				enhanced(&at[i], b.p, len, swapped);
		}
		bytes_skip(&b, len);
	}
}

const char *
capture_bytes(struct bytes b)
{
	uint32_t magic = b.len >= 24 ? word(b.p, 0) : 0;

	switch (magic) {
	case 0xa1b2c3d4: /* microseconds */
		return read_pcap(b, 0, 1);
	case 0xa1b23c4d: /* nanoseconds */
		return read_pcap(b, 0, 1000);
	case 0xd4c3b2a1:
		return read_pcap(b, 1, 1);
	case 0x4d3cb2a1:
		return read_pcap(b, 1, 1000);
	case BLOCK_SECTION:
		read_pcapng(b);
		return NULL;
	default:
		return "it is no pcap and no pcapng file";
	}
}

const char *
capture_read(const char *path, unsigned port)
{
	/* a pipe that nobody writes to is not waited for */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;
	struct stat st = { 0 };
	void *at = MAP_FAILED;

	if (fd == -1 || fstat(fd, &st) == -1)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "it is no plain file";
	else if (st.st_size == 0)
		why = "it is empty";
	else if (flow_init(port) == -1)
		why = strerror(errno);
	else if ((at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
		      fd, 0)) == MAP_FAILED)
		why = strerror(errno);
	if (why == NULL)
		why = capture_bytes((struct bytes){ at, (size_t)st.st_size });
	if (at != MAP_FAILED)
		munmap(at, (size_t)st.st_size);
	if (fd != -1)
		close(fd);
	flow_fini();
	if (why == NULL && answers.nreplies == 0)
		why = "no request with its reply is in it; the recorded device "
		      "has port 502 unless the option \"port\" says otherwise";
	return why;
}
