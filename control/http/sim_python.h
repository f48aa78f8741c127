/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_PYTHON_H
#define HTTP_SIM_PYTHON_H

/* Values as Python's str() and repr() write them, which is what the scripts
 * that read the simulator's REST expect. */

#include "control/http/sim_text.h"

/* A float: 404.17, 1.0, 1e+16, inf. At most 32 bytes with the NUL. */
void sim_python_float(double, char *out, size_t size);

/* Any value: {'minval': 10, 'maxval': 80}. */
void sim_python_repr(struct text *, const json_t *);

#endif
