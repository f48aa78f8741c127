/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SAVED_H
#define CONTROL_SAVED_H

#include "control/state.h"

/* What has become of the registers' snapshots, as system.info says it; NULL if
 * the configuration wants none. */
json_t *saved_rows(const struct control *);

#endif
