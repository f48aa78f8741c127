/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_FORM_H
#define CONTROL_FORM_H

/*
 * What addresses and forms hold: "%41" is decoded and "a=1&b=2" taken apart,
 * in place.
 */

#include "control/http/http.h"

/* Splits a target into its path, which is decoded, and its query (NULL: none),
 * which is not. False if the path is none that may be asked for: with ".."
 * between slashes, a NUL, or a % that is no escape. */
bool form_target(char *target, char **path, char **query);

/* Takes a query or the body of a form apart into the fields of a call; what is
 * beyond HTTP_FIELDS_MAX, or wrongly escaped, makes it false. */
bool form_take(struct http_call *, char *text, bool of_form);

#endif
