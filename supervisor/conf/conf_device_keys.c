/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a device, its ranges, files, FIFO queues and identity, one row
 * each, and of the rules that a role of TLS has for them. See conf.c.
 */
#include <stddef.h>

#include "shm/layout.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_paths.h"
#include "supervisor/conf/conf_range.h"
#include "supervisor/conf/conf_roles.h"
#include "supervisor/conf/conf_snapshot.h"

#define IN_DEVICE(m) .off = offsetof(struct conf_device_in, m)
#define IN_RANGE(m) .off = offsetof(struct conf_range_in, m)
#define IN_ID(i) .off = offsetof(struct conf_identity_in, named[i])

enum {
	NAME_BYTES = 39, /* as struct shm_range has room for */
	UNIT_BYTES = 15,
};

_Static_assert(sizeof(enum typed_type) == sizeof(int), "CONF_WORD");
_Static_assert(sizeof(((struct shm_range *)0)->name) == NAME_BYTES + 1, "name");
_Static_assert(sizeof(((struct shm_range *)0)->unit) == UNIT_BYTES + 1, "unit");

static const char *const access_words[] = { "rw", "ro", NULL };
static const char *const order_words[] = { [TYPED_ABCD] = "abcd",
	[TYPED_BADC] = "badc",
	[TYPED_CDAB] = "cdab",
	[TYPED_DCBA] = "dcba",
	NULL };
static const char *const type_words[] = { [TYPED_UINT16] = "uint16",
	[TYPED_INT16] = "int16",
	[TYPED_UINT32] = "uint32",
	[TYPED_INT32] = "int32",
	[TYPED_UINT64] = "uint64",
	[TYPED_INT64] = "int64",
	[TYPED_FLOAT32] = "float32",
	[TYPED_FLOAT64] = "float64",
	[TYPED_STRING] = "string",
	[TYPED_BITS] = "bits",
	NULL };

static const struct conf_key device_keys[] = {
	{ "shared_blocks", CONF_BOOL, IN_DEVICE(d.shared_blocks),
	    .help = "one register array behind all four tables" },
	{ "type_exception", CONF_BOOL, IN_DEVICE(d.type_exception),
	    .help = "a request that cuts a value in two is answered 02" },
	{ "counters", CONF_BOOL, IN_DEVICE(d.counters),
	    .help = "count how often each register is read and written" },
	{ "simulator", CONF_BOOL, IN_DEVICE(d.simulator),
	    .help = "answer as pymodbus' simulator does" },
	{ "coils", CONF_OWN, .takes = "a list of ranges",
	    .read = conf_table_read, .dump = conf_table_dump,
	    .help = "bits that clients read and write" },
	{ "discrete_inputs", CONF_OWN, .takes = "a list of ranges",
	    .read = conf_table_read, .dump = conf_table_dump,
	    .help = "bits that clients read" },
	{ "holding_registers", CONF_OWN, .takes = "a list of ranges",
	    .read = conf_table_read, .dump = conf_table_dump,
	    .help = "registers that clients read and write" },
	{ "input_registers", CONF_OWN, .takes = "a list of ranges",
	    .read = conf_table_read, .dump = conf_table_dump,
	    .help = "registers that clients read" },
	{ "files", CONF_OWN, .takes = "a list of files",
	    .read = conf_files_read, .dump = conf_files_dump,
	    .help = "file records, function codes 20 and 21" },
	{ "fifos", CONF_OWN, .takes = "a list of FIFO queues",
	    .read = conf_fifos_read, .dump = conf_fifos_dump,
	    .help = "FIFO queues, function code 24" },
	{ "identity", CONF_KEEP, IN_DEVICE(identity), .takes = "an object",
	    .section = &conf_identity, .dump = conf_identity_dump,
	    .help = "what function code 43/14 answers" },
	/* behind the tables, which its ranges are held against */
	{ "map", CONF_OWN, .takes = "the path of a CSV file",
	    .read = conf_map_read, .dump = conf_dump_nothing,
	    .help = "more ranges, a line each" },
	{ NULL },
};

