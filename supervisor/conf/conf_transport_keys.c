/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a transport, one row each, whatever its type: a flag says which
 * types have the key. See conf.c.
 */
#include <stddef.h>

#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_net.h"
#include "supervisor/conf/conf_paths.h"
#include "supervisor/conf/conf_roles.h"
#include "supervisor/conf/conf_serial.h"
#include "supervisor/conf/conf_shm.h"
#include "supervisor/conf/conf_transport.h"

#define IN_TRANSPORT(m) .off = offsetof(struct conf_transport, m)

enum {
	MS_MAX = 3600000,
	S_MAX = 86400,
};

static const char *const access_long[] = { "read-write", "read-only", NULL };
static const char *const missing_words[] = { "exception", "silent", NULL };
static const char *const framer_words[] = { "socket", "tls", "rtu", "ascii",
	NULL };
static const char *const transport_types[] = { [CONF_TCP] = "tcp",
	[CONF_TLS] = "tls",
	[CONF_UDP] = "udp",
	[CONF_SERIAL] = "serial",
	[CONF_SHM] = "shm",
	NULL };
/* From CONF_NOT_TCP on. */
static const char *const transport_kinds[] = { "tcp", "tls", "udp", "serial",
	"shm", "a plugin's", "serial on a socket", NULL };
static const char *const client_cert_words[] = { [CONF_CERT_REQUIRE] =
						     "require",
	[CONF_CERT_REQUEST] = "request",
	[CONF_CERT_NONE] = "none",
	NULL };
static const char *const parity_words[] = { [CONF_PARITY_NONE] = "N",
	[CONF_PARITY_EVEN] = "E",
	[CONF_PARITY_ODD] = "O",
	[CONF_PARITY_MARK] = "M",
	[CONF_PARITY_SPACE] = "S",
	NULL };
static const char *const t15_words[] = { [CONF_T15_OFF] = "off",
	[CONF_T15_COUNT] = "count",
	[CONF_T15_STRICT] = "strict",
	NULL };
static const char *const rs485_words[] = { [CONF_RS485_OFF] = "off",
	[CONF_RS485_AUTO] = "auto",
	[CONF_RS485_IOCTL] = "ioctl",
	[CONF_RS485_RTS] = "rts",
	NULL };
static const char *const rts_words[] = { "high", "low", NULL };

