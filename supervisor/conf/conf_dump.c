/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the configuration in force, defaults included, as JSON that
 * conf_load() takes and that prints the same again. What each key looks like
 * comes from the tables; what has no simple kind is in conf_dump_own.c.
 */
#include "supervisor/conf/conf_dump.h"

#include <string.h>

#define AT(obj, key, type) \
	((type const *)(const void *)((const char *)(obj) + (key)->off))

static void
new_line(struct conf_out *o)
{
	fputc('\n', o->f);
	for (unsigned i = 0; i < o->depth; i++)
		fputs("  ", o->f);
}

void
conf_out_quoted(struct conf_out *o, const char *text, size_t len)
{
	fputc('"', o->f);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(o->f, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			fprintf(o->f, "\\u%04x", c);
		else
			fputc(c, o->f);
	}
	fputc('"', o->f);
}

void
conf_out_key(struct conf_out *o, const char *key)
{
	if (o->begun)
		fputc(',', o->f);
	o->begun = true;
	new_line(o);
	if (key != NULL) {
		conf_out_quoted(o, key, strlen(key));
		fputs(": ", o->f);
	}
}

void
conf_out_open(struct conf_out *o, const char *key, char bracket)
{
	conf_out_key(o, key);
	fputc(bracket, o->f);
	o->depth++;
	o->begun = false;
}

void
conf_out_close(struct conf_out *o, char bracket)
{
	o->depth--;
	if (o->begun)
		new_line(o);
	fputc(bracket, o->f);
	o->begun = true;
}

void
conf_out_text(struct conf_out *o, const char *key, const char *text)
{
	if (text == NULL)
		return;
	conf_out_key(o, key);
	conf_out_quoted(o, text, strlen(text));
}

static void
out_number(struct conf_out *o, const char *key, double number)
{
	struct typed_value v = { .type = TYPED_FLOAT64, .f = number };
	char buf[64];

	typed_text(&v, buf, sizeof(buf));
	conf_out_key(o, key);
	fputs(buf, o->f);
}

static void
out_member(struct conf_out *o, const struct conf_key *key, const void *obj)
{
	if (key->dump != NULL) {
		key->dump(o, key, obj);
		return;
	}
	switch (key->kind) {
	case CONF_BOOL:
		conf_out_key(o, key->name);
		fputs(*AT(obj, key, bool) ? "true" : "false", o->f);
		break;
	case CONF_UINT:
		conf_out_key(o, key->name);
		fprintf(o->f, "%u", *AT(obj, key, uint32_t));
		break;
	case CONF_NUMBER:
		out_number(o, key->name, *AT(obj, key, double));
		break;
	case CONF_TEXT:
	case CONF_NAME:
	case CONF_PATH:
	case CONF_CHOICE:
		conf_out_text(o, key->name, *AT(obj, key, char *));
		break;
	case CONF_WORD:
		conf_out_text(o, key->name, key->words[*AT(obj, key, int)]);
		break;
	case CONF_SWITCH:
		conf_out_text(o, key->name, key->words[*AT(obj, key, bool)]);
		break;
	case CONF_SECTION:
		conf_out_open(o, key->name, '{');
		conf_out_section(o, key->section, 0, obj);
		conf_out_close(o, '}');
		break;
	case CONF_KEEP:
	case CONF_OWN:
		break; /* "include": what it brought is printed in place */
	}
}

void
conf_out_section(struct conf_out *o, const struct conf_section *section,
    unsigned skip, const void *obj)
{
	for (const struct conf_key *key = section->keys; key->name != NULL;
	     key++)
		if (!(key->flags & skip))
			out_member(o, key, obj);
}

static void
out_all(const struct conf *conf, FILE *out, bool secret)
{
	struct conf_out o = { .f = out, .depth = 1, .secret = secret };

	fputc('{', out);
	conf_out_section(&o, &conf_top, 0, conf);
	fputs("\n}\n", out);
}

void
conf_dump(const struct conf *conf, FILE *out)
{
	out_all(conf, out, false);
}

void
conf_dump_secret(const struct conf *conf, FILE *out)
{
	out_all(conf, out, true);
}
