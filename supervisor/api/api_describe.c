/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Describing a store before it is made, by calls. What comes of them are the
 * same structs as of a configuration. Runs in the program's own process; memory
 * that is not to be had is an error like others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/table.h"
#include "supervisor/api/api_values.h"
#include "supervisor/conf/conf_device.h"
#include "supervisor/conf/conf_range.h"

enum { UNITS = 256 };

_Static_assert(
    (int)HF_CO == (int)STORE_CO && (int)HF_IR == (int)STORE_IR, "tables");
_Static_assert((int)HF_UINT16 == (int)TYPED_UINT16 &&
	(int)HF_STRING == (int)TYPED_STRING && (int)HF_BITS == (int)TYPED_BITS,
    "types");
_Static_assert((int)HF_ABCD == (int)TYPED_ABCD &&
	(int)HF_BADC == (int)TYPED_BADC && (int)HF_CDAB == (int)TYPED_CDAB &&
	(int)HF_DCBA == (int)TYPED_DCBA,
    "orders");

static int
no_memory(void)
{
	return api_fail(ENOMEM, "out of memory");
}

struct hf_store *
hf_store_new(const char *name)
{
	char own[SHM_NAME_MAX];

	if (name != NULL)
		return api_store_new(name, API_MAKER);
	if (api_auto_name(own, sizeof(own)) < 0)
		return api_null(0, "no random numbers for a name: %m");
	return api_store_new(own, API_MAKER);
}

/* ---- devices ---- */

/* Room for one more in an array that is full at powers of two. NULL without
 * memory; then the array is as it was. */
static void *
more(void *array, size_t n, size_t size)
{
	if (n > 0 && (n & (n - 1)) != 0)
		return array;
	return reallocarray(array, n > 0 ? 2 * n : 1, size);
}

static int
put_object(struct conf_device *d, uint8_t id, const char *text)
{
	char *copy = strdup(text);
	void *array;
	size_t at = 0;

	if (copy == NULL)
		return no_memory();
	while (at < d->nidentity && d->identity[at].id < id)
		at++;
	if (at < d->nidentity && d->identity[at].id == id) {
		free(d->identity[at].text);
		d->identity[at].text = copy;
		return 0;
	}
	array =
	    reallocarray(d->identity, d->nidentity + 1, sizeof(*d->identity));
	if (array == NULL) {
		free(copy);
		return no_memory();
	}
	d->identity = array;
	memmove(d->identity + at + 1, d->identity + at,
	    (d->nidentity - at) * sizeof(*d->identity));
	d->identity[at] = (struct conf_object){ .id = id, .text = copy };
	d->nidentity++;
	return 0;
}

struct hf_device *
api_device_new(struct hf_store *s, const char *name, int unit)
{
	struct hf_device *d = calloc(1, sizeof(*d));
	void *array = more(s->devices, s->ndevices, sizeof(*s->devices));

	if (array != NULL)
		s->devices = array;
	if (d != NULL)
		d->conf.name = strdup(name);
	if (array == NULL || d == NULL || d->conf.name == NULL) {
		free(d);
		no_memory();
		return NULL;
	}
	d->store = s;
	d->seg.fd = -1;
	d->unit = unit;
	d->index = (unsigned)s->ndevices;
	s->devices[s->ndevices++] = d;
	return d;
}

/* True if the store can still be described; else says why not. */
static bool
closed(const struct hf_store *s)
{
	if (s->kind == API_MAKER && !atomic_load(&s->open))
		return true;
	api_fail(EBUSY,
	    s->kind == API_MAKER
		? "the store %s is open: it stays as it is"
		: "the store %s is somebody else's: it stays as it is",
	    s->name);
	return false;
}

/* The same for a device that there should be. */
static bool
describable(const struct hf_device *d)
{
	if (d != NULL)
		return closed(d->store);
	api_fail(EINVAL, "there is no device (NULL)");
	return false;
}

static bool
unit_taken(const struct hf_store *s, int unit)
{
	for (size_t i = 0; i < s->ndevices; i++)
		if (s->devices[i]->unit == unit)
			return true;
	return false;
}

