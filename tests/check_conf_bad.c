/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configurations with mistakes: each is told with its place, its reason and,
 * where a name was mistyped, the name that was meant; and all of them at once.
 */

#include "tests/lib/conf_case.h"

#define HR(ranges) IN_TABLE("holding_registers", ranges)
#define IR(ranges) IN_TABLE("input_registers", ranges)
#define CO(ranges) IN_TABLE("coils", ranges)
#define T(members) IN_TRANSPORT(TCP ",\"units\":{\"1\":\"d\"}," members)
#define T2(a, b)                                                          \
	IN_TRANSPORTS("\"a\":{\"type\":\"tcp\"," a "},\n\"b\":{\"type\":" \
		      "\"tcp\"," b "}")

struct bad {
	const char *text;
	const char *told;
};

/* ---- keys ---- */

static const struct bad keys[] = {
	{ IN_TOP("\"sotre\": {}"),
	    "2:1: unknown key \"sotre\" in the top "
	    "level; did you mean \"store\"?" },
	{ IN_TOP("\"xyzzy\": 1"),
	    "2:1: unknown key \"xyzzy\" in the top level" },
	{ IN_TOP("\"x\\ny\": 1"), "2:1: unknown key \"x?y\" in the top level" },
	{ IN_TOP("\"store\": { \"nam\": 1 }"),
	    "2:12: unknown key \"nam\" in \"store\"; did you mean \"name\"?" },
	{ T("\"maxcon\": 7"),
	    "2:58: unknown key \"maxcon\" in transport \"t\"; did you mean "
	    "\"max_connections\"?" },
	{ T("\"unit\": {}"),
	    "2:58: unknown key \"unit\" in transport \"t\"; "
	    "did you mean \"units\"?" },
	{ T("\"hang_timeout_ms\": 1"),
	    "2:58: unknown key \"hang_timeout_ms\" in transport \"t\"; it "
	    "belongs into the top level" },
	{ T("\"min_backoff_ms\": 1"),
	    "2:58: unknown key \"min_backoff_ms\" in transport \"t\"; it "
	    "belongs into \"restart\"" },
	/* what others call them */
	{ T("\"ignore_missing_slaves\": true"),
	    "2:58: unknown key \"ignore_missing_slaves\" in transport \"t\"; "
	    "did you mean \"missing_unit\"?" },
	{ T("\"bind\": \"::\""),
	    "2:58: unknown key \"bind\" in transport \"t\"; did you mean "
	    "\"listen\"?" },
	{ T("\"broadcast_enable\": true, \"speed\": 1, \"\": 1"),
	    "2:58: unknown key \"broadcast_enable\" in transport \"t\"; did "
	    "you mean \"broadcast\"?\n"
	    "2:84: unknown key \"speed\" in transport \"t\"\n"
	    "2:96: unknown key \"\" in transport \"t\"" },
	{ T("\"restart\": {\"window\": 1}"),
	    "2:70: unknown key \"window\" in \"restart\"; did you mean "
	    "\"window_s\"?" },
	{ IN_DEVICE("\"hr\": []"), "2:1: unknown key \"hr\" in device \"d\"" },
	{ IN_DEVICE("\"holding_register\": []"),
	    "2:1: unknown key \"holding_register\" in device \"d\"; did you "
	    "mean \"holding_registers\"?" },
	{ HR("{\"addr\":1,\"cuont\":2}"),
	    "2:11: unknown key \"cuont\" in a range of holding_registers; "
	    "did you mean \"count\"?" },
	{ HR("{\"addr\":1},{\"count\":2}"),
	    "2:12: \"addr\" is missing in a range of holding_registers" },
	{ CO("{\"addr\":1,\"order\":\"abcd\"}"),
	    "2:11: \"order\" does not apply to a range of coils" },
	{ CO("{\"addr\":1,\"scale\":2}"),
	    "2:11: \"scale\" does not apply to a range of coils" },
	{ IN_DEVICE("\"identity\": {\"VendorNmae\": \"x\"}"),
	    "2:14: unknown key \"VendorNmae\" in \"identity\"; did you mean "
	    "\"VendorName\"?" },
	{ IN_DEVICE("\"files\": [{\"number\": 1}]"),
	    "2:11: \"records\" is missing in a file" },
	{ IN_DEVICE("\"fifos\": [{\"values\": []}]"),
	    "2:11: \"addr\" is missing in a FIFO queue" },
	{ "{}",
	    "1:1: \"devices\" is missing in the top level\n"
	    "1:1: \"transports\" is missing in the top level" },
	{ IN_TOP("\"drain_timeout_s\": 1, \"drain_timeout_s\": 2"),
	    "2:23: duplicate key \"drain_timeout_s\"; it stands at 2:1 "
	    "already" },
	{ IN_TRANSPORT("\"type\": \"tcp\""),
	    "1:57: \"units\" is missing in transport \"t\": there are 2 "
	    "devices to choose from\n"
	    "1:57: \"listen\" is missing in transport \"t\"" },
};

