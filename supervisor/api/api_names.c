/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges by their names. The segment's own list is copied while the device is
 * opened, so that what others may write there changes nothing here. Runs in the
 * program's own process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/api/api.h"
#include "supervisor/holdfast/values.h"

/* By name; of the same one the first of a table comes first. */
static int
by_name(const void *a, const void *b)
{
	const struct api_name *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	if (c != 0)
		return c;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

int
api_names_make(struct hf_device *d)
{
	size_t n = 0, named = 0;

	for (unsigned t = 0; t <= HF_IR; t++)
		n += d->st.nranges[t];
	d->names = calloc(n + 1, sizeof(*d->names));
	if (d->names == NULL)
		return -1;
	for (unsigned t = 0; t <= HF_IR; t++) {
		for (uint32_t i = 0; i < d->st.nranges[t]; i++) {
			const struct shm_range *r =
			    &d->st.ranges[d->st.ranges_at[t] + i];
			struct api_name *to = &d->names[named];

			memcpy(to->name, r->name, sizeof(to->name));
			to->name[sizeof(to->name) - 1] = '\0';
			to->table = (enum store_table)t;
			to->addr = r->addr;
			to->type = (enum typed_type)r->type;
			to->order = (enum typed_order)r->order;
			to->scale = r->scale;
			named += to->name[0] != '\0';
		}
	}
	qsort(d->names, named, sizeof(*d->names), by_name);
	d->nnames = named;
	return 0;
}

static const struct api_name *
find(struct hf_device *d, const char *name)
{
	size_t low = 0, high;

	if (name == NULL)
		return api_null(EINVAL, "there is no name (NULL)");
	if (api_ready(d->store) < 0)
		return NULL;
	for (high = d->nnames; low < high;) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(d->names[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < d->nnames && strcmp(d->names[low].name, name) == 0)
		return &d->names[low];
	return api_null(ENOENT, "no range of device %s is called \"%.60s\"",
	    d->conf.name, name);
}

int
hf_get(struct hf_device *d, const char *name, double *value)
{
	const struct api_name *n;

	if (value == NULL)
		return api_fail(EINVAL, "there is no place for the value");
	n = find(d, name);
	if (n == NULL ||
	    hf_get_doubles(d, (enum hf_table)n->table, n->addr,
		(enum hf_type)n->type, (enum hf_order)n->order, 1, value) < 0)
		return -1;
	*value *= n->scale;
	return 0;
}

/* The nearest whole number; beyond 2^53 all are. */
static double
nearest(double v)
{
	if (!(v > -0x1p53 && v < 0x1p53))
		return v;
	return (double)(int64_t)(v < 0 ? v - 0.5 : v + 0.5);
}

int
hf_set(struct hf_device *d, const char *name, double value)
{
	const struct api_name *n = find(d, name);

	if (n == NULL)
		return -1;
	value /= n->scale;
	if (n->type != TYPED_FLOAT32 && n->type != TYPED_FLOAT64)
		value = nearest(value);
	return hf_set_doubles(d, (enum hf_table)n->table, n->addr,
	    (enum hf_type)n->type, (enum hf_order)n->order, 1, &value);
}
