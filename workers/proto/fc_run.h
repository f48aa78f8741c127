/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_FC_RUN_H
#define PROTO_FC_RUN_H

/*
 * The handlers that fc.c's table names; each is as struct mb_fc says of run().
 * Clauses are of the Modbus Application Protocol V1.1b3.
 */

#include "workers/proto/fc.h"

/* fc_bits.c: 6.1, 6.2, 6.5, 6.11 */
enum mb_ex fc_read_coils(struct mb_call *);
enum mb_ex fc_read_inputs(struct mb_call *);
enum mb_ex fc_write_coil(struct mb_call *);
enum mb_ex fc_write_coils(struct mb_call *);

/* fc_regs.c: 6.3, 6.4, 6.6, 6.12, 6.16, 6.17 */
enum mb_ex fc_read_holding(struct mb_call *);
enum mb_ex fc_read_input_regs(struct mb_call *);
enum mb_ex fc_write_reg(struct mb_call *);
enum mb_ex fc_write_regs(struct mb_call *);
enum mb_ex fc_mask_reg(struct mb_call *);
enum mb_ex fc_read_write_regs(struct mb_call *);

/* fc_diag.c: 6.7 to 6.10 */
enum mb_ex fc_exception_status(struct mb_call *);
enum mb_ex fc_diagnostics(struct mb_call *);
enum mb_ex fc_event_counter(struct mb_call *);
enum mb_ex fc_event_log(struct mb_call *);

/* fc_file.c: 6.14, 6.15, 6.18 */
enum mb_ex fc_read_file(struct mb_call *);
enum mb_ex fc_write_file(struct mb_call *);
enum mb_ex fc_read_fifo(struct mb_call *);

/* fc_ident.c: 6.13, 6.19 to 6.21 */
enum mb_ex fc_server_id(struct mb_call *);
enum mb_ex fc_encapsulated(struct mb_call *);

/* How long the rest of such a PDU is, for the table's walk(). */
int fc_fifo_reply_len(const uint8_t *pdu, size_t len);
int fc_encapsulated_len(const uint8_t *pdu, size_t len);
int fc_encapsulated_reply_len(const uint8_t *pdu, size_t len);

#endif
