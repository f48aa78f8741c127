/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Transports of each type: what is in force where nothing was said, what is
 * kept, what does not go together, and that the dump says it all again.
 */

#include <fcntl.h>

#include "tests/lib/conf_case.h"
#include "tests/suite.h"

#define T(members) IN_TRANSPORTS("\"t\":{" members "}")
/* a line's, which must say its units */
#define UNITS ",\"units\":{\"1\":\"d\"}"
#define TU(members) T(members UNITS)
#define LOCAL "\"listen\":\"127.0.0.1:0\""
#define UDP "\"type\":\"udp\"," LOCAL
#define TLS_BARE "\"type\":\"tls\"," LOCAL
#define PAIR "\"cert\":\"/dev/null\",\"key\":\"/dev/null\""
#define TLS TLS_BARE "," PAIR ",\"ca\":\"/dev/null\""
#define LINE "\"type\":\"serial\",\"port\":\"/dev/null\""
#define PLUGIN "\"type\":\"unix\",\"plugins\":[\"/dev/null\"]"

/* ---- defaults ---- */

START_TEST(udp_has_the_defaults_of_tcp)
{
	struct conf *c = case_right(T(UDP));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_int_eq(t->type, CONF_UDP);
	ck_assert_str_eq(t->type_name, "udp");
	ck_assert_str_eq(t->framer, "socket");
	ck_assert(!t->silent_units);
	ck_assert_uint_eq(t->max_connections, 256);
	ck_assert_uint_eq(t->max_transactions, 0);
	ck_assert_str_eq(conf_where(t), "127.0.0.1:0");
	conf_free(c);
}
END_TEST

START_TEST(tls_wants_certificates_of_its_clients_and_has_no_roles)
{
	struct conf *c = case_right(T(TLS));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_int_eq(t->type, CONF_TLS);
	ck_assert_str_eq(t->framer, "tls");
	ck_assert(!t->silent_units);
	ck_assert_int_eq(t->tls.client_cert, CONF_CERT_REQUIRE);
	ck_assert_uint_eq(t->tls.cert.n, 1);
	ck_assert_uint_eq(t->tls.key.n, 1);
	ck_assert_uint_eq(t->tls.ocsp.n, 0);
	ck_assert_str_eq(t->tls.ca, "/dev/null");
	ck_assert_ptr_null(t->tls.crl);
	ck_assert_ptr_null(t->tls.password);
	ck_assert_ptr_null(t->tls.password_file);
	ck_assert_ptr_null(t->tls.ciphers);
	ck_assert_ptr_null(t->tls.roles.path);
	conf_free(c);
}
END_TEST

/* SL 2.5.1: even parity, 19200, RTU; who does not answer is silent. */
START_TEST(a_line_is_as_the_standard_has_it)
{
	struct conf *c = case_right(TU(LINE));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_int_eq(t->type, CONF_SERIAL);
	ck_assert_str_eq(t->framer, "rtu");
	ck_assert(t->silent_units);
	ck_assert_ptr_null(t->listen);
	ck_assert_str_eq(t->serial.port, "/dev/null");
	ck_assert_str_eq(conf_where(t), "/dev/null");
	ck_assert_uint_eq(t->serial.baudrate, 19200);
	ck_assert_uint_eq(t->serial.bytesize, 8);
	ck_assert_int_eq(t->serial.parity, CONF_PARITY_EVEN);
	ck_assert_uint_eq(t->serial.stopbits, 1);
	ck_assert_int_eq(t->serial.rs485.mode, CONF_RS485_OFF);
	ck_assert(!t->serial.rs485.rts_low && !t->serial.rs485.rx_during_tx);
	ck_assert_uint_eq(t->serial.rs485.before_us, 0);
	ck_assert_uint_eq(t->serial.rs485.after_us, 0);
	ck_assert(!t->serial.local_echo);
	ck_assert_int_eq(t->serial.t15, CONF_T15_OFF);
	ck_assert_uint_eq(t->serial.turnaround_ms, 0);
	ck_assert_uint_eq(t->serial.ascii_timeout_ms, 1000);
	ck_assert_uint_eq(t->max_connections, 1);
	ck_assert_uint_eq(t->workers, 1);
	conf_free(c);
}
END_TEST

static const struct {
	const char *line;
	unsigned stopbits;
} stops[] = {
	{ TU(LINE ",\"parity\":\"N\""), 2 },
	{ TU(LINE ",\"parity\":\"N\",\"stopbits\":1"), 1 },
	{ TU(LINE ",\"parity\":\"O\""), 1 },
	{ TU(LINE ",\"parity\":\"E\",\"stopbits\":2"), 2 },
	{ TU(LINE ",\"parity\":\"M\""), 1 },
	{ TU(LINE ",\"parity\":\"S\",\"framer\":\"ascii\",\"bytesize\":7"), 1 },
};

