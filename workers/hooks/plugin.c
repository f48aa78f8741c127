/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads plugins and says exactly what is wrong with one. Runs in the workers,
 * after the birth and before they serve: the supervisor never runs a plugin's
 * code, and a crash in it is this worker's. What a plugin says of itself is
 * checked before it is used; what it does cannot be.
 */
#include "workers/hooks/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "shm/fault.h"
#include "supervisor/near.h"

enum {
	TYPES_MAX = 16, /* that an error lists */
};

/* ---- what the host does for them ---- */

static void
note_name(struct plugins *ps, const char *name)
{
	for (unsigned i = 0; i < ps->nnames; i++)
		if (strcmp(ps->names[i], name) == 0)
			return;
	if (ps->nnames < PLUGIN_NAMES && strlen(name) < PLUGIN_NAME)
		memcpy(ps->names[ps->nnames++], name, strlen(name) + 1);
}

static const char *
host_option(const struct hf_host *host, const char *name)
{
	struct plugins *ps = ((struct plugin *)host->self)->all;
	const struct conf_transport *t = ps->worker->conf;
	const char *value = NULL;

	note_name(ps, name);
	ps->last = t->options.n;
	for (size_t i = 0; i < t->options.n; i++)
		if (strcmp(t->options.at[i].name, name) == 0) {
			ps->asked[i] = true;
			ps->last = i;
			value = t->options.at[i].value;
		}
	return value;
}

static void LOG_FMT(3, 4) host_log(
    const struct hf_host *host, enum hf_level level, const char *fmt, ...)
{
	const struct plugin *p = host->self;
	const char *name = p->table.name != NULL ? p->table.name : "plugin";
	char text[PLUGIN_WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	switch (level) {
	case HF_ERROR:
		log_error("%s: %s", name, text);
		return;
	case HF_WARN:
		log_warnx("%s: %s", name, text);
		return;
	case HF_INFO:
		log_info("%s: %s", name, text);
		return;
	default:
		log_debug("%s: %s", name, text);
	}
}

static void LOG_FMT(2, 3)
    host_fail(const struct hf_host *host, const char *fmt, ...)
{
	struct plugin *p = host->self;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->words, sizeof(p->words), fmt, ap);
	va_end(ap);
}

static uint64_t
host_now_ns(const struct hf_host *host)
{
	return ((struct plugin *)host->self)->all->worker->now_ns;
}

static void
host_delay(const struct hf_host *host, uint32_t ms)
{
	struct plugins *ps = ((struct plugin *)host->self)->all;

	if (ms > FAULT_WAIT_MAX_MS)
		ms = FAULT_WAIT_MAX_MS;
	if (ms > ps->delay_ms)
		ps->delay_ms = ms;
}

static void
host_init(struct plugin *p, const struct conf_transport *t)
{
	p->host = (struct hf_host){
		.abi = HF_PLUGIN_ABI,
		.revision = HF_PLUGIN_REVISION,
		.self = p,
		.version = HOLDFAST_VERSION,
		.transport = t->name,
		.type = t->type_name,
		.listen = t->listen,
		.folder = t->folder,
		.option = host_option,
		.log = host_log,
		.fail = host_fail,
		.now_ns = host_now_ns,
		.delay = host_delay,
	};
}

void
plugin_call(struct plugin *p)
{
	p->words[0] = '\0';
	errno = 0;
}

const char *
plugin_why(const struct plugin *p)
{
	if (p->words[0] != '\0')
		return p->words;
	return errno != 0 ? strerror(errno) : "its plugin does not say why";
}

/* ---- what is wrong with them ---- */

int
plugins_refuse(struct plugins *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ps->why, sizeof(ps->why), fmt, ap);
	va_end(ap);
	ps->worker->why = ps->why;
	ps->worker->code = EX_CONFIG;
	return -1;
}

bool
plugins_copy(void *to, size_t room, size_t least, const void *from, size_t size)
{
	const unsigned char *tail = from;

	if (size < least)
		return false;
	for (size_t i = room; i < size; i++)
		if (tail[i] != 0)
			return false;
	memset(to, 0, room);
	memcpy(to, from, size < room ? size : room);
	return true;
}

