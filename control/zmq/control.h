/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

struct proc;

/*
 * The control process: a proc_main_fn, found by this name in control.so, which
 * only this process loads, after its birth. Serves until the parent says
 * IPC_EXIT or is gone; returns the exit code.
 */
int control_main(struct proc *);

#endif