START_TEST(a_stop_bit_takes_the_place_of_parity_that_is_not_there)
{
	struct conf *c = case_right(stops[_i].line);

	ck_assert_uint_eq(c->transports[0].serial.stopbits, stops[_i].stopbits);
	conf_free(c);
}
END_TEST

START_TEST(a_socket_as_port_listens_and_takes_the_keys_of_listeners)
{
	struct conf *c = case_right(
	    T("\"type\":\"serial\",\"port\":\"socket://localhost:0\","
	      "\"max_connections\":3,\"workers\":2,\"idle_timeout_s\":9,"
	      "\"allow\":[\"127.0.0.0/8\"]"));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_int_eq(t->type, CONF_SERIAL);
	ck_assert_str_eq(t->framer, "rtu");
	ck_assert_ptr_null(t->serial.port);
	ck_assert_str_eq(t->listen, "127.0.0.1:0");
	ck_assert_str_eq(conf_where(t), "127.0.0.1:0");
	ck_assert_uint_eq(t->max_connections, 3);
	ck_assert_uint_eq(t->workers, 2);
	ck_assert_uint_eq(t->idle_timeout_s, 9);
	ck_assert_uint_eq(t->allow.n, 1);
	conf_free(c);
}
END_TEST

START_TEST(a_type_that_is_not_ours_is_a_plugins)
{
	struct conf *c = case_right(T(PLUGIN));
	const struct conf_transport *t = &c->transports[0];

	ck_assert_int_eq(t->type, CONF_PLUGIN);
	ck_assert_str_eq(t->type_name, "unix");
	ck_assert_ptr_null(t->listen);
	ck_assert_str_eq(conf_where(t), "-");
	ck_assert_uint_eq(t->plugins.n, 1);
	ck_assert_uint_eq(t->options.n, 0);
	conf_free(c);
}
END_TEST

START_TEST(plugins_go_with_any_type)
{
	struct conf *c = case_right(TU(LINE ",\"plugins\":\"/dev/null\""));

	ck_assert_int_eq(c->transports[0].type, CONF_SERIAL);
	ck_assert_uint_eq(c->transports[0].plugins.n, 1);
	conf_free(c);
}
END_TEST

START_TEST(a_framer_that_is_not_ours_is_a_plugins)
{
	struct conf *c =
	    case_right(T(TCP ",\"plugins\":\"/dev/null\",\"framer\":\"mine\""));

	ck_assert_str_eq(c->transports[0].framer, "mine");
	ck_assert_int_eq(c->transports[0].units[255], 0);
	conf_free(c);
}
END_TEST

START_TEST(an_action_is_kept_with_its_parameters)
{
	struct conf *c = case_right("{\"devices\":{\"d\":{"
				    "\"input_registers\":[{\"addr\":0,"
				    "\"action\":{\"minval\":-1,\"name\":"
				    "\"count\",\"how\":\"x\"}}],\"coils\":"
				    "[{\"addr\":0,\"action\":\"flip\"}]}},"
				    "\"actions\":{\"module\":\"m\"},"
				    "\"transports\":{\"t\":{" TCP "}}}");
	const struct conf_range *r = c->devices[0].ranges;

	ck_assert_uint_eq(c->devices[0].nranges, 2);
	ck_assert_str_eq(r[0].action, "flip");
	ck_assert_uint_eq(r[0].parameters.n, 0);
	ck_assert_str_eq(r[1].action, "count");
	ck_assert_uint_eq(r[1].parameters.n, 2);
	ck_assert_str_eq(r[1].parameters.at[0].name, "minval");
	ck_assert_str_eq(r[1].parameters.at[0].value, "-1");
	ck_assert(r[1].parameters.at[0].bare);
	ck_assert_str_eq(r[1].parameters.at[1].value, "x");
	ck_assert(!r[1].parameters.at[1].bare);
	conf_free(c);
}
END_TEST

/* ---- what was said ---- */

START_TEST(everything_that_tls_can_be_told_is_kept)
{
	struct conf *c = case_right(
	    T(TLS_BARE ",\"cert\":[\"/dev/null\",\"/dev/zero\"],"
		       "\"key\":[\"/dev/zero\",\"/dev/null\"],"
		       "\"password\":\"se\\\"cret\",\"ca\":\"/dev/null\","
		       "\"crl\":\"/dev/zero\",\"ocsp\":[\"/dev/null\"],"
		       "\"client_cert\":\"request\",\"ciphers\":\"NORMAL\""));
	const struct conf_tls *tls = &c->transports[0].tls;

	ck_assert_uint_eq(tls->cert.n, 2);
	ck_assert_str_eq(tls->cert.at[1], "/dev/zero");
	ck_assert_uint_eq(tls->key.n, 2);
	ck_assert_str_eq(tls->key.at[0], "/dev/zero");
	ck_assert_str_eq(tls->password, "se\"cret");
	ck_assert_str_eq(tls->crl, "/dev/zero");
	ck_assert_uint_eq(tls->ocsp.n, 1);
	ck_assert_int_eq(tls->client_cert, CONF_CERT_REQUEST);
	ck_assert_str_eq(tls->ciphers, "NORMAL");
	conf_free(c);
}
END_TEST