static const struct conf_key transport_keys[] = {
	{ "type", CONF_OWN, CONF_REQUIRED, .words = transport_types,
	    .takes = "tcp | tls | udp | serial | shm | a plugin's",
	    .read = conf_type_read, .dump = conf_type_dump,
	    .help = "what carries the frames" },
	{ "listen", CONF_OWN, CONF_NOT_SERIAL | CONF_NOT_SHM | CONF_NOT_SOCKET,
	    IN_TRANSPORT(listen), .instead = "port",
	    .takes = "an address and port, \"HOST:PORT\"",
	    .read = conf_listen_read, .dump = conf_text_dump,
	    .help = "where clients connect to", .also = "address host bind" },
	{ "framer", CONF_OWN, CONF_PRESET | CONF_NOT_SHM, IN_TRANSPORT(framer),
	    .words = framer_words,
	    .takes = "socket | tls | rtu | ascii, or a plugin's",
	    .text = "socket; tls on tls; rtu on serial",
	    .read = conf_framer_read, .dump = conf_text_dump,
	    .help = "how requests are told apart" },
	{ "units", CONF_OWN, IN_TRANSPORT(units),
	    .takes = "an object of device names by unit address",
	    .text = "every unit is the device, if there is but one",
	    .read = conf_units_read, .dump = conf_dump_nothing,
	    .help = "which device answers to which unit address",
	    .also = "slaves device_ids context" },
	{ "missing_unit", CONF_SWITCH, CONF_PRESET | CONF_NOT_SHM,
	    IN_TRANSPORT(silent_units), .words = missing_words,
	    .text = "exception; silent on serial",
	    .help = "what a unit address gets that no device has",
	    .also = "ignore_missing_slaves ignore_missing_devices" },
	{ "broadcast", CONF_BOOL, CONF_NOT_SHM, IN_TRANSPORT(broadcast),
	    .help = "unit 0 writes to every device and is not answered",
	    .also = "broadcast_enable" },
	{ "access", CONF_SWITCH, IN_TRANSPORT(read_only), .words = access_long,
	    .help = "read-only refuses all writing" },
	{ "serial_functions", CONF_BOOL, CONF_NOT_SHM,
	    IN_TRANSPORT(serial_functions), .def = 1,
	    .help = "serve the codes meant for serial lines: 7, 8, 11, 12, "
		    "17" },
	{ "allow", CONF_OWN, CONF_NOT_SERIAL | CONF_NOT_SHM | CONF_NOT_PLUGIN,
	    IN_TRANSPORT(allow), .takes = "a list of networks",
	    .text = "everybody", .read = conf_cidrs_read,
	    .dump = conf_cidrs_dump, .help = "who may connect" },
	{ "deny", CONF_OWN, CONF_NOT_SERIAL | CONF_NOT_SHM | CONF_NOT_PLUGIN,
	    IN_TRANSPORT(deny), .takes = "a list of networks", .text = "nobody",
	    .read = conf_cidrs_read, .dump = conf_cidrs_dump,
	    .help = "who may not, even if allowed" },
	{ "priority", CONF_OWN,
	    CONF_NOT_SERIAL | CONF_NOT_SHM | CONF_NOT_PLUGIN,
	    IN_TRANSPORT(priority), .takes = "a list of networks",
	    .text = "nobody", .read = conf_cidrs_read, .dump = conf_cidrs_dump,
	    .help = "whose connections are never closed for newer ones" },
	{ "max_connections", CONF_UINT, CONF_NOT_SERIAL | CONF_NOT_SHM,
	    IN_TRANSPORT(max_connections), .min = 1, .max = 60000, .def = 256,
	    .help = "connections at a time, over all workers" },
	{ "max_connections_per_peer", CONF_UINT, CONF_NOT_SERIAL | CONF_NOT_SHM,
	    IN_TRANSPORT(max_connections_per_peer), .max = 60000,
	    .help = "of them from one address; 0 sets no limit" },
	{ "quarantine_s", CONF_UINT, CONF_NOT_SHM, IN_TRANSPORT(quarantine_s),
	    .max = 3600, .def = 60,
	    .help = "keeps out who goes on asking for what workers die of; 0 "
		    "never" },
	{ "idle_timeout_s", CONF_UINT, CONF_NOT_SERIAL | CONF_NOT_SHM,
	    IN_TRANSPORT(idle_timeout_s), .max = S_MAX,
	    .help = "closes a connection that asks nothing; 0 never" },
	{ "frame_timeout_ms", CONF_UINT, CONF_NOT_SERIAL | CONF_NOT_SHM,
	    IN_TRANSPORT(frame_timeout_ms), .max = MS_MAX, .def = 10000,
	    .help = "closes a connection whose request stays unfinished; 0 "
		    "never" },
	{ "workers", CONF_UINT,
	    CONF_NOT_SERIAL | CONF_NOT_SHM | CONF_NOT_PLUGIN,
	    IN_TRANSPORT(workers), .min = 1, .max = 64, .def = 1,
	    .help = "processes that share the listener" },
	{ "autostart", CONF_BOOL, IN_TRANSPORT(autostart), .def = 1,
	    .help = "serve as soon as the daemon starts" },
	{ "trace", CONF_BOOL, CONF_NOT_SHM, IN_TRANSPORT(trace), .def = 1,
	    .help = "keep the last frames for inspection" },
	{ "trace_kib", CONF_UINT, CONF_NOT_SHM, IN_TRANSPORT(trace_kib),
	    .min = 16, .max = 65536, .def = 256,
	    .help = "memory for them, of each worker; a power of two is used" },
	{ "restart", CONF_SECTION, .section = &conf_restart,
	    .help = "how a worker that died is brought back" },
	{ "user", CONF_OWN, IN_TRANSPORT(user), .takes = "the name of a user",
	    .read = conf_user_read, .dump = conf_text_dump,
	    .help = "whom the workers run as" },
	{ "identity", CONF_OWN, CONF_NOT_SHM, .takes = "an object",
	    .text = "that of its devices", .read = conf_identity_read,
	    .dump = conf_identity_own_dump,
	    .help = "what it answers to function code 43/14 for all of them" },
	{ "max_transactions", CONF_UINT, CONF_NOT_SHM,
	    IN_TRANSPORT(max_transactions), .max = 65535,
	    .help = "requests of a connection that wait for their reply; more "
		    "get 06; 0 sets no limit" },
	{ "plugins", CONF_OWN, CONF_FILE | CONF_NOT_SHM, IN_TRANSPORT(plugins),
	    .takes = "a list of paths, or names of installed ones",
	    .read = conf_plugins_read, .dump = conf_paths_dump, .text = "none",
	    .help = "shared objects that only its workers load" },
	{ "options", CONF_OWN, CONF_NOT_SHM,
	    .takes = "an object of strings and numbers",
	    .read = conf_options_read, .dump = conf_options_dump,
	    .help = "what its plugins are told" },
	{ "cert", CONF_OWN, CONF_REQUIRED | CONF_TLS_ONLY | CONF_FILE,
	    IN_TRANSPORT(tls.cert), .takes = "a path, or a list of paths",
	    .read = conf_paths_read, .dump = conf_paths_dump,
	    .help = "certificate chains, PEM; by name if there are several",
	    .also = "certfile" },
	{ "key", CONF_OWN, CONF_REQUIRED | CONF_TLS_ONLY | CONF_FILE,
	    IN_TRANSPORT(tls.key), .takes = "a path, or a list of paths",
	    .read = conf_paths_read, .dump = conf_paths_dump,
	    .help = "their private keys, PEM", .also = "keyfile" },
	{ "password", CONF_TEXT, CONF_TLS_ONLY, IN_TRANSPORT(tls.password),
	    .max = 1024, .dump = conf_secret_dump,
	    .help = "of the private keys" },
	{ "password_file", CONF_PATH, CONF_TLS_ONLY | CONF_FILE,
	    IN_TRANSPORT(tls.password_file), .max = 4096,
	    .help = "a file with that password in its first line" },
	{ "ca", CONF_PATH, CONF_TLS_ONLY | CONF_FILE, IN_TRANSPORT(tls.ca),
	    .max = 4096,
	    .help = "the authorities whose clients are let in, PEM",
	    .also = "cafile" },
	{ "crl", CONF_PATH, CONF_TLS_ONLY | CONF_FILE, IN_TRANSPORT(tls.crl),
	    .max = 4096,
	    .help = "what those have revoked, PEM; read again on reload" },
	{ "ocsp", CONF_OWN, CONF_TLS_ONLY | CONF_FILE, IN_TRANSPORT(tls.ocsp),
	    .takes = "a path, or a list of paths", .read = conf_paths_read,
	    .dump = conf_paths_dump,
	    .help = "OCSP answers to show to clients; read again on reload" },
	{ "client_cert", CONF_WORD, CONF_TLS_ONLY,
	    IN_TRANSPORT(tls.client_cert), .words = client_cert_words,
	    .help = "whether clients must have a certificate" },
	{ "ciphers", CONF_TEXT, CONF_TLS_ONLY, IN_TRANSPORT(tls.ciphers),
	    .max = 1024, .help = "a GnuTLS priority string" },
	{ "roles", CONF_OWN, CONF_TLS_ONLY, IN_TRANSPORT(tls.roles.path),
	    .takes = "a path", .read = conf_roles_read, .dump = conf_text_dump,
	    .help = "what the roles of certificates may do" },
	{ "port", CONF_OWN, CONF_REQUIRED | CONF_SERIAL_ONLY,
	    IN_TRANSPORT(serial.port), .instead = "listen",
	    .takes = "a path, or \"socket://HOST:PORT\"",
	    .read = conf_port_read, .dump = conf_port_dump,
	    .help = "the serial device", .also = "device" },
	{ "baudrate", CONF_UINT, CONF_LINE_ONLY, IN_TRANSPORT(serial.baudrate),
	    .min = 50, .max = 12000000, .def = 19200,
	    .help = "bits a second; any number", .also = "speed" },
	{ "bytesize", CONF_UINT, CONF_LINE_ONLY, IN_TRANSPORT(serial.bytesize),
	    .min = 5, .max = 8, .def = 8, .help = "bits of a character" },
	{ "parity", CONF_WORD, CONF_LINE_ONLY, IN_TRANSPORT(serial.parity),
	    .words = parity_words, .def = CONF_PARITY_EVEN,
	    .help = "none, even, odd, mark or space" },
	{ "stopbits", CONF_UINT, CONF_LINE_ONLY | CONF_PRESET,
	    IN_TRANSPORT(serial.stopbits), .min = 1, .max = 2,
	    .text = "1; 2 without parity", .help = "between characters" },
	{ "rs485", CONF_SECTION, CONF_LINE_ONLY, .section = &conf_rs485,
	    .help = "how the direction of the line is switched" },
	{ "local_echo", CONF_BOOL, CONF_LINE_ONLY,
	    IN_TRANSPORT(serial.local_echo),
	    .help = "what is sent comes back, and is dropped",
	    .also = "handle_local_echo" },
	{ "t15", CONF_WORD, CONF_LINE_ONLY, IN_TRANSPORT(serial.t15),
	    .words = t15_words, .dump = conf_t15_dump,
	    .help = "what a pause within an RTU frame does: nothing, is "
		    "counted, ends the frame" },
	{ "turnaround_ms", CONF_UINT, CONF_LINE_ONLY,
	    IN_TRANSPORT(serial.turnaround_ms), .max = 10000,
	    .help = "the wait before each reply" },
	{ "ascii_timeout_ms", CONF_UINT, CONF_LINE_ONLY,
	    IN_TRANSPORT(serial.ascii_timeout_ms), .min = 10, .max = 60000,
	    .def = 1000, .dump = conf_ascii_timeout_dump,
	    .help = "the longest pause within an ASCII frame" },
	{ "prefix", CONF_OWN, CONF_SHM_ONLY, IN_TRANSPORT(shm.prefix),
	    .takes = "letters, digits, \"_\", \"-\" and \".\"",
	    .text = CONF_SHM_PREFIX, .read = conf_shm_name_read,
	    .dump = conf_text_dump,
	    .help = "what the names of the objects begin with",
	    .also = "name_prefix" },
	{ "mode", CONF_OWN, CONF_SHM_ONLY, IN_TRANSPORT(shm.mode),
	    .takes = "an octal number as a string", .text = "0600",
	    .read = conf_shm_mode_read, .dump = conf_shm_mode_dump,
	    .instead = "rs485", .also = "permissions",
	    .help = "the permissions of the objects" },
	{ "counts", CONF_SECTION, CONF_SHM_ONLY, .section = &conf_counts,
	    .help = "how many cells each table has" },
	{ "semaphore", CONF_OWN, CONF_SHM_ONLY, IN_TRANSPORT(shm.semaphore),
	    .takes = "a name without its \"/\"", .text = "none",
	    .read = conf_shm_name_read, .dump = conf_text_dump,
	    .help = "a semaphore to take around each access" },
	{ "semaphore_timeout_s", CONF_UINT, CONF_SHM_ONLY,
	    IN_TRANSPORT(shm.semaphore_timeout_s), .min = 1, .max = 3600,
	    .def = 5,
	    .help = "how long another program may keep it before it is given "
		    "back" },
	{ "scan_ms", CONF_UINT, CONF_SHM_ONLY, IN_TRANSPORT(shm.scan_ms),
	    .min = 1, .max = 10000, .def = 10,
	    .help = "from looking for changes to looking again" },
	{ NULL },
};

