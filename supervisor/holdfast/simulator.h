/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_SIMULATOR_H
#define HOLDFAST_SIMULATOR_H

/*
 * The simulator: part of holdfast.h. It serves what a setup file of pymodbus
 * 3's simulator describes, as that file stands: one server of its
 * "server_list" and one device of its "device_list".
 *
 * The server: comm (tcp udp tls serial), framer, host and port, or the line's
 * keys; device_id (without it every unit answers), ignore_missing_slaves,
 * broadcast_enable, identity; certfile, keyfile and password, whose paths begin
 * where the program is. Keys that a server does not have are mistakes; timeout
 * and reconnect_delay do nothing: lines come back by themselves. host is a
 * numeric address, "localhost", or "" for every one.
 *
 * The device: its nine sections setup, invalid, write, bits, uint16, uint32,
 * float32, string and repeat, all of them needed, and those of newer files:
 * int16, int32, int64, uint64 and float64. An entry has addr, value, action and
 * parameters (kwargs). Addresses are those on the wire; with "shared blocks"
 * false they are indexes into coils, discrete inputs, holding registers and
 * input registers one after the other. What no section has defined, and what
 * "invalid" lists, is answered 02, and so is a write to what "write" does not
 * list. With "type exception" so is a request that cuts a value in two; the
 * accesses to each cell are counted. Actions run when a client reads, once for
 * a cell, and function codes 5 and 6 answer what they have made of the value;
 * those of pymodbus that are built in are increment, random, timestamp, uptime
 * and reset.
 *
 * What is not as it is there (conf/pymodbus.md lists all of it):
 *  - there is no HTTP: holdfast-simulator and holdfastd have it, the servers of
 *    a program have not;
 *  - blocks end where they end: a request does not run into the next one;
 *  - a value that repeat or the end of a block cuts in two is registers of no
 *    type, without an action;
 *  - a value can be written if all of its registers can;
 *  - in coils and discrete inputs that are not shared, an action happens to
 *    each bit, not to the cell of 16;
 *  - reading the bits of a cell that is not defined is answered 02, like
 *    registers;
 *  - mistakes that are only noticed there when a client asks, or never, are
 *    mistakes of the file: a value that its type cannot hold, a negative
 *    address, a range that ends before it begins, parameters that are neither
 *    texts, numbers nor truth values, characters beyond U+00FF in a string;
 *  - a value that counts without maxval begins anew at its largest.
 */

#include "server.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_simulator;

/* Zero is the default everywhere but in size. */
struct hf_simulator_opts {
	size_t size; /* sizeof(struct hf_simulator_opts) */
	const char *modbus_server; /* of server_list; NULL: "server" */
	const char *modbus_device; /* of device_list; NULL: what the server's
				    * key "device" says, else "device" */
	const char *json_file; /* NULL: "setup.json" */
	/* What else actions may be called, or what takes a built-in one's
	 * place (custom_actions_module), and any other hooks. */
	const struct hf_hooks *actions;
};

/*
 * Reads the file, makes a store of its device and gets a server ready: starts
 * nothing. opts NULL: all defaults. What opts point to need not stay, but for
 * actions. NULL with errno: EINVAL, and hf_error() lists what is wrong with the
 * file, a mistake a line, as FILE:LINE:COLUMN: WORDS; ENOENT and others of
 * opening it; else as hf_server_new().
 */
struct hf_simulator *hf_simulator_new(const struct hf_simulator_opts *);

/* Serves until it is stopped; with only_start it returns once it listens. 0, or
 * -1 as hf_server_serve_forever(). */
int hf_simulator_run_forever(struct hf_simulator *, int only_start);

/* As hf_server_stop(): from any thread; run_forever() returns. */
int hf_simulator_stop(struct hf_simulator *);

/* What it consists of, and owns: for reading and writing the registers, for the
 * address and the life of the server. Neither is to be freed. */
struct hf_store *hf_simulator_store(struct hf_simulator *);
struct hf_server *hf_simulator_server(struct hf_simulator *);

/* Stops it if it runs, and gives it back with its store. NULL is fine. */
void hf_simulator_free(struct hf_simulator *);

/*
 * The same from the arguments of pymodbus.simulator, argv[0] being the
 * program's name: --modbus_server NAME, --modbus_device NAME, --json_file FILE;
 * --log LEVEL (critical error warning info debug) and --log_file FILE: logs to
 * the file, else to standard error, until the simulator is freed; with neither
 * it logs nowhere. --http_host, --http_port and --custom_actions_module are
 * refused: hf_simulator_daemon() has them. -h and --help print how it is
 * used to standard output. NULL with errno: EINVAL, or as hf_simulator_new(); 0
 * after help.
 */
struct hf_simulator *hf_simulator_commandline(int argc, char **argv);

/*
 * The program holdfast-simulator as a function, as hf_daemon() is holdfastd:
 * takes its arguments, takes the process over, and returns its exit code once a
 * signal has ended it; holdfast-simulator(1). argv ends with NULL and stays
 * until then.
 */
int hf_simulator_daemon(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
