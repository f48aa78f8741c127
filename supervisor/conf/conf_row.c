/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which row of a section a key is, and for a key that is none what was
 * probably meant: another name, another place, another type. Runs before the
 * first fork.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf/conf_read.h"
#include "supervisor/near.h"

/* The section other than this one that has a key of the name. */
static const struct conf_section *
elsewhere(const struct conf_section *here, const char *name)
{
	const struct conf_key *key;

	for (const struct conf_section *const *s = conf_sections; *s != NULL;
	     s++)
		for (key = (*s)->keys; key->name != NULL; key++)
			if (*s != here && strcmp(key->name, name) == 0)
				return *s;
	return NULL;
}

/* True if a word is one of those between spaces. */
static bool
among(const char *words, const char *word)
{
	size_t len;

	for (; *words != '\0'; words += len + strspn(words + len, " ")) {
		len = strcspn(words, " ");
		if (len == strlen(word) && memcmp(words, word, len) == 0)
			return true;
	}
	return false;
}

/* The key that others call by this name, NULL if there is none. */
static const char *
known_as(const struct conf_section *section, unsigned skip, const char *name)
{
	for (const struct conf_key *k = section->keys; k->name != NULL; k++)
		if (k->also != NULL && !(k->flags & skip) &&
		    among(k->also, name))
			return k->name;
	return NULL;
}

static bool
same_start(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	return strncmp(a, b, na < nb ? na : nb) == 0;
}

static void
unknown_key(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_section *section, const char *what, unsigned skip)
{
	const char *names[CONF_KEYS_MAX];
	const struct conf_section *other;
	const char *known, *near;
	char hint[CONF_HINT];
	size_t n = 0;

	for (const struct conf_key *k = section->keys; k->name != NULL; k++)
		if (!(k->flags & skip))
			names[n++] = k->name;
	known = known_as(section, skip, node->key);
	conf_hint(hint, known != NULL ? known : node->key, names, n);
	/* the right key in the wrong place beats one that looks like it, unless
	 * only an end is wrong, as in "unit" for "units" */
	other = elsewhere(section, node->key);
	near = near_name(node->key, names, n);
	if (known == NULL && other != NULL &&
	    (near == NULL || !same_start(near, node->key)))
		snprintf(
		    hint, sizeof(hint), "; it belongs into %s", other->what);
	conf_fault_key(
	    ctx, node, "unknown key \"%s\" in %s%s", node->key, what, hint);
}

/* True if a kind that comes before this one includes it: "serial" is also
 * "serial on a socket". */
static bool
included(const char *const *kinds, unsigned flags, unsigned kind)
{
	for (unsigned i = 0; i < kind; i++)
		if (!(flags & (unsigned)CONF_NOT_TCP << i) &&
		    same_start(kinds[i], kinds[kind]))
			return true;
	return false;
}

/* Which kinds a key is for, "tls", "tcp, tls or udp". Lies in buf. */
static const char *
kinds_of(
    const struct conf_section *section, unsigned flags, char *buf, size_t size)
{
	size_t left = 0, len = 0;

	for (unsigned i = 0; section->kinds[i] != NULL; i++)
		if (included(section->kinds, flags, i))
			flags |= (unsigned)CONF_NOT_TCP << i;
		else
			left += !(flags & (unsigned)CONF_NOT_TCP << i);
	buf[0] = '\0';
	for (unsigned i = 0; section->kinds[i] != NULL; i++) {
		if (flags & (unsigned)CONF_NOT_TCP << i)
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
		    section->kinds[i],
		    --left == 0     ? ""
			: left == 1 ? " or "
				    : ", ");
	}
	return buf;
}

/* True if a thing of this kind has a key of the name. */
static bool
applies(const struct conf_section *section, const char *name, unsigned skip)
{
	const struct conf_key *key = section->keys;

	while (key->name != NULL && strcmp(key->name, name) != 0)
		key++;
	return key->name != NULL && !(key->flags & skip);
}

/* A key that has no meaning for a thing of this kind. */
static void
tell_misplaced(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_section *section, const struct conf_key *key,
    const char *what, unsigned skip)
{
	char is[100], is_for[100], hint[CONF_HINT] = "";

	if (section->kinds == NULL) {
		conf_fault_key(
		    ctx, node, "\"%s\" does not apply to %s", key->name, what);
		return;
	}
	if (key->instead != NULL && applies(section, key->instead, skip))
		snprintf(
		    hint, sizeof(hint), "; did you mean \"%s\"?", key->instead);
	conf_fault_key(ctx, node,
	    "\"%s\" does not apply to %s, which is %s: it is for %s%s",
	    key->name, what, kinds_of(section, ~skip, is, sizeof(is)),
	    kinds_of(section, key->flags, is_for, sizeof(is_for)), hint);
}

int
conf_find_row(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_section *section, const char *what, unsigned skip)
{
	const struct conf_key *key;

	for (key = section->keys; key->name != NULL; key++)
		if (strcmp(key->name, node->key) == 0)
			break;
	if (key->name == NULL) {
		unknown_key(ctx, node, section, what, skip);
		return -1;
	}
	if (key->flags & skip) {
		tell_misplaced(ctx, node, section, key, what, skip);
		return -1;
	}
	return (int)(key - section->keys);
}
