/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a part and what loads it come together. Host and part each have a copy
 * of this; part_join() is called in the part's, once, before anything else.
 */
#include <stdio.h>
#include <string.h>

#include "supervisor/part.h"

void
part_host(struct part_host *h)
{
	memset(h, 0, sizeof(*h));
	snprintf(h->version, sizeof(h->version), "%s", HOLDFAST_VERSION);
	h->layout = SHM_LAYOUT;
	h->proc_bytes = sizeof(struct proc);
	h->conf_bytes = sizeof(struct conf);
	h->transport_bytes = sizeof(struct conf_transport);
	h->log = log_state();
}

int
part_join(const struct part_host *host)
{
	struct part_host here;

	part_host(&here);
	if (memcmp(here.version, host->version, sizeof(here.version)) != 0 ||
	    here.layout != host->layout ||
	    here.proc_bytes != host->proc_bytes ||
	    here.conf_bytes != host->conf_bytes ||
	    here.transport_bytes != host->transport_bytes)
		return -1;
	log_share(host->log);
	return 0;
}
