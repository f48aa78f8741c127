/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that an RTU slave can do: reads what comes, waits until the line
 * has been silent for t3.5, and answers in one write.
 *
 *	bench_bare_rtu TTY BAUD	prints a line once it listens
 */

#include "tests/lib/bench_bare.h"
#include "tests/bench_rtu.h"

#include <termios.h>

#include "workers/proto/frame.h"

enum { UNIT = 1 };

static int
open_line(const char *path)
{
	struct termios t;
	int fd;

	if ((fd = open(path, O_RDWR | O_NOCTTY)) < 0 || tcgetattr(fd, &t) < 0)
		err(1, "%s", path);
	cfmakeraw(&t);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (tcsetattr(fd, TCSANOW, &t) < 0)
		err(1, "%s", path);
	return fd;
}

/* Reads until the line is silent; how many bytes that were. */
static size_t
hear(int fd, uint64_t silence_ns, uint8_t *in, size_t room)
{
	size_t len = 0;
	ssize_t n;

	do {
		if (len == room)
			len = 0; /* noise */
		if ((n = read(fd, in + len, room - len)) <= 0)
			exit(0); /* the other end has gone */
		len += (size_t)n;
	} while (rtu_wait(fd, silence_ns));
	return len;
}

int
main(int argc, char **argv)
{
	uint8_t in[RTU_ADU_MAX], out[RTU_ADU_MAX];
	uint64_t silence_ns;
	size_t len;
	uint16_t crc;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: bench_bare_rtu TTY BAUD\n");
		return 64;
	}
	silence_ns = rtu_silence_ns((unsigned)atoi(argv[2]));
	fd = open_line(argv[1]);
	rtu_punctual();
	puts("open");
	fflush(stdout);
	for (;;) {
		len = hear(fd, silence_ns, in, sizeof(in));
		/* over its own CRC, too, that of a good frame is 0 */
		if (len < 4 || in[0] != UNIT || frame_crc16(in, len) != 0)
			continue;
		out[0] = UNIT;
		len = 1 + bare_serve(in + 1, (unsigned)len - 3, out + 1);
		crc = frame_crc16(out, len);
		out[len] = (uint8_t)crc;
		out[len + 1] = (uint8_t)(crc >> 8);
		if (write(fd, out, len + 2) != (ssize_t)len + 2)
			err(1, "write");
	}
}
