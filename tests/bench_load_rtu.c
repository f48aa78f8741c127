/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A master on a serial line: asks, waits for the reply, keeps silent for t3.5
 * and asks again. What it measures is the turnaround, from the write of the
 * request to the first byte of the reply, as far as it is above t3.5: a reply
 * that comes before is an error. The line is a descriptor that it was started
 * with.
 */

#include "tests/lib/bench_load.h"
#include "tests/bench_rtu.h"

#include "workers/proto/frame.h"

enum { UNIT = 1, ANSWER_MS = 3000, ERRORS_MAX = 10 };

static struct {
	unsigned fd, baud, count;
	double seconds, warm;
} opt = { .baud = 19200, .count = 10, .seconds = 1, .warm = 0.1 };

static uint8_t request[8], reply[RTU_ADU_MAX];

static void
make_request(void)
{
	uint16_t crc;

	request[0] = UNIT;
	request[1] = 3;
	load_put16(request + 2, 0);
	load_put16(request + 4, opt.count);
	crc = frame_crc16(request, 6);
	request[6] = (uint8_t)crc;
	request[7] = (uint8_t)(crc >> 8);
}

/* Reads a whole reply; when its first byte came, 0 if it is none. */
static uint64_t
hear(void)
{
	size_t len = 0, want = 5 + 2 * opt.count;
	uint64_t first = 0;
	ssize_t n;

	while (len < want) {
		if (!rtu_wait((int)opt.fd, ANSWER_MS * 1000000ull)) {
			load_wrong("no whole reply");
			return 0;
		}
		if ((n = read((int)opt.fd, reply + len, want - len)) <= 0)
			err(1, "read");
		if (len == 0)
			first = load_now();
		len += (size_t)n;
	}
	if (reply[0] != UNIT || reply[1] != 3 || reply[2] != 2 * opt.count ||
	    frame_crc16(reply, len) != 0) {
		load_wrong("wrong reply");
		return 0;
	}
	return first;
}

int
main(int argc, char **argv)
{
	const struct load_option options[] = {
		{ "fd", .number = &opt.fd },
		{ "baud", .number = &opt.baud },
		{ "count", .number = &opt.count },
		{ "seconds", .real = &opt.seconds },
		{ "warm", .real = &opt.warm },
		{ 0 },
	};
	uint64_t begin_ns, end_ns, asked, heard, silence_ns;

	(void)argc;
	load_options(argv, options);
	if (opt.fd == 0 || opt.baud == 0 || opt.count - 1 >= 125)
		errx(64, "--fd, --baud and up to 125 registers, please");
	silence_ns = rtu_silence_ns(opt.baud);
	signal(SIGTERM, load_end_early);
	rtu_punctual();
	make_request();
	begin_ns = load_now() + (uint64_t)(opt.warm * (double)LOAD_SECOND);
	end_ns = begin_ns + (uint64_t)(opt.seconds * (double)LOAD_SECOND);
	while ((asked = load_now()) < end_ns && !load_told_to_end &&
	    load_sum.errors < ERRORS_MAX) {
		if (write((int)opt.fd, request, sizeof(request)) !=
		    (ssize_t)sizeof(request))
			err(1, "write");
		if ((heard = hear()) == 0)
			continue;
		load_sum.served++;
		if (heard - asked < silence_ns)
			load_wrong("a reply before the line was silent");
		else if (asked >= begin_ns)
			load_took(heard - asked - silence_ns);
		if (rtu_wait((int)opt.fd, silence_ns)) {
			load_wrong("more than the reply");
			if (read((int)opt.fd, reply, sizeof(reply)) <= 0)
				err(1, "read");
		}
	}
	return load_report((double)(end_ns - begin_ns) / (double)LOAD_SECOND);
}
