/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmodbus as a client: every function that it offers, and by raw requests
 * those that it does not, against the device that sys_clients.py configures.
 * Prints one line for each requirement; the sum is left to sys_clients.py.
 *
 *	lm PORT
 *	lm DEVICE BAUDRATE PARITY STOPBITS
 */

#include <errno.h>
#include <modbus.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { UNIT = 1, OTHER_UNIT = 2, MISSING_UNIT = 9, HEAD = 7 };

static modbus_t *mb;
static bool serial; /* RTU on a device, and not TCP */
static int failed;

static void
check(bool fine, const char *title)
{
	printf("%s %s\n", fine ? "ok" : "FAILED", title);
	if (!fine) {
		printf("    errno: %s\n", modbus_strerror(errno));
		failed++;
	}
}

static void
bits(void)
{
	uint8_t out[2000], in[2000], di[8];
	unsigned i;

	for (i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 % 3 == 0);
	check(modbus_write_bits(mb, 0, 1968, out) == 1968 &&
		modbus_read_bits(mb, 0, 2000, in) == 2000 &&
		memcmp(in, out, 1968) == 0,
	    "1968 coils are written with FC 15 and 2000 read with FC 1");
	check(modbus_write_bit(mb, 5, 1) == 1 &&
		modbus_read_bits(mb, 5, 1, in) == 1 && in[0] == 1 &&
		modbus_write_bit(mb, 5, 0) == 1 &&
		modbus_read_bits(mb, 5, 1, in) == 1 && in[0] == 0,
	    "a coil is set and cleared with FC 5");
	check(modbus_read_input_bits(mb, 0, 8, di) == 8 && di[0] == 1 &&
		di[1] == 0 && di[2] == 1 && di[3] == 0,
	    "discrete inputs are read with FC 2");
	check(modbus_read_bits(mb, 1999, 2, in) == -1 && errno == EMBXILADD,
	    "coils beyond the last one are answered 02");
}

static void
registers(void)
{
	uint16_t out[125], in[125];
	unsigned i;
	float f = 0;

	for (i = 0; i < 125; i++)
		out[i] = (uint16_t)(i * 257 + 11);
	check(modbus_write_registers(mb, 100, 123, out) == 123 &&
		modbus_read_registers(mb, 100, 125, in) == 125 &&
		memcmp(in, out, 2 * 123) == 0,
	    "123 registers are written with FC 16 and 125 read with FC 3");
	check(modbus_write_register(mb, 42, 0xbeef) == 1 &&
		modbus_read_registers(mb, 42, 1, in) == 1 && in[0] == 0xbeef,
	    "a register is written with FC 6");
	check(modbus_read_input_registers(mb, 0, 8, in) == 8 && in[0] == 7 &&
		in[7] == 7,
	    "input registers are read with FC 4");
	check(modbus_write_register(mb, 42, 0x12) == 1 &&
		modbus_mask_write_register(mb, 42, 0xf2, 0x25) >= 0 &&
		modbus_read_registers(mb, 42, 1, in) == 1 && in[0] == 0x17,
	    "FC 22 masks a register as the standard's example does");
	check(modbus_write_and_read_registers(
		  mb, 200, 121, out, 198, 125, in) == 125 &&
		memcmp(in + 2, out, 2 * 121) == 0,
	    "FC 23 writes 121 registers and then reads 125");
	check(modbus_read_registers(mb, 1100, 2, in) == 2 &&
		(f = modbus_get_float_abcd(in)) > 404.16f && f < 404.18f,
	    "a float32 of order abcd reads as modbus_get_float_abcd() has it");
	check(modbus_read_registers(mb, 1000, 10, in) == 10 && in[9] == 48879,
	    "a read-only range is read");
	check(modbus_write_register(mb, 1000, 1) == -1 && errno == EMBXILADD,
	    "a write to a read-only range is answered 02");
	check(modbus_write_registers(mb, 999, 2, out) == -1 &&
		errno == EMBXILADD &&
		modbus_read_registers(mb, 999, 1, in) == 1 && in[0] == 0,
	    "a write that reaches into a read-only range changes nothing");
	check(
	    modbus_read_registers(mb, 5000, 1, in) == -1 && errno == EMBXILADD,
	    "an address outside every range is answered 02");
}

