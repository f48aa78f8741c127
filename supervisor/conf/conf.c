/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every key of the configuration, one row each: name, kind, range, default,
 * help. The reader, the dump, the manual's test and the suggestions for
 * mistyped keys use these rows. A new key is a row here, in conf_device_keys.c
 * or in conf_transport_keys.c, a member in conf.h and its paragraph in
 * holdfast.json.5.
 */
#include "supervisor/conf.h"

#include <string.h>

#include "shm/patience.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_http.h"
#include "supervisor/conf/conf_net.h"
#include "supervisor/conf/conf_paths.h"
#include "supervisor/conf/conf_setup.h"
#include "supervisor/conf/conf_snapshot.h"
#include "supervisor/conf/conf_transport.h"

#define IN_CONF(m) .off = offsetof(struct conf, m)

_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "CONF_UINT");

static const struct conf_key top_keys[] = {
	{ "include", CONF_OWN, .takes = "a list of paths or patterns",
	    .help = "more files, read as if they stood here" },
	{ "store", CONF_SECTION, .section = &conf_store,
	    .help = "the shared memory that the processes meet in" },
	{ "devices", CONF_OWN, CONF_REQUIRED, .takes = "an object of devices",
	    .read = conf_devices_read, .dump = conf_devices_dump,
	    .help = "register maps by name" },
	{ "device_list", CONF_OWN, .takes = "an object of devices",
	    .read = conf_device_list_read, .dump = conf_dump_nothing,
	    .help = "devices as setup files of pymodbus' simulator have them" },
	{ "transports", CONF_OWN, CONF_REQUIRED,
	    .takes = "an object of transports", .read = conf_transports_read,
	    .dump = conf_transports_dump, .help = "listeners by name" },
	{ "server_list", CONF_OWN, .takes = "an object of servers",
	    .read = conf_server_list_read, .dump = conf_dump_nothing,
	    .help = "transports as those files have them" },
	{ "control", CONF_SECTION, .section = &conf_control,
	    .help = "how other programs reach the daemon" },
	{ "actions", CONF_SECTION, .section = &conf_actions,
	    .help = "a Python module whose functions are actions",
	    .also = "custom_actions_module" },
	{ "http", CONF_SECTION, .section = &conf_http, .dump = conf_http_dump,
	    .help = "the page, and what programs ask over HTTP" },
	{ "drain_timeout_s", CONF_UINT, IN_CONF(drain_timeout_s), .max = 3600,
	    .def = 5,
	    .help = "how long a stop waits for requests that have begun" },
	{ "hang_timeout_ms", CONF_UINT, IN_CONF(hang_timeout_ms),
	    .min = PATIENCE_HANG_MIN_MS, .max = 600000, .def = 2000,
	    .help = "how long a process may stay silent before it is killed" },
	{ NULL },
};

static const struct conf_key store_keys[] = {
	{ "name", CONF_NAME, IN_CONF(store), .max = 40, .text = "holdfast",
	    .help = "distinguishes stores on one machine" },
	{ "snapshot", CONF_SECTION, .section = &conf_snapshot,
	    .dump = conf_snapshot_dump,
	    .help = "the registers are saved, and a start goes on with them" },
	{ NULL },
};

static const struct conf_key control_keys[] = {
	/* before listen, which asks whether there are keys */
	{ "curve", CONF_SECTION, .section = &conf_curve,
	    .help = "keys for endpoints that other machines can reach" },
	{ "listen", CONF_OWN, .takes = "a list of endpoints",
	    .read = conf_endpoints_read, .dump = conf_endpoints_dump,
	    .help = "tcp:// endpoints beside the one in the run directory" },
	{ NULL },
};

static const struct conf_key curve_keys[] = {
	{ "secret_key", CONF_PATH, IN_CONF(curve_secret_key), .max = 4096,
	    .help = "file of the daemon's own key" },
	{ "authorized", CONF_PATH, IN_CONF(curve_authorized), .max = 4096,
	    .help = "directory of the keys that clients may have" },
	{ NULL },
};

static const struct conf_key actions_keys[] = {
	{ "module", CONF_OWN, CONF_FILE, IN_CONF(actions.module),
	    .takes = "the path of a module, or a name to import",
	    .read = conf_module_read, .dump = conf_text_dump,
	    .help = "what has custom_actions_dict",
	    .also = "custom_actions_module" },
	{ "python", CONF_OWN, CONF_FILE, IN_CONF(actions.python),
	    .takes = "the path of a program, or its name",
	    .read = conf_python_read, .dump = conf_text_dump,
	    .text = "/usr/bin/python3", .help = "the Python that runs it" },
	{ "timeout_ms", CONF_UINT, IN_CONF(actions.timeout_ms), .min = 1,
	    .max = PATIENCE_ACTION_MAX_MS, .def = 100,
	    .help = "how long a request waits for it" },
	{ "user", CONF_OWN, IN_CONF(actions.user),
	    .takes = "the name of a user", .read = conf_user_read,
	    .dump = conf_text_dump, .help = "whom it runs as" },
	{ NULL },
};

CONF_SECTION_OF(top, "", "the top level");
CONF_SECTION_OF(store, "store", "\"store\"");
CONF_SECTION_OF(control, "control", "\"control\"");
CONF_SECTION_OF(curve, "control.curve", "\"curve\"");
CONF_SECTION_OF(actions, "actions", "\"actions\"");

const struct conf_section *const conf_sections[] = { &conf_top, &conf_store,
	&conf_snapshot, &conf_device, &conf_range, &conf_file, &conf_fifo,
	&conf_identity, &conf_transport, &conf_restart, &conf_rs485,
	&conf_counts, &conf_control, &conf_curve, &conf_actions, &conf_http,
	&conf_rule, NULL };

const char *
conf_where(const struct conf_transport *t)
{
	if (t->listen != NULL)
		return t->listen;
	if (t->type == CONF_SHM)
		return t->shm.prefix;
	return t->serial.port != NULL ? t->serial.port : "-";
}

bool
conf_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}