START_TEST(everything_that_a_line_can_be_told_is_kept)
{
	struct conf *c = case_right(
	    TU(LINE ",\"baudrate\":12345,\"parity\":\"O\",\"stopbits\":2,"
		    "\"rs485\":{\"mode\":\"rts\",\"rts_on_send\":\"low\","
		    "\"delay_before_us\":100,\"delay_after_us\":200,"
		    "\"rx_during_tx\":true},\"local_echo\":true,"
		    "\"t15\":\"strict\",\"turnaround_ms\":7,"
		    "\"missing_unit\":\"exception\",\"broadcast\":true"));
	const struct conf_transport *t = &c->transports[0];
	const struct conf_serial *s = &t->serial;

	ck_assert(!t->silent_units && t->broadcast);
	ck_assert_uint_eq(s->baudrate, 12345);
	ck_assert_int_eq(s->parity, CONF_PARITY_ODD);
	ck_assert_uint_eq(s->stopbits, 2);
	ck_assert_int_eq(s->rs485.mode, CONF_RS485_RTS);
	ck_assert(s->rs485.rts_low && s->rs485.rx_during_tx);
	ck_assert_uint_eq(s->rs485.before_us, 100);
	ck_assert_uint_eq(s->rs485.after_us, 200);
	ck_assert(s->local_echo);
	ck_assert_int_eq(s->t15, CONF_T15_STRICT);
	ck_assert_uint_eq(s->turnaround_ms, 7);
	conf_free(c);

	c = case_right(TU(LINE ",\"framer\":\"ascii\",\"bytesize\":7,"
			       "\"ascii_timeout_ms\":5000"));
	ck_assert_uint_eq(c->transports[0].serial.bytesize, 7);
	ck_assert_uint_eq(c->transports[0].serial.ascii_timeout_ms, 5000);
	conf_free(c);
}
END_TEST

START_TEST(plugins_are_told_text_whatever_was_written)
{
	struct conf *c = case_right(T(
	    PLUGIN ",\"listen\":\"@abstract name\",\"options\":{\"a\":\"x y\","
		   "\"b\":-7,\"c\":0.25,\"d\":true,"
		   "\"e\":18446744073709551615}"));
	const struct conf_transport *t = &c->transports[0];
	static const char *const want[][2] = { { "a", "x y" }, { "b", "-7" },
		{ "c", "0.25" }, { "d", "true" },
		{ "e", "18446744073709551615" } };

	ck_assert_str_eq(t->listen, "@abstract name");
	ck_assert_uint_eq(t->options.n, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(t->options.at[i].name, want[i][0]);
		ck_assert_str_eq(t->options.at[i].value, want[i][1]);
	}
	conf_free(c);
}
END_TEST

START_TEST(every_other_unit_of_a_line_is_not_unit_0)
{
	struct conf *c = case_right(T(LINE ",\"units\":{\"*\":\"d\"}"));

	ck_assert_int_eq(c->transports[0].units[0], CONF_NO_DEVICE);
	ck_assert_int_eq(c->transports[0].units[1], 0);
	ck_assert_int_eq(c->transports[0].units[255], 0);
	conf_free(c);
	c = case_right(T(LINE ",\"units\":{\"*\":\"d\",\"0\":\"d\"}"));
	ck_assert_int_eq(c->transports[0].units[0], 0);
	conf_free(c);
}
END_TEST

START_TEST(types_may_share_an_address_where_the_kernel_lets_them)
{
	struct conf *c = case_right(IN_TRANSPORTS(
	    "\"a\":{\"type\":\"tcp\",\"listen\":\"127.0.0.1:502\"},"
	    "\"b\":{\"type\":\"udp\",\"listen\":\"127.0.0.1:502\"},"
	    "\"c\":{" LINE UNITS "},"
	    "\"d\":{\"type\":\"serial\",\"port\":\"/dev/nobody\"" UNITS "},"
	    "\"e\":{\"type\":\"serial\",\"port\":\"/dev/zero\"" UNITS "}"));

	ck_assert_uint_eq(c->ntransports, 5);
	conf_free(c);
}
END_TEST

/* ---- mistakes ---- */