/* ---- types and ranges of values ---- */

static const struct bad values[] = {
	{ "[]", "1:1: a configuration must be an object, not a list" },
	{ "7", "1:1: a configuration must be an object, not a whole number" },
	{ "{\"devices\":[],\"transports\":null}",
	    "1:12: \"devices\" must be an object, not a list\n"
	    "1:28: \"transports\" must be an object, not null" },
	{ "{\"devices\":{},\"transports\":{}}",
	    "1:12: \"devices\" names no device" },
	/* one mistake does not bring others with it */
	{ "{\"transports\":{\"t\":{" TCP ",\"units\":{\"1\":\"d\"}}}}",
	    "1:1: \"devices\" is missing in the top level" },
	{ "{\"devices\":{\"d\":7},\"transports\":{\"t\":7}}",
	    "1:17: \"d\" must be an object, not a whole number\n"
	    "1:38: \"t\" must be an object, not a whole number" },
	{ IN_TOP("\"drain_timeout_s\": \"5\""),
	    "2:20: \"drain_timeout_s\" must be a whole number from 0 to 3600, "
	    "not a string" },
	{ IN_TOP("\"drain_timeout_s\": 5.5"),
	    "2:20: \"drain_timeout_s\" must be a whole number from 0 to 3600, "
	    "not a number" },
	{ IN_TOP("\"drain_timeout_s\": 3601"),
	    "2:20: \"drain_timeout_s\" is 3601; it must be from 0 to 3600" },
	{ IN_TOP("\"drain_timeout_s\": -1"),
	    "2:20: \"drain_timeout_s\" is -1; it must be from 0 to 3600" },
	{ IN_TOP("\"drain_timeout_s\": 18446744073709551617"),
	    "2:20: \"drain_timeout_s\" must be a whole number from 0 to 3600, "
	    "not a number" },
	{ IN_TOP("\"store\": {\"snapshot\": {}}"),
	    "2:23: \"path\" is missing in \"snapshot\"" },
	{ IN_TOP("\"store\": {\"snapshot\": {\"path\": \"\"}}"),
	    "2:32: \"path\" is \"\"; it must be a file" },
	{ IN_TOP("\"store\": {\"snapshot\": {\"path\": \"a\", "
		 "\"interval_s\": 0.0999}}"),
	    "2:51: \"interval_s\" is 0.0999; it must be from 0.1 to 86400" },
	{ IN_TOP("\"store\": {\"snapshot\": {\"path\": \"a\", "
		 "\"interval_s\": \"1\"}}"),
	    "2:51: \"interval_s\" must be a number, not a string" },
	{ HR("{\"addr\":1,\"durable\":true}"),
	    "2:1: \"durable\" needs \"snapshot\" in \"store\", which says "
	    "where" },
	{ HR("{\"addr\":1,\"retain\":1}"),
	    "2:20: \"retain\" must be true or false, not a whole number" },
	{ IN_TOP("\"hang_timeout_ms\": 99"),
	    "2:20: \"hang_timeout_ms\" is 99; it must be from 100 to 600000" },
	{ IN_TOP("\"store\": {\"name\": \"a b\"}"),
	    "2:19: \"a b\" is no name: letters, digits, \"_\" "
	    "and \"-\", at most 40" },
	{ IN_TOP("\"store\": {\"name\": \"\"}"),
	    "2:19: \"\" is no name: letters, digits, \"_\" and "
	    "\"-\", at most 40" },
	{ "{\"devices\":{\"../x\":{}},\"transports\":{}}",
	    "1:13: \"../x\" is no name for a device: letters, digits, \"_\" "
	    "and \"-\", at most 40" },
	{ IN_TRANSPORTS("\"a/b\":{" TCP "}"),
	    "2:1: \"a/b\" is no name for a transport: letters, digits, \"_\" "
	    "and \"-\", at most 40" },
	{ T("\"autostart\": 1"),
	    "2:71: \"autostart\" must be true or false, not a whole number" },
	{ T("\"framer\": \"scoket\""),
	    "2:68: unknown framer \"scoket\": it must be \"socket\", \"tls\", "
	    "\"rtu\" or \"ascii\", or what one of \"plugins\" brings; did you "
	    "mean \"socket\"?" },
	{ T("\"framer\": 1"),
	    "2:68: \"framer\" must be socket | tls | rtu | ascii, or a "
	    "plugin's, not a whole number" },
	{ T("\"access\": \"ro\""),
	    "2:68: unknown access \"ro\": it must be \"read-write\" or "
	    "\"read-only\"" },
	{ T("\"missing_unit\": \"silence\""),
	    "2:74: unknown missing_unit \"silence\": it must be \"exception\" "
	    "or \"silent\"; did you mean \"silent\"?" },
	{ IN_TRANSPORTS("\"t\":{\"type\":\"tpc\",\"listen\":\"127.0.0.1:0\"}"),
	    "2:13: \"type\" must be \"tcp\", \"tls\", \"udp\", \"serial\" or "
	    "\"shm\", or what one of \"plugins\" serves, not \"tpc\"; "
	    "did you mean \"tcp\"?" },
	{ T("\"max_connections\": 0"),
	    "2:77: \"max_connections\" is 0; it must be from 1 to 60000" },
	{ T("\"workers\": 65"),
	    "2:69: \"workers\" is 65; it must be from 1 to 64" },
	{ T("\"restart\": 5"),
	    "2:69: \"restart\" must be an object, not a whole number" },
	{ T("\"restart\": {\"min_backoff_ms\": 6000}"),
	    "2:69: min_backoff_ms 6000 is above max_backoff_ms 5000" },
	{ T("\"user\": \"nobody-of-this-name\""),
	    "2:66: this machine has no user \"nobody-of-this-name\"" },
	{ IN_TRANSPORTS("\"t\":{\"type\":\"tcp\",\"listen\":502}"),
	    "2:28: \"listen\" must be an address and port, \"HOST:PORT\", "
	    "not a whole number" },
	{ T("\"allow\": \"::1\""),
	    "2:67: \"allow\" must be a list of networks, not a string" },
	{ T("\"deny\": [7]"),
	    "2:67: this value must be a string, not a whole number" },
	{ T("\"user\": 7"),
	    "2:66: \"user\" must be the name of a user, not a whole number" },
	{ IN_TRANSPORT(TCP ",\"units\":[]"),
	    "2:48: \"units\" must be an object of device names by unit "
	    "address, not a list" },
	{ IN_TOP("\"control\":{\"listen\":{}}"),
	    "2:21: \"listen\" must be a list of endpoints, not an object" },
	{ HR("{\"addr\":0,\"scale\":\"x\"}"),
	    "2:19: \"scale\" must be a number, not a string" },
	{ IN_DEVICE("\"files\":7,\"fifos\":{}"),
	    "2:9: \"files\" must be a list of files, not a whole number\n"
	    "2:19: \"fifos\" must be a list of FIFO queues, not an object" },
	{ IN_TOP("\"include\": \"x\""),
	    "2:12: \"include\" must be a list of paths, not a string" },
};