static int
check_transport(struct plugins *ps, const struct plugin *p,
    const struct hf_transport *theirs, struct hf_transport *t)
{
	const char *lacks;

	if (!plugins_copy(t, sizeof(*t), UP_TO(struct hf_transport, unlisten),
		theirs, theirs->size))
		return plugins_refuse(ps,
		    "%s: a transport of it is %zu bytes and not the %zu that "
		    "are known: it was built for another version of Holdfast",
		    p->file, theirs->size, sizeof(*t));
	lacks = t->name == NULL || t->name[0] == '\0' ? "name"
	    : t->listen == NULL                       ? "listen"
	    : t->accept == NULL                       ? "accept"
	    : t->recv == NULL                         ? "recv"
	    : t->send == NULL                         ? "send"
						      : NULL;
	if (lacks == NULL)
		return 0;
	return plugins_refuse(
	    ps, "%s: a transport of it has no %s", p->file, lacks);
}

static int
check_transports(struct plugins *ps, const struct plugin *p,
    const struct hf_transport *const *list)
{
	struct hf_transport copy;

	for (; list != NULL && *list != NULL; list++)
		if (check_transport(ps, p, *list, &copy) == -1)
			return -1;
	return 0;
}

static int
take_hooks(struct plugins *ps, struct plugin *p, const struct hf_hooks *hooks)
{
	if (!plugins_copy(&p->hooks, sizeof(p->hooks),
		UP_TO(struct hf_hooks, transports), hooks, hooks->size))
		return plugins_refuse(ps,
		    "%s: its table of hooks is %zu bytes and not the %zu that "
		    "are known: it was built for another version of Holdfast",
		    p->file, hooks->size, sizeof(p->hooks));
	return check_transports(ps, p, p->hooks.transports);
}

static int
check_table(struct plugins *ps, struct plugin *p, const struct hf_plugin *t)
{
	if (t->abi != HF_PLUGIN_ABI)
		return plugins_refuse(ps,
		    "%s: built for version %u of the plugin interface; this "
		    "is version %d",
		    p->file, t->abi, HF_PLUGIN_ABI);
	if (!plugins_copy(&p->table, sizeof(p->table),
		UP_TO(struct hf_plugin, transports), t, t->size))
		return plugins_refuse(ps,
		    "%s: its table is %zu bytes and not the %zu that are "
		    "known: it was built for another version of Holdfast",
		    p->file, t->size, sizeof(p->table));
	if (check_transports(ps, p, p->table.transports) == -1)
		return -1;
	return p->table.hooks != NULL ? take_hooks(ps, p, p->table.hooks) : 0;
}

/* The linker's words begin with the whole path. */
static int
refuse_object(struct plugins *ps, const struct plugin *p, const char *words)
{
	size_t folder = (size_t)(p->file - p->path);

	if (strncmp(words, p->path, folder) == 0)
		words += folder;
	return plugins_refuse(ps, "%s", words);
}

static int
load(struct plugins *ps, struct plugin *p)
{
	const struct hf_plugin *(*entry)(const struct hf_host *);
	const struct hf_plugin *table;

	p->so = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
	if (p->so == NULL)
		return refuse_object(ps, p, dlerror());
	*(void **)&entry = dlsym(p->so, "holdfast_plugin");
	if (entry == NULL)
		return plugins_refuse(ps,
		    "%s: no plugin: it has no function holdfast_plugin",
		    p->file);
	plugin_call(p);
	table = entry(&p->host);
	if (table == NULL)
		return plugins_refuse(
		    ps, "%s: does not serve: %s", p->file, plugin_why(p));
	if (check_table(ps, p, table) == -1)
		return -1;
	log_debug("plugin loaded path=%s", p->path);
	return 0;
}

/* The program that this is a server of; it has made sure that its hooks are
 * there, and is asked as a plugin is. */
static int
add_program(struct plugins *ps, const struct hf_hooks *hooks)
{
	struct plugin *p = &ps->at[ps->n++];

	p->all = ps;
	p->path = p->file = "the hooks";
	p->table.name = "hooks";
	host_init(p, ps->worker->conf);
	return take_hooks(ps, p, hooks);
}

int
plugins_new(struct plugins *ps, struct worker *w)
{
	const struct conf_transport *t = w->conf;

	ps->worker = w;
	ps->at = calloc(t->plugins.n + 1, sizeof(*ps->at));
	ps->asked = calloc(t->options.n + 1, sizeof(*ps->asked));
	return ps->at != NULL && ps->asked != NULL ? 0 : -1;
}