static const struct {
	const char *text, *told;
} bad[] = {
	/* other stations of a line */
	{ T(LINE),
	    "2:5: \"units\" is missing in transport \"t\": a line may have "
	    "other stations, so say which addresses are ours, such as "
	    "{\"1\": \"d\"}" },
	/* keys of another type */
	{ T(TCP ",\"baudrate\":9600"),
	    "2:45: \"baudrate\" does not apply to transport \"t\", which is "
	    "tcp: it is for serial" },
	{ T(TCP ",\"ca\":\"/dev/null\""),
	    "2:45: \"ca\" does not apply to transport \"t\", which is tcp: it "
	    "is for tls" },
	{ T(TCP ",\"port\":502"),
	    "2:45: \"port\" does not apply to transport \"t\", which is tcp: "
	    "it is for serial; did you mean \"listen\"?" },
	{ TU(LINE ",\"listen\":\"127.0.0.1:502\""),
	    "2:41: \"listen\" does not apply to transport \"t\", which is "
	    "serial: it is for tcp, tls, udp or a plugin's; did you mean "
	    "\"port\"?" },
	{ TU(LINE ",\"workers\":2"),
	    "2:41: \"workers\" does not apply to transport \"t\", which is "
	    "serial: it is for tcp, tls, udp or serial on a "
	    "socket" },
	{ T("\"type\":\"serial\",\"port\":\"socket://127.0.0.1:0\","
	    "\"baudrate\":9600"),
	    "2:52: \"baudrate\" does not apply to transport \"t\", which is "
	    "serial on a socket: it is for serial" },
	{ T(UDP ",\"parity\":\"N\""),
	    "2:42: \"parity\" does not apply to transport \"t\", which is udp: "
	    "it is for serial" },
	{ T(PLUGIN ",\"cert\":\"/dev/null\""),
	    "2:44: \"cert\" does not apply to transport \"t\", which is a "
	    "plugin's: it is for tls" },
	/* what each type needs */
	{ T("\"type\":\"udp\""),
	    "2:5: \"listen\" is missing in transport \"t\"" },
	{ T("\"type\":\"tls\""),
	    "2:5: \"cert\" is missing in transport \"t\"\n"
	    "2:5: \"key\" is missing in transport \"t\"\n"
	    "2:5: \"listen\" is missing in transport \"t\"\n"
	    "2:5: \"ca\" is missing in transport \"t\": it signs the "
	    "certificates of clients, which are required unless "
	    "\"client_cert\" is \"none\"" },
	{ TU("\"type\":\"serial\""),
	    "2:5: \"port\" is missing in transport \"t\"" },
	/* types that are none */
	{ T("\"type\":\"seral\",\"port\":\"/dev/null\",\"baudrate\":300"),
	    "2:13: \"type\" must be \"tcp\", \"tls\", \"udp\", \"serial\" or "
	    "\"shm\", "
	    "or what one of \"plugins\" serves, not \"seral\"; did you mean "
	    "\"serial\"?" },
	{ T("\"type\":\"rtu\",\"port\":\"/dev/null\",\"baudrate\":300"),
	    "2:13: \"type\" must be \"tcp\", \"tls\", \"udp\", \"serial\" or "
	    "\"shm\", "
	    "or what one of \"plugins\" serves, not \"rtu\"; did you mean "
	    "\"serial\" with \"framer\": \"rtu\"?" },
	{ T("\"type\":\"ascii\""),
	    "2:5: \"port\" is missing in transport \"t\"\n"
	    "2:13: \"type\" must be \"tcp\", \"tls\", \"udp\", \"serial\" or "
	    "\"shm\", "
	    "or what one of \"plugins\" serves, not \"ascii\"; did you mean "
	    "\"serial\" with \"framer\": \"ascii\"?" },
	{ T("\"type\":\"unix\",\"plugins\":[],\"listen\":\"127.0.0.1:0\""),
	    "2:13: \"type\" must be \"tcp\", \"tls\", \"udp\", \"serial\" or "
	    "\"shm\", "
	    "or what one of \"plugins\" serves, not \"unix\"" },
	{ T("\"port\":\"/dev/null\",\"parity\":\"N\""),
	    "2:5: \"type\" is missing in transport \"t\"" },
	{ T(PAIR ",\"ca\":\"/dev/null\"," LOCAL),
	    "2:5: \"type\" is missing in transport \"t\"" },
	{ T("\"type\":7," LOCAL),
	    "2:13: \"type\" must be a string, not a whole number" },
	{ T("\"type\":\"u x\",\"plugins\":\"/dev/null\""),
	    "2:13: \"u x\" is no name for a type: letters, digits, \"_\" and "
	    "\"-\", at most 40" },
	/* plugins */
	{ T(TCP ",\"plugins\":[\"/no/plugin.so\",\"/dev\",7]"),
	    "2:56: \"plugins\": /no/plugin.so: No such file or directory\n"
	    "2:72: \"plugins\": /dev: Is a directory\n"
	    "2:79: this value must be a path, not a whole number" },
	{ T(TCP ",\"options\":{\"a\":1}"),
	    "2:45: \"options\" are for \"plugins\", and there are none" },
	{ T(PLUGIN ",\"workers\":2"),
	    "2:44: \"workers\" does not apply to transport \"t\", which is a "
	    "plugin's: it is for tcp, tls, udp or serial on a socket" },
	{ T(PLUGIN ",\"options\":{\"a\":null,\"b\":[]}"),
	    "2:59: \"a\" must be a string, a number, true or false, not null\n"
	    "2:68: \"b\" must be a string, a number, true or false, not a "
	    "list" },
	{ T(PLUGIN ",\"options\":[]"),
	    "2:54: \"options\" must be an object of strings and numbers, not "
	    "a list" },
	{ T(PLUGIN ",\"listen\":\"a\\nb\""),
	    "2:53: \"listen\" holds a control character" },
	/* certificates */
	{ T(TLS_BARE ",\"cert\":[\"/dev/null\",\"/dev/zero\"],\"key\":"
		     "\"/dev/null\",\"ca\":\"/dev/null\""),
	    "2:81: there are 2 certificates and 1 keys; each needs its own" },
	{ T(TLS_BARE ",\"cert\":[],\"key\":7,\"ca\":\"/dev/null\""),
	    "2:49: \"cert\" lists no path\n"
	    "2:58: \"key\" must be a path, or a list of paths, not a whole "
	    "number" },
	{ T(TLS_BARE ",\"cert\":\"/no/cert\",\"key\":\"/dev\","
		     "\"ca\":\"/dev\",\"crl\":\"/no/crl\""),
	    "2:49: \"cert\": /no/cert: No such file or directory\n"
	    "2:66: \"key\": /dev: Is a directory\n"
	    "2:78: \"ca\": /dev: Is a directory\n"
	    "2:91: \"crl\": /no/crl: No such file or directory" },
	{ T(TLS ",\"ocsp\":[\"/dev/null\",\"/dev/null\"]"),
	    "2:103: there are 2 OCSP answers for 1 certificates" },
	{ T(TLS ",\"password\":\"x\",\"password_file\":\"/dev/null\""),
	    "2:111: \"password\" and \"password_file\" exclude each other" },
	{ T(TLS ",\"password_file\":\"/no/password\""),
	    "2:112: \"password_file\": /no/password: No such file or "
	    "directory" },
	{ T(TLS_BARE "," PAIR),
	    "2:5: \"ca\" is missing in transport \"t\": it signs the "
	    "certificates of clients, which are required unless "
	    "\"client_cert\" is \"none\"" },
	{ T(TLS_BARE "," PAIR ",\"client_cert\":\"request\""),
	    "2:93: \"ca\" is missing in transport \"t\": it signs the "
	    "certificates of clients" },
	{ T(TLS_BARE "," PAIR
		     ",\"client_cert\":\"none\",\"crl\":\"/dev/null\""),
	    "2:100: \"crl\" needs \"ca\", whose revocations it lists" },
	{ T(TLS ",\"client_cert\":\"required\""),
	    "2:110: unknown client_cert \"required\": it must be \"require\", "
	    "\"request\" or \"none\"; did you mean \"require\"?" },
	/* the port */
	{ TU("\"type\":\"serial\",\"port\":502"),
	    "2:29: \"port\" must be a path, or \"socket://HOST:PORT\", not a "
	    "whole number" },
	{ T("\"type\":\"serial\",\"port\":\"socket://127.0.0.1\""),
	    "2:29: \"127.0.0.1\" is no address to listen on: it must be "
	    "\"HOST:PORT\" or \"[IPV6]:PORT\"" },
	{ TU("\"type\":\"serial\",\"port\":\"rfc2217://10.0.0.1:4000\""),
	    "2:29: \"port\" must be the path of a serial device or "
	    "\"socket://HOST:PORT\", not \"rfc2217://10.0.0.1:4000\"" },
	{ TU("\"type\":\"serial\",\"port\":\"/dev\""),
	    "2:29: \"port\": /dev is no serial device" },
	{ TU("\"type\":\"serial\",\"port\":\"\""),
	    "2:29: \"port\" is empty; a serial device is a path such as "
	    "\"/dev/ttyUSB0\"" },
	{ IN_TRANSPORTS("\"a\":{" LINE UNITS "},\n"
			"\"b\":{\"type\":\"serial\",\"port\":"
			"\"/dev/../dev/null\"" UNITS "}"),
	    "3:29: /dev/../dev/null is taken by transport \"a\" (/dev/null) "
	    "at 2:1" },
	{ IN_TRANSPORTS("\"a\":{\"type\":\"tcp\",\"listen\":"
			"\"127.0.0.1:502\"},\n\"b\":{\"type\":\"serial\","
			"\"port\":\"socket://0.0.0.0:502\"}"),
	    "3:29: 0.0.0.0:502 is taken by transport \"a\" (127.0.0.1:502) at "
	    "2:1" },
	{ IN_TRANSPORTS("\"a\":{\"type\":\"udp\",\"listen\":"
			"\"127.0.0.1:502\"},\n\"b\":{\"type\":\"udp\","
			"\"listen\":\"127.0.0.1:502\"}"),
	    "3:28: 127.0.0.1:502 is taken by transport \"a\" (127.0.0.1:502) "
	    "at 2:1" },
	/* the line */
	{ TU(LINE ",\"bytesize\":7"),
	    "2:52: framer \"rtu\" needs 8 bits a character, not 7" },
	{ TU(LINE ",\"bytesize\":6,\"framer\":\"ascii\""),
	    "2:52: framer \"ascii\" needs 7 or 8 bits a character, not 6" },
	{ TU(LINE ",\"bytesize\":9"),
	    "2:52: \"bytesize\" is 9; it must be from 5 to 8" },
	{ TU(LINE ",\"stopbits\":0"),
	    "2:52: \"stopbits\" is 0; it must be from 1 to 2" },
	{ TU(LINE ",\"stopbits\":1.5"),
	    "2:52: \"stopbits\" must be a whole number from 1 to 2, not a "
	    "number" },
	{ TU(LINE ",\"baudrate\":49"),
	    "2:52: \"baudrate\" is 49; it must be from 50 to 12000000" },
	{ TU(LINE ",\"parity\":\"even\""),
	    "2:50: unknown parity \"even\": it must be \"N\", \"E\", \"O\", "
	    "\"M\" or \"S\"" },
	{ TU(LINE ",\"t15\":\"count\",\"framer\":\"ascii\""),
	    "2:41: \"t15\" is for framer \"rtu\", and this one is \"ascii\"" },
	{ TU(LINE ",\"ascii_timeout_ms\":1000"),
	    "2:41: \"ascii_timeout_ms\" is for framer \"ascii\", and this one "
	    "is \"rtu\"" },
	{ TU(LINE ",\"rs485\":{\"delay_before_us\":1}"),
	    "2:49: \"mode\" is missing in \"rs485\"" },
	{ TU(LINE ",\"rs485\":{\"mode\":\"rtscts\"}"),
	    "2:57: unknown mode \"rtscts\": it must be \"off\", \"auto\", "
	    "\"ioctl\" or \"rts\"; did you mean \"rts\"?" },
	{ TU(LINE ",\"rs485\":\"auto\""),
	    "2:49: \"rs485\" must be an object, not a string" },
	{ TU(LINE ",\"mode\":\"rts\""),
	    "2:41: \"mode\" does not apply to transport \"t\", which is "
	    "serial: it is for shm; did you mean \"rs485\"?" },
	{ TU(LINE ",\"rs485\":{\"mode\":\"ioctl\"},\"local_echo\":true"),
	    "2:79: what is sent cannot come back as \"local_echo\" says while "
	    "\"rx_during_tx\" of \"rs485\" is false" },
	{ TU(LINE ",\"turnaround_ms\":10001"),
	    "2:57: \"turnaround_ms\" is 10001; it must be from 0 to 10000" },
	{ T(LINE ",\"broadcast\":true,\"units\":{\"0\":\"d\"}"),
	    "2:67: unit 0 is for broadcasts here, as \"broadcast\" says; it "
	    "cannot be one device's" },
	{ T(TCP ",\"max_transactions\":65536"),
	    "2:64: \"max_transactions\" is 65536; it must be from 0 to "
	    "65535" },
};

