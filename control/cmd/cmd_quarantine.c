/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine.*: who is kept out for what workers have died of, and what of that
 * is answered 04. Runs in the control process.
 */

#include <errno.h>
#include <string.h>

#include "control/cmd/cmd_rows.h"
#include "control/quarantined.h"
#include "control/state.h"
#include "shm/log.h"

/* -1: of all; false if there is none of that name. */
static bool
which(struct cmd_call *call, int *transport)
{
	const char *name = cmd_string(call, "transport");

	*transport = name != NULL ? control_transport(call, name) : -1;
	return call->error == CMD_OK;
}

void
cmd_quarantine_list(struct cmd_call *call)
{
	int transport;

	if (which(call, &transport))
		call->result = quarantined_list(call->control, transport);
}

void
cmd_quarantine_lift(struct cmd_call *call)
{
	const char *peer = cmd_string(call, "peer");
	int transport, n;

	if (!which(call, &transport))
		return;
	n = quarantined_lift(call->control, transport, peer);
	if (n == -1) {
		cmd_fail(call, CMD_REFUSED, "refused",
		    "a worker's segment cannot be written to: %s",
		    strerror(errno));
		return;
	}
	if (n == 0 && peer != NULL) {
		cmd_fail(call, CMD_NOT_FOUND, "no_peer",
		    "nothing is known of \"%.60s\"", peer);
		return;
	}
	if (n != 0)
		log_info("quarantine lifted peer=%.60s n=%d",
		    peer != NULL ? peer : "all", n);
	call->result = json_pack("{s:i}", "lifted", n);
}
