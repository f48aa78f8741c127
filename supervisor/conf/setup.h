/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SETUP_H
#define SUPERVISOR_SETUP_H

/*
 * A setup file of pymodbus' simulator as what the library's own calls take: a
 * text becomes options of a server and ranges of a device. Reads no file, makes
 * no store. holdfast/simulator.h says what is taken.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/conf/jsonc.h"
#include "supervisor/holdfast/opts.h"
#include "supervisor/holdfast/store.h"

struct setup_pick {
	const char *server; /* names; NULL: "server" */
	const char *device; /* NULL: what the server says, else "device" */
	const struct hf_hooks *actions; /* more than those built in; NULL */
	bool any_action; /* which there are is not known here */
	jsonc_fault_fn *note; /* told, with the arg that mistakes are told with,
			       * what is taken but does nothing; NULL */
};

struct setup {
	struct hf_server_opts opts; /* but for units and hooks */
	struct hf_identity identity; /* opts.identity, if there is one */
	int device_id; /* HF_EVERY_UNIT: every one */
	bool shared; /* one array behind all four tables */
	bool type_exception; /* no part of a value is read or written */
	uint32_t sizes[4]; /* registers of each table, by enum hf_table */
	struct hf_range *ranges; /* none overlaps another one */
	size_t nranges;
	const struct jsonc_node **range_at; /* beside them: their entries */
	char *server_place; /* "setup.json:3:19" */
	char *why; /* all mistakes, a line each, or NULL: there are none */
	char *notes; /* likewise what does nothing; without pick->note */
	void *own; /* what the texts and values lie in */
};

/*
 * The same of a server or a device (or both) of a tree that has been read, and
 * which must stay as long as what is returned. Mistakes are told to tell; what
 * has any must not be used.
 */
struct setup *setup_of(const struct jsonc_node *server,
    const struct jsonc_node *device, const struct setup_pick *,
    jsonc_fault_fn *tell, void *arg);

/* Zeroed room that stays until setup_free(). */
void *setup_room(struct setup *, size_t size);

/*
 * Reads len bytes of text, which are changed; text[len] must be NUL. path is
 * what the file is called in words. Never NULL, whatever the text is; out of
 * memory it ends as mem_try() says. setup_free() it.
 */
struct setup *setup_read(
    const char *path, char *text, size_t len, const struct setup_pick *);
void setup_free(struct setup *);

#endif
