/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of all types and text in the registers of a device. Runs in the
 * program's own process, in any thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/table.h"
#include "supervisor/api/api_values.h"
#include "supervisor/holdfast/values.h"

/* Wire bytes: those of most calls lie on the stack. */
struct wire {
	uint8_t *at;
	uint8_t own[512];
};

static int
wire_init(struct wire *w, size_t size)
{
	w->at = size <= sizeof(w->own) ? w->own : malloc(size);
	return w->at != NULL ? 0 : api_fail(ENOMEM, "out of memory");
}

static void
wire_fini(struct wire *w)
{
	int err = errno;

	if (w->at != w->own)
		free(w->at);
	errno = err;
}

/* What a call of the typed forms is about. */
struct typed {
	enum store_table table;
	uint32_t addr;
	enum typed_type type;
	enum typed_order order;
	uint32_t each; /* addresses of a value */
	uint32_t n;
};

/* Looks at the arguments. -1 after api_fail(). */
static int
typed_of(struct typed *t, const struct hf_device *d, enum hf_table table,
    uint32_t addr, enum hf_type type, enum hf_order order, size_t n)
{
	if ((unsigned)table > HF_IR || (unsigned)type > HF_BITS ||
	    (unsigned)order > HF_DCBA)
		return api_fail(
		    EINVAL, "there is no such table, type or order");
	t->table = (enum store_table)table;
	t->addr = addr;
	t->type = (enum typed_type)type;
	t->order = (enum typed_order)order;
	t->each = api_is_bits(t->table) ? 1 : typed_regs(t->type);
	t->n = (uint32_t)n;
	if (api_is_bits(t->table) && type != HF_BITS && type != HF_UINT16)
		return api_fail(EINVAL, "%s hold bits, and only those",
		    table_name(t->table));
	if (type == HF_STRING)
		return api_fail(EINVAL, "text is no number");
	if (n == 0)
		return api_fail(EINVAL, "n is 0: there are no values");
	if (n > API_ADDRESSES)
		return api_result(d, STORE_NO_ADDRESS);
	return 0;
}

static int
read_wire(struct hf_device *d, const struct typed *t, struct wire *w)
{
	uint32_t count = t->n * t->each;

	if (wire_init(w, store_bytes(t->table, count)) < 0)
		return -1;
	if (api_get(d, t->table, t->addr, count, w->at, false) == 0)
		return 0;
	wire_fini(w);
	return -1;
}

static void
value_at(const struct typed *t, const struct wire *w, uint32_t i,
    struct typed_value *v)
{
	if (api_is_bits(t->table)) {
		v->type = TYPED_UINT16;
		v->u = w->at[i / 8] >> i % 8 & 1;
	} else {
		typed_get(
		    t->type, t->order, w->at + i * t->each * API_REG_BYTES, v);
	}
}

/* "value 1e+39 (index 2) does not fit into float32": -1. */
static int
unfit(const struct typed_value *v, uint32_t i, const char *why)
{
	char text[32];

	if (v->type == TYPED_FLOAT64)
		snprintf(text, sizeof(text), "%.17g", v->f);
	else
		snprintf(text, sizeof(text), "%" PRId64, v->i);
	return api_fail(ERANGE, "value %s (index %u) %s", text, i, why);
}

static int
put_value(const struct typed *t, struct wire *w, uint32_t i,
    const struct typed_value *v)
{
	uint8_t two[API_REG_BYTES];
	char why[40];

	if (!api_is_bits(t->table)) {
		if (typed_put(t->type, t->order, v,
			w->at + i * t->each * API_REG_BYTES) == 0)
			return 0;
		snprintf(why, sizeof(why), "does not fit into %s",
		    typed_type_name(t->type));
		return unfit(v, i, why);
	}
	if (typed_put(TYPED_UINT16, TYPED_ABCD, v, two) < 0 || two[0] != 0 ||
	    two[1] > 1)
		return unfit(v, i, "is neither 0 nor 1");
	w->at[i / 8] |= (uint8_t)(two[1] << i % 8);
	return 0;
}

static int
write_wire(struct hf_device *d, const struct typed *t, const struct wire *w)
{
	struct store_step step = {
		.op = STORE_WRITE,
		.table = t->table,
		.addr = t->addr,
		.count = t->n * t->each,
		.in = w->at,
	};

	return api_apply(d, &step, 1, false, NULL);
}

/* values: doubles or integers of 64 bits, as `type` says. */
static int
set_values(struct hf_device *d, struct typed *t, enum typed_type type,
    const void *values)
{
	struct typed_value v = { .type = type };
	size_t bytes = store_bytes(t->table, t->n * t->each);
	struct wire w;
	int rc = 0;

	if (wire_init(&w, bytes) < 0)
		return -1;
	memset(w.at, 0, bytes);
	for (uint32_t i = 0; rc == 0 && i < t->n; i++) {
		if (type == TYPED_FLOAT64)
			v.f = ((const double *)values)[i];
		else
			v.i = ((const int64_t *)values)[i];
		rc = put_value(t, &w, i, &v);
	}
	if (rc == 0)
		rc = write_wire(d, t, &w);
	wire_fini(&w);
	return rc;
}

/* ---- doubles ---- */

