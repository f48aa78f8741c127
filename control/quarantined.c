/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is kept out, from the workers' own segments: their words, which are
 * shown and decide nothing. Runs in the control process.
 */
#include "control/quarantined.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "control/jtext.h"
#include "control/view.h"
#include "shm/clock.h"

static bool
name_host(const struct shm_poison *e, char *text, size_t size)
{
	uint64_t net[2] = { atomic_load(&e->net[0]), atomic_load(&e->net[1]) };
	char host[INET6_ADDRSTRLEN];
	int family = (int)atomic_load(&e->family);

	if ((family != AF_INET && family != AF_INET6) ||
	    inet_ntop(family, net, host, sizeof(host)) == NULL)
		return false;
	snprintf(text, size, "%s%s", host, family == AF_INET6 ? "/64" : "");
	return true;
}

/* Several workers may keep out the same: it is named once, with the longest
 * time. */
static void
add(json_t *list, const char *peer, double for_s)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		if (strcmp(json_string_value(json_object_get(one, "peer")),
			peer) != 0)
			continue;
		if (json_number_value(json_object_get(one, "for_s")) < for_s)
			json_object_set_new(one, "for_s", jtext_float64(for_s));
		return;
	}
	json_array_append_new(list,
	    json_pack(
		"{s:s, s:o}", "peer", peer, "for_s", jtext_float64(for_s)));
}

json_t *
quarantined_json(struct control *c, unsigned transport)
{
	uint64_t now = clock_mono_ns();
	json_t *list = json_array();
	char peer[INET6_ADDRSTRLEN + 4];

	for (unsigned i = 0; i < c->nviews; i++) {
		struct view *v = &c->views[i];

		if (v->transport != transport || !view_attach(c, v))
			continue;
		for (unsigned n = 0; n < POISON_PEERS; n++) {
			struct shm_poison *e = &seg_worker(&v->seg)->poison[n];
			uint64_t until = atomic_load(&e->until_ns);

			if (atomic_load(&e->shut) != 0 && until > now &&
			    name_host(e, peer, sizeof(peer)))
				add(list, peer, (double)(until - now) / 1e9);
		}
	}
	return list;
}