START_TEST(what_a_type_does_not_have_or_need_is_told)
{
	struct conf *conf = case_load(bad[_i].text);

	ck_assert_ptr_null(conf);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(case_told, bad[_i].told);
}
END_TEST

/* ---- the dump ---- */

static const char *const rounds[] = {
	T(UDP ",\"max_transactions\":16,\"framer\":\"rtu\""),
	T(TCP ",\"plugins\":\"/dev/null\",\"framer\":\"mine\""),
	"{\"actions\":{\"module\":\"m\"},\"devices\":{\"d\":{\"holding_registers\":[{\"addr\":0,\"action\":"
	"{\"name\":\"a\",\"x\":1,\"y\":\"z\"}},{\"addr\":1,\"action\":"
	"\"b\"}]}},\"transports\":{\"t\":{" TCP "}}}",
	T(TLS),
	T(TLS_BARE ",\"cert\":[\"/dev/null\",\"/dev/zero\"],\"key\":"
		   "[\"/dev/null\",\"/dev/zero\"],\"password\":\"topsecret\","
		   "\"ca\":\"/dev/null\",\"crl\":\"/dev/null\",\"ocsp\":"
		   "[\"/dev/zero\"],\"client_cert\":\"request\","
		   "\"ciphers\":\"NORMAL:-VERS-ALL\""),
	T(TLS ",\"password_file\":\"/dev/null\""),
	T(TLS_BARE "," PAIR ",\"client_cert\":\"none\""),
	TU(LINE),
	TU(LINE ",\"baudrate\":250000,\"parity\":\"N\",\"rs485\":{\"mode\":"
		"\"auto\",\"rts_on_send\":\"low\",\"delay_before_us\":1,"
		"\"delay_after_us\":2,\"rx_during_tx\":true},\"local_echo\":"
		"true,\"t15\":\"count\",\"turnaround_ms\":3"),
	TU(LINE ",\"framer\":\"ascii\",\"bytesize\":7,\"ascii_timeout_ms\":60"),
	T(LINE ",\"framer\":\"socket\",\"units\":{\"1\":\"d\"},"
	       "\"broadcast\":true"),
	TU(LINE ",\"broadcast\":true"),
	TU(LINE ",\"rs485\":{\"mode\":\"ioctl\",\"rx_during_tx\":true},"
		"\"local_echo\":true"),
	T(TCP ",\"broadcast\":true,\"units\":{\"1\":\"d\"}"),
	T("\"type\":\"serial\",\"port\":\"socket://[::1]:0\","
	  "\"max_connections\":3,\"framer\":\"ascii\""),
	T(PLUGIN),
	T(PLUGIN ",\"listen\":\"/run/x y\",\"options\":{\"a\":\"\\\"\","
		 "\"b\":-0.5,\"c\":false}"),
	T(TCP ",\"plugins\":\"/dev/null\",\"options\":{\"level\":3}"),
};

