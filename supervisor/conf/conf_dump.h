/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_DUMP_H
#define SUPERVISOR_CONF_DUMP_H

/*
 * The configuration in force as JSON that conf_load() takes, and the list of
 * keys. Both come from the tables of keys.
 */

#include "supervisor/conf/conf_key.h"

struct conf_out {
	FILE *f;
	unsigned depth;
	bool begun; /* the open bracket has a member */
	bool secret; /* passwords, too */
};

/* A member begins: comma, line, key (NULL in lists). */
void conf_out_key(struct conf_out *, const char *key);
void conf_out_open(struct conf_out *, const char *key, char bracket);
void conf_out_close(struct conf_out *, char bracket);
/* A member that is a string; NULL prints nothing at all. */
void conf_out_text(struct conf_out *, const char *key, const char *text);
/* The string alone, in quotes; len bytes. */
void conf_out_quoted(struct conf_out *, const char *text, size_t len);

/* All members of an object by its rows, but those with a flag of skip. */
void conf_out_section(struct conf_out *, const struct conf_section *,
    unsigned skip, const void *obj);

conf_dump_fn conf_devices_dump, conf_transports_dump, conf_table_dump,
    conf_files_dump, conf_fifos_dump, conf_identity_dump,
    conf_identity_own_dump, conf_text_dump, conf_secret_dump, conf_dump_nothing;

/* What conf_dump_secret() has printed of the configuration of that path. It
 * names no other files but those of roles, which are read. */
struct conf *conf_load_dump(const char *path, const char *text, FILE *err);

#endif
