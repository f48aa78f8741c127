/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_SIM_ROUTE_H
#define HTTP_SIM_ROUTE_H

#include "control/http/http.h"

/* The handlers of the paths that pymodbus's simulator has: /api/registers and
 * so on, the same below /restapi/, and whatever else is asked for there. */
http_fn sim_route, sim_route_post_only, sim_route_unknown;

#endif
