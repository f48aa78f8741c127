/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_EXCEPTION_H
#define HOLDFAST_EXCEPTION_H

/* Exceptions (Modbus Application Protocol V1.1b3, 7). */
enum hf_exception {
	HF_EX_NONE = 0,
	HF_EX_FUNCTION = 1,
	HF_EX_ADDRESS = 2,
	HF_EX_VALUE = 3,
	HF_EX_FAILURE = 4,
	HF_EX_ACKNOWLEDGE = 5,
	HF_EX_BUSY = 6,
	HF_EX_NAK = 7,
	HF_EX_PARITY = 8,
	HF_EX_NO_PATH = 10,
	HF_EX_NO_REPLY = 11
};

#endif
