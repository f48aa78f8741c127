/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written in single fields of a map. Runs where conf_map.c does.
 */
#include "supervisor/conf/conf_map_cell.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf/conf_tree.h"
#include "supervisor/mem.h"

struct jsonc_node *
conf_map_node(
    struct jsonc_doc *doc, const struct csv_field *f, enum jsonc_type type)
{
	struct jsonc_node *node = jsonc_take(doc, sizeof(*node));

	node->type = type;
	node->doc = doc;
	node->line = node->key_line = f->line;
	node->col = node->key_col = f->col;
	if (type == JSONC_STRING)
		node->text = f->text;
	return node;
}

static char *
copy_text(struct jsonc_doc *doc, const char *text, size_t len)
{
	char *copy = jsonc_take(doc, len + 1);

	memcpy(copy, text, len);
	return copy;
}

bool
conf_map_number(const char *word, struct jsonc_node *node)
{
	bool negative = word[0] == '-';
	const char *digits = word + (negative || word[0] == '+');
	bool hex = digits[0] == '0' && (digits[1] | 0x20) == 'x';
	uint64_t magnitude;
	double real;
	char *end;

	/* strtod() and strtoull() would take more than is meant here */
	if (!isdigit((unsigned char)digits[0]) && digits[0] != '.')
		return false;
	errno = 0;
	magnitude = strtoull(digits + (hex ? 2 : 0), &end, hex ? 16 : 10);
	if (hex && (!isxdigit((unsigned char)digits[2]) || *end != '\0'))
		return false;
	if (end != digits && *end == '\0' && errno == 0) {
		node->type = JSONC_INTEGER;
		node->negative = negative;
		node->magnitude = magnitude;
		return true;
	}
	if (hex || digits[strspn(digits, "0123456789.eE+-")] != '\0')
		return false;
	real = strtod(word, &end);
	if (*end != '\0' || end == word || !isfinite(real))
		return false;
	node->type = JSONC_REAL;
	node->real = real;
	return true;
}

/* A word as a node: a number, a bit, else itself. */
static struct jsonc_node *
word_node(struct jsonc_doc *doc, const struct csv_field *f, const char *word,
    size_t len)
{
	static const struct {
		const char *word;
		bool yes;
	} bits[] = { { "true", true }, { "on", true }, { "false", false },
		{ "off", false } };
	struct jsonc_node *node = conf_map_node(doc, f, JSONC_STRING);

	node->text = copy_text(doc, word, len);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (strcmp(node->text, bits[i].word) != 0)
			continue;
		node->type = JSONC_BOOL;
		node->yes = bits[i].yes;
		return node;
	}
	conf_map_number(node->text, node);
	return node;
}

/* ---- JSON in a field ---- */

struct told {
	char what[200];
};

/* Only the first mistake; its place within the field is no place in a file. */
static void
keep_first(void *arg, const struct jsonc_doc *doc, uint32_t line, uint32_t col,
    const char *what)
{
	struct told *told = arg;

	(void)doc;
	(void)line;
	(void)col;
	if (told->what[0] == '\0')
		snprintf(told->what, sizeof(told->what), "%s", what);
}

/* Puts a tree where its field is. */
static void
move(struct jsonc_node *node, struct jsonc_doc *doc, const struct csv_field *f)
{
	node->doc = doc;
	node->line = node->key_line = f->line;
	node->col = node->key_col = f->col;
	if (node->type != JSONC_ARRAY && node->type != JSONC_OBJECT)
		return;
	for (node = node->in.first; node != NULL; node = node->next)
		move(node, doc, f);
}

static struct jsonc_node *
json_node(
    struct conf_ctx *ctx, struct jsonc_doc *doc, const struct csv_field *f)
{
	size_t len = strlen(f->text);
	char *text = mem_text(f->text);
	struct told told = { "" };
	struct jsonc_doc *tree =
	    jsonc_parse(doc->path, text, len, keep_first, &told);

