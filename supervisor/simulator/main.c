/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-simulator: a program on libholdfast that does all that one call of
 * it does.
 */
#include "supervisor/holdfast.h"

int
main(int argc, char **argv)
{
	return hf_simulator_daemon(argc, argv);
}
