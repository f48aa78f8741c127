/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_FAULT_REPLY_H
#define WORKERS_FAULT_REPLY_H

/* What faults make of the bytes of a reply. */

#include "workers/fault.h"

/* The values in a reply. */
struct fault_data {
	uint8_t *at;
	unsigned n; /* registers, or bits */
	bool bits;
};

/* Finds them; false if there are none: it is an exception, or the reply of a
 * function code that reads nothing. */
bool fault_data_find(struct fault_data *, const uint8_t *req, size_t req_len,
    uint8_t *pdu, size_t len);

/* Changes that share of them, of a million, rounded up: those it takes have
 * another value than before. */
void fault_data_change(
    struct faults *, const struct fault_data *, uint32_t share);

/* Makes the check of a frame wrong: CRC and LRC; where there is an MBAP header
 * its protocol id; in a frame of a plugin the last byte. */
void fault_spoil_check(const struct framer *, uint8_t *adu, size_t len);

/* A number below n, any of them as likely. */
uint32_t faults_below(struct faults *, uint32_t n);

#endif
