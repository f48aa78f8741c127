/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends random and mutated datagrams to a UDP transport, from many ports, and
 * after each batch of them a good request from a port of its own: the reply to
 * that one must come, be exactly right, and be the only thing that comes.
 *
 *	storm_udp --connect ADDRESS:PORT --framer NAME --count N [--seed N]
 *
 * The server must have 125 input registers of unit 1 that hold 7, and nothing
 * may be able to silence it (serial_functions false).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "workers/proto/frame.h"

enum {
	SOCKETS = 40, /* that junk comes from */
	BATCH = 64, /* less than a socket's buffer holds */
	ROOM = 2048, /* of most datagrams */
	BIG = 65507,
	BIG_EACH = 4096, /* one of so many is up to BIG long */
	WAIT_MS = 5000,
	VALUE = 7,
};

static const struct framer *framer;
static struct sockaddr_in server;
static uint64_t chance = 1;
static int junk_fd[SOCKETS], good_fd;
static uint8_t big[BIG];

/* xorshift64*: fast, and the same from the same seed */
static uint32_t
draw(uint32_t below)
{
	chance ^= chance >> 12;
	chance ^= chance << 25;
	chance ^= chance >> 27;
	return (uint32_t)((chance * 2685821657736338717ull) >> 33) % below;
}

static void
scatter(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)draw(256);
}

/* A request of some kind, right in most ways. */
static size_t
make_pdu(uint8_t *p)
{
	static const uint8_t fcs[] = { 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16,
		17, 20, 21, 22, 23, 24, 43 };
	const uint8_t fc = fcs[draw(sizeof(fcs))];
	unsigned n = draw(130);

	scatter(p, MB_PDU_MAX);
	p[0] = fc;
	p[1] = (uint8_t)(draw(4) == 0 ? draw(256) : 0);
	p[3] = 0;
	p[4] = (uint8_t)n;
	if (fc == 15 || fc == 16) {
		p[5] = (uint8_t)(fc == 16 ? 2 * n : (n + 7) / 8);
		return 6u + p[5] > MB_PDU_MAX ? MB_PDU_MAX : 6u + p[5];
	}
	if (fc == 43) {
		p[1] = 14;
		return 4;
	}
	if (fc >= 20)
		return 1 + draw(40);
	return 5;
}

static size_t
seal(uint8_t *adu, unsigned unit, unsigned tid, const uint8_t *pdu, size_t len)
{
	struct frame f = { .unit = (uint8_t)unit, .tid = (uint16_t)tid };

	memmove(adu + framer->head, pdu, len);
	return framer->seal(&f, '\n', adu, len);
}

/* Changes some bytes, cuts or lengthens what is there, or repeats it. */
static size_t
mutate(uint8_t *p, size_t len)
{
	for (unsigned n = draw(4); n > 0; n--) {
		switch (draw(5)) {
		case 0:
			p[draw((uint32_t)len)] ^= (uint8_t)(1u << draw(8));
			break;
		case 1:
			p[draw((uint32_t)len)] = (uint8_t)draw(256);
			break;
		case 2:
			len = 1 + draw((uint32_t)len);
			break;
		case 3:
			if (len + 16 < ROOM)
				len += draw(16);
			break;
		default:
			if (2 * len < ROOM) {
				memcpy(p + len, p, len);
				len *= 2;
			}
		}
	}
	return len;
}

/* Fills p with the next datagram; its length. */
static size_t
make(uint8_t *p)
{
	uint8_t pdu[MB_PDU_MAX];
	size_t len;

	switch (draw(4)) {
	case 0: /* noise */
		len = draw(draw(2) == 0 ? 20 : 700);
		scatter(p, len);
		return len;
	case 1: /* a good frame around nonsense */
		scatter(pdu, sizeof(pdu));
		len = 1 + draw(MB_PDU_MAX);
		return seal(p, draw(256), draw(65536), pdu, len);
	default:
		len = make_pdu(pdu);
		len = seal(p, draw(3), draw(65536), pdu, len);
		return mutate(p, len);
	}
}

