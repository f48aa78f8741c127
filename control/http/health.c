/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /healthz and /readyz, for those who watch over services. Runs in the http
 * process.
 */
#include <stdio.h>
#include <string.h>

#include "control/http/routes.h"
#include "control/state.h"
#include "control/take.h"
#include "shm/state.h"

void
health_live(struct http_call *call)
{
	http_reply(call, 200, HTTP_TEXT, "ok\n", 3);
}

/* Ready while every transport serves that is started with the daemon. */
void
health_ready(struct http_call *call)
{
	const struct conf *conf = call->control->proc->conf;
	char text[4096];
	size_t len = 0;

	for (size_t i = 0; i < conf->ntransports; i++) {
		struct shm_transport *t = seg_transport(
		    call->control->shm, take_place(call->control, i));
		unsigned state = atomic_load(&t->state);

		if (!conf->transports[i].autostart || state == SHM_UP ||
		    len + 100 > sizeof(text))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s is %s\n", conf->transports[i].name,
		    shm_state_name(state));
	}
	if (len == 0)
		http_reply(call, 200, HTTP_TEXT, "ready\n", 6);
	else
		http_reply(call, 503, HTTP_TEXT, text, len);
}
