/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that wait for the disk, with tickets (shm/durable.h). Runs in the
 * control process and in http. Blocks only for pages that have no way to be
 * answered later.
 */

#include "control/saves.h"

#include "control/rpc.h"
#include "shm/clock.h"
#include "shm/durable.h"
#include "shm/patience.h"

#define MS UINT64_C(1000000)

enum { NO_BELL_MS = 2 };

void
saves_init(struct control *c)
{
	/* ranges may become durable while this runs */
	bell_open_of(&c->saved_bell, &c->proc->env, &c->shm->saved.bells);
}

void
saves_fini(struct control *c)
{
	if (c->saved_bell.fd >= 0)
		bell_close(&c->saved_bell);
}

bool
saves_may(struct cmd_call *call, const struct values *v)
{
	struct control *c = call->control;
	const struct shm_saved *s = &c->shm->saved;

	if (c->late_ticket != 0 &&
	    durable_state(s, c->late_ticket) != DURABLE_WAITS)
		c->late_ticket = 0;
	if (c->late_ticket == 0 && !durable_fails(s))
		return true;
	values_fail(call, v, STORE_UNSAVED);
	return false;
}

void
saves_await(struct cmd_call *call)
{
	struct control *c = call->control;

	call->ticket = durable_take(&c->shm->saved);
	call->later = true;
	call->tag = ++c->tag; /* that nobody answers */
	call->late = "the values are written, but not on the disk in time; "
		     "they may be later";
	call->deadline_ns = c->now_ns + c->proc->conf->snapshot.durable_ms * MS;
	c->nsaves++;
}

static void
end(struct control *c, struct cmd_call *call)
{
	call->ticket = 0;
	call->later = false;
	c->nsaves--;
}

static void
fail(struct cmd_call *call)
{
	call->modbus_exception = 4;
	cmd_fail(call, CMD_MODBUS, "server_device_failure",
	    "the values are written, but cannot be saved");
}

void
saves_look(struct control *c, struct cmd_call *call)
{
	enum durable state = durable_state(&c->shm->saved, call->ticket);

	if (state == DURABLE_WAITS)
		return;
	end(c, call);
	if (state == DURABLE_FAILED)
		fail(call);
}

void
saves_expire(struct control *c, struct cmd_call *call)
{
	c->late_ticket = call->ticket;
	end(c, call);
}

uint64_t
saves_turn(struct control *c)
{
	if (c->nsaves == 0)
		return UINT64_MAX;
	bell_disarm(&c->saved_bell);
	bell_arm(&c->saved_bell);
	rpc_saved(c);
	return c->now_ns +
	    (c->saved_bell.fd >= 0 ? BELL_SLICE_MS : NO_BELL_MS) * MS;
}

void
saves_settle(struct cmd_call *call)
{
	struct control *c = call->control;
	struct shm_saved *s = &c->shm->saved;
	uint64_t ticket = call->ticket, ns = durable_budget_ns(s);

	if (ns > PATIENCE_ACTION_MAX_MS * MS)
		ns = PATIENCE_ACTION_MAX_MS * MS;
	end(c, call);
	if (durable_wait_for(s, ticket, ns) == 0)
		return;
	if (durable_state(s, ticket) == DURABLE_WAITS)
		c->late_ticket = ticket;
	fail(call);
}
