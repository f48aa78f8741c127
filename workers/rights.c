/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles against requests. Runs in the workers of transports whose clients have
 * certificates. Allocates nothing, takes no lock.
 */
#include "workers/rights.h"

#include <string.h>

const struct conf_role *
rights_of(const struct conf_transport *t, const char *name)
{
	static const struct conf_role none = { .nrules = 0 };

	if (t->tls.roles.path == NULL)
		return NULL;
	for (size_t i = 0; i < t->tls.roles.n; i++)
		if (strcmp(t->tls.roles.at[i].name, name) == 0)
			return &t->tls.roles.at[i];
	return &none;
}

bool
rights_allow(
    const struct conf_role *role, int device, const uint8_t *pdu, size_t len)
{
	(void)device;
	(void)pdu;
	(void)len;
	return role->nrules > 0;
}

void
rights_refused(
    struct worker *w, const struct shm_conn *c, uint8_t unit, uint8_t fc)
{
	(void)c;
	(void)unit;
	(void)fc;
	(void)w;
}