	free(text);
	conf_tree_keep(ctx, tree);
	if (told.what[0] != '\0') {
		conf_fault(ctx, conf_map_node(doc, f, JSONC_STRING),
		    "in this field: %s", told.what);
		return NULL;
	}
	move(tree->root, doc, f);
	return tree->root;
}

/* ---- values ---- */

struct jsonc_node *
conf_map_values(
    struct conf_ctx *ctx, struct jsonc_doc *doc, const struct csv_field *f)
{
	static const char blanks[] = " \t\r\n";
	struct jsonc_node *list, **link;
	const char *word = f->text;
	size_t len;

	word += strspn(word, blanks);
	if (*word == '[')
		return json_node(ctx, doc, f);
	list = conf_map_node(doc, f, JSONC_ARRAY);
	link = &list->in.first;
	for (; *word != '\0'; word += strspn(word, blanks)) {
		len = strcspn(word, blanks);
		*link = word_node(doc, f, word, len);
		link = &(*link)->next;
		list->in.n++;
		word += len;
	}
	/* one value is each element's */
	return list->in.n == 1 ? list->in.first : list;
}

/* ---- actions ---- */

static const char *
trim(const char *text, size_t *len)
{
	while (*len > 0 && isspace((unsigned char)*text)) {
		text++;
		--*len;
	}
	while (*len > 0 && isspace((unsigned char)text[*len - 1]))
		--*len;
	return text;
}

/* KEY=VALUE as a member; false if it is none. */
static bool
add_parameter(struct jsonc_doc *doc, const struct csv_field *f,
    struct jsonc_node *object, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len), *key, *value;
	struct jsonc_node *node, **link = &object->in.first;
	size_t key_len, value_len;

	if (equals == NULL)
		return false;
	key_len = (size_t)(equals - text);
	value_len = len - key_len - 1;
	key = trim(text, &key_len);
	value = trim(equals + 1, &value_len);
	if (key_len == 0 || value_len == 0)
		return false;
	node = word_node(doc, f, value, value_len);
	node->key = copy_text(doc, key, key_len);
	if (jsonc_get(object, node->key) != NULL)
		return false;
	while (*link != NULL)
		link = &(*link)->next;
	*link = node;
	object->in.n++;
	return true;
}

/* What is between the parentheses. */
static bool
add_parameters(struct jsonc_doc *doc, const struct csv_field *f,
    struct jsonc_node *object, const char *text, size_t len)
{
	size_t one;

	text = trim(text, &len);
	while (len > 0) {
		const char *comma = memchr(text, ',', len);

		one = comma != NULL ? (size_t)(comma - text) : len;
		if (!add_parameter(doc, f, object, text, one))
			return false;
		if (comma == NULL)
			return true;
		text += one + 1;
		len -= one + 1;
		if (len == 0)
			return false;
	}
	return true;
}

struct jsonc_node *
conf_map_action(
    struct conf_ctx *ctx, struct jsonc_doc *doc, const struct csv_field *f)
{
	size_t len = strlen(f->text), name_len;
	const char *open = strchr(f->text, '('), *name;
	struct jsonc_node *object, *node;

	if (f->text[0] == '{')
		return json_node(ctx, doc, f);
	if (open == NULL)
		return conf_map_node(doc, f, JSONC_STRING);
	object = conf_map_node(doc, f, JSONC_OBJECT);
	name_len = (size_t)(open - f->text);
	name = trim(f->text, &name_len);
	node = conf_map_node(doc, f, JSONC_STRING);
	node->text = copy_text(doc, name, name_len);
	node->key = "name";
	object->in.first = node;
	object->in.n = 1;
	if (f->text[len - 1] == ')' &&
	    add_parameters(
		doc, f, object, open + 1, len - (size_t)(open - f->text) - 2))
		return object;
	conf_fault(ctx, node,
	    "an action is written NAME, NAME(KEY=VALUE, ...) or as an object, "
	    "not \"%.60s\"",
	    f->text);
	return NULL;
}