/* ---- ranges ---- */

static const struct bad ranges[] = {
	{ HR("{\"addr\":1,\"action\":{\"nam\":\"increment\"}}"),
	    "2:20: \"name\" is missing in \"action\"" },
	{ HR("{\"addr\":1,\"action\":7}"),
	    "2:20: \"action\" must be a name, or an object of a name and its "
	    "parameters, not a whole number" },
	{ HR("{\"addr\":1,\"action\":\"a b\"}"),
	    "2:20: \"a b\" is no name for an action: letters, digits, "
	    "\"_\" and \"-\", at most 40" },
	{ HR("{\"addr\":1,\"action\":{\"name\":\"a\",\"x\":[]}}"),
	    "2:36: \"x\" must be a string, a number, true or false, not a "
	    "list" },
	{ IN_DEVICE("\"coils\": {}"),
	    "2:10: \"coils\" must be a list of ranges, not an object" },
	{ HR("7"), "2:1: this value must be an object, not a whole number" },
	{ HR("{\"addr\":65536}"),
	    "2:9: \"addr\" is 65536; it must be from 0 to 65535" },
	{ HR("{\"addr\":0,\"count\":0}"),
	    "2:19: \"count\" is 0; it must be from 1 to 65536" },
	{ HR("{\"addr\":65530,\"count\":7}"),
	    "2:23: addresses 65530 to 65536: 65535 is the last one there is" },
	{ HR("{\"addr\":65535,\"type\":\"uint32\"}"),
	    "2:1: addresses 65535 to 65536: 65535 is the last one there is" },
	{ HR("{\"addr\":0,\"count\":3,\"type\":\"float32\"}"),
	    "2:19: count 3 is no multiple of 2, the registers of one "
	    "float32" },
	{ HR("{\"addr\":0,\"type\":\"flaot32\"}"),
	    "2:18: unknown type \"flaot32\": it must be \"uint16\", \"int16\", "
	    "\"uint32\", \"int32\", \"uint64\", \"int64\", \"float32\", "
	    "\"float64\", \"string\" or \"bits\"; did you mean "
	    "\"float32\"?" },
	{ HR("{\"addr\":0,\"order\":\"acbd\"}"),
	    "2:19: unknown order \"acbd\": it must be \"abcd\", \"badc\", "
	    "\"cdab\" or \"dcba\"; did you mean \"abcd\"?" },
	{ CO("{\"addr\":0,\"type\":\"uint16\"}"),
	    "2:18: type uint16 does not go with coils, which hold bits" },
	{ HR("{\"addr\":0,\"scale\":0}"), "2:19: \"scale\" must not be 0" },
	{ HR("{\"addr\":0,\"name\":\"a name of forty bytes is one byte 2 long\"}"),
	    "2:18: \"name\" is 40 bytes long; 39 is the most" },
	{ HR("{\"addr\":0,\"unit\":\"sixteen bytes...\"}"),
	    "2:18: \"unit\" is 16 bytes long; 15 is the most" },
	{ HR("{\"addr\":0,\"name\":\"a\\nb\"}"),
	    "2:18: \"name\" holds a control character" },
	{ HR("{\"addr\":0,\"count\":10},\n{\"addr\":9}"),
	    "3:1: holding_registers 9 to 9 overlap the range at 2:1" },
	{ HR("{\"addr\":9},\n{\"addr\":0,\"count\":10}"),
	    "3:1: holding_registers 9 to 9 overlap the range at 2:1" },
	{ HR("{\"addr\":0,\"count\":100},{\"addr\":5},\n{\"addr\":50,"
	     "\"count\":100}"),
	    "2:24: holding_registers 5 to 5 overlap the range at 2:1\n"
	    "3:1: holding_registers 50 to 99 overlap the range at 2:1" },
	{ IN_DEVICE("\"files\":[{\"number\":1,\"records\":2},\n{\"number\":1,"
		    "\"records\":9}]"),
	    "3:1: file 1 stands at 2:10 already" },
	{ IN_DEVICE("\"fifos\":[{\"addr\":1},\n{\"addr\":1}]"),
	    "3:1: a FIFO queue of address 1 stands at 2:10 already" },
	{ IN_DEVICE("\"files\":[{\"number\":0,\"records\":10001}]"),
	    "2:20: \"number\" is 0; it must be from 1 to 65535\n"
	    "2:32: \"records\" is 10001; it must be from 1 to 10000" },
	{ IN_DEVICE("\"fifos\":[{\"addr\":1,\"values\":[1,2,3,4,5,6,7,8,9,10,"
		    "11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,"
		    "30,31,32]}]"),
	    "2:29: 32 values: a FIFO queue holds 31 at most" },
	{ IN_DEVICE("\"fifos\":[{\"addr\":1,\"values\":[65536]}]"),
	    "2:30: 65536 does not fit type uint16, whole numbers 0 to "
	    "65535" },
};

