/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that go with the certificates. Runs in `holdfast certs demo`. The port
 * is the same in all of them.
 */
#include "control/cli/certs/certs_text.h"

#include <stdio.h>
#include <stdlib.h>

const char certs_text_readme[] =
    "A DEMONSTRATION of Modbus over TLS, NOT FOR PRODUCTION\n"
    "\n"
    "Made by `holdfast certs demo`. The key of the authority lies beside what "
    "it\n"
    "signed, without a password, and everything says whose it is: nothing here "
    "may\n"
    "protect a plant. Use your own authority for that.\n"
    "\n"
    "  ca.pem ca.key        the authority\n"
    "  server.pem .key      the server, for localhost and this host's name\n"
    "  operator.pem .key    a client with the role \"operator\": may do all\n"
    "  viewer.pem .key      a client with the role \"viewer\": may read\n"
    "  norole.pem .key      a client without a role: may connect, no more\n"
    "  crl.pem              who is revoked: nobody yet\n"
    "  roles.json           what the roles may do; yours to change\n"
    "  holdfast.json        a configuration that serves with all of these\n"
    "  try.py               a small client\n"
    "\n"
    "Serve, in this directory:\n"
    "\n"
    "    holdfastd -c holdfast.json --run-dir run\n"
    "\n"
    "Then, in another terminal and in this directory. See the handshake:\n"
    "\n"
    "    gnutls-cli --x509cafile ca.pem --x509certfile viewer.pem "
    "--x509keyfile viewer.key -p 8802 localhost </dev/null\n"
    "\n"
    "Read two registers by hand; the answer is what plain Modbus/TCP has:\n"
    "\n"
    "    (printf '\\0\\1\\0\\0\\0\\6\\1\\3\\0\\0\\0\\2'; sleep 1) | openssl "
    "s_client -quiet -no_ign_eof -verify_return_error -CAfile ca.pem -cert viewer.pem -key "
    "viewer.key -connect localhost:8802 | od -An -tx1\n"
    "\n"
    "Write as who may, as who may not (exception 01), and without a role:\n"
    "\n"
    "    python3 try.py operator write 0 42\n"
    "    python3 try.py viewer read 0 2\n"
    "    python3 try.py viewer write 0 43\n"
    "    python3 try.py norole read 0 2\n"
    "\n"
    "Then revoke the operator, have the list read again, and try once more:\n"
    "\n"
    "    holdfast certs revoke . operator\n"
    "    holdfast -s ipc://run/control.sock reload\n"
    "    python3 try.py operator read 0 2\n"
    "\n"
    "`holdfast certs show FILE` tells what is in a certificate, its role "
    "above\n"
    "all. holdfast.json(5) has every key of the transport.\n";

const char certs_text_conf[] =
    "// Serves Modbus over TLS with the certificates beside this file.\n"
    "// Made by `holdfast certs demo` for trying it out: NOT FOR PRODUCTION.\n"
    "{\n"
    "  \"store\": { \"name\": \"certs-demo\" },\n"
    "  \"devices\": {\n"
    "    \"plc1\": {\n"
    "      \"coils\": [ { \"addr\": 0, \"count\": 16 } ],\n"
    "      \"discrete_inputs\": [ { \"addr\": 0, \"values\": [1, 0, 1, 1] } "
    "],\n"
    "      \"holding_registers\": [ { \"addr\": 0, \"count\": 100 } ],\n"
    "      \"input_registers\": [ { \"addr\": 0, \"values\": [404, 17] } ],\n"
    "    },\n"
    "  },\n"
    "  \"transports\": {\n"
    "    \"tls1\": {\n"
    "      \"type\": \"tls\",\n"
    "      // 802 is the usual port, and needs privilege\n"
    "      \"listen\": \"127.0.0.1:8802\",\n"
    "      \"cert\": \"server.pem\",\n"
    "      \"key\": \"server.key\",\n"
    "      // whose clients may connect, and which of them no longer\n"
    "      \"ca\": \"ca.pem\",\n"
    "      \"crl\": \"crl.pem\",\n"
    "      // no certificate, no connection; this is the default\n"
    "      \"client_cert\": \"require\",\n"
    "      // what the roles in their certificates allow\n"
    "      \"roles\": \"roles.json\",\n"
    "      \"units\": { \"*\": \"plc1\" },\n"
    "    },\n"
    "  },\n"
    "}\n";

const char certs_text_try[] =
    "#!/usr/bin/env python3\n"
    "\"\"\"try.py WHO read ADDR COUNT | write ADDR VALUE: holding registers "
    "over TLS\"\"\"\n"
    "import os\n"
    "import socket\n"
    "import ssl\n"
    "import struct\n"
    "import sys\n"
    "\n"
    "if len(sys.argv) != 5 or sys.argv[2] not in (\"read\", \"write\"):\n"
    "    sys.exit(__doc__)\n"
    "who, what, addr, number = sys.argv[1:]\n"
    "os.chdir(os.path.dirname(os.path.abspath(__file__)))\n"
    "port = int(os.environ.get(\"PORT\", \"8802\"))\n"
    "context = ssl.create_default_context(cafile=\"ca.pem\")\n"
    "context.load_cert_chain(who + \".pem\", who + \".key\")\n"
    "try:\n"
    "    with context.wrap_socket(\n"
    "            socket.create_connection((\"localhost\", port), 5),\n"
    "            server_hostname=\"localhost\") as s:\n"
    "        # transaction 1, protocol 0, length 6, unit 1; then the request\n"
    "        fc = 3 if what == \"read\" else 6\n"
    "        s.sendall(struct.pack(\n"
    "            \">HHHBBHH\", 1, 0, 6, 1, fc, int(addr), int(number)))\n"
    "        reply = s.recv(260)\n"
    "except OSError as why:\n"
    "    sys.exit(\"no connection: %s\" % why)\n"
    "if not reply:\n"
    "    sys.exit(\"the server has closed the connection\")\n"
    "if reply[7] & 0x80:\n"
    "    sys.exit(\"exception %02X\" % reply[8])\n"
    "if what == \"read\":\n"
    "    print(*struct.unpack(\">%dH\" % (reply[8] // 2), reply[9:]))\n"
    "else:\n"
    "    print(\"written\")\n";

char *
certs_text_roles(const char *const *role, size_t n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	fputs("// Which role may do what; holdfast.json(5). A role that is not "
	      "listed may do\n"
	      "// nothing. Changes count after a reload.\n"
	      "{\n"
	      "  // everything\n"
	      "  \"operator\": [ {} ],\n"
	      "  // read registers and bits, and the identity\n"
	      "  \"viewer\": [ { \"fc\": [1, 2, 3, 4, 43] } ],\n"
	      "  // who has no role may do nothing\n"
	      "  \"\": [],\n",
	    out);
	for (size_t i = 0; i < n; i++)
		fprintf(out,
		    "  // one of your own: may read registers, until you say "
		    "more\n"
		    "  \"%s\": [ { \"fc\": [3, 4] } ],\n",
		    role[i]);
	fputs("}\n", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
