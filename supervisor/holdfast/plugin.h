/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_PLUGIN_H
#define HOLDFAST_PLUGIN_H

/*
 * Plugins: part of holdfast.h. A plugin is a shared object that the workers of
 * a transport load; holdfast-plugin(7) says how to write, build and configure
 * one.
 *
 * How this grows. HF_PLUGIN_ABI changes when what is here, in hooks.h or in
 * transport.h changes its place or meaning; a plugin of another number is
 * refused. Else structs only get new members where nothing was. Those that a
 * plugin gives say their size: what it has not filled in is NULL, so an older
 * plugin goes on working, and a newer one that uses what the host does not know
 * is refused. What those that the host gives have gained, host->revision
 * counts.
 */

#include <stddef.h>
#include <stdint.h>

#include "hooks.h"
#include "transport.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { HF_PLUGIN_ABI = 1, HF_PLUGIN_REVISION = 4 };

#define HF_EXPORT __attribute__((__visibility__("default")))
#define HF_PRINTF(a, b) __attribute__((__format__(__printf__, a, b)))

enum hf_level { HF_ERROR, HF_WARN, HF_INFO, HF_DEBUG };

/* What the host is to a plugin. It and its texts stay until the worker ends. */
struct hf_host {
	uint32_t abi, revision;
	void *self; /* the host's own */
	const char *version; /* of holdfastd: "0.1.0" */
	const char *transport; /* its name in the configuration */
	const char *type; /* what the configuration calls its type */
	const char *listen; /* as it stands there; NULL without */
	const char *folder; /* where relative paths begin */
	/* The value that "options" has for a name, NULL without. Numbers and
	 * true and false come as text. An option that nobody has asked for
	 * once the transport listens is a mistake of the configuration. */
	const char *(*option)(const struct hf_host *, const char *name);
	/* A line of the log: lower case, no full stop, no line feed. */
	void (*log)(const struct hf_host *, enum hf_level, const char *fmt, ...)
	    HF_PRINTF(3, 4);
	/* Says in words why the call in hand is about to fail; without it the
	 * words are errno's. */
	void (*fail)(const struct hf_host *, const char *fmt, ...)
	    HF_PRINTF(2, 3);
	/* CLOCK_MONOTONIC in ns, as of the batch in hand; costs nothing. */
	uint64_t (*now_ns)(const struct hf_host *);
	/* For trace_pdu, of a reply: it leaves so much later, counted from when
	 * its request was read; up to 600000. What the same peer has asked
	 * behind it waits for that. Of several the longest counts. */
	void (*delay)(const struct hf_host *, uint32_t ms);
};

struct hf_plugin {
	uint32_t abi; /* HF_PLUGIN_ABI; stays at the front for ever */
	size_t size; /* sizeof(struct hf_plugin) */
	const char *name; /* of the plugin, for the log */
	const struct hf_transport *const *transports; /* NULL behind the last */
	const struct hf_hooks *hooks; /* whose arg stays as it is; or NULL */
};

/*
 * What a plugin exports. Called once, before the worker serves. What it returns
 * stays as it is until the worker ends; NULL, after fail(): this plugin cannot
 * be used, and nobody tries again.
 */
HF_EXPORT const struct hf_plugin *holdfast_plugin(const struct hf_host *);

/*
 * What a plugin may export: whether its options are right, asked by holdfastd
 * -t in a process that serves nothing and ends then. It looks, and changes
 * nothing. 0, or -1 after fail(): a mistake of the configuration, told with the
 * place of the option that it has asked for last. Without this function the
 * mistake is told as the transport starts.
 */
HF_EXPORT int holdfast_check(const struct hf_host *);

#ifdef __cplusplus
}
#endif

#endif
