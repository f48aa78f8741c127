/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setup files of pymodbus' simulator: what they become, and where their
 * mistakes are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/mem.h"
#include "supervisor/conf/setup.h"
#include "tests/suite.h"
#include "workers/action/action.h"
#include "workers/hooks/hooks_own.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

#define DEFAULTS                                                              \
	"\"defaults\": {\"value\": {\"bits\": 0, \"uint16\": 0, \"uint32\": " \
	"0, \"float32\": 0.0, \"string\": \" \"}, \"action\": {\"bits\": "    \
	"null, \"uint16\": null, \"uint32\": null, \"float32\": null, "       \
	"\"string\": null}}"
#define SIZES(co, di, hr, ir)                                        \
	"\"co size\": " co ", \"di size\": " di ", \"ir size\": " ir \
	", \"hr size\": " hr
#define SETUP(shared)                                            \
	"\"setup\": {" SIZES(                                    \
	    "4", "8", "12", "40") ", \"shared blocks\": " shared \
				  ", \"type exception\": true, " DEFAULTS "}"
#define SERVER                                                  \
	"\"comm\": \"tcp\", \"framer\": \"socket\", \"host\": " \
	"\"127.0.0.1\", \"port\": 0"
/* What a case is about is on lines 2 and 3. */
#define FILE_OF(server, device)                     \
	"{\"server_list\": {\"server\": {\n" server \
	"}}, \"device_list\": {\"device\": {\n" device "}}}"
#define SECTIONS(setup, invalid, write, bits, u16, u32, f32, string, repeat) \
	FILE_OF(SERVER,                                                      \
	    setup ", \"invalid\": [" invalid "], \"write\": [" write         \
		  "], \"bits\": [" bits "], \"uint16\": [" u16               \
		  "], \"uint32\": [" u32 "], \"float32\": [" f32             \
		  "], \"string\": [" string "], \"repeat\": [" repeat "]")
#define NONE                                                           \
	", \"invalid\": [], \"write\": [], \"bits\": [], \"uint16\": " \
	"[], \"uint32\": [], \"float32\": [], \"string\": [], \"repeat\": []"

static struct setup *
read_with(const char *text, const char *server, const char *device,
    const struct hf_hooks *actions)
{
	struct setup_pick pick = { server, device, actions, false, NULL };
	char *copy = strdup(text);
	struct setup *s =
	    setup_read("dir/setup.json", copy, strlen(copy), &pick);

	free(copy);
	return s;
}

static struct setup *
read_text(const char *text)
{
	return read_with(text, "server", "device", NULL);
}

static struct setup *
good(const char *text)
{
	struct setup *s = read_text(text);

	ck_assert_msg(s->why == NULL, "%s", s->why);
	return s;
}

/* "hr 3+2 uint32 ro increment 0009 6a39"; all of them, a line each. */
static char *
told(const struct setup *s)
{
	static const char *const tables[] = { "co", "di", "hr", "ir" };
	static const char *const types[] = { "uint16", "int16", "uint32",
		"int32", "uint64", "int64", "float32", "float64", "string",
		"bits" };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; i < s->nranges; i++) {
		const struct hf_range *r = &s->ranges[i];
		bool bit = r->table == HF_CO || r->table == HF_DI;

		fprintf(f, "%s %u+%u %s %s %s%s", tables[r->table], r->addr,
		    r->count, types[r->type], r->read_only ? "ro" : "rw",
		    r->action != NULL ? r->action : "-",
		    r->parameters != NULL ? r->parameters : "");
		ck_assert_uint_eq(r->nvalues, r->count);
		for (size_t k = 0; k < r->nvalues; k++)
			fprintf(f, bit ? "%s%x" : "%s%04x",
			    bit && k > 0 ? "" : " ", r->values[k]);
		fputc('\n', f);
	}
	fclose(f);
	return text;
}

#define U16(entry) SECTIONS(SETUP("true"), "", "", "", entry, "", "", "", "")
#define U32(entry) SECTIONS(SETUP("true"), "", "", "", "", entry, "", "", "")
#define F32(entry) SECTIONS(SETUP("true"), "", "", "", "", "", entry, "", "")
#define STRING(entry) SECTIONS(SETUP("true"), "", "", "", "", "", "", entry, "")
#define REPEAT(entry) \
	SECTIONS(SETUP("true"), "", "", "", "5", "", "", "", entry)