struct hf_device *
hf_store_add_device(struct hf_store *s, const char *name, int unit)
{
	struct hf_device *d;

	if (s == NULL)
		return api_null(EINVAL, "there is no store (NULL)");
	if (!closed(s))
		return NULL;
	if (name == NULL || !seg_name_ok(name))
		return api_null(EINVAL,
		    "\"%.60s\" is no name for a device: letters, digits, \"_\" "
		    "and \"-\", at most 40",
		    name != NULL ? name : "");
	if (unit < HF_EVERY_UNIT || unit >= UNITS)
		return api_null(EINVAL,
		    "unit %d of device %s: there are 0 to 255, and "
		    "HF_EVERY_UNIT",
		    unit, name);
	for (size_t i = 0; i < s->ndevices; i++)
		if (strcmp(s->devices[i]->conf.name, name) == 0)
			return api_null(EEXIST,
			    "the store %s has a device %s already", s->name,
			    name);
	if (unit_taken(s, unit))
		return api_null(EEXIST,
		    "the store %s has a device for that unit (%d) already",
		    s->name, unit);
	d = api_device_new(s, name, unit);
	for (unsigned i = 0; d != NULL && i < CONF_ID_MUST; i++)
		if (put_object(
			&d->conf, (uint8_t)i, conf_identity.keys[i].text) < 0) {
			s->ndevices--;
			conf_device_free(&d->conf);
			free(d);
			return NULL;
		}
	return d;
}

int
hf_device_share_blocks(struct hf_device *d)
{
	if (!describable(d))
		return -1;
	d->conf.shared_blocks = true;
	return 0;
}

int
hf_device_count(struct hf_device *d)
{
	if (!describable(d))
		return -1;
	d->conf.counters = true;
	return 0;
}

int
hf_device_set_identity(struct hf_device *d, uint8_t id, const char *text)
{
	if (!describable(d))
		return -1;
	if (text == NULL)
		return api_fail(EINVAL, "object %u has no text (NULL)", id);
	if (id >= CONF_ID_NAMED && id < CONF_ID_PRIVATE)
		return api_fail(EINVAL,
		    "object %u of the identification: there are 0 to 6, and "
		    "128 to 255 of one's own",
		    id);
	if (strlen(text) > CONF_ID_BYTES)
		return api_fail(EINVAL,
		    "object %u is %zu bytes long; %d is the most", id,
		    strlen(text), CONF_ID_BYTES);
	return put_object(&d->conf, id, text);
}

/* ---- ranges ---- */