static void
units(void)
{
	uint16_t one = 0, other = 0;

	modbus_set_slave(mb, OTHER_UNIT);
	check(modbus_write_register(mb, 7, 222) == 1,
	    "another unit is another device");
	modbus_set_slave(mb, UNIT);
	check(modbus_write_register(mb, 7, 111) == 1 &&
		modbus_read_registers(mb, 7, 1, &one) == 1 && one == 111,
	    "what is written to a unit is read from it");
	modbus_set_slave(mb, OTHER_UNIT);
	check(modbus_read_registers(mb, 7, 1, &other) == 1 && other == 222,
	    "and leaves the other unit alone");
	modbus_set_slave(mb, MISSING_UNIT);
	if (serial) {
		modbus_set_response_timeout(mb, 0, 200000);
		check(modbus_read_registers(mb, 7, 1, &one) == -1 &&
			errno == ETIMEDOUT,
		    "a unit that is not there is met with silence");
		modbus_set_response_timeout(mb, 5, 0);
	} else {
		check(modbus_read_registers(mb, 7, 1, &one) == -1 &&
			errno == EMBXGTAR,
		    "a unit that is not there is answered 0B");
	}
	modbus_set_slave(mb, UNIT);
}

/* libmodbus waits for the reply to a broadcast, which must not come. */
static void
broadcast(void)
{
	uint16_t one = 0, other = 0;

	modbus_set_response_timeout(mb, 0, 200000);
	modbus_set_slave(mb, MODBUS_BROADCAST_ADDRESS);
	check(modbus_write_register(mb, 8, 333) == -1 && errno == ETIMEDOUT,
	    "a broadcast is not answered");
	modbus_set_response_timeout(mb, 5, 0);
	modbus_set_slave(mb, OTHER_UNIT);
	modbus_read_registers(mb, 8, 1, &other);
	modbus_set_slave(mb, UNIT);
	modbus_read_registers(mb, 8, 1, &one);
	check(one == 333 && other == 333, "but every unit has carried it out");
}

static void
identity(void)
{
	uint8_t id[MODBUS_MAX_PDU_LENGTH];
	int n;

	n = modbus_report_slave_id(mb, sizeof(id), id);
	check(n >= 2 && memchr(id, 0xff, (size_t)n) != NULL,
	    "FC 17 reports an identity and that the unit runs");
}

/* Reads exactly n bytes; libmodbus leaves its socket non-blocking. */
static bool
take(int fd, uint8_t *buf, int n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t got;

	for (; n > 0; n -= (int)got, buf += got)
		if (poll(&p, 1, 5000) != 1 ||
		    (got = recv(fd, buf, (size_t)n, 0)) <= 0)
			return false;
	return true;
}

/* Sends a PDU behind a unit and reads the reply's PDU from the socket, since
 * libmodbus knows no lengths but its own functions'. Its length, or -1. */
static int
raw(const uint8_t *pdu, int len, uint8_t *reply)
{
	uint8_t req[MODBUS_MAX_PDU_LENGTH + 1], adu[HEAD];
	int n, fd = modbus_get_socket(mb);

	req[0] = UNIT;
	memcpy(req + 1, pdu, (size_t)len);
	if (modbus_send_raw_request(mb, req, len + 1) < 0 ||
	    !take(fd, adu, HEAD))
		return -1;
	n = (adu[4] << 8 | adu[5]) - 1;
	if (n < 1 || n > MODBUS_MAX_PDU_LENGTH || adu[6] != UNIT)
		return -1;
	return take(fd, reply, n) ? n : -1;
}