#define SERVES(keys) FILE_OF(keys, SETUP("true") NONE)
#define HAS(setup) FILE_OF(SERVER, "\"setup\": {" setup "}" NONE)

/* ---- cells ---- */

static const struct {
	const char *text, *ranges;
} devices[] = {
	{ SECTIONS(SETUP("true"), "", "", "", "", "", "", "", ""), "" },
	/* each form of an entry; neighbours of one kind are one range */
	{ SECTIONS(SETUP("true"), "", "", "{\"addr\": 2, \"value\": 7}",
	      "3, [4, 6], {\"addr\": [8, 9], \"value\": 17001}", "", "", "",
	      ""),
	    "hr 2+1 bits ro - 0007\n"
	    "hr 3+4 uint16 ro - 0000 0000 0000 0000\n"
	    "hr 8+2 uint16 ro - 4269 4269\n" },
	/* high word first; n means n and n+1 */
	{ SECTIONS(SETUP("true"), "", "", "", "",
	      "{\"addr\": [4, 5], \"value\": 617001}, 8, [20, 23]",
	      "{\"addr\": [6, 7], \"value\": 404.17}", "", ""),
	    "hr 4+2 uint32 ro - 0009 6a29\n"
	    "hr 6+2 float32 ro - 43ca 15c3\n"
	    "hr 8+2 uint32 ro - 0000 0000\n"
	    "hr 20+4 uint32 ro - 0000 0000 0000 0000\n" },
	{ SECTIONS(SETUP("true"), "", "", "", "",
	      "{\"addr\": 0, \"value\": 4294967295}",
	      "{\"addr\": 38, \"value\": -1}", "", ""),
	    "hr 0+2 uint32 ro - ffff ffff\nhr 38+2 float32 ro - bf80 0000\n" },
	/* first character high, spaces behind; U+00E9 is one character */
	{ SECTIONS(SETUP("true"), "", "", "", "", "", "",
	      "{\"addr\": [16, 18], \"value\": \"A_B\"}, "
	      "{\"addr\": 19, \"value\": \"\xc3\xa9x\"}, [21, 22]",
	      ""),
	    "hr 16+3 string ro - 415f 4220 2020\n"
	    "hr 19+1 string ro - e978\nhr 21+2 string ro - 2020 2020\n" },
	/* writable are those that are listed, a value if all of it is */
	{ SECTIONS(SETUP("true"), "", "3, [5, 6], 8", "", "[2, 4]", "[5, 10]",
	      "", "", ""),
	    "hr 2+1 uint16 ro - 0000\nhr 3+1 uint16 rw - 0000\n"
	    "hr 4+1 uint16 ro - 0000\nhr 5+2 uint32 rw - 0000 0000\n"
	    "hr 7+4 uint32 ro - 0000 0000 0000 0000\n" },
	/* actions */
	{ SECTIONS(SETUP("true"), "", "", "",
	      "{\"addr\": 1, \"action\": \"random\", \"parameters\": "
	      "{\"minval\": -2, \"maxval\": 1.5, \"x\": \"a\\\"b\", \"y\": "
	      "true, \"z\": null}}, {\"addr\": 2, \"action\": null}",
	      "{\"addr\": 3, \"action\": \"increment\"}", "", "", ""),
	    "hr 1+1 uint16 ro random{\"minval\":-2,\"maxval\":"
	    "1.50000000000000000e+00,\"x\":\"a\\\"b\",\"y\":true} 0000\n"
	    "hr 2+1 uint16 ro - 0000\n"
	    "hr 3+2 uint32 ro increment 0000 0000\n" },
	/* copies, over and over, with all they have; cut values have no type */
	{ SECTIONS(SETUP("true"), "", "0", "", "{\"addr\": 0, \"value\": 5}",
	      "{\"addr\": 1, \"value\": 65538, \"action\": \"uptime\"}", "", "",
	      "{\"addr\": [0, 3], \"to\": [10, 15]}"),
	    "hr 0+1 uint16 rw - 0005\n"
	    "hr 1+2 uint32 ro uptime 0001 0002\n"
	    "hr 10+1 uint16 rw - 0005\n"
	    "hr 11+2 uint32 ro uptime 0001 0002\n"
	    "hr 14+1 uint16 rw - 0005\n"
	    "hr 15+1 uint16 ro - 0001\n" },
	/* the types of newer files, in big endian like the others; their
	 * defaults need not be there */
	{ FILE_OF(SERVER,
	      SETUP("true") NONE
	      ", \"int16\": [{\"addr\": [0, 1], \"value\": -2}], \"int32\": "
	      "[{\"addr\": 2, \"value\": -65538}], \"int64\": [{\"addr\": "
	      "[4, 7], \"value\": -9223372036854775808}], \"uint64\": [8, "
	      "{\"addr\": 12, \"value\": 18446744073709551615}], "
	      "\"float64\": [{\"addr\": [16, 19], \"value\": 4242.487}, "
	      "{\"addr\": 20, \"value\": -1237.879, \"action\": "
	      "\"increment\"}]"),
	    "hr 0+2 int16 ro - fffe fffe\n"
	    "hr 2+2 int32 ro - fffe fffe\n"
	    "hr 4+4 int64 ro - 8000 0000 0000 0000\n"
	    "hr 8+8 uint64 ro - 0000 0000 0000 0000 ffff ffff ffff ffff\n"
	    "hr 16+4 float64 ro - 40b0 927c ac08 3127\n"
	    "hr 20+4 float64 ro increment c093 5784 1893 74bc\n" },
	/* kwargs is the former name of parameters */
	{ U16("{\"addr\": 1, \"action\": \"random\", \"kwargs\": "
	      "{\"maxval\": 9}}"),
	    "hr 1+1 uint16 ro random{\"maxval\":9} 0000\n" },
	/* what is "invalid" stays so, whatever else is said of it, repeat too;
	 * what it leaves of a value has no type, its copy is invalid as well */
	{ SECTIONS(SETUP("true"), "[1, 2], 5, 13", "1", "", "[0, 3]",
	      "{\"addr\": [4, 5], \"value\": 65538}", "", "",
	      "{\"addr\": [0, 3], \"to\": [10, 13]}"),
	    "hr 0+1 uint16 ro - 0000\n"
	    "hr 3+1 uint16 ro - 0000\n"
	    "hr 4+1 uint16 ro - 0001\n"
	    "hr 10+1 uint16 ro - 0000\n" },
};

