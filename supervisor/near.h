/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_NEAR_H
#define SUPERVISOR_NEAR_H

#include <stddef.h>

/*
 * The name among n that is nearest to a mistyped one, by edit distance with
 * transpositions; NULL if none is near enough to be meant.
 */
const char *near_name(const char *typed, const char *const *names, size_t n);

/*
 * `; did you mean "x"?`, or if no name is near what there is: `; there is "a",
 * "b"`, as many as have room, or "" of none. Returns buf.
 */
const char *near_or_all(char *buf, size_t size, const char *typed,
    const char *const *names, size_t n);

#endif
