/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

/*
 * /metrics: the text format of Prometheus, 0.0.4.
 */

#include <stdio.h>

#include "control/http/http.h"

/* The handler. */
http_fn metrics_show;

/* The lines before the values of a metric; type: "counter", "gauge" ... */
void metrics_head(FILE *, const char *name, const char *type, const char *help);

/* ,name="value" without the comma, escaped. */
void metrics_label(FILE *, const char *name, const char *value);

/* Named registers, scaled: metrics_registers.c. */
void metrics_registers(FILE *, struct control *);

#endif