START_TEST(cells_become_ranges)
{
	struct setup *s = good(devices[_i].text);
	char *got = told(s);

	ck_assert(s->shared);
	ck_assert_str_eq(got, devices[_i].ranges);
	free(got);
	setup_free(s);
}
END_TEST

START_TEST(what_is_defined_and_invalid_is_told)
{
	struct setup *s = good(SECTIONS(
	    SETUP("true"), "1, [2, 4], 9", "", "", "[0, 3]", "", "", "", ""));

	ck_assert_ptr_nonnull(s->notes);
	ck_assert_ptr_nonnull(strstr(s->notes, "setup.json:3:"));
	ck_assert_ptr_nonnull(
	    strstr(s->notes, "register 1 is \"invalid\", so that"));
	ck_assert_ptr_nonnull(strstr(s->notes, "register 2 is"));
	ck_assert_ptr_null(strstr(s->notes, "register 3 is"));
	ck_assert_ptr_null(strstr(s->notes, "register 9 is"));
	setup_free(s);
}
END_TEST

START_TEST(blocks_follow_each_other_unless_they_are_shared)
{
	struct setup *s = good(SECTIONS(SETUP("false"), "", "0, 24",
	    "{\"addr\": 0, \"value\": 5}, {\"addr\": 4, \"value\": 32768}",
	    "{\"addr\": [12, 13], \"value\": 9}, 24",
	    "{\"addr\": [22, 23], \"value\": 65537}", "", "",
	    "{\"addr\": [22, 22], \"to\": [63, 63]}"));
	char *got = told(s);

	ck_assert(!s->shared);
	ck_assert_str_eq(got,
	    "co 0+16 bits rw - 1010000000000000\n"
	    "di 0+16 bits ro - 0000000000000001\n"
	    "hr 0+2 uint16 ro - 0009 0009\n"
	    "hr 10+2 uint32 ro - 0001 0001\n"
	    "ir 0+1 uint16 rw - 0000\n"
	    "ir 39+1 uint16 ro - 0001\n");
	free(got);
	setup_free(s);
}
END_TEST

