/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serial transports of the configuration. Looks at what a port is and opens
 * none. Runs before the first fork.
 */
#include "supervisor/conf/conf_serial.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_net.h"
#include "supervisor/mem.h"

static const char socket_prefix[] = "socket://";

enum { SKIP = sizeof(socket_prefix) - 1, PORT_TEXT = 4096 };

/* ---- the port ---- */

bool
conf_serial_socket(
    const struct jsonc_node *node, const struct conf_transport *t)
{
	const struct jsonc_node *port = jsonc_get(node, "port");

	return t->type == CONF_SERIAL && port != NULL &&
	    port->type == JSONC_STRING &&
	    strncmp(port->text, socket_prefix, SKIP) == 0;
}

/* An adapter may be plugged in later, so an absolute path need not exist; but
 * a relative one that does not is a name such as "COM3". */
static void
check_device(
    struct conf_ctx *ctx, const struct jsonc_node *node, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		if (!S_ISCHR(st.st_mode))
			conf_fault(ctx, node,
			    "\"port\": %.200s is no serial device", path);
	} else if (strstr(node->text, "://") != NULL) {
		conf_fault(ctx, node,
		    "\"port\" must be the path of a serial device or "
		    "\"socket://HOST:PORT\", not \"%.100s\"",
		    node->text);
	} else if (node->text[0] != '/') {
		conf_fault(ctx, node,
		    "\"port\": there is no %.200s; a serial device is a path "
		    "such as \"/dev/ttyUSB0\"",
		    path);
	}
}

void
conf_port_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	if (strncmp(node->text, socket_prefix, SKIP) == 0) {
		t->listen = conf_listen_text(ctx, node, node->text + SKIP);
		return;
	}
	if (!conf_text_ok(ctx, node, key->name, PORT_TEXT))
		return;
	if (node->text[0] == '\0') {
		conf_fault(ctx, node,
		    "\"port\" is empty; a serial device is a path such as "
		    "\"/dev/ttyUSB0\"");
		return;
	}
	t->serial.port = conf_absolute(node->doc, node->text);
	check_device(ctx, node, t->serial.port);
}

void
conf_port_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;
	char *text;

	if (t->serial.port != NULL) {
		conf_out_text(o, key->name, t->serial.port);
		return;
	}
	text = mem_format("%s%s", socket_prefix, t->listen);
	conf_out_text(o, key->name, text);
	free(text);
}

/* ---- keys of one framer ---- */

static bool
framed_as(const struct conf_transport *t, const char *framer)
{
	return strcmp(t->framer, framer) == 0;
}

void
conf_t15_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	if (framed_as(t, "rtu"))
		conf_out_text(o, key->name, key->words[t->serial.t15]);
}

void
conf_ascii_timeout_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	if (!framed_as(t, "ascii"))
		return;
	conf_out_key(o, key->name);
	fprintf(o->f, "%u", t->serial.ascii_timeout_ms);
}

static void
check_framer(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_transport *t)
{
	static const char *const only[][2] = { { "t15", "rtu" },
		{ "ascii_timeout_ms", "ascii" } };
	bool ascii = framed_as(t, "ascii");

	for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
		const struct jsonc_node *n = jsonc_get(node, only[i][0]);

		if (n != NULL && !framed_as(t, only[i][1]))
			conf_fault_key(ctx, n,
			    "\"%s\" is for framer \"%s\", and this one is "
			    "\"%s\"",
			    only[i][0], only[i][1], t->framer);
	}
	if (t->serial.bytesize < (ascii ? 7u : 8u))
		conf_fault(ctx, conf_at(node, "bytesize"),
		    "framer \"%s\" needs %s bits a character, not %u",
		    t->framer, ascii ? "7 or 8" : "8", t->serial.bytesize);
}

/* ---- the whole ---- */

void
conf_serial_check(struct conf_ctx *ctx, const struct jsonc_node *node,
    struct conf_transport *t)
{
	struct conf_serial *s = &t->serial;

	if (conf_serial_socket(node, t))
		return;
	t->max_connections = 1; /* the line */
	/* SL 2.5.1: a character has as many bits with parity as without */
	if (s->parity == CONF_PARITY_NONE &&
	    jsonc_get(node, "stopbits") == NULL)
		s->stopbits = 2;
	check_framer(ctx, node, t);
	if (s->rs485.mode == CONF_RS485_IOCTL && s->local_echo &&
	    !s->rs485.rx_during_tx)
		conf_fault(ctx, conf_at(node, "local_echo"),
		    "what is sent cannot come back as \"local_echo\" says "
		    "while \"rx_during_tx\" of \"rs485\" is false");
}