/* ---- initial values ---- */

static const struct bad initial[] = {
	{ HR("{\"addr\":0,\"value\":65536}"),
	    "2:19: 65536 does not fit type uint16, whole numbers 0 to 65535" },
	{ HR("{\"addr\":0,\"value\":-1}"),
	    "2:19: -1 does not fit type uint16, whole numbers 0 to 65535" },
	{ HR("{\"addr\":0,\"value\":1.5}"),
	    "2:19: 1.5 does not fit type uint16, whole numbers 0 to 65535" },
	{ HR("{\"addr\":0,\"value\":\"1\"}"),
	    "2:19: type uint16 takes a whole number, not \"1\"" },
	{ HR("{\"addr\":0,\"value\":true}"),
	    "2:19: type uint16 takes a whole number, not true" },
	{ HR("{\"addr\":0,\"value\":[]}"),
	    "2:19: type uint16 takes a whole number, not a list" },
	{ HR("{\"addr\":0,\"type\":\"int16\",\"values\":[-32768,32767]},"
	     "{\"addr\":5,\"type\":\"int16\",\"values\":[-32769,32768]}"),
	    "2:86: -32769 does not fit type int16, whole numbers -32768 to "
	    "32767\n"
	    "2:93: 32768 does not fit type int16, whole numbers -32768 to "
	    "32767" },
	{ HR("{\"addr\":0,\"type\":\"uint32\",\"value\":4294967296}"),
	    "2:35: 4294967296 does not fit type uint32, whole numbers 0 to "
	    "4294967295" },
	{ HR("{\"addr\":0,\"type\":\"int64\",\"value\":9223372036854775808}"),
	    "2:34: 9223372036854775808 does not fit type int64, whole numbers "
	    "-9223372036854775808 to 9223372036854775807" },
	{ HR("{\"addr\":0,\"type\":\"uint64\",\"value\":18446744073709551616}"),
	    "2:35: 1.84467440737096e+19 does not fit type uint64, whole "
	    "numbers 0 to 18446744073709551615" },
	{ HR("{\"addr\":0,\"type\":\"float32\",\"value\":1e39}"),
	    "2:36: 1e+39 does not fit type float32" },
	{ HR("{\"addr\":0,\"type\":\"float32\",\"value\":\"hot\"}"),
	    "2:36: type float32 takes a number, \"NaN\", \"Infinity\" or "
	    "\"-Infinity\", not \"hot\"" },
	{ HR("{\"addr\":0,\"type\":\"bits\",\"value\":65536}"),
	    "2:33: 65536 does not fit type bits, whole numbers 0 to 65535" },
	{ HR("{\"addr\":0,\"type\":\"string\",\"value\":1}"),
	    "2:35: \"value\" must be a string, not a whole number" },
	{ HR("{\"addr\":0,\"type\":\"string\",\"count\":2,\"value\":\"abcde\"}"),
	    "2:45: the string is 5 bytes long; 2 registers hold 4" },
	{ HR("{\"addr\":0,\"type\":\"string\",\"values\":[\"a\"]}"),
	    "2:27: a range of type string holds one string; say \"value\"" },
	{ CO("{\"addr\":0,\"value\":2}"),
	    "2:19: a bit is 0, 1, true or false, not 2" },
	{ CO("{\"addr\":0,\"values\":[0,1,\"on\",-1]}"),
	    "2:25: a bit is 0, 1, true or false, not \"on\"\n"
	    "2:30: a bit is 0, 1, true or false, not -1" },
	{ HR("{\"addr\":0,\"count\":2,\"values\":[1,2,3,4]}"),
	    "2:35: too many values: 4, and the range has room for 2" },
	{ HR("{\"addr\":0,\"count\":2,\"type\":\"float32\",\"values\":[1,2]}"),
	    "2:50: too many values: 2, and the range has room for 1" },
	{ HR("{\"addr\":0,\"values\":7}"),
	    "2:20: \"values\" must be a list, not a whole number" },
	{ HR("{\"addr\":0,\"value\":7,\"values\":[1]}"),
	    "2:21: \"value\" (each) and \"values\" (in turn) exclude each "
	    "other" },
};

