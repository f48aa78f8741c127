/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints those parts of the configuration that are lists and maps of their
 * own: devices, ranges, values, transports, units, networks.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "shm/table.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/conf/conf_net.h"
#include "supervisor/conf/conf_range.h"
#include "supervisor/conf/conf_transport.h"
#include "supervisor/mem.h"

void
conf_dump_nothing(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	(void)o;
	(void)key;
	(void)obj;
}

void
conf_text_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const char *const *text = (const void *)((const char *)obj + key->off);

	conf_out_text(o, key->name, *text);
}

void
conf_secret_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	if (o->secret)
		conf_text_dump(o, key, obj);
}

/* ---- values ---- */

static bool
bit(const uint8_t *wire, uint32_t i)
{
	return wire[i / 8] >> i % 8 & 1;
}

/* True if elements i and j are the same; j == -1: if i is all zeros. */
static bool
same(const struct conf_range *r, uint32_t i, int64_t j)
{
	static const uint8_t zeros[8];
	size_t one = 2 * (size_t)conf_range_step(r);

	if (conf_table_bits(r->table))
		return bit(r->init, i) ==
		    (j < 0 ? false : bit(r->init, (uint32_t)j));
	return memcmp(r->init + i * one,
		   j < 0 ? zeros : r->init + (size_t)j * one, one) == 0;
}

static void
out_element(struct conf_out *o, const struct conf_range *r, uint32_t i)
{
	struct typed_value v;
	enum typed_type type = r->type == TYPED_BITS ? TYPED_UINT16 : r->type;
	char buf[64];

	if (conf_table_bits(r->table)) {
		fputc(bit(r->init, i) ? '1' : '0', o->f);
		return;
	}
	typed_get(
	    type, r->order, r->init + 2 * (size_t)i * conf_range_step(r), &v);
	typed_text(&v, buf, sizeof(buf));
	/* nan and inf are no JSON numbers */
	if (strpbrk(buf, "nN") != NULL)
		conf_out_quoted(o, buf, strlen(buf));
	else
		fputs(buf, o->f);
}

static void
out_string(struct conf_out *o, const struct conf_range *r)
{
	size_t flip = r->order == TYPED_BADC || r->order == TYPED_DCBA;
	size_t len = 2 * (size_t)r->count;
	char *text = mem_zero(len, 1);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)r->init[i ^ flip];
	conf_out_key(o, "value");
	conf_out_quoted(o, text, strnlen(text, len));
	free(text);
}

/* From an element to the end, in lines of sixteen. */
static void
out_values(
    struct conf_out *o, const struct conf_range *r, uint32_t from, uint32_t n)
{
	conf_out_open(o, "values", '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i % 16 == 0)
			conf_out_key(o, NULL);
		else
			fputs(", ", o->f);
		out_element(o, r, from + i);
	}
	conf_out_close(o, ']');
}

void
conf_dump_values(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_range *r = obj;
	uint32_t n, i;

	if (r->init == NULL)
		return;
	if (r->type == TYPED_STRING) {
		out_string(o, r);
		return;
	}
	n = conf_range_elements(r);
	for (i = 1; i < n && same(r, i, 0); i++)
		;
	if (i == n) {
		conf_out_key(o, key->name);
		out_element(o, r, 0);
		return;
	}
	while (n > 0 && same(r, n - 1, -1))
		n--;
	out_values(o, r, 0, n);
}

/* ---- devices ---- */

void
conf_table_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_device *d = obj;

	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < d->nranges; i++) {
		const struct conf_range *r = &d->ranges[i];

		if (strcmp(table_name(r->table), key->name) != 0)
			continue;
		conf_out_open(o, NULL, '{');
		conf_out_section(o, &conf_range,
		    conf_table_bits(r->table) ? CONF_NOT_BITS : 0, r);
		conf_out_close(o, '}');
	}
	conf_out_close(o, ']');
}

void
conf_files_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_device *d = obj;

	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < d->nranges; i++) {
		const struct conf_range *r = &d->ranges[i];

		if (r->table != STORE_FILE)
			continue;
		conf_out_open(o, NULL, '{');
		conf_out_key(o, "number");
		fprintf(o->f, "%u", r->addr >> 16);
		conf_out_key(o, "records");
		fprintf(o->f, "%u", r->count);
		conf_out_section(o, &conf_file, 0, r);
		conf_out_close(o, '}');
	}
	conf_out_close(o, ']');
}

void
conf_fifos_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_device *d = obj;

	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < d->nranges; i++) {
		const struct conf_range *r = &d->ranges[i];

		if (r->table != STORE_FIFO)
			continue;
		conf_out_open(o, NULL, '{');
		conf_out_key(o, "addr");
		fprintf(o->f, "%u", r->addr >> 5);
		if (r->init != NULL)
			out_values(o, r, 1, r->init[1]);
		conf_out_close(o, '}');
	}
	conf_out_close(o, ']');
}

