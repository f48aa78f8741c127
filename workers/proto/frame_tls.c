/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The framer "tls": MODBUS/TCP Security V3.6 leaves the MBAP header as it is
 * and only wraps the connection, so this is that header under the name
 * by which configurations ask for it. Runs in the workers.
 */

#include "workers/proto/frame_mbap.h"

const struct framer frame_tls = {
	.name = "tls",
	.head = 7,
	.adu_max = 260,
	.stream = frame_mbap_stream,
	.datagram = frame_mbap_datagram,
	.seal = frame_mbap_seal,
};