START_TEST(a_value_ends_with_its_block)
{
	struct setup *s = good(SECTIONS(SETUP("false"), "", "", "", "",
	    "{\"addr\": 23, \"value\": 65538, \"action\": \"random\"}", "", "",
	    ""));
	char *got = told(s);

	ck_assert_str_eq(
	    got, "hr 11+1 uint16 ro - 0001\nir 0+1 uint16 ro - 0002\n");
	free(got);
	setup_free(s);
}
END_TEST

START_TEST(what_an_entry_does_not_say_is_as_setup_has_it)
{
	struct setup *s = good(FILE_OF(SERVER,
	    "\"setup\": {" SIZES("0", "0", "0",
		"9") ", \"shared blocks\": true, \"type exception\": false,"
		     "\"defaults\": {\"value\": {\"bits\": 1, \"uint16\": 2, "
		     "\"uint32\": 3, \"float32\": 1.0, \"string\": \"s\"}, \"action\": "
		     "{\"bits\": null, \"uint16\": \"increment\", \"uint32\": null, "
		     "\"float32\": null, \"string\": null}}}, \"invalid\": [], "
		     "\"write\": [], \"bits\": [0], \"uint16\": [1, {\"addr\": 2, "
		     "\"action\": null}], \"uint32\": [3], \"float32\": [5], "
		     "\"string\": [7], \"repeat\": []"));
	char *got = told(s);

	ck_assert_str_eq(got,
	    "hr 0+1 bits ro - 0001\n"
	    "hr 1+1 uint16 ro increment 0002\n"
	    "hr 2+1 uint16 ro - 0002\nhr 3+2 uint32 ro - 0000 0003\n"
	    "hr 5+2 float32 ro - 3f80 0000\nhr 7+1 string ro - 7320\n");
	free(got);
	setup_free(s);
}
END_TEST

START_TEST(the_built_in_actions_are_those_of_the_workers)
{
	size_t i;

	for (i = 0; i < ACTION_IDS; i++) {
		const struct hook_action *a =
		    action_builtin(action_rows[i].name);

		ck_assert_ptr_nonnull(a);
		ck_assert_ptr_nonnull(a->built_in);
		ck_assert_ptr_null(a->plugin);
	}
}
END_TEST

START_TEST(actions_of_hooks_are_known_by_name)
{
	static const struct hf_action mine = { .size = sizeof(mine),
		.name = "mine" };
	static const struct hf_action *const list[] = { &mine, NULL };
	static const struct hf_hooks hooks = { .size = sizeof(hooks),
		.actions = list };
	struct setup *s = read_with(
	    SECTIONS(SETUP("true"), "", "", "",
		"{\"addr\": 0, \"action\": \"mine\"}", "", "", "", ""),
	    "server", "device", &hooks);

	ck_assert_ptr_null(s->why);
	ck_assert_str_eq(s->ranges[0].action, "mine");
	setup_free(s);
}
END_TEST

START_TEST(what_does_nothing_is_told)
{
	struct setup *s =
	    good(FILE_OF(SERVER ", \"backlog\": 20, \"allow_reuse_address\": "
				"true",
		SETUP("true") ", \"invalid\": [], \"write\": [], \"bits\": "
			      "[], \"uint16\": [{\"addr\": 1, \"action\": "
			      "\"increment\", \n\"args\": {\"maxval\": "
			      "3}}], \"uint32\": [], \"float32\": [], "
			      "\"string\": [], \"repeat\": []"));

	ck_assert_str_eq(s->notes,
	    "dir/setup.json:2:68: \"backlog\" does nothing here\n"
	    "dir/setup.json:2:83: \"allow_reuse_address\" does nothing here\n"
	    "dir/setup.json:4:1: \"args\" does nothing, as in pymodbus; what "
	    "an action takes stands in \"parameters\"");
	ck_assert_uint_eq(s->nranges, 1);
	ck_assert_ptr_null(s->ranges[0].parameters);
	setup_free(s);
}
END_TEST

/* ---- servers ---- */