static void
send_one(int fd, const uint8_t *p, size_t len)
{
	ssize_t n =
	    sendto(fd, p, len, 0, (struct sockaddr *)&server, sizeof(server));

	if (n != (ssize_t)len) {
		fprintf(stderr, "storm_udp: cannot send %zu bytes: %s\n", len,
		    strerror(errno));
		exit(EX_OSERR);
	}
}

/* Sends up to n; how many. A big one is the last: more might not fit into the
 * server's socket, and the good request behind them would be lost. */
static unsigned
storm(unsigned n)
{
	uint8_t p[ROOM];

	for (unsigned i = 0; i < n; i++) {
		int fd = junk_fd[draw(SOCKETS)];

		if (draw(BIG_EACH) == 0) {
			send_one(fd, big, draw(BIG + 1));
			return i + 1;
		}
		send_one(fd, p, make(p));
		/* what is answered is nobody's concern */
		while (recv(fd, p, sizeof(p), MSG_DONTWAIT) >= 0)
			;
	}
	return n;
}

/* Asks for all that may be asked for; false if it is not answered rightly. */
static bool
good(unsigned tid)
{
	static const uint8_t request[] = { 4, 0, 0, 0, MB_READ_REGS_MAX };
	uint8_t adu[FRAME_ADU_MAX], want[FRAME_ADU_MAX], got[ROOM];
	uint8_t pdu[2 + 2 * MB_READ_REGS_MAX] = { 4, 2 * MB_READ_REGS_MAX };
	struct pollfd p = { .fd = good_fd, .events = POLLIN };
	size_t len;
	ssize_t n;

	for (unsigned i = 0; i < MB_READ_REGS_MAX; i++)
		pdu[3 + 2 * i] = VALUE;
	send_one(good_fd, adu, seal(adu, 1, tid, request, sizeof(request)));
	len = seal(want, 1, tid, pdu, sizeof(pdu));
	if (poll(&p, 1, WAIT_MS) != 1)
		return false;
	n = recv(good_fd, got, sizeof(got), MSG_DONTWAIT);
	return n == (ssize_t)len && memcmp(got, want, len) == 0;
}

static int
udp(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1) {
		perror("storm_udp: socket");
		exit(EX_OSERR);
	}
	return fd;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: storm_udp --connect ADDRESS:PORT --framer NAME "
	    "--count N [--seed N]\n");
	exit(EX_USAGE);
}

static unsigned
parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "connect", required_argument, NULL, 'c' },
		{ "framer", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned count = 0;
	char *colon;
	int ch;

	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (ch) {
		case 'c':
			colon = strrchr(optarg, ':');
			if (colon == NULL)
				usage();
			*colon = '\0';
			server.sin_family = AF_INET;
			server.sin_port = htons((uint16_t)atoi(colon + 1));
			if (inet_pton(AF_INET, optarg, &server.sin_addr) != 1)
				usage();
			break;
		case 'f':
			framer = framer_find(optarg);
			break;
		case 'n':
			count = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			chance = strtoul(optarg, NULL, 10) * 2 + 1;
			break;
		default:
			usage();
		}
	}
	if (framer == NULL || count == 0 || server.sin_family == 0)
		usage();
	return count;
}

int
main(int argc, char **argv)
{
	unsigned count = parse(argc, argv), sent = 0, asked = 0;

	good_fd = udp();
	for (unsigned i = 0; i < SOCKETS; i++)
		junk_fd[i] = udp();
	scatter(big, sizeof(big));
	while (sent < count) {
		unsigned n = 1 + draw(BATCH);

		if (n > count - sent)
			n = count - sent;
		sent += storm(n);
		asked++;
		if (!good(asked)) {
			printf("not answered rightly: good request %u, after "
			       "%u datagrams\n",
			    asked, sent);
			return 1;
		}
	}
	printf("%u datagrams, %u good requests answered\n", sent, asked);
	return 0;
}
