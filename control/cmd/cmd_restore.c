/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot back into the store, beside whoever else works with it: some in
 * each turn of the loop. Runs in the control process.
 */

#include "control/cmd/cmd_restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/jtext.h"
#include "control/state.h"
#include "control/values.h"
#include "shm/clock.h"
#include "shm/snap_put.h"
#include "shm/table.h"

enum { TURN_NS = 2000000 }; /* that others wait in a turn of the loop */

struct restore {
	struct snap_put put;
	struct cmd_call *call;
	struct restored told;
};

static struct store *
find(void *arg, const char *name)
{
	const struct restore *s = arg;
	const struct proc *proc = s->call->control->proc;

	for (size_t i = 0; i < proc->conf->ndevices; i++)
		if (strcmp(proc->conf->devices[i].name, name) == 0)
			return &proc->stores[i];
	return NULL;
}

static enum store_rc
apply(
    void *arg, struct store *store, const struct store_step *steps, unsigned n)
{
	struct restore *s = arg;
	enum store_rc rc;

	/* between two turns it may have become another one */
	store = find(s, s->put.d.name);
	rc = store == NULL
	    ? STORE_NO_ADDRESS
	    : control_apply(s->call->control, store, steps, n, NULL);

	control_beat(s->call->control);
	if (rc != STORE_OK)
		cmd_fail(s->call, CMD_REFUSED, "busy",
		    "device %s cannot be had; %u steps before that have been "
		    "carried out",
		    s->put.d.name, s->put.steps);
	return rc;
}

static void
add_unfit(void *arg, const char *device, const struct snap_block *b,
    uint32_t addr, uint32_t count)
{
	struct restored *r = &((struct restore *)arg)->told;
	json_t *row;

	if (json_array_size(r->unfit) >= RESTORE_UNFIT_MAX) {
		r->more++;
		return;
	}
	row = json_pack("{s:o, s:s}", "device",
	    jtext_bytes(device, strlen(device)), "why",
	    b == NULL ? "no such device" : "the device has no such addresses");
	if (b != NULL) {
		json_object_set_new(
		    row, "table", json_string(table_name(b->table)));
		json_object_set_new(
		    row, "addr", jtext_uint(values_addr(b->table, addr)));
		if (b->table == STORE_FILE)
			json_object_set_new(
			    row, "file", values_file(b->table, addr));
		json_object_set_new(row, "count", jtext_uint(count));
	}
	json_array_append_new(r->unfit, row);
}

static const struct snap_put_ops ops = {
	.find = find,
	.apply = apply,
	.unfit = add_unfit,
};

struct restore *
restore_begin(const struct snap *snap)
{
	struct restore *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	snap_put_begin(&s->put, snap, &ops, s);
	s->told.unfit = json_array();
	return s;
}

enum restore_rc
restore_some(struct cmd_call *call, struct restore *s)
{
	uint64_t until = clock_mono_ns() + TURN_NS;
	enum snap_put_rc rc;

	s->call = call;
	do
		rc = snap_put_next(&s->put);
	while (rc == SNAP_PUT_MORE && clock_mono_ns() < until);
	s->told.devices = s->put.devices;
	s->told.written = s->put.written;
	s->told.steps = s->put.steps;
	return rc == SNAP_PUT_MORE ? RESTORE_MORE
	    : rc == SNAP_PUT_DONE  ? RESTORE_DONE
				   : RESTORE_FAILED;
}

struct restored *
restore_told(struct restore *s)
{
	return &s->told;
}

void
restore_end(struct restore *s)
{
	if (s != NULL)
		json_decref(s->told.unfit);
	free(s);
}
