/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold between the keys of a tls transport. The files are looked into
 * by the worker that uses them. Runs before the first fork.
 */
#include "supervisor/conf/conf_tls.h"

static bool
given(const struct jsonc_node *node, const char *key)
{
	return jsonc_get(node, key) != NULL;
}

/* Who is let in: certificates need somebody who vouches for them. */
static void
check_clients(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_tls *tls)
{
	if (given(node, "ca"))
		return;
	if (tls->client_cert != CONF_CERT_NONE)
		conf_fault(ctx, conf_at(node, "client_cert"),
		    "\"ca\" is missing in transport \"%.60s\": it signs the "
		    "certificates of clients%s",
		    node->key,
		    tls->client_cert == CONF_CERT_REQUIRE
			? ", which are required unless \"client_cert\" is "
			  "\"none\""
			: "");
	else if (given(node, "crl"))
		conf_fault_key(ctx, jsonc_get(node, "crl"),
		    "\"crl\" needs \"ca\", whose revocations it lists");
}

void
conf_tls_check(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_transport *t)
{
	const struct conf_tls *tls = &t->tls;

	if (node->type != JSONC_OBJECT)
		return;
	/* a list that is missing or empty has been told */
	if (tls->cert.n != tls->key.n && tls->cert.n > 0 && tls->key.n > 0)
		conf_fault(ctx, conf_at(node, "key"),
		    "there are %zu certificates and %zu keys; each needs its "
		    "own",
		    tls->cert.n, tls->key.n);
	if (tls->ocsp.n > tls->cert.n)
		conf_fault(ctx, conf_at(node, "ocsp"),
		    "there are %zu OCSP answers for %zu certificates",
		    tls->ocsp.n, tls->cert.n);
	if (given(node, "password") && given(node, "password_file"))
		conf_fault_key(ctx, jsonc_get(node, "password_file"),
		    "\"password\" and \"password_file\" exclude each other");
	check_clients(ctx, node, tls);
}
