/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_PLUGIN_H
#define WORKERS_PLUGIN_H

/*
 * Plugins as their worker has them: shared objects that the configuration
 * names for its transport, loaded after the birth, checked, and asked for what
 * they bring. What they may do is in supervisor/holdfast.h.
 */

#include "supervisor/holdfast.h"
#include "workers/worker.h"

enum {
	PLUGIN_WORDS = 400,
	PLUGIN_NAMES = 32, /* that an error suggests */
	PLUGIN_NAME = 40,
};

struct plugin {
	struct hf_host host; /* what it sees of us */
	struct plugins *all;
	const char *path, *file; /* the last part of it, for words */
	void *so;
	struct hf_plugin table; /* a copy, as long as ours */
	struct hf_hooks hooks; /* likewise; all NULL without any */
	char words[PLUGIN_WORDS]; /* of fail(), or "" */
};

/* All of a worker, in the order of the configuration; the hooks of the program
 * whose server this is come last, as if a plugin had brought them. */
struct plugins {
	struct worker *worker;
	struct plugin *at;
	size_t n;
	bool *asked; /* a byte for each option of the configuration */
	char names[PLUGIN_NAMES][PLUGIN_NAME]; /* that were asked for */
	unsigned nnames;
	size_t last; /* the option that was asked for last; beyond all of them:
		      * one that there is not */
	uint32_t delay_ms; /* of the reply in hand, as delay() has it */
	char why[2 * PLUGIN_WORDS];
};

/*
 * Loads what the configuration names: worker->plugins, NULL without any. 0, or
 * -1 after worker->why and code were set; what a second try will not mend has
 * 78.
 */
int plugins_load(struct worker *);
void plugins_free(struct worker *);

/* Room for the plugins of a worker's configuration, without any; 0, or -1. */
int plugins_new(struct plugins *, struct worker *);
/* The next one of them: all but what it takes to load it. */
struct plugin *plugins_add(struct plugins *);

/* Words for what no second try will mend: worker->why and code. Returns -1. */
int plugins_refuse(struct plugins *, const char *fmt, ...) LOG_FMT(2, 3);

/*
 * Copies a struct that somebody else has compiled, whose size may be another.
 * least: as the first version had it. False if it is shorter than that, or
 * uses members that we do not know.
 */
bool plugins_copy(
    void *to, size_t room, size_t least, const void *from, size_t size);

/* What the first version of a struct ended with. */
#define UP_TO(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))

/* The plugin that brings the transport's type; ops gets a copy of its row. NULL
 * after worker->why and code were set. */
struct plugin *plugins_transport(struct worker *, struct hf_transport *ops);

/* 0 if somebody has asked for every option that there is, else -1 after
 * worker->why and code were set. */
int plugins_options(struct worker *);

/*
 * Code of a plugin's runs: should the worker die in it, its successor says
 * whose that was (poison.h). What plugin_enter() returns is for plugin_leave(),
 * since one's code may call another's.
 */
static inline uint32_t
plugin_enter(const struct plugin *p)
{
	struct shm_worker *w = p->all->worker->shm;
	uint32_t before =
	    atomic_load_explicit(&w->within, memory_order_relaxed);

	atomic_store_explicit(
	    &w->within, 1 + (uint32_t)(p - p->all->at), memory_order_relaxed);
	return before;
}

static inline void
plugin_leave(const struct plugin *p, uint32_t before)
{
	atomic_store_explicit(
	    &p->all->worker->shm->within, before, memory_order_relaxed);
}

/*
 * A plugin's words for what it was asked in vain, or errno's; valid until the
 * next call of it. It is to have been called between the two.
 */
void plugin_call(struct plugin *);
const char *plugin_why(const struct plugin *);

#endif