/* ---- identification ---- */

#define TEXT_61 "1234567890123456789012345678901234567890123456789012345678901"
#define TEXT_245 TEXT_61 TEXT_61 TEXT_61 TEXT_61 "1"

static const struct bad identity[] = {
	{ IN_DEVICE("\"identity\":7"),
	    "2:12: \"identity\" must be an object, not a whole number" },
	{ IN_DEVICE("\"identity\":{\"VendorName\":7}"),
	    "2:26: \"VendorName\" must be a string, not a whole number" },
	{ IN_DEVICE("\"identity\":{\"VendorUrl\":\"" TEXT_245 "\"}"),
	    "2:25: \"VendorUrl\" is 245 bytes long; 244 is the most" },
	{ IN_DEVICE("\"identity\":{\"objects\":{\"3\":\"x\",\"127\":\"x\","
		    "\"256\":\"x\",\"0128\":\"x\",\"x\":\"x\",\"130\":1,"
		    "\"131\":\"" TEXT_245 "\"}}"),
	    "2:24: object 3 has a name: say \"VendorUrl\"\n"
	    "2:32: \"127\" is no object of one's own: they have the numbers "
	    "128 to 255\n"
	    "2:42: \"256\" is no object of one's own: they have the numbers "
	    "128 to 255\n"
	    "2:52: \"0128\" is no object of one's own: they have the numbers "
	    "128 to 255\n"
	    "2:63: \"x\" is no object of one's own: they have the numbers 128 "
	    "to 255\n"
	    "2:77: \"130\" must be a string, not a whole number\n"
	    "2:85: object 131 is 245 bytes long; 244 is the most" },
	{ IN_DEVICE("\"identity\":{\"objects\":[]}"),
	    "2:23: \"objects\" must be an object, not a list" },
};