START_TEST(a_server_becomes_options)
{
	struct setup *s = good(FILE_OF(
	    "\"comm\": \"tls\", \"framer\": \"tls\", \"host\": \"::1\", "
	    "\"port\": \"802\", \"device_id\": \"17\", "
	    "\"ignore_missing_slaves\": true, \"broadcast_enable\": false, "
	    "\"certfile\": \"c\", \"keyfile\": \"k\", \"password\": \"p\", "
	    "\"identity\": {\"VendorName\": \"V\", \"UserApplicationName\": "
	    "\"U\"}",
	    SETUP("true") NONE));

	ck_assert_int_eq(s->opts.type, HF_TLS);
	ck_assert_str_eq(s->opts.framer, "tls");
	ck_assert_str_eq(s->opts.address, "[::1]:802");
	ck_assert_int_eq(s->device_id, 17);
	ck_assert(s->opts.ignore_missing_slaves && !s->opts.broadcast_enable);
	ck_assert_str_eq(s->opts.certfile, "c");
	ck_assert_str_eq(s->opts.keyfile, "k");
	ck_assert_str_eq(s->opts.password, "p");
	ck_assert_ptr_eq(s->opts.identity, &s->identity);
	ck_assert_str_eq(s->identity.VendorName, "V");
	ck_assert_str_eq(s->identity.UserApplicationName, "U");
	ck_assert_ptr_null(s->identity.ModelName);
	ck_assert_str_eq(s->server_place, "dir/setup.json:1:28");
	setup_free(s);
}
END_TEST

START_TEST(hosts_are_addresses)
{
	static const struct {
		const char *text, *address;
	} hosts[] = {
		{ FILE_OF("\"comm\": \"udp\", \"framer\": \"rtu\", \"host\": "
			  "\"\", \"port\": 1",
		      SETUP("true") NONE),
		    "0.0.0.0:1" },
		{ FILE_OF("\"comm\": \"tcp\", \"framer\": \"rtu\", \"host\": "
			  "\"localhost\", \"port\": 5020",
		      SETUP("true") NONE),
		    "127.0.0.1:5020" },
	};

	for (int i = 0; i < N(hosts); i++) {
		struct setup *s = good(hosts[i].text);

		ck_assert_str_eq(s->opts.address, hosts[i].address);
		ck_assert_int_eq(s->device_id, HF_EVERY_UNIT);
		setup_free(s);
	}
}
END_TEST

START_TEST(a_line_has_its_own_keys)
{
	struct setup *s = good(FILE_OF(
	    "\"comm\": \"serial\", \"framer\": \"rtu\", \"port\": \"/dev/x\", "
	    "\"baudrate\": 9600, \"bytesize\": 7, \"parity\": \"E\", "
	    "\"stopbits\": 2, \"timeout\": 1, \"reconnect_delay\": 2, "
	    "\"handle_local_echo\": true",
	    SETUP("true") NONE));

	ck_assert_int_eq(s->opts.type, HF_SERIAL);
	ck_assert_str_eq(s->opts.port, "/dev/x");
	ck_assert_uint_eq(s->opts.baudrate, 9600);
	ck_assert_uint_eq(s->opts.bytesize, 7);
	ck_assert_uint_eq(s->opts.stopbits, 2);
	ck_assert_int_eq(s->opts.parity, HF_EVEN);
	ck_assert(s->opts.handle_local_echo);
	ck_assert_ptr_null(s->opts.address);
	setup_free(s);
}
END_TEST

/* ---- mistakes ---- */

