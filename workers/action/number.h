/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_NUMBER_H
#define WORKERS_NUMBER_H

/* The value of a cell as a number, whatever type and order it has. */

#include "shm/typed.h"
#include "supervisor/holdfast.h"

enum { NUMBER_REGS = 4 }; /* of the widest */

/* The value; false for a string. */
bool number_get(const struct hf_cell *, double *out);

/* Sets it, whatever it was: what the type has no room for is HF_EX_FAILURE, a
 * fraction is cut off, bits are 1 but for 0. */
enum hf_exception number_put(struct hf_cell *, double);

/* The same for what is only nearly right: rounded, kept within what the type
 * holds, a bit is 1 from a half on. No number changes nothing. */
void number_near(struct hf_cell *, double);

/* The same for values that a double cannot say exactly. False if it is not of
 * the cell's type, or does not fit. */
bool number_get_typed(const struct hf_cell *, struct typed_value *out);
bool number_put_typed(struct hf_cell *, const struct typed_value *);

bool number_is_float(enum hf_type);

#endif