static void
out_identity(struct conf_out *o, const char *key,
    const struct conf_object *object, size_t n)
{
	char number[12];
	size_t i;

	conf_out_open(o, key, '{');
	for (i = 0; i < n && object[i].id < CONF_ID_NAMED; i++)
		conf_out_text(
		    o, conf_identity.keys[object[i].id].name, object[i].text);
	conf_out_open(o, "objects", '{');
	for (; i < n; i++) {
		snprintf(number, sizeof(number), "%u", object[i].id);
		conf_out_text(o, number, object[i].text);
	}
	conf_out_close(o, '}');
	conf_out_close(o, '}');
}

void
conf_identity_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_device *d = obj;

	out_identity(o, key->name, d->identity, d->nidentity);
}

void
conf_identity_own_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;

	if (t->nidentity > 0)
		out_identity(o, key->name, t->identity, t->nidentity);
}

void
conf_devices_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf *conf = obj;

	conf_out_open(o, key->name, '{');
	for (size_t i = 0; i < conf->ndevices; i++) {
		conf_out_open(o, conf->devices[i].name, '{');
		conf_out_section(o, &conf_device, 0, &conf->devices[i]);
		conf_out_close(o, '}');
	}
	conf_out_close(o, '}');
}

/* ---- transports ---- */

/* Unit 0 is nobody's where it is for broadcasts, and on lines that do not name
 * it. */
static int
first_unit(const struct conf_transport *t)
{
	bool left_out = t->type == CONF_SERIAL && t->units[0] == CONF_NO_DEVICE;

	return t->broadcast || left_out ? 1 : 0;
}

/* The device that most units have, the first of them; CONF_NO_DEVICE if some
 * unit has none, because "*" would give it one. */
static int
commonest(const struct conf_transport *t, size_t ndevices)
{
	int best = CONF_NO_DEVICE, most = 0;

	for (int d = 0; d < (int)ndevices; d++) {
		int n = 0;

		for (int unit = first_unit(t); unit < CONF_UNITS; unit++) {
			if (t->units[unit] == CONF_NO_DEVICE)
				return CONF_NO_DEVICE;
			n += t->units[unit] == d;
		}
		if (n > most) {
			most = n;
			best = d;
		}
	}
	return best;
}

static void
out_units(struct conf_out *o, const char *key, const struct conf *conf,
    const struct conf_transport *t)
{
	int every = commonest(t, conf->ndevices);
	bool line = t->type == CONF_SERIAL; /* "*" leaves out unit 0 */
	char number[12];

	if (t->type == CONF_SHM)
		every = CONF_NO_DEVICE; /* each has objects of its own */
	conf_out_open(o, key, '{');
	for (int unit = first_unit(t); unit < CONF_UNITS; unit++) {
		if (t->units[unit] == CONF_NO_DEVICE ||
		    (t->units[unit] == every && (unit != 0 || !line)))
			continue;
		snprintf(number, sizeof(number), "%d", unit);
		conf_out_text(o, number, conf->devices[t->units[unit]].name);
	}
	if (t->type == CONF_SHM)
		every = t->shm.plain;
	if (every != CONF_NO_DEVICE)
		conf_out_text(o, "*", conf->devices[every].name);
	conf_out_close(o, '}');
}

void
conf_transports_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf *conf = obj;

	conf_out_open(o, key->name, '{');
	for (size_t i = 0; i < conf->ntransports; i++) {
		const struct conf_transport *t = &conf->transports[i];

		conf_out_open(o, t->name, '{');
		conf_out_section(o, &conf_transport, conf_transport_skip(t), t);
		out_units(o, "units", conf, t);
		conf_out_close(o, '}');
	}
	conf_out_close(o, '}');
}

void
conf_cidrs_dump(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_cidrs *list =
	    (const void *)((const char *)obj + key->off);
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];

	if (list->n == 0)
		return;
	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < list->n; i++) {
		inet_ntop(
		    list->at[i].family, list->at[i].addr, host, sizeof(host));
		snprintf(text, sizeof(text), "%s/%u", host, list->at[i].bits);
		conf_out_text(o, NULL, text);
	}
	conf_out_close(o, ']');
}

void
conf_endpoints_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf *conf = obj;

	conf_out_open(o, key->name, '[');
	for (size_t i = 0; i < conf->ncontrol_listen; i++)
		conf_out_text(o, NULL, conf->control_listen[i]);
	conf_out_close(o, ']');
}
