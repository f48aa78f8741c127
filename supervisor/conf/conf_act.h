/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_ACT_H
#define SUPERVISOR_CONF_ACT_H

#include "supervisor/conf/conf_read.h"

/* Notes the mistakes in the actions of the ranges that ctx->placed tells the
 * places of, finds their files, and puts in what they leave out. To be called
 * when all else has been read. */
void conf_act_check(struct conf_ctx *);

#endif