#define COUNT_KEY(name, table, what)                              \
	{                                                         \
		name, CONF_UINT, IN_TRANSPORT(shm.counts[table]), \
		    .max = CONF_ADDR_MAX + 1,                     \
		    .text = "what the device's addresses need",   \
		    .help = "cells of " what "; 0 as without it"  \
	}

static const struct conf_key counts_keys[] = {
	COUNT_KEY("coils", STORE_CO, "the object DO"),
	COUNT_KEY("discrete_inputs", STORE_DI, "the object DI"),
	COUNT_KEY("holding_registers", STORE_HR, "the object AO"),
	COUNT_KEY("input_registers", STORE_IR, "the object AI"),
	{ NULL },
};

static const struct conf_key rs485_keys[] = {
	{ "mode", CONF_WORD, CONF_REQUIRED, IN_TRANSPORT(serial.rs485.mode),
	    .words = rs485_words,
	    .help = "off, by the driver (ioctl), by hand (rts), or whichever "
		    "of the two works (auto)" },
	{ "rts_on_send", CONF_SWITCH, IN_TRANSPORT(serial.rs485.rts_low),
	    .words = rts_words, .help = "the level of RTS while sending" },
	{ "delay_before_us", CONF_UINT, IN_TRANSPORT(serial.rs485.before_us),
	    .max = 100000, .help = "from switching to sending" },
	{ "delay_after_us", CONF_UINT, IN_TRANSPORT(serial.rs485.after_us),
	    .max = 100000, .help = "from having sent to switching back" },
	{ "rx_during_tx", CONF_BOOL, IN_TRANSPORT(serial.rs485.rx_during_tx),
	    .help = "the receiver stays on while sending" },
	{ NULL },
};

