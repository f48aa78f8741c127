/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_CONF_H
#define SUPERVISOR_CONF_H

/*
 * The configuration as the processes use it: plain structs that nobody changes;
 * a reload puts another one in their place (reload/apply.h). What it owns lives
 * until conf_free(). How it is written: holdfast.json(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shm/log.h"
#include "supervisor/conf_parts.h"
#include "supervisor/conf/conf_action.h"

struct conf_transport {
	char *name;
	enum conf_type type;
	char *type_name; /* "tcp", or what a plugin calls it */
	char *listen; /* "127.0.0.1:502", "[::1]:502"; serial: NULL, unless the
		       * port is a socket; plugin: anything, or NULL */
	struct conf_tls tls;
	struct conf_serial serial;
	struct conf_shm shm;
	char *folder; /* of the file that it stands in */
	struct conf_paths plugins;
	char *plugins_place; /* where they stand, "FILE:LINE:COL"; or NULL */
	struct conf_options options; /* for the plugins */
	unsigned max_transactions; /* 0: no limit */
	char *framer; /* a name that framer_find() knows, or a plugin's */
	int units[CONF_UNITS]; /* index into devices, CONF_NO_DEVICE */
	bool silent_units; /* missing_unit: silent rather than 0B */
	bool broadcast;
	bool read_only; /* access: read-only */
	struct conf_cidrs allow, deny, priority;
	unsigned max_connections;
	unsigned max_connections_per_peer; /* 0: no limit */
	unsigned quarantine_s; /* of who kills workers; 0: none */
	unsigned idle_timeout_s, frame_timeout_ms; /* 0: never */
	unsigned workers;
	bool autostart;
	bool serial_functions; /* 7, 8, 11, 12, 17 are served */
	bool trace;
	unsigned trace_kib;
	struct {
		unsigned min_backoff_ms, max_backoff_ms;
		unsigned max_in_window; /* 0: never give up */
		unsigned window_s;
	} restart;
	char *user; /* or NULL: stay who we are */
	struct conf_object *identity; /* instead of its devices' */
	size_t nidentity; /* 0: theirs */
};

struct conf {
	const struct conf_pick *pick; /* as given; or NULL */
	char *path; /* of the main file */
	char *store; /* store.name */
	struct conf_snapshot snapshot;
	struct conf_device *devices;
	size_t ndevices;
	struct conf_transport *transports;
	size_t ntransports;
	char **control_listen; /* tcp:// endpoints */
	size_t ncontrol_listen;
	char *curve_secret_key; /* files, or NULL */
	char *curve_authorized;
	struct conf_actions actions;
	struct conf_http http;
	unsigned drain_timeout_s;
	unsigned hang_timeout_ms;
	char *notes; /* lines: what is left out or does nothing; or NULL */
};

/*
 * Reads path and what it includes. Every mistake found is printed to err as
 *
 *	FILE:LINE:COL: what; did you mean "x"?
 *
 * Returns NULL if there was any (errno EINVAL), or if the main file cannot be
 * read (errno of the open, after a line on err).
 */
struct conf *conf_load(const char *path, FILE *err);

/* The same with a pick, which stays as long; NULL: what the file says. */
struct conf *conf_load_pick(
    const char *path, const struct conf_pick *, FILE *err);

/* The same of a text; it opens what the file names, too, and no others. */
struct conf *conf_load_text(
    const char *path, const struct conf_pick *, const char *text, FILE *err);

/* What a program wants a server to do, instead of a file. */
struct conf_text {
	const char *folder; /* where relative paths begin */
	const char *text; /* a configuration with one transport */
	const char *more; /* an object of keys for that; or NULL */
	bool hooked; /* hooks may bring types and framers */
};

/* Reads that. NULL with EINVAL, and why[] is the mistakes without places. */
struct conf *conf_parse(const struct conf_text *, char *why, size_t size);

/* An object of strings, numbers, true and false as options; owned by what they
 * go into. 0; -1 with why[] and errno as above, or ENOMEM. */
int conf_parse_options(
    const char *text, struct conf_options *, char *why, size_t size);

/*
 * The devices of a configuration and store.name, or NULL if it has none;
 * nothing else that it holds is looked at. text: the configuration itself,
 * which mistakes then call path; NULL: it stands in the file path. May run in a
 * program of somebody else: running out of memory is errno ENOMEM.
 */
struct conf *conf_load_devices(const char *path, const char *text, FILE *err);

/* The ranges of one CSV map, as a configuration with a device "map" and nothing
 * else; mistakes as with conf_load(). */
struct conf *conf_load_map(const char *path, FILE *err);

/* Prints the configuration in force, with defaults, without passwords. */
void conf_dump(const struct conf *, FILE *out);
/* The same with passwords: to compare two, never to be shown. */
void conf_dump_secret(const struct conf *, FILE *out);

void conf_free(struct conf *);
void conf_device_free(struct conf_device *); /* what it owns */

/*
 * Reads a file of roles for the devices of a configuration in force. 0, and
 * what is owned goes with conf_roles_free(); -1 with errno after each mistake
 * was printed to err.
 */
int conf_roles_load(
    const struct conf *, const char *path, struct conf_roles *, FILE *err);
void conf_roles_free(struct conf_roles *);

/* Prints every key of this version, a line each: its path, what it takes, its
 * default and its help, separated by tabs. */
void conf_keys(FILE *out);

/* Where a transport is to be found: its address or port, or the prefix of its
 * objects; "-" if a plugin alone knows. */
const char *conf_where(const struct conf_transport *);

#endif