/* at: what the place points to in the text; NULL: anything. */
static const struct {
	const char *text, *at, *words;
} mistakes[] = {
	{ "{", NULL, "dir/setup.json:1:" },
	{ "[]", "[]", "must be an object" },
	{ "{\"device_list\": {}}", "{\"dev", "\"server_list\" is missing" },
	{ "{\"server_list\": {\"servr\": {}}, \"device_list\": {}}", "{\"servr",
	    "has no \"server\"; did you mean \"servr\"?" },
	/* servers */
	{ SERVES("\"framer\": \"rtu\""), "{\n\"framer", "\"comm\" is missing" },
	{ SERVES("\"comm\": \"tpc\""), "\"tpc", "\"comm\" must be" },
	{ SERVES("\"comm\": \"tcp\", \"host\": \"\", \"port\": 1"), "{\n\"comm",
	    "\"framer\" is missing" },
	{ SERVES("\"comm\": \"tcp\", \"framer\": \"rtu\", \"port\": 1"),
	    "{\n\"comm", "\"host\" is missing" },
	{ SERVES("\"comm\": \"udp\", \"framer\": \"rtu\", \"host\": \"\""),
	    "{\n\"comm", "\"port\" is missing" },
	{ SERVES("\"comm\": \"serial\", \"framer\": \"rtu\""), "{\n\"comm",
	    "\"port\" is missing" },
	{ SERVES(SERVER ", \"timeout\": 3"), "\"timeout",
	    "a server with comm \"tcp\" has no \"timeout\"" },
	{ SERVES(SERVER ", \"certfile\": \"x\""), "\"certfile", "has no" },
	{ SERVES(SERVER ", \"device_id\": 256"), "256",
	    "a whole number from 0 to 255" },
	{ SERVES(SERVER ", \"device_id\": \"1x\""), "\"1x", "a whole number" },
	{ SERVES(SERVER ", \"broadcast_enable\": 1"), "1}",
	    "must be true or false" },
	{ SERVES(SERVER ", \"identity\": {\"Vendorname\": \"x\"}"),
	    "\"Vendorname", "did you mean \"VendorName\"?" },
	{ SERVES(SERVER ", \"identity\": {\"VendorName\": 3}"), "3}",
	    "must be a string" },
	{ SERVES("\"comm\": \"serial\", \"framer\": \"rtu\", \"port\": \"x\", "
		 "\"baudrat\": 9600"),
	    "\"baudrat", "did you mean \"baudrate\"?" },
	{ SERVES("\"comm\": \"serial\", \"framer\": \"rtu\", \"port\": \"x\", "
		 "\"parity\": \"X\""),
	    "\"X\"", "\"N\", \"E\" or \"O\"" },
	/* sections */
	{ FILE_OF(SERVER, SETUP("true")), "{\n\"setup",
	    "\"invalid\" is missing" },
	{ FILE_OF(SERVER, "\"invalid\": []"), "{\n\"invalid",
	    "\"setup\" is missing" },
	{ FILE_OF(SERVER, SETUP("true") NONE ", \"unit16\": []"), "\"unit16",
	    "a device has no \"unit16\"; did you mean \"uint16\"?" },
	{ FILE_OF(SERVER,
	      SETUP("true") NONE ", \"float64\": [{\"addr\": 0, \"value\": "
				 "1e999}]"),
	    NULL, "dir/setup.json:3:" },
	{ FILE_OF(SERVER,
	      SETUP("true") NONE ", \"int16\": [{\"addr\": 0, \"value\": "
				 "32768}]"),
	    "32768", "a whole number from -32768 to 32767" },
	{ FILE_OF(SERVER,
	      SETUP("true") NONE ", \"int64\": [{\"addr\": 0, \"value\": "
				 "-9223372036854775809}]"),
	    NULL, "dir/setup.json:3:" },
	{ FILE_OF(SERVER, SETUP("true") NONE ", \"uint64\": [[3, 8]]"), "[3, 8",
	    "a uint64 takes 4 registers, and 3 to 8 are 6" },
	{ FILE_OF(SERVER, SETUP("true") NONE ", \"int32\": 5"), "5}}}",
	    "\"int32\" must be" },
	{ HAS(SIZES(
	      "1", "1", "1", "1") ", \"type exception\": true, " DEFAULTS),
	    "{\"co size", "\"shared blocks\" is missing" },
	{ HAS(SIZES("1", "1", "1", "1") ", \"shared blocks\": true, " DEFAULTS),
	    "{\"co size", "\"type exception\" is missing" },
	{ HAS("\"co size\": 1, \"di size\": 1, \"ir size\": 1, \"shared "
	      "blocks\": true, \"type exception\": true, " DEFAULTS),
	    "{\"co size", "\"hr size\" is missing" },
	{ HAS(SIZES(
	      "1", "1", "1", "65537") ", \"shared blocks\": true, "
				      "\"type exception\": true, " DEFAULTS),
	    "65537", "from 0 to 65536" },
	{ HAS(SIZES("1", "1", "1", "1") ", \"shared blocks\": true, "
					"\"type exception\": true"),
	    "{\"co size", "\"defaults\" is missing" },
	{ HAS(SIZES("1", "1", "1",
	      "1") ", \"shared blocks\": true, "
		   "\"type exception\": true, \"defaults\": {\"value\": {\"bits\": "
		   "1, \"uint16\": 1, \"uint32\": 1, \"float32\": 1}, \"action\": "
		   "{\"bits\": null, \"uint16\": null, \"uint32\": null, "
		   "\"float32\": null, \"string\": null}}"),
	    "{\"bits\": 1", "\"string\" is missing" },
	{ HAS(SIZES("1", "1", "1",
	      "1") ", \"shared blocks\": true, "
		   "\"type exception\": true, \"defaults\": {\"value\": {\"bits\": "
		   "1, \"uint16\": 1, \"uint32\": 1, \"float32\": 1, \"string\": "
		   "\"\"}, \"action\": {\"bits\": \"no\", \"uint16\": null, "
		   "\"uint32\": null, \"float32\": null, \"string\": null}}"),
	    "\"no\"", "no action is called \"no\"" },
	/* entries */
	{ U16("40"), "40]", "below 40" },
	{ U16("[38, 40]"), "40]]", "below 40" },
	{ U16("-1"), "-1", "below 40" },
	{ U16("[5, 3]"), "[5, 3", "ends before it begins" },
	{ U16("[5]"), "[5]", "[first, last]" },
	{ U16("{\"value\": 3}"), "{\"value\": 3", "\"addr\" is missing" },
	{ U16("3, [2, 4]"), "[2, 4", "register 3 is defined twice" },
	{ U16("{\"addr\": 3, \"value\": 65536}"), "65536}", "from 0 to 65535" },
	{ U16("{\"addr\": 3, \"value\": \"x\"}"), "\"x\"", "a whole number" },
	{ U16("{\"addr\": 3, \"action\": \"\"}"), "\"\"}",
	    "no action is called \"\"" },
	{ U16("{\"addr\": 3, \"action\": \"incremet\"}"), "\"incremet",
	    "did you mean \"increment\"?" },
	{ U16("{\"addr\": 3, \"action\": \"random\", \"parameters\": 3}"),
	    "3}]", "must be an object" },
	{ U16("{\"addr\": 3, \"action\": \"random\", \"parameters\": {\"x\": "
	      "[]}}"),
	    "[]}}", "a parameter is" },
	{ U32("39"), "39]", "ends behind register 39" },
	{ U32("[20, 22]"), "[20, 22", "20 to 22 are 3" },
	{ F32("{\"addr\": [8, 8]}"), "[8, 8", "a float32 takes 2 registers" },
	{ U16("{\"addr\": 3, \"vaule\": 1}"), "\"vaule",
	    "an entry of \"uint16\" has no \"vaule\"; did you mean "
	    "\"value\"?" },
	{ STRING("{\"addr\": 3, \"name\": \"x\"}"), "\"name",
	    "an entry of \"string\" has no \"name\"" },
	{ U16("{\"addr\": 3, \"parameters\": {}, \"kwargs\": {}}"), "\"kwargs",
	    "is what \"parameters\" was called" },
	{ U16("{\"addr\": 3, \"kwargs\": 3}"), "3}]",
	    "\"kwargs\" must be an object" },
	{ REPEAT("{\"addr\": [5, 5], \"to\": [6, 7], \"too\": 1}"), "\"too",
	    "did you mean \"to\"?" },
	{ HAS(SIZES("1", "1", "1",
	      "1") ", \"type_exception\": 1, \"shared blocks\": true, "
		   "\"type exception\": true, " DEFAULTS),
	    "\"type_exc", "did you mean \"type exception\"?" },
	{ HAS(SIZES("1", "1", "1",
	      "1") ", \"shared blocks\": true, \"type exception\": true, "
		   "\"defaults\": {\"values\": {}, \"value\": {\"bits\": "
		   "1, \"uint16\": 1, \"uint32\": 1, \"float32\": 1, "
		   "\"string\": \"\"}, \"action\": {\"bits\": null, "
		   "\"uint16\": null, \"uint32\": null, \"float32\": "
		   "null, \"string\": null}}"),
	    "\"values", "did you mean \"value\"?" },
	{ U32("[4, 5], [5, 6]"), "[5, 6", "register 5 is defined twice" },
	{ U32("{\"addr\": 3, \"value\": 4294967296}"), "4294967296",
	    "from 0 to 4294967295" },
	{ U32("{\"addr\": 3, \"value\": -1}"), "-1}", "a whole number" },
	{ U32("{\"addr\": 3, \"value\": 1.0}"), "1.0}", "a whole number" },
	{ F32("{\"addr\": 3, \"value\": 1e39}"), "1e39", "too large" },
	{ F32("{\"addr\": 3, \"value\": \"1\"}"), "\"1\"", "must be a number" },
	{ STRING("{\"addr\": [3, 4], \"value\": \"12345\"}"), "\"12345",
	    "too long for 2 registers" },
	{ STRING("{\"addr\": [3, 4], \"value\": \"\xe2\x82\xac\"}"),
	    "\"\xe2\x82\xac", "up to U+00FF" },
	{ STRING("{\"addr\": [3, 4], \"value\": 5}"), "5}", "be a string" },
	{ SECTIONS(SETUP("true"), "40", "", "", "", "", "", "", ""), "40], \"w",
	    "below 40" },
	{ SECTIONS(SETUP("true"), "", "[5, 6]", "", "5", "", "", "", ""),
	    "[5, 6]", "register 6 is to be writable, but not defined" },
	{ REPEAT("{\"addr\": [5, 5]}"), "{\"addr\": [5", "\"to\" is missing" },
	{ REPEAT("{\"addr\": [5, 5], \"to\": [39, 40]}"), "40]}", "below 40" },
	{ REPEAT("{\"addr\": [39, 40], \"to\": [3, 4]}"), "40], \"to",
	    "below 40" },
	{ REPEAT("{\"addr\": 5, \"to\": [3, 4]}"), "5, \"to",
	    "must be a list" },
	{ REPEAT("5"), "5]}}}", "must be {" },
};