START_TEST(the_dump_of_any_type_loads_and_dumps_alike)
{
	struct conf *c = case_right(rounds[_i]), *again;
	char *shown = case_dump(c, conf_dump),
	     *all = case_dump(c, conf_dump_secret);
	char *twice;

	ck_assert_ptr_null(strstr(shown, "topsecret"));
	again = case_right(shown);
	twice = case_dump(again, conf_dump);
	ck_assert_str_eq(shown, twice);
	ck_assert_str_eq(
	    conf_where(&again->transports[0]), conf_where(&c->transports[0]));
	free(twice);
	conf_free(again);

	again = case_right(all);
	twice = case_dump(again, conf_dump_secret);
	ck_assert_str_eq(all, twice);
	free(twice);
	conf_free(again);
	free(shown);
	free(all);
	conf_free(c);
}
END_TEST

/* "*" is for unit 0, too, but that must not be spelt out: it is an error. */
START_TEST(the_dump_gives_no_device_to_broadcasts)
{
	char text[8000], *at = text;
	struct conf *c, *again;
	char *shown;

	at += sprintf(at,
	    "{\"devices\":{\"a\":{},\"b\":{}},\"transports\":{"
	    "\"t\":{" TCP ",\"broadcast\":true,\"units\":{");
	for (int unit = 1; unit < 200; unit++)
		at += sprintf(at, "\"%d\":\"b\",", unit);
	sprintf(at, "\"*\":\"a\"}}}}");
	c = case_right(text);
	shown = case_dump(c, conf_dump);
	again = case_right(shown);
	ck_assert_mem_eq(&again->transports[0].units[1],
	    &c->transports[0].units[1],
	    (CONF_UNITS - 1) * sizeof(c->transports[0].units[0]));
	free(shown);
	conf_free(c);
	conf_free(again);
}
END_TEST

