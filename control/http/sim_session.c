/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each who looks at the pages has chosen, by his cookie. Scripts that keep
 * no cookies share one session, as all do in pymodbus. Their number is bounded:
 * who was there longest ago makes room. Runs in the http process.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/http/sim_own.h"

enum { IDLE_MS = 3600 * 1000, ID_BYTES = 16 };

static bool
make_id(char id[33])
{
	unsigned char bytes[ID_BYTES];

	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != sizeof(bytes))
		return false;
	for (int i = 0; i < ID_BYTES; i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

static void
end_session(struct sim_session *s)
{
	free(s->filter);
	*s = (struct sim_session){ 0 };
}

/* Begins as those without a cookie have left it: the first request of a
 * browser has none, and what it did is to be there. */
static void
begin(struct sim_call *c, struct sim_session *s)
{
	const struct sim_session *common = &c->sim->session[0];

	end_session(s);
	*s = *common;
	s->id[0] = '\0';
	s->filter = NULL;
	s->nfilter = 0;
	if (common->filter != NULL)
		s->filter = calloc(SIM_FILTER_MAX, sizeof(*s->filter));
	if (s->filter != NULL) {
		s->nfilter = common->nfilter;
		memcpy(
		    s->filter, common->filter, s->nfilter * sizeof(*s->filter));
	}
	if (!make_id(s->id))
		s->used_ms = 0;
}

struct sim_session *
sim_session_of(struct sim_call *c, const char *id)
{
	uint64_t now = (uint64_t)(c->now * 1e3);
	struct sim_session *at = &c->sim->session[0];

	for (int i = 1; i < SIM_SESSIONS; i++) {
		struct sim_session *s = &c->sim->session[i];

		if (s->used_ms != 0 && s->used_ms + IDLE_MS < now)
			end_session(s);
		if (id != NULL && s->used_ms != 0 && strcmp(s->id, id) == 0)
			at = s;
	}
	at->used_ms = now;
	return at;
}

const char *
sim_session_new(struct sim_call *c)
{
	struct sim_session *oldest = &c->sim->session[1];

	for (int i = 2; i < SIM_SESSIONS; i++)
		if (c->sim->session[i].used_ms < oldest->used_ms)
			oldest = &c->sim->session[i];
	begin(c, oldest);
	return oldest->used_ms != 0 ? oldest->id : NULL;
}
