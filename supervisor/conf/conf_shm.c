/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports of type shm in the configuration. Opens nothing. Runs before the
 * first fork.
 */
#include "supervisor/conf/conf_shm.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "shm/mirror.h"
#include "supervisor/conf/conf_dump.h"
#include "supervisor/mem.h"

enum { MODE_OWNER = 0600, MODE_MOST = 0666, MODE_DIGITS = 4 };

static const char own_prefix[] = "holdfast-";

void
conf_shm_preset(struct conf_transport *t)
{
	if (t->type != CONF_SHM)
		return;
	t->shm.prefix = mem_text(CONF_SHM_PREFIX);
	t->shm.mode = MODE_OWNER;
}

/* Fit for a name of a shared memory object, also with something behind it. */
static bool
name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > MIRROR_PREFIX_MAX || name[0] == '.')
		return false;
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) &&
		    strchr("_-.", *name) == NULL)
			return false;
	return true;
}

void
conf_shm_name_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	char **to = (char **)(void *)((char *)obj + key->off);

	if (!conf_want(ctx, node, JSONC_STRING, "a string"))
		return;
	if (!name_ok(node->text)) {
		conf_fault(ctx, node,
		    "\"%s\" must be of letters, digits, \"_\", \"-\" and "
		    "\".\", 1 to %d of them, not \"%.60s\"",
		    key->name, MIRROR_PREFIX_MAX, node->text);
		return;
	}
	if (strncmp(node->text, own_prefix, sizeof(own_prefix) - 1) == 0) {
		conf_fault(ctx, node,
		    "\"%s\" must not begin with \"%s\", as the store's own "
		    "objects do",
		    key->name, own_prefix);
		return;
	}
	free(*to);
	*to = mem_text(node->text);
}

void
conf_shm_mode_read(struct conf_ctx *ctx, const struct jsonc_node *node,
    const struct conf_key *key, void *obj)
{
	struct conf_transport *t = obj;
	unsigned mode = 0;
	size_t n;

	if (!conf_want(ctx, node, JSONC_STRING, key->takes))
		return;
	n = strspn(node->text, "01234567");
	if (n >= MODE_DIGITS - 1 && n <= MODE_DIGITS && node->text[n] == '\0')
		mode = (unsigned)strtoul(node->text, NULL, 8);
	if ((mode & MODE_OWNER) != MODE_OWNER || (mode & ~MODE_MOST) != 0) {
		conf_fault(ctx, node,
		    "\"mode\" must be permissions such as \"0600\", \"0660\" "
		    "or \"0644\", not \"%.20s\": reading and writing, and "
		    "both for the owner",
		    node->text);
		return;
	}
	t->shm.mode = mode;
}

void
conf_shm_mode_dump(
    struct conf_out *o, const struct conf_key *key, const void *obj)
{
	const struct conf_transport *t = obj;
	char text[8];

	snprintf(text, sizeof(text), "%04o", t->shm.mode);
	conf_out_text(o, key->name, text);
}

void
conf_shm_units(struct conf_transport *t, int every)
{
	int only = CONF_NO_DEVICE, n = 0;

	t->shm.plain = every;
	for (int unit = 0; unit < CONF_UNITS; unit++)
		if (t->units[unit] != CONF_NO_DEVICE) {
			only = unit;
			n++;
		}
	if (every != CONF_NO_DEVICE || n != 1)
		return;
	t->shm.plain = t->units[only];
	t->units[only] = CONF_NO_DEVICE;
}

bool
conf_shm_collide(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	if (na > nb)
		return conf_shm_collide(b, a);
	if (strncmp(a, b, na) != 0)
		return false;
	/* "modbus_" with unit 1 is "modbus_01_" */
	return na == nb ||
	    (nb - na == 3 && isxdigit((unsigned char)b[na]) &&
		isxdigit((unsigned char)b[na + 1]) && b[na + 2] == '_');
}