static const struct conf_key restart_keys[] = {
	{ "min_backoff_ms", CONF_UINT, IN_TRANSPORT(restart.min_backoff_ms),
	    .max = MS_MAX, .def = 10,
	    .help = "the wait before the third restart in a row; the first two "
		    "have none" },
	{ "max_backoff_ms", CONF_UINT, IN_TRANSPORT(restart.max_backoff_ms),
	    .max = MS_MAX, .def = 5000,
	    .help = "the wait grows fivefold each time up to this; 0 waits "
		    "for nothing" },
	{ "max_in_window", CONF_UINT, IN_TRANSPORT(restart.max_in_window),
	    .max = 99,
	    .help = "deaths in a window before it gives up; 0 never does" },
	{ "window_s", CONF_UINT, IN_TRANSPORT(restart.window_s), .min = 1,
	    .max = S_MAX, .def = 60,
	    .help = "the window; a worker that lives for it starts afresh" },
	{ NULL },
};

const struct conf_section conf_transport = { "transports.NAME", "a transport",
	transport_keys, transport_kinds };
CONF_SECTION_OF(restart, "transports.NAME.restart", "\"restart\"");
CONF_SECTION_OF(rs485, "transports.NAME.rs485", "\"rs485\"");
CONF_SECTION_OF(counts, "transports.NAME.counts", "\"counts\"");
