/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starters: a server of a type in one call. Runs in the program's own process.
 */
#include <errno.h>

#include "supervisor/api/api_server.h"

static struct hf_server *
make(struct hf_store *s, const struct hf_server_opts *given,
    enum hf_server_type type)
{
	struct hf_server_opts o;

	if (api_opts_take(given, &o) < 0)
		return NULL;
	o.type = type;
	return hf_server_new(s, &o);
}

static int
serve(struct hf_store *s, const struct hf_server_opts *o,
    enum hf_server_type type)
{
	struct hf_server *srv = make(s, o, type);
	int rc, err;

	if (srv == NULL)
		return -1;
	rc = hf_server_serve_forever(srv, 0);
	err = errno;
	hf_server_free(srv);
	errno = err;
	return rc;
}

static struct hf_server *
start(struct hf_store *s, const struct hf_server_opts *o,
    enum hf_server_type type)
{
	struct hf_server *srv = make(s, o, type);
	int err;

	if (srv == NULL || hf_server_serve_forever(srv, 1) == 0)
		return srv;
	err = errno;
	hf_server_free(srv);
	errno = err;
	return NULL;
}

int
hf_start_tcp_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return serve(s, o, HF_TCP);
}

int
hf_start_tls_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return serve(s, o, HF_TLS);
}

int
hf_start_udp_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return serve(s, o, HF_UDP);
}

int
hf_start_serial_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return serve(s, o, HF_SERIAL);
}

struct hf_server *
hf_start_async_tcp_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return start(s, o, HF_TCP);
}

struct hf_server *
hf_start_async_tls_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return start(s, o, HF_TLS);
}

struct hf_server *
hf_start_async_udp_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return start(s, o, HF_UDP);
}

struct hf_server *
hf_start_async_serial_server(struct hf_store *s, const struct hf_server_opts *o)
{
	return start(s, o, HF_SERIAL);
}