struct plugin *
plugins_add(struct plugins *ps)
{
	const struct conf_transport *t = ps->worker->conf;
	struct plugin *p = &ps->at[ps->n];

	p->all = ps;
	p->path = t->plugins.at[ps->n++];
	p->file = strrchr(p->path, '/');
	p->file = p->file != NULL ? p->file + 1 : p->path;
	host_init(p, t);
	return p;
}

int
plugins_load(struct worker *w)
{
	const struct conf_transport *t = w->conf;
	struct plugins *ps;

	w->plugins = NULL;
	if (t->plugins.n == 0 && w->proc->hooks == NULL &&
	    t->type != CONF_PLUGIN)
		return 0;
	w->why = "not enough memory";
	w->plugins = ps = calloc(1, sizeof(*ps));
	if (ps == NULL || plugins_new(ps, w) == -1)
		return -1;
	while (ps->n < t->plugins.n)
		if (load(ps, plugins_add(ps)) == -1)
			return -1;
	if (w->proc->hooks != NULL && add_program(ps, w->proc->hooks) == -1)
		return -1;
	w->why = NULL;
	return 0;
}

void
plugins_free(struct worker *w)
{
	/* they stay mapped: what they have registered with the libraries that
	 * they use would be called after them */
	if (w->plugins == NULL)
		return;
	free(w->plugins->at);
	free(w->plugins->asked);
	free(w->plugins);
	w->plugins = NULL;
}

/* ---- what they bring ---- */

struct types {
	const char *at[TYPES_MAX];
	size_t n;
	struct plugin *found, *again; /* those that bring the wanted one */
	const struct hf_transport *ops;
};

static void
add_types(struct types *out, struct plugin *p,
    const struct hf_transport *const *t, const char *wanted)
{
	for (; t != NULL && *t != NULL; t++) {
		if (out->n < TYPES_MAX)
			out->at[out->n++] = (*t)->name;
		if (strcmp((*t)->name, wanted) != 0)
			continue;
		if (out->found != NULL)
			out->again = p;
		out->found = p;
		out->ops = *t;
	}
}

static void
list_types(const struct plugins *ps, const char *wanted, struct types *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < ps->n; i++) {
		struct plugin *p = &ps->at[i];

		add_types(out, p, p->table.transports, wanted);
		add_types(out, p, p->hooks.transports, wanted);
	}
}

static int
refuse_type(struct plugins *ps, const char *wanted, const struct types *types)
{
	const char *near = near_name(wanted, types->at, types->n);
	char list[PLUGIN_WORDS] = "nothing";
	size_t len = 0;

	for (size_t i = 0; i < types->n && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len,
		    "%s\"%.40s\"", i > 0 ? ", " : "", types->at[i]);
	return plugins_refuse(ps,
	    "no plugin serves the type \"%.60s\"; they serve %s%s%.40s%s",
	    wanted, list, near != NULL ? "; did you mean \"" : "",
	    near != NULL ? near : "", near != NULL ? "\"?" : "");
}

struct plugin *
plugins_transport(struct worker *w, struct hf_transport *ops)
{
	struct plugins *ps = w->plugins;
	const char *wanted = w->conf->type_name;
	struct types types;

	list_types(ps, wanted, &types);
	if (types.found == NULL) {
		refuse_type(ps, wanted, &types);
		return NULL;
	}
	if (types.again != NULL) {
		plugins_refuse(ps,
		    "the type \"%.60s\" is served twice, by %s and %s", wanted,
		    types.found->file, types.again->file);
		return NULL;
	}
	return check_transport(ps, types.found, types.ops, ops) == 0
	    ? types.found
	    : NULL;
}

int
plugins_options(struct worker *w)
{
	struct plugins *ps = w->plugins;
	const struct conf_transport *t = w->conf;
	const char *names[PLUGIN_NAMES], *near;

	if (ps == NULL)
		return 0;
	for (unsigned i = 0; i < ps->nnames; i++)
		names[i] = ps->names[i];
	for (size_t i = 0; i < t->options.n; i++) {
		if (ps->asked[i])
			continue;
		near = near_name(t->options.at[i].name, names, ps->nnames);
		return plugins_refuse(ps,
		    "no plugin knows the option \"%.60s\"%s%s%s",
		    t->options.at[i].name,
		    near != NULL ? "; did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?" : "");
	}
	return 0;
}
