/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PERSIST_WARM_H
#define SUPERVISOR_PERSIST_WARM_H

struct super;

/*
 * Puts the values that were saved last into the devices, before anybody is
 * born who could ask for them: by the names of devices, tables and addresses.
 * What is not in the snapshot keeps its configured value, and so does what is
 * not to be retained. 0; or the exit code after saying why, which only
 * "required" in "snapshot" brings about. Nothing without "snapshot".
 */
int warm_start(struct super *);

#endif
