/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles against requests. Runs in the workers of transports whose clients have
 * certificates. Pure: what a request touches is read from its PDU alone, before
 * anything looks at whether it is right.
 */
#include "workers/rights.h"

#include <string.h>

#include "workers/proto/buf.h"

enum {
	FC_MAX = 127,
	GROUP_BYTES = 7, /* of a file request: kind, file, record, length */
	EVERY_TABLE = (1u << (STORE_FIFO + 1)) - 1,
};

/* How a function code says what it touches. */
enum shape {
	NOWHERE, /* nothing that has addresses */
	ONE, /* address */
	RANGE, /* address, count */
	TWO, /* address, count, address, count: read and write */
	FILE_READ, /* byte count, groups */
	FILE_WRITE, /* the same, with data behind each group */
};

static const struct {
	enum shape shape;
	enum store_table table;
} touches[FC_MAX + 1] = {
	[1] = { RANGE, STORE_CO },
	[2] = { RANGE, STORE_DI },
	[3] = { RANGE, STORE_HR },
	[4] = { RANGE, STORE_IR },
	[5] = { ONE, STORE_CO },
	[6] = { ONE, STORE_HR },
	[15] = { RANGE, STORE_CO },
	[16] = { RANGE, STORE_HR },
	[20] = { FILE_READ, STORE_FILE },
	[21] = { FILE_WRITE, STORE_FILE },
	[22] = { ONE, STORE_HR },
	[23] = { TWO, STORE_HR },
	[24] = { ONE, STORE_FIFO },
};

/* The question that is put to the rules. */
struct ask {
	const struct conf_role *role;
	int device;
	unsigned fc;
	enum store_table table;
};

const struct conf_role *
rights_none(const struct conf_roles *roles)
{
	static const struct conf_role none = { .nrules = 0 };

	return roles->path != NULL ? &none : NULL;
}

const struct conf_role *
rights_of(const struct conf_roles *roles, const char *name)
{
	if (roles->path == NULL)
		return NULL;
	for (size_t i = 0; i < roles->n; i++)
		if (strcmp(roles->at[i].name, name) == 0)
			return &roles->at[i];
	return rights_none(roles);
}

/* Whether a rule is for this function code on this device. */
static bool
concerns(const struct conf_rule *r, const struct ask *a)
{
	if (r->devices != NULL && !r->devices[a->device])
		return false;
	return r->every_fc ||
	    (a->fc <= FC_MAX && (r->fcs[a->fc / 64] >> a->fc % 64 & 1));
}

/* Whether one rule allows a whole range. What is behind the last address does
 * not exist and is nobody's to protect: that is answered 02. */
static bool
may_touch(const struct ask *a, uint32_t first, uint32_t count)
{
	uint32_t last = count > 0 ? first + count - 1 : first;
	const struct conf_rule *r = a->role->rules;

	if (last > CONF_ADDR_MAX)
		last = CONF_ADDR_MAX;
	for (size_t i = 0; i < a->role->nrules; i++, r++)
		if (concerns(r, a) && (r->tables >> a->table & 1) &&
		    first >= r->first && last <= r->last)
			return true;
	return false;
}

static bool
may_touch_all(const struct ask *a)
{
	return may_touch(a, 0, CONF_ADDR_MAX + 1);
}

/* What has no addresses is allowed by name, or by a rule that does not look at
 * addresses. */
static bool
may_call(const struct ask *a)
{
	const struct conf_rule *r = a->role->rules;

	for (size_t i = 0; i < a->role->nrules; i++, r++)
		if (concerns(r, a) &&
		    (!r->every_fc ||
			(r->tables == EVERY_TABLE && r->first == 0 &&
			    r->last == CONF_ADDR_MAX)))
			return true;
	return false;
}

/* One range of the request, as much of it as is there. */
static bool
may_touch_next(const struct ask *a, struct rbuf *in, bool counted)
{
	uint32_t first = rbuf_u16(in), count = counted ? rbuf_u16(in) : 1;

	return in->bad ? may_touch_all(a) : may_touch(a, first, count);
}

/* Every group that is there, whatever the byte count says. */
static bool
may_touch_groups(const struct ask *a, struct rbuf *in, bool data)
{
	uint32_t record, count;

	rbuf_u8(in);
	if (in->bad || in->left < GROUP_BYTES)
		return may_touch_all(a);
	while (in->left > 0) {
		rbuf_take(in, 3); /* kind and number of the file */
		record = rbuf_u16(in);
		count = rbuf_u16(in);
		if (in->bad)
			return may_touch_all(a);
		if (!may_touch(a, record, count))
			return false;
		if (data && !rbuf_take(in, 2 * (size_t)count))
			return may_touch_all(a);
	}
	return true;
}

bool
rights_allow(
    const struct conf_role *role, int device, const uint8_t *pdu, size_t len)
{
	struct ask a = { .role = role, .device = device };
	struct rbuf in;
	enum shape shape;

	if (device == CONF_NO_DEVICE)
		return role->nrules > 0;
	rbuf_init(&in, pdu, len);
	a.fc = rbuf_u8(&in);
	shape = a.fc <= FC_MAX ? touches[a.fc].shape : NOWHERE;
	if (shape != NOWHERE)
		a.table = touches[a.fc].table;
	switch (shape) {
	case NOWHERE:
		break;
	case ONE:
		return may_touch_next(&a, &in, false);
	case RANGE:
		return may_touch_next(&a, &in, true);
	case TWO:
		return may_touch_next(&a, &in, true) &&
		    may_touch_next(&a, &in, true);
	case FILE_READ:
	case FILE_WRITE:
		return may_touch_groups(&a, &in, shape == FILE_WRITE);
	}
	return may_call(&a);
}
