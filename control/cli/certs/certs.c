/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the part has to offer, under the name that the command looks for. Runs
 * in `holdfast certs`.
 */
#include "control/cli/certs/certs.h"

#include "control/cli/certs/certs_demo.h"
#include "control/cli/certs/certs_revoke.h"
#include "control/cli/certs/certs_show.h"

const struct certs_part certs_part = {
	.demo = certs_demo,
	.revoke = certs_revoke,
	.show = certs_show,
};
