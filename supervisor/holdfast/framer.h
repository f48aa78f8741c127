/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_FRAMER_H
#define HOLDFAST_FRAMER_H

/*
 * Framers of one's own: part of holdfast.h. A framer cuts bytes into requests
 * and puts replies into frames; it can be used on any transport.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hf_found { HF_FRAME, HF_FRAME_MORE, HF_FRAME_BAD };

/* A request as a framer found it. */
struct hf_frame {
	uint8_t unit;
	uint16_t transaction;
	const uint8_t *pdu; /* into the input, or into scratch */
	size_t pdu_len; /* 1..HF_PDU_MAX */
	size_t used; /* bytes done with, with what was skipped before it; of
		      * a frame at least 2 */
	unsigned errors; /* bad frames skipped */
	const char *why; /* HF_FRAME_BAD: for the log */
	uint8_t scratch[256];
};

struct hf_framer {
	size_t size;
	const char *name; /* as "framer" of a transport names it */
	size_t head; /* bytes of a reply before its PDU, 0..7 */
	size_t adu_max; /* of the longest frame: head + HF_PDU_MAX, or more,
			 * up to HF_ADU_MAX */
	/* Looks for the first request in len bytes, of which it keeps nothing.
	 * HF_FRAME: it is in *f. HF_FRAME_MORE: used bytes may be dropped, the
	 * others come again with more behind them. HF_FRAME_BAD: hopeless.
	 * datagram: it is the whole of it, or bad. */
	enum hf_found (*find)(void *arg, int datagram, const uint8_t *in,
	    size_t len, struct hf_frame *f);
	/* Makes the reply to *f around the PDU at adu + head; its length. */
	size_t (*seal)(
	    void *arg, const struct hf_frame *f, uint8_t *adu, size_t pdu_len);
};

#ifdef __cplusplus
}
#endif

#endif