/* "dir/setup.json:LINE:COL: " of the first place where it stands. */
static void
place(const char *text, const char *at, char *out, size_t size)
{
	const char *found = strstr(text, at), *start = text;
	unsigned line = 1;

	ck_assert_msg(found != NULL, "%s", at);
	for (const char *p = text; p < found; p++)
		if (*p == '\n') {
			line++;
			start = p + 1;
		}
	snprintf(out, size, "dir/setup.json:%u:%u: ", line,
	    (unsigned)(found - start) + 1);
}

START_TEST(mistakes_are_told_with_their_place)
{
	struct setup *s = read_text(mistakes[_i].text);
	char where[80] = "";

	ck_assert_ptr_nonnull(s->why);
	if (mistakes[_i].at != NULL)
		place(mistakes[_i].text, mistakes[_i].at, where, sizeof(where));
	ck_assert_msg(strncmp(s->why, where, strlen(where)) == 0 &&
		strstr(s->why, mistakes[_i].words) != NULL,
	    "%s%s, not %s", where, mistakes[_i].words, s->why);
	ck_assert_uint_eq(s->nranges, 0);
	setup_free(s);
}
END_TEST

START_TEST(all_mistakes_are_told)
{
	struct setup *s =
	    read_text(U16("40, {\"addr\": 1, \"value\": -1}, 41"));
	unsigned lines = 1;

	for (const char *p = s->why; *p != '\0'; p++)
		lines += *p == '\n';
	ck_assert_uint_eq(lines, 3);
	setup_free(s);
}
END_TEST