/* ---- transports ---- */

static const struct bad transports[] = {
	{ IN_TRANSPORT(TCP ",\"units\":{\"1\":\"dd\",\"2\":\"zzzz\",\"3\":4}"),
	    "2:53: no device is called \"dd\"; did you mean \"d\"?\n"
	    "2:62: no device is called \"zzzz\"\n"
	    "2:73: \"3\" must be the name of a device, not a whole number" },
	{ IN_TRANSPORT(TCP ",\"units\":{\"256\":\"d\",\"01\":\"d\",\"-1\":\"d\""
			   ",\"x\":\"d\",\"\":\"d\"}"),
	    "2:49: \"256\" is no unit: it must be \"0\" to \"255\", or \"*\" "
	    "for every other\n"
	    "2:59: \"01\" is no unit: it must be \"0\" to \"255\", or \"*\" "
	    "for every other\n"
	    "2:68: \"-1\" is no unit: it must be \"0\" to \"255\", or \"*\" "
	    "for every other\n"
	    "2:77: \"x\" is no unit: it must be \"0\" to \"255\", or \"*\" "
	    "for every other\n"
	    "2:85: \"\" is no unit: it must be \"0\" to \"255\", or \"*\" for "
	    "every other" },
	{ IN_TRANSPORT(TCP ",\"units\":{}"), "2:48: \"units\" serves no unit" },
	{ T2("\"listen\":\"127.0.0.1:502\"", "\"listen\":\"127.0.0.1:502\""),
	    "3:28: 127.0.0.1:502 is taken by transport \"a\" (127.0.0.1:502) at "
	    "2:1" },
	{ T2("\"listen\":\"127.0.0.1:502\"", "\"listen\":\"0.0.0.0:502\""),
	    "3:28: 0.0.0.0:502 is taken by transport \"a\" (127.0.0.1:502) at "
	    "2:1" },
	{ T2("\"listen\":\"[::]:502\"", "\"listen\":\"[::1]:502\""),
	    "3:28: [::1]:502 is taken by transport \"a\" ([::]:502) at "
	    "2:1" },
	{ T2("\"listen\":\"127.0.0.1:0\",\"max_connections\":40000",
	      "\"listen\":\"127.0.0.1:0\",\"max_connections\":40000"),
	    "3:1: too many connections: with workers x max_connections of "
	    "\"b\" there are 80000; 65269 is the most" },
	{ T2("\"listen\":\"127.0.0.1:0\",\"max_connections\":1024,"
	     "\"workers\":64",
	      "\"listen\":\"127.0.0.1:0\""),
	    "2:1: too many connections: with workers x max_connections of "
	    "\"a\" there are 65536; 65207 is the most" },
};

static const struct {
	const char *listen;
	const char *why;
} listens[] = {
	{ "127.0.0.1",
	    "\"127.0.0.1\" is no address to listen on: it must be "
	    "\"HOST:PORT\" or \"[IPV6]:PORT\"" },
	{ "::1:502",
	    "\"::1:502\" is no address to listen on: it must be "
	    "\"HOST:PORT\" or \"[IPV6]:PORT\"" },
	{ "[::1:502",
	    "\"[::1:502\" is no address to listen on: it must be "
	    "\"HOST:PORT\" or \"[IPV6]:PORT\"" },
	{ "",
	    "\"\" is no address to listen on: it must be \"HOST:PORT\" or "
	    "\"[IPV6]:PORT\"" },
	{ "[",
	    "\"[\" is no address to listen on: it must be \"HOST:PORT\" or "
	    "\"[IPV6]:PORT\"" },
	{ "*:502",
	    "\"*:502\" names no address; for every IPv4 address of this "
	    "machine say \"0.0.0.0:502\", for IPv6 \"[::]:502\"" },
	{ ":502",
	    "\":502\" names no address; for every IPv4 address of this "
	    "machine say \"0.0.0.0:502\", for IPv6 \"[::]:502\"" },
	{ "plc.local:502",
	    "\"plc.local\" is no numeric address; names other "
	    "than localhost are not looked up" },
	{ "127.0.0.256:502",
	    "\"127.0.0.256\" is no numeric address; names "
	    "other than localhost are not looked up" },
	{ "an-address-that-no-machine-has-because-it-is-much-too-long-for-one"
	  ":1",
	    "\"an-address-that-no-machine-has-because-it-is-much-too-long-for-"
	    "one:1\" is no address to listen on: it must be \"HOST:PORT\" or "
	    "\"[IPV6]:PORT\"" },
	{ "127.0.0.1:65536", "\"65536\" is no port: 0 to 65535" },
	{ "127.0.0.1:", "\"\" is no port: 0 to 65535" },
	{ "127.0.0.1:+1", "\"+1\" is no port: 0 to 65535" },
	{ "127.0.0.1:123456", "\"123456\" is no port: 0 to 65535" },
};

