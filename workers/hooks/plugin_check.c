/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has plugins check their options. Runs in a process of holdfastd -t that does
 * nothing else: no worker is there, no store and no control segment, and the
 * supervisor's own memory is a copy.
 */
#include "workers/hooks/plugin_check.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "workers/hooks/plugin.h"

/* Where the mistake is: the option that was asked for last, or else the list of
 * plugins. */
static const char *
place(const struct plugins *ps)
{
	const struct conf_transport *t = ps->worker->conf;

	return ps->last < t->options.n ? t->options.at[ps->last].place
				       : t->plugins_place;
}

/* 0, or 1 after the mistake was printed. */
static int
ask(struct plugins *ps, struct plugin *p, FILE *err)
{
	int (*entry)(const struct hf_host *);
	const char *words;

	ps->last = ps->worker->conf->options.n;
	p->so = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
	if (p->so == NULL) {
		words = dlerror();
		if (strncmp(words, p->path, (size_t)(p->file - p->path)) == 0)
			words += p->file - p->path;
		fprintf(err, "%s: %s\n", place(ps), words);
		return 1;
	}
	if (dlsym(p->so, "holdfast_plugin") == NULL) {
		fprintf(err,
		    "%s: %s: no plugin: it has no function holdfast_plugin\n",
		    place(ps), p->file);
		return 1;
	}
	*(void **)&entry = dlsym(p->so, "holdfast_check");
	if (entry == NULL)
		return 0;
	plugin_call(p);
	if (entry(&p->host) == 0)
		return 0;
	fprintf(err, "%s: %s: %s\n", place(ps), p->file, plugin_why(p));
	return 1;
}

int
plugin_check(const struct conf_transport *t, FILE *err)
{
	struct worker w = { .conf = t };
	struct plugins *ps = calloc(1, sizeof(*ps));
	int wrong = 0;

	if (ps == NULL || plugins_new(ps, &w) == -1) {
		fprintf(err, "%s: not enough memory\n", t->plugins_place);
		return 1;
	}
	for (size_t i = 0; i < t->plugins.n; i++)
		wrong += ask(ps, plugins_add(ps), err);
	return wrong;
}
