/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_READ_H
#define SUPERVISOR_CONF_READ_H

/*
 * From the tree of a file to structs, as the tables of keys say; and the
 * collecting of mistakes, so that one run shows them all.
 */

#include "supervisor/conf/conf_key.h"

enum { CONF_FAULTS_MAX = 200, CONF_HINT = 160, CONF_PLACE = 300 };

struct conf_fault {
	unsigned file; /* in the order of reading */
	uint32_t line, col;
	unsigned nth;
	char *text; /* the whole line */
};

/* Where the ranges of a device stand, in their order. */
struct conf_placed {
	unsigned device;
	const struct jsonc_node **range_at;
};

struct conf_ctx {
	struct conf *conf;
	struct jsonc_doc **docs; /* every file that was read */
	size_t ndocs;
	const struct jsonc_node **transport_at; /* beside conf->transports */
	struct conf_placed *placed; /* devices whose actions are looked at */
	size_t nplaced;
	struct conf_fault *faults;
	size_t nfaults;
	size_t dropped; /* faults beyond CONF_FAULTS_MAX */
	struct conf_fault *notes; /* what conf->notes will say */
	size_t nnotes;
	const struct jsonc_doc **roles; /* those of docs that are of roles */
	size_t nroles;
	const struct jsonc_node *top; /* the whole, as merged */
	struct setup **setups; /* what was read of setup files */
	size_t nsetups;
	struct conf_files *files; /* that are opened; NULL: whichever */
	size_t nspare; /* devices of theirs that nobody serves, the last */
	bool quiet; /* what is found now has been told before */
	bool partial; /* a file could not be read: what is missing may be
		       * there */
	bool placeless; /* mistakes are told without their place: nobody has
			 * written the text */
	bool hooked; /* a program's hooks may bring types and framers */
};

/* Notes a mistake at a value, or at its key. */
void conf_fault(struct conf_ctx *, const struct jsonc_node *, const char *fmt,
    ...) __attribute__((__format__(printf, 3, 4)));
void conf_fault_key(struct conf_ctx *, const struct jsonc_node *,
    const char *fmt, ...) __attribute__((__format__(printf, 3, 4)));
/* The same at a place; a jsonc_fault_fn. */
void conf_fault_at(void *ctx, const struct jsonc_doc *, uint32_t line,
    uint32_t col, const char *what);

/* Notes what is taken but left out, at its key; and, as a jsonc_fault_fn, what
 * does nothing. */
void conf_note_key(struct conf_ctx *, const struct jsonc_node *,
    const char *fmt, ...) __attribute__((__format__(printf, 3, 4)));
void conf_note_at(void *ctx, const struct jsonc_doc *, uint32_t line,
    uint32_t col, const char *what);

/* The end of the notes: they become conf->notes, or mistakes. */
void conf_notes_keep(struct conf_ctx *);
void conf_notes_refuse(struct conf_ctx *);

/* mem_try() for what reads texts. */
int conf_try(void (*run)(void *), void *arg);

/* Prints all mistakes in the order of their places, and forgets them. */
void conf_faults_print(struct conf_ctx *, FILE *err);

/* The end of a reading: gives back what it needed. The configuration, or NULL
 * with errno if err is not 0, when it is given back as well. */
struct conf *conf_ctx_end(struct conf_ctx *, int err);

/* "; did you mean \"x\"?", or "" if nothing is near; lies in hint. */
const char *conf_hint(char hint[CONF_HINT], const char *typed,
    const char *const *names, size_t n);

/*
 * Reads an object by a section's rows into obj: defaults for what is left out,
 * a mistake for what is unknown, of the wrong type, outside its range or
 * missing. node NULL: everything is left out. skip: a flag CONF_NOT_* for keys
 * that do not apply here. what: "transport \"tcp1\"", for the mistakes.
 */
void conf_read_section(struct conf_ctx *, const struct jsonc_node *,
    const struct conf_section *, const char *what, unsigned skip, void *obj);

/* The row of a member in its section, or -1 after noting a mistake; the rest as
 * for conf_read_section(). */
int conf_find_row(struct conf_ctx *, const struct jsonc_node *,
    const struct conf_section *, const char *what, unsigned skip);

/* Reads each member of what must be an object. */
typedef void conf_member_fn(struct conf_ctx *, const struct jsonc_node *);
void conf_read_members(
    struct conf_ctx *, const struct jsonc_node *, conf_member_fn *);

/* True if the node is of the type; notes a mistake with what was wanted. */
bool conf_want(struct conf_ctx *, const struct jsonc_node *, enum jsonc_type,
    const char *wanted);

/* Where a key, or a value without one, stands, as seen from a file: "7:3", or
 * "other.json:7:3". Lies in buf. */
const char *conf_place(char *buf, size_t size, const struct jsonc_node *,
    const struct jsonc_doc *from);

/* A path as the file means it: relative to where the file lies. malloc'd. */
char *conf_resolve(const struct jsonc_doc *, const char *path);

/* The same from the root on: what the configuration keeps must not depend on
 * where we are. */
char *conf_absolute(const struct jsonc_doc *, const char *path);

/* What relative paths of a file begin with. malloc'd. */
char *conf_folder(const struct jsonc_doc *);

/* Reads a whole number from min to max. False after noting a mistake. */
bool conf_want_uint(struct conf_ctx *, const struct jsonc_node *, uint32_t min,
    uint32_t max, uint32_t *);

/* True if the node is a string of at most max bytes without control
 * characters; notes a mistake about what is called name. */
bool conf_text_ok(
    struct conf_ctx *, const struct jsonc_node *, const char *name, size_t max);

/* Notes a mistake if there is nothing at the path, or with CONF_FILE a
 * directory. */
void conf_check_path(struct conf_ctx *, const struct jsonc_node *,
    const struct conf_key *, const char *path);

/* The member of that name, else the object itself: where a mistake stands that
 * is about both. */
const struct jsonc_node *conf_at(const struct jsonc_node *, const char *key);

#endif
