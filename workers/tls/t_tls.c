/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus over TLS (MODBUS/TCP Security v3.6). Runs in the workers of type tls,
 * which load the part that it lies in.
 */
#include "workers/stream.h"

const struct transport_ops transport_tls = { .name = "tls" };