static const struct conf_key range_keys[] = {
	{ "addr", CONF_UINT, CONF_REQUIRED, IN_RANGE(r.addr), .max = 65535,
	    .help = "the first address, from 0" },
	{ "count", CONF_UINT, IN_RANGE(r.count), .min = 1, .max = 65536,
	    .text = "what type and values need, else 1",
	    .help = "how many registers or bits" },
	{ "type", CONF_WORD, CONF_PRESET, IN_RANGE(r.type), .words = type_words,
	    .text = "uint16; bits in tables of bits",
	    .help = "what the registers hold" },
	{ "order", CONF_WORD, CONF_NOT_BITS, IN_RANGE(r.order),
	    .words = order_words, .text = "abcd",
	    .help = "how the bytes of a value follow each other" },
	{ "access", CONF_SWITCH, CONF_PRESET, IN_RANGE(r.read_only),
	    .words = access_words, .text = "rw; ro in tables of inputs",
	    .help = "ro refuses writing by Modbus clients" },
	{ "value", CONF_KEEP, IN_RANGE(value), .takes = "a value",
	    .dump = conf_dump_values, .help = "what each element starts with" },
	{ "values", CONF_KEEP, IN_RANGE(values), .takes = "a list of values",
	    .dump = conf_dump_nothing,
	    .help = "what the elements start with, in turn" },
	{ "name", CONF_TEXT, IN_RANGE(r.name), .max = NAME_BYTES,
	    .help = "what the range is called" },
	{ "unit", CONF_TEXT, IN_RANGE(r.unit), .max = UNIT_BYTES,
	    .help = "of measurement" },
	{ "scale", CONF_NUMBER, CONF_NOT_BITS, IN_RANGE(r.scale), .def = 1,
	    .text = "1", .help = "what a reader multiplies the value with" },
	{ "action", CONF_OWN,
	    .takes = "a name, or an object of a name and its parameters",
	    .read = conf_action_read, .dump = conf_action_dump,
	    .help = "what makes the values of the range" },
	{ "retain", CONF_OWN, IN_RANGE(r.retain), .takes = "true or false",
	    .text = "true; false with an action", .read = conf_retain_read,
	    .dump = conf_retain_dump,
	    .help = "a start goes on with the values that were saved" },
	{ "durable", CONF_BOOL, IN_RANGE(r.durable),
	    .help = "a write is answered once it is on the disk" },
	{ NULL },
};

static const struct conf_key file_keys[] = {
	{ "number", CONF_UINT, CONF_REQUIRED, IN_RANGE(number), .min = 1,
	    .max = 65535, .dump = conf_dump_nothing, .help = "of the file" },
	{ "records", CONF_UINT, CONF_REQUIRED, IN_RANGE(records), .min = 1,
	    .max = 10000, .dump = conf_dump_nothing,
	    .help = "how many registers it has" },
	{ "value", CONF_KEEP, IN_RANGE(value), .takes = "a value",
	    .dump = conf_dump_values, .help = "what each record starts with" },
	{ "values", CONF_KEEP, IN_RANGE(values), .takes = "a list of values",
	    .dump = conf_dump_nothing,
	    .help = "what the records start with, in turn" },
	{ NULL },
};

static const struct conf_key fifo_keys[] = {
	{ "addr", CONF_UINT, CONF_REQUIRED, IN_RANGE(r.addr), .max = 65535,
	    .dump = conf_dump_nothing, .help = "the FIFO pointer address" },
	{ "values", CONF_KEEP, IN_RANGE(values),
	    .takes = "a list of 31 values at most", .dump = conf_dump_nothing,
	    .help = "what waits in the queue, the oldest first" },
	{ NULL },
};

/* Row n is object n of the identification. */
static const struct conf_key identity_keys[] = {
	{ "VendorName", CONF_TEXT, IN_ID(0), .max = CONF_ID_BYTES,
	    .text = "Holdfast", .help = "object 0" },
	{ "ProductCode", CONF_TEXT, IN_ID(1), .max = CONF_ID_BYTES,
	    .text = "HF", .help = "object 1" },
	{ "MajorMinorRevision", CONF_TEXT, IN_ID(2), .max = CONF_ID_BYTES,
	    .text = HOLDFAST_VERSION, .help = "object 2" },
	{ "VendorUrl", CONF_TEXT, IN_ID(3), .max = CONF_ID_BYTES,
	    .help = "object 3" },
	{ "ProductName", CONF_TEXT, IN_ID(4), .max = CONF_ID_BYTES,
	    .help = "object 4" },
	{ "ModelName", CONF_TEXT, IN_ID(5), .max = CONF_ID_BYTES,
	    .help = "object 5" },
	{ "UserApplicationName", CONF_TEXT, IN_ID(6), .max = CONF_ID_BYTES,
	    .help = "object 6" },
	{ "objects", CONF_KEEP,
	    .off = offsetof(struct conf_identity_in, objects),
	    .takes = "an object of strings, by number from 128 to 255",
	    .help = "objects of one's own" },
	{ NULL },
};

static const struct conf_key rule_keys[] = {
	{ "fc", CONF_OWN, .takes = "a list of function codes", .text = "all",
	    .read = conf_rule_fcs_read, .dump = conf_dump_nothing,
	    .help = "the function codes that are allowed" },
	{ "devices", CONF_OWN, .takes = "a list of names of devices",
	    .text = "all", .read = conf_rule_devices_read,
	    .dump = conf_dump_nothing, .help = "on which devices" },
	{ "tables", CONF_OWN, .takes = "a list of names of tables",
	    .text = "all", .read = conf_rule_tables_read,
	    .dump = conf_dump_nothing, .help = "in which tables" },
	{ "addr", CONF_OWN, .takes = "a list of the first and last address",
	    .text = "all", .read = conf_rule_addr_read,
	    .dump = conf_dump_nothing, .help = "at which addresses" },
	{ NULL },
};

CONF_SECTION_OF(device, "devices.NAME", "a device");
CONF_SECTION_OF(range, "devices.NAME.TABLE[]", "a range");
CONF_SECTION_OF(file, "devices.NAME.files[]", "a file");
CONF_SECTION_OF(fifo, "devices.NAME.fifos[]", "a FIFO queue");
CONF_SECTION_OF(identity, "devices.NAME.identity", "\"identity\"");
CONF_SECTION_OF(rule, "ROLE[]", "a rule of a role");