START_TEST(only_the_comparing_dump_has_the_password)
{
	struct conf *c = case_right(T(TLS ",\"password\":\"topsecret\""));
	char *shown = case_dump(c, conf_dump),
	     *all = case_dump(c, conf_dump_secret);

	ck_assert_ptr_null(strstr(shown, "topsecret"));
	ck_assert_ptr_null(strstr(shown, "password"));
	ck_assert_ptr_nonnull(strstr(all, "\"password\": \"topsecret\""));
	free(shown);
	free(all);
	conf_free(c);
}
END_TEST

/* ---- paths ---- */

static void
check_path(const char *is, const char *name)
{
	char want[128];

	snprintf(want, sizeof(want), "%s/more/%s", case_dir, name);
	ck_assert_str_eq(is, want);
}

START_TEST(paths_are_relative_to_the_file_that_names_them)
{
	char port[128];
	struct conf *c;

	case_put("main.json",
	    "{\"include\":[\"more/t.json\"],\"devices\":{\"d\":{}}}");
	case_put("more/t.json",
	    "{\"transports\":{\"t\":{" TLS_BARE ",\"cert\":\"s.pem\","
	    "\"key\":[\"s.key\"],\"ca\":\"s.pem\",\"crl\":\"s.pem\","
	    "\"ocsp\":\"s.pem\",\"password_file\":\"s.key\","
	    "\"plugins\":[\"x.so\"]},"
	    "\"l\":{\"type\":\"serial\",\"port\":\"tty\"" UNITS "}}}");
	case_put("more/s.pem", "");
	case_put("more/s.key", "");
	case_put("more/x.so", "");
	snprintf(port, sizeof(port), "%s/more/tty", case_dir);
	ck_assert_int_eq(symlink("/dev/null", port), 0);
	c = case_load_main();
	ck_assert_msg(c != NULL, "%s", case_told);
	check_path(c->transports[0].tls.cert.at[0], "s.pem");
	check_path(c->transports[0].tls.key.at[0], "s.key");
	check_path(c->transports[0].tls.ca, "s.pem");
	check_path(c->transports[0].tls.crl, "s.pem");
	check_path(c->transports[0].tls.ocsp.at[0], "s.pem");
	check_path(c->transports[0].tls.password_file, "s.key");
	check_path(c->transports[0].plugins.at[0], "x.so");
	check_path(c->transports[1].serial.port, "tty");
	*strrchr(port, '/') = '\0';
	ck_assert_str_eq(c->transports[0].folder, port);
	conf_free(c);
}
END_TEST