static double
as_double(const struct typed_value *v)
{
	switch (v->type) {
	case TYPED_INT16:
	case TYPED_INT32:
	case TYPED_INT64:
		return (double)v->i;
	case TYPED_FLOAT32:
	case TYPED_FLOAT64:
		return v->f;
	default:
		return (double)v->u;
	}
}

int
hf_get_doubles(struct hf_device *d, enum hf_table table, uint32_t addr,
    enum hf_type type, enum hf_order order, size_t n, double *values)
{
	struct typed_value v;
	struct typed t = { 0 };
	struct wire w;

	if (typed_of(&t, d, table, addr, type, order, n) < 0 ||
	    read_wire(d, &t, &w) < 0)
		return -1;
	for (uint32_t i = 0; i < t.n; i++) {
		value_at(&t, &w, i, &v);
		values[i] = as_double(&v);
	}
	wire_fini(&w);
	return 0;
}

int
hf_set_doubles(struct hf_device *d, enum hf_table table, uint32_t addr,
    enum hf_type type, enum hf_order order, size_t n, const double *values)
{
	struct typed t = { 0 };

	if (typed_of(&t, d, table, addr, type, order, n) < 0)
		return -1;
	return set_values(d, &t, TYPED_FLOAT64, values);
}

/* ---- integers ---- */

static int
as_integer(const struct typed_value *v, int64_t *to)
{
	switch (v->type) {
	case TYPED_INT16:
	case TYPED_INT32:
	case TYPED_INT64:
		*to = v->i;
		return 0;
	case TYPED_FLOAT32:
	case TYPED_FLOAT64:
		/* 2^63 is exact, its predecessor is not; NaN fails both */
		if (!(v->f >= -0x1p63 && v->f < 0x1p63))
			return -1;
		*to = (int64_t)v->f;
		return (double)*to == v->f ? 0 : -1;
	default:
		*to = (int64_t)v->u;
		return v->u <= INT64_MAX ? 0 : -1;
	}
}

int
hf_get_integers(struct hf_device *d, enum hf_table table, uint32_t addr,
    enum hf_type type, enum hf_order order, size_t n, int64_t *values)
{
	struct typed_value v;
	struct typed t = { 0 };
	struct wire w;
	int rc = 0;

	if (typed_of(&t, d, table, addr, type, order, n) < 0 ||
	    read_wire(d, &t, &w) < 0)
		return -1;
	for (uint32_t i = 0; rc == 0 && i < t.n; i++) {
		value_at(&t, &w, i, &v);
		if (as_integer(&v, &values[i]) < 0)
			rc = api_fail(ERANGE,
			    "the value with index %u is no integer of 64 bits",
			    i);
	}
	wire_fini(&w);
	return rc;
}

int
hf_set_integers(struct hf_device *d, enum hf_table table, uint32_t addr,
    enum hf_type type, enum hf_order order, size_t n, const int64_t *values)
{
	struct typed t = { 0 };

	if (typed_of(&t, d, table, addr, type, order, n) < 0)
		return -1;
	return set_values(d, &t, TYPED_INT64, values);
}

/* ---- text ---- */

static int
text_of(struct typed *t, const struct hf_device *d, enum hf_table table,
    uint32_t addr, uint32_t count)
{
	if (table != HF_HR && table != HF_IR)
		return api_fail(EINVAL, "text lies in registers");
	if (count == 0)
		return api_fail(EINVAL, "count is 0: text lies in registers");
	if (count > API_ADDRESSES)
		return api_result(d, STORE_NO_ADDRESS);
	*t = (struct typed){
		.table = (enum store_table)table,
		.addr = addr,
		.each = 1,
		.n = count,
	};
	return 0;
}

int
hf_get_text(struct hf_device *d, enum hf_table table, uint32_t addr,
    uint32_t count, char *buf, size_t size)
{
	struct typed t = { 0 };
	struct wire w;

	if (text_of(&t, d, table, addr, count) < 0)
		return -1;
	if (size <= (size_t)API_REG_BYTES * count)
		return api_fail(EINVAL,
		    "text of %u registers takes %u bytes and a NUL", count,
		    API_REG_BYTES * count);
	if (read_wire(d, &t, &w) < 0)
		return -1;
	memcpy(buf, w.at, (size_t)API_REG_BYTES * count);
	buf[API_REG_BYTES * count] = '\0';
	wire_fini(&w);
	return 0;
}

int
hf_set_text(struct hf_device *d, enum hf_table table, uint32_t addr,
    uint32_t count, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	struct typed t = { 0 };
	struct wire w;
	int rc;

	if (text == NULL)
		return api_fail(EINVAL, "there is no text (NULL)");
	if (text_of(&t, d, table, addr, count) < 0)
		return -1;
	if (len > (size_t)API_REG_BYTES * count)
		return api_fail(ERANGE,
		    "%zu bytes do not fit into %u registers", len, count);
	if (wire_init(&w, (size_t)API_REG_BYTES * count) < 0)
		return -1;
	memset(w.at, 0, (size_t)API_REG_BYTES * count);
	memcpy(w.at, text, len);
	rc = write_wire(d, &t, &w);
	wire_fini(&w);
	return rc;
}
