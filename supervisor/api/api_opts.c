/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program wants of a server as a configuration: from struct
 * hf_server_opts to the text that conf_parse() takes. So what the options mean,
 * what their limits and defaults are and what is said about mistakes is the
 * same as in a file. Runs in the program's own process.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/api/api_server.h"
#include "supervisor/conf/conf_dump.h"

static const char *const types[] = {
	[HF_TCP] = "tcp",
	[HF_TLS] = "tls",
	[HF_UDP] = "udp",
	[HF_SERIAL] = "serial",
};

const char *
api_type_name(const struct hf_server_opts *o)
{
	if (o->type == HF_PLUGIN)
		return o->transport;
	return types[o->type];
}

/* ---- looking at them ---- */

/* What a program of the first version says; members have only been added. */
enum {
	UP_TO = offsetof(struct hf_server_opts, stop_fd) + sizeof(int),
	ALIGN = _Alignof(struct hf_server_opts),
	FIRST_SIZE = (UP_TO + ALIGN - 1) / ALIGN * ALIGN,
};

int
api_opts_take(const struct hf_server_opts *given, struct hf_server_opts *o)
{
	memset(o, 0, sizeof(*o));
	if (given == NULL || given->size < FIRST_SIZE)
		return api_fail(
		    EINVAL, "opts.size must be sizeof(struct hf_server_opts)");
	if (given->size > sizeof(*o))
		return api_fail(EINVAL,
		    "opts are of a newer version than the library (%s)",
		    HOLDFAST_VERSION);
	memcpy(o, given, given->size);
	return 0;
}

enum member_kind { TEXT, NUMBER };

enum {
	ON_TCP = 1 << HF_TCP,
	ON_TLS = 1 << HF_TLS,
	ON_UDP = 1 << HF_UDP,
	ON_SERIAL = 1 << HF_SERIAL,
	ON_PLUGIN = 1 << HF_PLUGIN,
};

#define MEMBER(name, kind, types)                                         \
	{                                                                 \
#name, offsetof(struct hf_server_opts, name), kind, types \
	}

/* What only servers of some types have. */
static const struct member {
	const char *name;
	size_t at;
	enum member_kind kind;
	unsigned types;
} members[] = {
	MEMBER(address, TEXT, ON_TCP | ON_TLS | ON_UDP | ON_PLUGIN),
	MEMBER(certfile, TEXT, ON_TLS),
	MEMBER(keyfile, TEXT, ON_TLS),
	MEMBER(password, TEXT, ON_TLS),
	MEMBER(cafile, TEXT, ON_TLS),
	MEMBER(crlfile, TEXT, ON_TLS),
	MEMBER(client_cert, TEXT, ON_TLS),
	MEMBER(roles, TEXT, ON_TLS),
	MEMBER(port, TEXT, ON_SERIAL),
	MEMBER(baudrate, NUMBER, ON_SERIAL),
	MEMBER(bytesize, NUMBER, ON_SERIAL),
	MEMBER(stopbits, NUMBER, ON_SERIAL),
	MEMBER(parity, NUMBER, ON_SERIAL),
	MEMBER(handle_local_echo, NUMBER, ON_SERIAL),
	MEMBER(transport, TEXT, ON_PLUGIN),
};

static const char *const called[] = {
	[HF_TCP] = "HF_TCP",
	[HF_TLS] = "HF_TLS",
	[HF_UDP] = "HF_UDP",
	[HF_SERIAL] = "HF_SERIAL",
	[HF_PLUGIN] = "HF_PLUGIN",
};

static bool
is_said(const struct hf_server_opts *o, const struct member *m)
{
	const char *at = (const char *)o + m->at;
	const char *text;
	int number;

	if (m->kind == TEXT) {
		memcpy(&text, at, sizeof(text));
		return text != NULL;
	}
	memcpy(&number, at, sizeof(number));
	return number != 0;
}

/* "HF_TCP or HF_TLS" */
static void
list_types(unsigned of, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned t = HF_TCP; t <= HF_PLUGIN && len < size; t++)
		if (of & 1u << t)
			len += (size_t)snprintf(out + len, size - len, "%s%s",
			    len > 0 ? " or " : "", called[t]);
}