START_TEST(a_file_that_ends_early_is_a_mistake)
{
	static const char text[] = U16("5");

	for (size_t len = 0; len + 1 < sizeof(text); len++) {
		struct setup_pick pick = { "server", "device", NULL, false,
			NULL };
		char *part = strndup(text, len);
		struct setup *s = setup_read("x", part, len, &pick);

		ck_assert_ptr_nonnull(s->why);
		setup_free(s);
		free(part);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("setup");
	TCase *tc = tcase_create("setup");

	tcase_add_loop_test(tc, cells_become_ranges, 0, N(devices));
	tcase_add_test(tc, what_is_defined_and_invalid_is_told);
	tcase_add_test(tc, blocks_follow_each_other_unless_they_are_shared);
	tcase_add_test(tc, a_value_ends_with_its_block);
	tcase_add_test(tc, what_an_entry_does_not_say_is_as_setup_has_it);
	tcase_add_test(tc, the_built_in_actions_are_those_of_the_workers);
	tcase_add_test(tc, actions_of_hooks_are_known_by_name);
	tcase_add_test(tc, what_does_nothing_is_told);
	tcase_add_test(tc, a_server_becomes_options);
	tcase_add_test(tc, hosts_are_addresses);
	tcase_add_test(tc, a_line_has_its_own_keys);
	tcase_add_loop_test(
	    tc, mistakes_are_told_with_their_place, 0, N(mistakes));
	tcase_add_test(tc, all_mistakes_are_told);
	tcase_add_test(tc, a_file_that_ends_early_is_a_mistake);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
