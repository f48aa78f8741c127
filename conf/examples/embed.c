/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that serves its registers over TCP and over a serial line.
 *
 *	cc embed.c -o embed $(pkg-config --cflags --libs holdfast)
 *	./embed 127.0.0.1:5020 [/dev/ttyUSB0]
 *	mbpoll -m tcp -p 5020 -a 1 -r 1 -c 4 127.0.0.1
 *
 * It counts seconds in holding register 0 and ends with ^C. Both servers are
 * processes of their own: kill one with -9, and it is back before you look.
 */
#include <holdfast.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int stop_pipe[2];

static void
on_signal(int sig)
{
	(void)sig;
	(void)!write(stop_pipe[1], "", 1);
}

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, hf_error());
	exit(1);
}

static struct hf_device *
describe(struct hf_store *store)
{
	static const uint16_t start[] = { 0, 17, 23, 42 };
	const struct hf_range holding = {
		.table = HF_HR, .count = 100, .values = start, .nvalues = 4
	};
	const struct hf_range coils = { .table = HF_CO, .count = 16 };
	struct hf_device *plc = hf_store_add_device(store, "plc", 1);

	if (plc == NULL || hf_device_add_range(plc, &holding) < 0 ||
	    hf_device_add_range(plc, &coils) < 0 ||
	    hf_device_set_identity(plc, 0, "Acme") < 0)
		die("device");
	return plc;
}

int
main(int argc, char **argv)
{
	struct hf_store *store = hf_store_new(NULL);
	struct hf_server_opts tcp = { .size = sizeof(tcp), .name = "tcp" };
	struct hf_server_opts line = { .size = sizeof(line),
		.name = "line",
		.baudrate = 19200,
		.parity = HF_EVEN };
	struct hf_server *server[2] = { NULL, NULL };
	struct hf_server_status status;
	struct hf_device *plc;
	struct pollfd stop;

	if (store == NULL)
		die("store");
	plc = describe(store);
	tcp.address = argc > 1 ? argv[1] : "127.0.0.1:5020";
	server[0] = hf_start_async_tcp_server(store, &tcp);
	if (server[0] == NULL)
		die(tcp.address);
	line.port = argc > 2 ? argv[2] : NULL;
	if (line.port != NULL) {
		server[1] = hf_start_async_serial_server(store, &line);
		if (server[1] == NULL)
			die(line.port);
	}
	hf_server_status(server[0], &status);
	printf("serving on %s\n", status.address);
	fflush(stdout);

	if (pipe(stop_pipe) < 0)
		return 1;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	stop = (struct pollfd){ .fd = stop_pipe[0], .events = POLLIN };
	for (uint16_t seconds = 1; poll(&stop, 1, 1000) <= 0; seconds++)
		hf_set_values(plc, 16, 0, 1, &seconds);
	hf_server_free(server[0]);
	hf_server_free(server[1]);
	hf_store_free(store);
	return 0;
}
