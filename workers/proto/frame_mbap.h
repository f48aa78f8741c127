/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_FRAME_MBAP_H
#define PROTO_FRAME_MBAP_H

/* The MBAP header's functions, as struct framer has them, for framers that
 * use the same header (tls). */

#include "workers/proto/frame.h"

enum frame_rc frame_mbap_stream(const struct mb_fcs *, uint8_t delimiter,
    const uint8_t *in, size_t len, struct frame *);
enum frame_rc frame_mbap_datagram(const struct mb_fcs *, uint8_t delimiter,
    const uint8_t *in, size_t len, struct frame *);
size_t frame_mbap_seal(
    const struct frame *req, uint8_t delimiter, uint8_t *adu, size_t pdu_len);

#endif