static int
check_members(const struct hf_server_opts *o)
{
	char list[80];

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const struct member *m = &members[i];

		if (m->types & 1u << o->type || !is_said(o, m))
			continue;
		list_types(m->types, list, sizeof(list));
		return api_fail(EINVAL,
		    "opts.%s is for type %s, and this is %s", m->name, list,
		    called[o->type]);
	}
	return 0;
}

static int
check_units(const struct hf_store *s, const struct hf_server_opts *o)
{
	uint64_t seen[5] = { 0 };

	if (o->nunits > 0 && o->units == NULL)
		return api_fail(EINVAL,
		    "opts.nunits is %zu, but opts.units is NULL", o->nunits);
	for (size_t i = 0; i < o->nunits; i++) {
		const struct hf_unit *u = &o->units[i];
		unsigned bit =
		    u->unit == HF_EVERY_UNIT ? 256u : (unsigned)u->unit;

		if (bit > 256)
			return api_fail(EINVAL,
			    "%d is no unit: it must be 0 to 255, or "
			    "HF_EVERY_UNIT",
			    u->unit);
		if (u->device == NULL || u->device->store != s)
			return api_fail(EINVAL,
			    "unit %d has no device of this store", u->unit);
		if (seen[bit / 64] & (uint64_t)1 << bit % 64)
			return api_fail(
			    EINVAL, "unit %d is there twice", u->unit);
		seen[bit / 64] |= (uint64_t)1 << bit % 64;
	}
	return 0;
}

int
api_opts_check(const struct hf_store *s, const struct hf_server_opts *o)
{
	if ((int)o->type < HF_TCP || o->type > HF_PLUGIN)
		return api_fail(EINVAL, "there is no type %d", (int)o->type);
	if (check_members(o) < 0)
		return -1;
	if (o->type == HF_PLUGIN && (o->transport == NULL || o->hooks == NULL))
		return api_fail(EINVAL,
		    "type HF_PLUGIN needs hooks, and transport to say which of "
		    "theirs");
	return check_units(s, o);
}

/* ---- devices ---- */

enum { IDS = 7 };

static size_t
identity_of(const struct hf_identity *id, struct conf_object out[IDS])
{
	const char *const text[IDS] = { id->VendorName, id->ProductCode,
		id->MajorMinorRevision, id->VendorUrl, id->ProductName,
		id->ModelName, id->UserApplicationName };
	size_t n = 0;

	for (uint8_t i = 0; i < IDS; i++)
		if (text[i] != NULL)
			out[n++] = (struct conf_object){ i,
				(char *)(uintptr_t)text[i] };
	return n;
}

/* What a worker has to know of a device that is not in its segment: what it
 * says of itself, and which of its ranges have actions. */
static int
put_device(struct conf_out *out, const struct hf_device *d,
    const struct hf_identity *id)
{
	struct conf_object objects[IDS];
	struct conf_device c = d->conf;
	size_t n = 0;

	c.ranges = calloc(d->conf.nranges + 1, sizeof(*c.ranges));
	if (c.ranges == NULL)
		return -1;
	for (size_t i = 0; i < d->conf.nranges; i++) {
		if (d->conf.ranges[i].action == NULL)
			continue;
		c.ranges[n] = d->conf.ranges[i];
		c.ranges[n++].init = NULL;
	}
	c.nranges = n;
	if (id != NULL) {
		c.nidentity = identity_of(id, objects);
		c.identity = objects;
	}
	conf_out_open(out, c.name, '{');
	conf_out_section(out, &conf_device, 0, &c);
	conf_out_close(out, '}');
	free(c.ranges);
	return 0;
}

static int
put_devices(struct conf_out *out, const struct hf_store *s,
    const struct hf_identity *id)
{
	int rc = 0;

	conf_out_open(out, "devices", '{');
	for (size_t i = 0; rc == 0 && i < s->ndevices; i++)
		rc = put_device(out, s->devices[i], id);
	conf_out_close(out, '}');
	return rc;
}

/* ---- the transport ---- */

static void
put_number(struct conf_out *out, const char *key, unsigned number)
{
	if (number == 0)
		return; /* the default */
	conf_out_key(out, key);
	fprintf(out->f, "%u", number);
}