static const struct {
	const char *net;
	const char *why;
} nets[] = {
	{ "10.0.0.0/33",
	    "\"10.0.0.0/33\": \"33\" is no prefix length: 0 to "
	    "32" },
	{ "::/129", "\"::/129\": \"129\" is no prefix length: 0 to 128" },
	{ "10.0.0.0/", "\"10.0.0.0/\": \"\" is no prefix length: 0 to 32" },
	{ "10.0.0.1/8",
	    "\"10.0.0.1/8\" has bits set behind its 8 bits of "
	    "network" },
	{ "2001:db8::1/64",
	    "\"2001:db8::1/64\" has bits set behind its 64 "
	    "bits of network" },
	{ "10.0.0/8",
	    "\"10.0.0/8\" is no network: it must be like "
	    "\"10.0.0.0/8\", \"2001:db8::/32\" or a single "
	    "address" },
	{ "office",
	    "\"office\" is no network: it must be like "
	    "\"10.0.0.0/8\", \"2001:db8::/32\" or a single address" },
	{ "",
	    "\"\" is no network: it must be like \"10.0.0.0/8\", "
	    "\"2001:db8::/32\" or a single address" },
};

/* ---- control ---- */

static const struct bad control[] = {
	{ IN_TOP("\"control\":{\"listen\":[\"tcp://0.0.0.0:5555\"]}"),
	    "2:22: \"tcp://0.0.0.0:5555\" is open to other machines: that "
	    "needs \"curve\" with \"secret_key\" and \"authorized\"" },
	{ IN_TOP("\"control\":{\"listen\":[\"127.0.0.1:5555\",7]}"),
	    "2:22: \"127.0.0.1:5555\" is no endpoint: it must be "
	    "\"tcp://HOST:PORT\"\n"
	    "2:39: this value must be a string, not a whole number" },
	{ IN_TOP("\"control\":{\"listen\":[\"tcp://*:5555\"]}"),
	    "2:22: \"*:5555\" names no address; for every IPv4 address of "
	    "this machine say \"0.0.0.0:5555\", for IPv6 \"[::]:5555\"" },
	{ IN_TOP("\"control\":{\"curve\":{\"secret_key\":\"/dev/null\"}}"),
	    "2:20: \"authorized\" is missing in \"curve\"" },
	{ IN_TOP("\"control\":{\"curve\":{\"secret_key\":\"/dev/null\","
		 "\"authorized\":\"/no/where\"}}"),
	    "2:59: \"authorized\": /no/where: No such file or directory" },
};

static void
check_told(const char *text, const char *told)
{
	struct conf *conf = case_load(text);

	ck_assert_ptr_null(conf);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(case_told, told);
}

#define TABLE_TEST(title, table)                            \
	START_TEST(title)                                   \
	{                                                   \
		check_told(table[_i].text, table[_i].told); \
	}                                                   \
	END_TEST

TABLE_TEST(an_unknown_or_missing_key_is_told, keys)
TABLE_TEST(a_value_of_the_wrong_type_or_out_of_range_is_told, values)
TABLE_TEST(a_range_that_cannot_be_is_told, ranges)
TABLE_TEST(an_initial_value_that_does_not_fit_is_told, initial)
TABLE_TEST(an_identity_object_that_cannot_be_is_told, identity)
TABLE_TEST(a_transport_that_cannot_be_is_told, transports)
TABLE_TEST(an_endpoint_that_cannot_be_is_told, control)

START_TEST(an_address_that_cannot_be_listened_on_is_told)
{
	char text[300], told[300];

	snprintf(text, sizeof(text),
	    IN_TRANSPORTS("\"t\":{\"type\":\"tcp\",\"listen\":\"%s\"}"),
	    listens[_i].listen);
	snprintf(told, sizeof(told), "2:28: %s", listens[_i].why);
	check_told(text, told);
}
END_TEST

START_TEST(a_network_that_cannot_be_is_told)
{
	char text[300], told[300];

	snprintf(text, sizeof(text),
	    IN_TRANSPORTS("\"t\":{\"allow\":[\"%s\"]," TCP "}"), nets[_i].net);
	snprintf(told, sizeof(told), "2:15: %s", nets[_i].why);
	check_told(text, told);
}
END_TEST

