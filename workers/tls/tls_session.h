/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_TLS_TLS_SESSION_H
#define WORKERS_TLS_TLS_SESSION_H

#include "workers/tls/tls.h"

/* How a stream whose arg is a struct tls moves bytes. */
extern const struct stream_ops tls_session_ops;

#endif
