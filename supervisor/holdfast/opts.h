/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_OPTS_H
#define HOLDFAST_OPTS_H

/*
 * What a server is told to do: part of holdfast.h.
 */

#include "hooks.h"
#include "store.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hf_server_type { HF_TCP, HF_TLS, HF_UDP, HF_SERIAL, HF_PLUGIN };

enum hf_parity { HF_NONE = 'N', HF_EVEN = 'E', HF_ODD = 'O' };

/* A unit address of a server, and what answers there. */
struct hf_unit {
	int unit; /* 0..255, HF_EVERY_UNIT: every other */
	struct hf_device *device;
};

/* What FC 43/14 and 17 tell of every device of a server; NULL: the device's
 * own. */
struct hf_identity {
	const char *VendorName, *ProductCode, *MajorMinorRevision, *VendorUrl,
	    *ProductName, *ModelName, *UserApplicationName;
};

/*
 * Zero is the default everywhere but in size. Names are those of the
 * reference's server classes; what a key of the configuration (in parentheses)
 * says more about is in holdfast.json(5). What is not for the server's type
 * must be left zero (EINVAL).
 */
struct hf_server_opts {
	size_t size; /* sizeof(struct hf_server_opts); else EINVAL, but for that
		      * of an older version */
	enum hf_server_type type; /* hf_start_..._server() set it */
	const char *name; /* for logs and lists; "tcp1", "tcp2" ...; others of
			   * the store must not have it */
	const char *framer; /* "socket" "tls" "rtu" "ascii", or a hook's */
	const struct hf_identity *identity;
	const struct hf_unit *units; /* NULL: as the devices were added;
				      * then nunits is 0 (EINVAL) */
	size_t nunits;
	int ignore_missing_slaves; /* (missing_unit) unknown units get no
				    * answer, not 0B; on a line, where others
				    * may have them, they never get one */
	int broadcast_enable; /* (broadcast) unit 0 writes everywhere,
			       * unanswered */
	const struct hf_hooks *hooks;
	/* (listen) tcp, tls, udp: "127.0.0.1:502"; ":PORT" is every address
	 * of IPv4, port 0 a free one. NULL: ":502", tls ":802". plugin: what
	 * it wants. */
	const char *address;
	/* tls; paths begin where the program is at hf_server_new() */
	const char *certfile, *keyfile, *password; /* (cert, key); keyfile
						    * NULL: it is in certfile */
	const char *cafile, *crlfile; /* (ca, crl) */
	const char *client_cert; /* "require" "request" "none"; NULL: "require"
				  * with a cafile, else "none" */
	const char *roles; /* a file */
	/* serial; port: "/dev/ttyUSB0", "socket://127.0.0.1:5020" or a path,
	 * which must be there at the start (ENOENT), and be a serial device
	 * (ENOTTY) */
	const char *port;
	unsigned baudrate; /* 19200 */
	unsigned bytesize, stopbits; /* 8, 1 */
	enum hf_parity parity; /* HF_NONE */
	int handle_local_echo; /* (local_echo) */
	const char *transport; /* plugin: which, of those that hooks bring */
	/* Any other keys of a transport: "{ \"max_connections\": 10 }"; one
	 * that the members above say already is refused. */
	const char *more;
	/* what blocks until the server has ended also ends it when this can be
	 * read: the end of a pipe that a signal handler writes to. 0: none */
	int stop_fd;
};

#ifdef __cplusplus
}
#endif

#endif
