/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists the keys of the configuration, for the test of the manual and for
 * whoever asks the daemon what it can be told.
 */
#include <inttypes.h>
#include <string.h>

#include "supervisor/conf/conf_key.h"

static void
print_words(FILE *out, const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++)
		fprintf(out, "%s%s", i > 0 ? " | " : "", words[i]);
}

static void
print_takes(FILE *out, const struct conf_key *key)
{
	switch (key->kind) {
	case CONF_BOOL:
		fputs("true | false", out);
		break;
	case CONF_UINT:
		fprintf(out, "%u to %u", key->min, key->max);
		break;
	case CONF_NUMBER:
		fputs("a number other than 0", out);
		break;
	case CONF_TEXT:
		fprintf(out, "a string of at most %u bytes", key->max);
		break;
	case CONF_NAME:
		fputs("a name", out);
		break;
	case CONF_PATH:
		fputs("a path", out);
		break;
	case CONF_WORD:
	case CONF_CHOICE:
	case CONF_SWITCH:
		print_words(out, key->words);
		break;
	case CONF_SECTION:
		fputs("an object", out);
		break;
	case CONF_KEEP:
	case CONF_OWN:
		fputs(key->takes, out);
		break;
	}
}

static void
print_default(FILE *out, const struct conf_key *key)
{
	if (key->flags & CONF_REQUIRED)
		fputs("required", out);
	else if (key->text != NULL)
		fputs(key->text, out);
	else if (key->kind == CONF_BOOL)
		fputs(key->def ? "true" : "false", out);
	else if (key->kind == CONF_UINT)
		fprintf(out, "%u", key->def);
	else if (key->words != NULL)
		fputs(key->words[key->def], out);
	else
		fputs("none", out);
}

void
conf_keys(FILE *out)
{
	const struct conf_key *key;

	for (const struct conf_section *const *s = conf_sections; *s != NULL;
	     s++)
		for (key = (*s)->keys; key->name != NULL; key++) {
			fprintf(out, "%s%s%s\t", (*s)->path,
			    (*s)->path[0] != '\0' ? "." : "", key->name);
			print_takes(out, key);
			fputc('\t', out);
			print_default(out, key);
			fprintf(out, "\t%s\n", key->help);
		}
}