START_TEST(more_workers_than_there_is_room_for_are_told)
{
	char text[4000], *at = text;

	at += sprintf(at, "{\"devices\":{\"d\":{}},\"transports\":{");
	for (int i = 0; i < 15; i++)
		at += sprintf(at,
		    "\"t%d\":{" TCP ",\"workers\":64,"
		    "\"max_connections\":1},\n",
		    i);
	sprintf(at, "}}");
	check_told(text,
	    "12:1: too many workers: with those of \"t11\" there "
	    "are 768; 759 is the most");
}
END_TEST

START_TEST(ten_mistakes_are_ten_lines_in_the_order_of_the_file)
{
	check_told(
	    "{\n"
	    "  \"stroe\": { \"name\": \"x\" },\n"
	    "  \"drain_timeout_s\": 9999,\n"
	    "  \"devices\": { \"plc1\": {\n"
	    "    \"coils\": [ { \"addr\": 0, \"value\": 2 } ],\n"
	    "    \"holding_registers\": [\n"
	    "      { \"addr\": 0, \"count\": 10 },\n"
	    "      { \"addr\": 9, \"count\": 1 },\n"
	    "      { \"addr\": 20, \"type\": \"int16\", \"value\": 40000 "
	    "},\n"
	    "      { \"addr\": 65535, \"count\": 2 } ] } },\n"
	    "  \"transports\": {\n"
	    "    \"tcp1\": { \"type\": \"tcp\", \"listen\": "
	    "\"127.0.0.1:70000\",\n"
	    "      \"units\": { \"1\": \"plc2\" },\n"
	    "      \"autostart\": \"yes\",\n"
	    "      \"autostart\": true,\n"
	    "    },\n"
	    "  },\n"
	    "}\n",
	    "2:3: unknown key \"stroe\" in the top level; did you mean "
	    "\"store\"?\n"
	    "3:22: \"drain_timeout_s\" is 9999; it must be from 0 to 3600\n"
	    "5:38: a bit is 0, 1, true or false, not 2\n"
	    "8:7: holding_registers 9 to 9 overlap the range at 7:7\n"
	    "9:47: 40000 does not fit type int16, whole numbers -32768 to "
	    "32767\n"
	    "10:33: addresses 65535 to 65536: 65535 is the last one there is\n"
	    "12:40: \"70000\" is no port: 0 to 65535\n"
	    "13:23: no device is called \"plc2\"; did you mean \"plc1\"?\n"
	    "14:20: \"autostart\" must be true or false, not a string\n"
	    "15:7: duplicate key \"autostart\"; it stands at 14:7 already");
}
END_TEST

START_TEST(a_flood_of_mistakes_ends_with_their_number)
{
	enum { N = 1000 };
	char *text = malloc(N * 16 + 100), *at = text;
	unsigned lines = 1;

	at += sprintf(at, "{");
	for (unsigned i = 0; i < N; i++)
		at += sprintf(at, "\"x%u\":1,\n", i);
	sprintf(at, "\"devices\":{\"d\":{}},\"transports\":{}}");
	ck_assert_ptr_null(case_load(text));
	for (const char *p = case_told; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	ck_assert_uint_eq(lines, 201);
	ck_assert_ptr_nonnull(strstr(case_told, " and 800 mistakes more"));
	free(text);
}
END_TEST

#define ADD(tc, title, table) \
	tcase_add_loop_test(tc, title, 0, sizeof(table) / sizeof(table[0]))

int
main(void)
{
	Suite *s = suite_create("conf_bad");
	TCase *tc = tcase_create("conf_bad");
	SRunner *sr = srunner_create(s);
	int failed;

	ADD(tc, an_unknown_or_missing_key_is_told, keys);
	ADD(tc, a_value_of_the_wrong_type_or_out_of_range_is_told, values);
	ADD(tc, a_range_that_cannot_be_is_told, ranges);
	ADD(tc, an_initial_value_that_does_not_fit_is_told, initial);
	ADD(tc, an_identity_object_that_cannot_be_is_told, identity);
	ADD(tc, a_transport_that_cannot_be_is_told, transports);
	ADD(tc, an_address_that_cannot_be_listened_on_is_told, listens);
	ADD(tc, a_network_that_cannot_be_is_told, nets);
	ADD(tc, an_endpoint_that_cannot_be_is_told, control);
	tcase_add_test(tc, more_workers_than_there_is_room_for_are_told);
	tcase_add_test(tc, ten_mistakes_are_ten_lines_in_the_order_of_the_file);
	tcase_add_test(tc, a_flood_of_mistakes_ends_with_their_number);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