static const struct {
	const char *title;
	int len, want_len; /* want_len: -1 any */
	uint8_t pdu[24], want[24];
} raws[] = {
	{ "FC 7 reads the exception status", 1, 2, { 7 }, { 7 } },
	{ "FC 8/0 echoes", 7, 7, { 8, 0, 0, 1, 2, 3, 4 },
	    { 8, 0, 0, 1, 2, 3, 4 } },
	{ "FC 8/11 counts bus messages", 5, 5, { 8, 0, 11, 0, 0 },
	    { 8, 0, 11 } },
	{ "FC 11 reads the event counter", 1, 5, { 11 }, { 11, 0, 0 } },
	{ "FC 12 reads the event log", 1, -1, { 12 }, { 12 } },
	{ "FC 21 writes file records and echoes", 13, 13,
	    { 21, 11, 6, 0, 1, 0, 4, 0, 2, 0xca, 0xfe, 0xba, 0xbe },
	    { 21, 11, 6, 0, 1, 0, 4, 0, 2, 0xca, 0xfe, 0xba, 0xbe } },
	{ "FC 20 reads them back", 9, 8, { 20, 7, 6, 0, 1, 0, 4, 0, 2 },
	    { 20, 6, 5, 6, 0xca, 0xfe, 0xba, 0xbe } },
	{ "FC 20 of a file that is not there is answered 02", 9, 2,
	    { 20, 7, 6, 0, 9, 0, 4, 0, 2 }, { 0x94, 2 } },
	{ "FC 24 reads a queue", 3, 17, { 24, 0x07, 0xd0 },
	    { 24, 0, 14, 0, 6, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15 } },
	{ "FC 24 of what is no queue is answered 02", 3, 2, { 24, 0, 3 },
	    { 0x98, 2 } },
	{ "FC 43/14 gives the vendor's name", 4, -1, { 43, 14, 4, 0 },
	    { 43, 14, 4, 0x83, 0, 0, 1, 0, 4, 'A', 'c', 'm', 'e' } },
	{ "an unknown function is answered 01", 3, 2, { 99, 1, 2 },
	    { 0xe3, 1 } },
	{ "FC 3 of 126 registers is answered 03", 5, 2, { 3, 0, 0, 0, 126 },
	    { 0x83, 3 } },
	{ "FC 16 with a wrong byte count is answered 03", 8, 2,
	    { 16, 0, 0, 0, 1, 3, 1, 2 }, { 0x90, 3 } },
	{ "FC 5 of a value that is none is answered 03", 5, 2,
	    { 5, 0, 0, 0x12, 0x34 }, { 0x85, 3 } },
	{ "a request cut short is answered 03", 3, 2, { 3, 0, 0 },
	    { 0x83, 3 } },
};

/* The bytes that a row asks for: up to its last one that is not 0. */
static int
want_bytes(size_t i)
{
	int n = (int)sizeof(raws[i].want);

	while (n > 1 && raws[i].want[n - 1] == 0)
		n--;
	return n;
}

static void
raw_requests(void)
{
	uint8_t reply[MODBUS_MAX_PDU_LENGTH];
	uint16_t reg;
	size_t i;
	int n;

	for (i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
		n = raw(raws[i].pdu, raws[i].len, reply);
		check(n >= want_bytes(i) &&
			(raws[i].want_len < 0 || n == raws[i].want_len) &&
			memcmp(reply, raws[i].want, (size_t)want_bytes(i)) == 0,
		    raws[i].title);
		if (n < 0)
			return;
	}
	check(modbus_read_registers(mb, 7, 1, &reg) == 1 && reg == 111,
	    "after all of these the connection still serves");
}

int
main(int argc, char **argv)
{
	if (argc != 2 && argc != 5) {
		fprintf(stderr, "usage: lm PORT | DEVICE BAUD PARITY STOP\n");
		return 64;
	}
	serial = argc == 5;
	if (serial)
		mb = modbus_new_rtu(
		    argv[1], atoi(argv[2]), argv[3][0], 8, atoi(argv[4]));
	else
		mb = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
	if (!mb || modbus_connect(mb) < 0) {
		fprintf(stderr, "connect: %s\n", modbus_strerror(errno));
		return 1;
	}
	modbus_set_slave(mb, UNIT);
	modbus_set_response_timeout(mb, 5, 0);
	bits();
	registers();
	units();
	identity();
	if (serial)
		broadcast();
	else
		raw_requests();
	modbus_close(mb);
	modbus_free(mb);
	return failed ? 1 : 0;
}
