/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers that have names, as gauges. Read without their actions: who
 * watches changes nothing. Runs in the http process.
 */
#include "control/http/metrics.h"

#include <math.h>

#include "control/state.h"
#include "shm/table.h"

enum {
	RANGE_UNITS = 256, /* of a range; the others are left out */
	LINES_MAX = 20000,
};

/* As the format has them: NaN, +Inf, -Inf, else the shortest text. */
static void
put_number(FILE *f, double number)
{
	if (isnan(number))
		fputs("NaN", f);
	else if (isinf(number))
		fputs(number > 0 ? "+Inf" : "-Inf", f);
	else /* 0.3, though 3 times 0.1 is a little more */
		fprintf(f, "%.15g", number);
}

static double
number_of(const struct conf_range *r, const uint8_t *wire)
{
	struct typed_value v;

	typed_get(r->type, r->order, wire, &v);
	switch (r->type) {
	case TYPED_UINT16:
	case TYPED_UINT32:
	case TYPED_UINT64:
		return (double)v.u * r->scale;
	case TYPED_FLOAT32:
	case TYPED_FLOAT64:
		return v.f * r->scale;
	default:
		return (double)v.i * r->scale;
	}
}

static void
put_line(FILE *f, const struct conf_device *d, const struct conf_range *r,
    uint32_t addr)
{
	fputs("holdfast_register{", f);
	metrics_label(f, "device", d->name);
	fputc(',', f);
	metrics_label(f, "table", table_name(r->table));
	fprintf(f, ",addr=\"%u\",", addr);
	metrics_label(f, "name", r->name);
	fputc(',', f);
	metrics_label(f, "unit", r->unit != NULL ? r->unit : "");
	fputs("} ", f);
}

/* One range; how many lines it made. */
static unsigned
put_range(FILE *f, const struct store *store, const struct conf_device *d,
    const struct conf_range *r)
{
	bool bits = r->table == STORE_CO || r->table == STORE_DI;
	unsigned step = bits ? 1 : typed_regs(r->type), n = 0;
	uint32_t units = r->count < RANGE_UNITS ? r->count : RANGE_UNITS;
	uint8_t wire[2 * RANGE_UNITS];

	units -= units % step;
	if (store_read(store, r->table, r->addr, units, wire, NULL) != STORE_OK)
		return 0;
	for (uint32_t at = 0; at < units; at += step, n++) {
		put_line(f, d, r, r->addr + at);
		if (bits)
			fprintf(f, "%d", wire[at / 8] >> at % 8 & 1);
		else
			put_number(f, number_of(r, wire + 2 * (size_t)at));
		fputc('\n', f);
	}
	return n;
}

/* A number that has a name. */
static bool
is_gauge(const struct conf_range *r)
{
	if (r->name == NULL)
		return false;
	if (r->table == STORE_CO || r->table == STORE_DI)
		return true;
	return (r->table == STORE_HR || r->table == STORE_IR) &&
	    r->type != TYPED_STRING && r->type != TYPED_BITS;
}

void
metrics_registers(FILE *f, struct control *c)
{
	const struct conf *conf = c->proc->conf;
	unsigned lines = 0;

	metrics_head(f, "holdfast_register", "gauge",
	    "What a register holds that has a name, times its scale.");
	for (size_t d = 0; d < conf->ndevices; d++) {
		const struct conf_device *dev = &conf->devices[d];

		for (size_t i = 0; i < dev->nranges && lines < LINES_MAX; i++)
			if (is_gauge(&dev->ranges[i]))
				lines += put_range(f, &c->proc->stores[d], dev,
				    &dev->ranges[i]);
	}
}