/* The port's file is told of with this, behind its path. */
static void
expect_port(const char *place, const char *path, const char *rest)
{
	char want[400];

	snprintf(want, sizeof(want), "%s/main.json:%s: %s%s%s", case_dir, place,
	    path[0] == '/' ? "" : "\"port\": ", path, rest);
	ck_assert_ptr_null(case_load_main());
	ck_assert_str_eq(case_told, want);
}

START_TEST(two_names_of_one_port_are_one_port)
{
	char link[128], rest[200];

	snprintf(link, sizeof(link), "%s/by-id", case_dir);
	ck_assert_int_eq(symlink("/dev/null", link), 0);
	case_put("main.json",
	    "{\"devices\":{\"d\":{}},\"transports\":{\n\"a\":{" LINE UNITS
	    "},\n"
	    "\"b\":{\"type\":\"serial\",\"port\":\"by-id\"" UNITS "}}}");
	snprintf(rest, sizeof(rest),
	    " is taken by transport \"a\" (/dev/null) at 2:1");
	expect_port("3:29", link, rest);
}
END_TEST

START_TEST(a_relative_port_that_is_not_there_is_told)
{
	char rest[300];

	case_put("main.json",
	    "{\"devices\":{\"d\":{}},\"transports\":{\n"
	    "\"b\":{\"type\":\"serial\",\"port\":\"COM3\"" UNITS "}}}");
	snprintf(rest, sizeof(rest),
	    "there is no %s/COM3; a serial device is a path such as "
	    "\"/dev/ttyUSB0\"",
	    case_dir);
	expect_port("2:29", rest, "");
}
END_TEST

#define ADD(tc, title, table) \
	tcase_add_loop_test(tc, title, 0, sizeof(table) / sizeof(table[0]))

int
main(void)
{
	Suite *s = suite_create("conf_types");
	TCase *tc = tcase_create("types"), *files = tcase_create("files");

	tcase_add_test(tc, udp_has_the_defaults_of_tcp);
	tcase_add_test(
	    tc, tls_wants_certificates_of_its_clients_and_has_no_roles);
	tcase_add_test(tc, a_line_is_as_the_standard_has_it);
	ADD(tc, a_stop_bit_takes_the_place_of_parity_that_is_not_there, stops);
	tcase_add_test(
	    tc, a_socket_as_port_listens_and_takes_the_keys_of_listeners);
	tcase_add_test(tc, a_type_that_is_not_ours_is_a_plugins);
	tcase_add_test(tc, plugins_go_with_any_type);
	tcase_add_test(tc, a_framer_that_is_not_ours_is_a_plugins);
	tcase_add_test(tc, an_action_is_kept_with_its_parameters);
	tcase_add_test(tc, everything_that_tls_can_be_told_is_kept);
	tcase_add_test(tc, everything_that_a_line_can_be_told_is_kept);
	tcase_add_test(tc, plugins_are_told_text_whatever_was_written);
	tcase_add_test(tc, every_other_unit_of_a_line_is_not_unit_0);
	tcase_add_test(
	    tc, types_may_share_an_address_where_the_kernel_lets_them);
	ADD(tc, what_a_type_does_not_have_or_need_is_told, bad);
	ADD(tc, the_dump_of_any_type_loads_and_dumps_alike, rounds);
	tcase_add_test(tc, the_dump_gives_no_device_to_broadcasts);
	tcase_add_test(tc, only_the_comparing_dump_has_the_password);
	suite_add_tcase(s, tc);
	case_in_dir(files);
	tcase_add_test(files, paths_are_relative_to_the_file_that_names_them);
	tcase_add_test(files, two_names_of_one_port_are_one_port);
	tcase_add_test(files, a_relative_port_that_is_not_there_is_told);
	suite_add_tcase(s, files);
	return suite_run(s);
}