static bool
text_ok(const char *text, size_t max)
{
	if (text == NULL)
		return true;
	if (strlen(text) > max)
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

/* What is wrong with a range, or NULL. */
static const char *
wrong(const struct hf_range *r, uint32_t count, unsigned step)
{
	static const struct shm_range room;

	if ((unsigned)r->table > HF_IR)
		return "there is no such table";
	if ((unsigned)r->type > HF_BITS || (unsigned)r->order > HF_DCBA)
		return "there is no such type or order";
	if (api_is_bits(r->table) && r->type != HF_BITS && r->type != HF_UINT16)
		return "its table holds bits, and only those";
	if (r->addr >= API_ADDRESSES || count > API_ADDRESSES - r->addr)
		return "65535 is the last address";
	if (count % step != 0)
		return "its last value is not whole";
	if (r->values == NULL && r->nvalues > 0)
		return "its nvalues is not 0, but its values are NULL";
	if (r->values != NULL && r->nvalues == 0)
		return "it has values, but its nvalues is 0";
	if (r->nvalues > count)
		return "it has more values than room";
	if (!text_ok(r->name, sizeof(room.name) - 1))
		return "its name has more than 39 bytes, or control characters";
	if (r->action != NULL && !seg_name_ok(r->action))
		return "its action has no name as actions have";
	if (r->parameters != NULL && r->action == NULL)
		return "it has parameters without an action";
	if (!text_ok(r->unit, sizeof(room.unit) - 1))
		return "its unit has more than 15 bytes, or control characters";
	if (r->scale != r->scale)
		return "its scale is no number";
	return NULL;
}

static const struct conf_range *
overlaps(const struct conf_device *d, const struct conf_range *r)
{
	for (size_t i = 0; i < d->nranges; i++) {
		const struct conf_range *o = &d->ranges[i];

		if (o->table == r->table && o->addr < r->addr + r->count &&
		    r->addr < o->addr + o->count)
			return o;
	}
	return NULL;
}

/* The first values in wire form, repeated. NULL without memory. */
static uint8_t *
first_values(const struct hf_range *r, uint32_t count)
{
	bool bits = api_is_bits(r->table);
	uint8_t *wire =
	    calloc(1, store_bytes((enum store_table)r->table, count));
	uint32_t i;

	for (i = 0; wire != NULL && i < count; i++) {
		uint16_t v = r->values[i % r->nvalues];

		if (bits) {
			wire[i / 8] |= (uint8_t)((v != 0) << i % 8);
		} else {
			wire[API_REG_BYTES * i] = (uint8_t)(v >> 8);
			wire[API_REG_BYTES * i + 1] = (uint8_t)v;
		}
	}
	return wire;
}

/* Copies a text, or that there is none; false without memory. */
static bool
copy_text(char **to, const char *text)
{
	*to = text != NULL ? strdup(text) : NULL;
	return text == NULL || *to != NULL;
}

/* Copies what a range points to. -1 after api_fail(). */
static int
copy_parts(struct conf_range *to, const struct hf_range *r)
{
	char why[512];

	to->init = r->nvalues > 0 ? first_values(r, to->count) : NULL;
	if ((r->nvalues > 0 && to->init == NULL) ||
	    !copy_text(&to->name, r->name) || !copy_text(&to->unit, r->unit) ||
	    !copy_text(&to->action, r->action))
		return no_memory();
	if (r->parameters != NULL &&
	    conf_parse_options(
		r->parameters, &to->parameters, why, sizeof(why)) < 0)
		return api_fail(
		    0, "the parameters of action %s: %s", r->action, why);
	return 0;
}

static int
put_range(struct conf_device *d, struct conf_range *c, const struct hf_range *r)
{
	void *array = more(d->ranges, d->nranges, sizeof(*d->ranges));

	if (array == NULL)
		return no_memory();
	d->ranges = array;
	if (copy_parts(c, r) < 0) {
		int err = errno;

		conf_range_free(c);
		errno = err;
		return -1;
	}
	d->ranges[d->nranges++] = *c;
	return 0;
}

static int
add_range(struct hf_device *d, const struct hf_range *r)
{
	bool bits = api_is_bits(r->table);
	unsigned step = bits ? 1 : typed_regs((enum typed_type)r->type);
	struct conf_range c = {
		.table = (enum store_table)r->table,
		.addr = r->addr,
		.count = r->count != 0 ? r->count : step,
		.read_only =
		    r->read_only || r->table == HF_DI || r->table == HF_IR,
		.type = bits ? TYPED_BITS : (enum typed_type)r->type,
		.order = (enum typed_order)r->order,
		.scale = r->scale != 0 ? r->scale : 1,
	};
	const struct conf_range *o;
	const char *why;

	why = wrong(r, c.count, step);
	if (why != NULL)
		return api_fail(
		    EINVAL, "%u of device %s: %s", r->addr, d->conf.name, why);
	o = overlaps(&d->conf, &c);
	if (o != NULL)
		return api_fail(EEXIST,
		    "%s %u to %u of device %s overlap those from %u to %u",
		    table_name(c.table), c.addr, c.addr + c.count - 1,
		    d->conf.name, o->addr, o->addr + o->count - 1);
	return put_range(&d->conf, &c, r);
}

int
hf_device_add_range(struct hf_device *d, const struct hf_range *r)
{
	if (!describable(d))
		return -1;
	if (r == NULL)
		return api_fail(EINVAL, "there is no range (NULL)");
	return add_range(d, r);
}