static void
put_unit(struct conf_out *out, int unit, const struct hf_device *d)
{
	char key[8];

	snprintf(key, sizeof(key), "%d", unit);
	conf_out_text(out, unit == HF_EVERY_UNIT ? "*" : key, d->conf.name);
}

static void
put_units(struct conf_out *out, const struct hf_store *s,
    const struct hf_server_opts *o)
{
	conf_out_open(out, "units", '{');
	for (size_t i = 0; i < o->nunits; i++)
		put_unit(out, o->units[i].unit, o->units[i].device);
	for (size_t i = 0; o->nunits == 0 && i < s->ndevices; i++)
		put_unit(out, s->devices[i]->unit, s->devices[i]);
	conf_out_close(out, '}');
}

/* ":502" is every address of the machine. */
static void
put_listen(struct conf_out *out, const struct hf_server_opts *o)
{
	const char *a = o->address;
	char text[64];

	if (a == NULL && o->type != HF_PLUGIN)
		a = o->type == HF_TLS ? ":802" : ":502";
	if (a != NULL && a[0] == ':' && o->type != HF_PLUGIN &&
	    strlen(a) < sizeof(text) - 8) {
		snprintf(text, sizeof(text), "0.0.0.0%s", a);
		a = text;
	}
	conf_out_text(out, "listen", a);
}

static void
put_tls(struct conf_out *out, const struct hf_server_opts *o)
{
	conf_out_text(out, "cert", o->certfile);
	conf_out_text(
	    out, "key", o->keyfile != NULL ? o->keyfile : o->certfile);
	conf_out_text(out, "password", o->password);
	conf_out_text(out, "ca", o->cafile);
	conf_out_text(out, "crl", o->crlfile);
	conf_out_text(out, "roles", o->roles);
	if (o->client_cert != NULL || o->cafile == NULL)
		conf_out_text(out, "client_cert",
		    o->client_cert != NULL ? o->client_cert : "none");
}

/* What the reference's defaults are, 8N1, is written out where it is a line:
 * those of a configuration are the standard's. */
static void
put_serial(struct conf_out *out, const struct hf_server_opts *o)
{
	bool line = o->port == NULL || strncmp(o->port, "socket://", 9) != 0;
	char parity[2] = { (char)o->parity, '\0' };

	if (o->parity == 0)
		parity[0] = HF_NONE;
	conf_out_text(out, "port", o->port);
	put_number(out, "baudrate", o->baudrate);
	put_number(out, "bytesize", o->bytesize);
	if (line || o->parity != 0)
		conf_out_text(out, "parity", parity);
	put_number(out, "stopbits", o->stopbits == 0 && line ? 1 : o->stopbits);
	if (o->handle_local_echo) {
		conf_out_key(out, "local_echo");
		fputs("true", out->f);
	}
}

static void
put_transport(struct conf_out *out, const struct hf_store *s,
    const struct hf_server_opts *o)
{
	conf_out_text(out, "type", api_type_name(o));
	if (o->type == HF_SERIAL)
		put_serial(out, o);
	else
		put_listen(out, o);
	if (o->type == HF_TLS)
		put_tls(out, o);
	conf_out_text(out, "framer", o->framer);
	if (o->ignore_missing_slaves)
		conf_out_text(out, "missing_unit", "silent");
	if (o->broadcast_enable) {
		conf_out_key(out, "broadcast");
		fputs("true", out->f);
	}
	put_units(out, s, o);
}

char *
api_opts_text(
    const struct hf_store *s, const struct hf_server_opts *o, const char *name)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct conf_out out = { .f = f, .depth = 1, .secret = true };
	int rc;

	if (f == NULL)
		return NULL;
	fputc('{', f);
	conf_out_open(&out, "store", '{');
	conf_out_text(&out, "name", s->name);
	conf_out_close(&out, '}');
	rc = put_devices(&out, s, o->identity);
	conf_out_open(&out, "transports", '{');
	conf_out_open(&out, name, '{');
	put_transport(&out, s, o);
	conf_out_close(&out, '}');
	conf_out_close(&out, '}');
	fputs("\n}\n", f);
	if (fclose(f) == 0 && rc == 0)
		return text;
	free(text);
	errno = ENOMEM;
	return NULL;
}
