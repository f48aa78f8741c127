/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at what a transport names. Runs in a process that does nothing else;
 * nobody is served by it.
 */
#include "workers/check.h"

#include "workers/hooks/plugin_check.h"
#include "workers/transport.h"

int
worker_check(struct proc *p, bool files, FILE *err)
{
	struct worker w = { .proc = p, .conf = p->transport };
	const char *why = NULL;
	int wrong = plugin_check(p->transport, err);

	if (!files)
		return wrong;
	w.ops = transport_find(&w);
	if (w.ops == NULL)
		why = w.why;
	else if (w.ops->check != NULL)
		why = w.ops->check(&w);
	if (why == NULL)
		return wrong;
	fprintf(err, "transport %s: %s\n", p->transport->name, why);
	return wrong + 1;
}
