/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a CSV map to the tree that a configuration would have instead. Knows
 * what its columns are called and how their fields are written; what they mean
 * conf_range.c knows. Runs before the first fork, and in holdfast import.
 */
#include "supervisor/conf/conf_map.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shm/table.h"
#include "supervisor/conf/conf_map_cell.h"
#include "supervisor/conf/conf_tree.h"
#include "supervisor/conf/csv.h"
#include "supervisor/mem.h"

enum column {
	TABLE,
	ADDR,
	TYPE,
	ORDER,
	VALUE,
	NAME,
	UNIT,
	SCALE,
	ACCESS,
	ACTION,
	COLUMNS,
};

const char *const conf_map_columns[] = {
	[TABLE] = "table",
	[ADDR] = "addr",
	[TYPE] = "type",
	[ORDER] = "order",
	[VALUE] = "value",
	[NAME] = "name",
	[UNIT] = "unit",
	[SCALE] = "scale",
	[ACCESS] = "access",
	[ACTION] = "action",
	[COLUMNS] = NULL,
};

struct map {
	struct conf_ctx *ctx;
	struct jsonc_doc *doc;
	struct csv csv;
	int at[COLUMNS]; /* index among the fields, -1: not there */
};

static struct jsonc_node *
node_of(const struct map *m, const struct csv_field *f)
{
	return conf_map_node(m->doc, f, JSONC_STRING);
}

/* ---- the header ---- */

/* The column of a name, -1 after noting a mistake. */
static int
find_column(const struct map *m, const struct csv_field *f)
{
	char hint[CONF_HINT];

	for (int i = 0; i < COLUMNS; i++) {
		if (strcasecmp(f->text, conf_map_columns[i]) != 0)
			continue;
		if (m->at[i] == -1)
			return i;
		conf_fault(m->ctx, node_of(m, f),
		    "the column \"%s\" is there already", conf_map_columns[i]);
		return -1;
	}
	conf_hint(hint, f->text, conf_map_columns, COLUMNS);
	conf_fault(m->ctx, node_of(m, f), "a map has no column \"%.60s\"%s",
	    f->text, hint);
	return -1;
}

static bool
read_header(struct map *m, const struct csv_field *f, int n)
{
	size_t before = m->ctx->nfaults + m->ctx->dropped;
	int column;

	for (int i = 0; i < COLUMNS; i++)
		m->at[i] = -1;
	/* what a spreadsheet leaves behind the last one */
	while (n > 1 && f[n - 1].text[0] == '\0')
		n--;
	for (int i = 0; i < n; i++) {
		column = find_column(m, &f[i]);
		if (column != -1)
			m->at[column] = i;
	}
	for (int i = TABLE; i <= ADDR; i++)
		if (m->at[i] == -1 &&
		    m->ctx->nfaults + m->ctx->dropped == before)
			conf_fault(m->ctx, node_of(m, &f[0]),
			    "the first line names the columns; \"%s\" is "
			    "missing",
			    conf_map_columns[i]);
	return m->ctx->nfaults + m->ctx->dropped == before;
}

/* ---- a line ---- */

/* The field of a column if it says anything, else NULL. */
static const struct csv_field *
cell(const struct map *m, enum column column, const struct csv_field *f, int n)
{
	int at = m->at[column];

	return at != -1 && at < n && f[at].text[0] != '\0' ? &f[at] : NULL;
}

static void
append(struct jsonc_node *object, enum column column, struct jsonc_node *node)
{
	struct jsonc_node **link = &object->in.first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = node;
	object->in.n++;
	if (node->key == NULL)
		node->key = conf_map_columns[column];
}

static int
read_table(const struct map *m, const struct csv_field *f, int n)
{
	const char *words[TABLE_WORDS];
	char hint[CONF_HINT];
	int table;

	if (cell(m, TABLE, f, n) == NULL) {
		conf_fault(m->ctx, node_of(m, f), "\"table\" is empty");
		return -1;
	}
	f = cell(m, TABLE, f, n);
	table = table_find(f->text);
	if (table != -1 && table < TABLE_PLAIN)
		return table;
	conf_hint(hint, f->text, words, table_words(words, TABLE_PLAIN));
	conf_fault(m->ctx, node_of(m, f), "there is no table \"%.60s\"%s",
	    f->text, hint);
	return -1;
}

/* Registers or bits of one value: what a count is to be multiplied with. */
static unsigned
step_of(const char *type, int table)
{
	int found = type != NULL ? typed_type_find(type) : -1;
	unsigned n;

	if (table == STORE_CO || table == STORE_DI || found == -1)
		return 1;
	n = typed_regs((enum typed_type)found);
	return n > 0 ? n : 1;
}

/* "100", "0x64", "100+4": where, and how many values. */
static bool
read_addr(const struct map *m, const struct csv_field *f, unsigned step,
    struct jsonc_node *object)
{
	struct jsonc_node *addr = conf_map_node(m->doc, f, JSONC_INTEGER);
	struct jsonc_node *count;
	char *plus = strchr(f->text, '+'), word[40];
	size_t len = plus != NULL ? (size_t)(plus - f->text) : strlen(f->text);

	snprintf(word, sizeof(word), "%.*s", len < 39 ? (int)len : 39, f->text);
	if (!conf_map_number(word, addr) || addr->type != JSONC_INTEGER) {
		conf_fault(m->ctx, addr,
		    "\"addr\" is an address, as 100, or with a number of "
		    "values, as 100+4; not \"%.60s\"",
		    f->text);
		return false;
	}
	append(object, ADDR, addr);
	if (plus == NULL)
		return true;
	count = conf_map_node(m->doc, f, JSONC_INTEGER);
	if (!conf_map_number(plus + 1, count) || count->type != JSONC_INTEGER ||
	    count->magnitude > 65536) {
		conf_fault(m->ctx, count,
		    "behind \"+\" a number of values is wanted, not \"%.60s\"",
		    plus + 1);
		return false;
	}
	count->magnitude *= step;
	count->key = "count";
	append(object, ADDR, count);
	return true;
}

static void
read_value(const struct map *m, const struct csv_field *f, const char *type,
    struct jsonc_node *object)
{
	struct jsonc_node *value;

	if (type != NULL && strcmp(type, "string") == 0)
		value = node_of(m, f);
	else
		value = conf_map_values(m->ctx, m->doc, f);
	if (value == NULL)
		return;
	if (value->type == JSONC_ARRAY)
		value->key = "values";
	append(object, VALUE, value);
}

static void
read_scale(
    const struct map *m, const struct csv_field *f, struct jsonc_node *object)
{
	struct jsonc_node *scale = node_of(m, f);

	/* what is no number is left for the table of keys to refuse */
	conf_map_number(f->text, scale);
	append(object, SCALE, scale);
}

/* What does not lie in any column. */
static bool
check_width(const struct map *m, const struct csv_field *f, int n)
{
	bool known;

	for (int i = 0; i < n; i++) {
		known = f[i].text[0] == '\0';
		for (int c = 0; c < COLUMNS; c++)
			known |= m->at[c] == i;
		if (known)
			continue;
		conf_fault(m->ctx, node_of(m, &f[i]),
		    "more fields than the first line names; text that holds "
		    "the separator goes in quotes");
		return false;
	}
	return true;
}

static void
read_line(const struct map *m, const struct csv_field *f, int n,
    conf_map_fn *tell, void *arg)
{
	static const enum column texts[] = { TYPE, ORDER, NAME, UNIT, ACCESS };
	struct jsonc_node *object = conf_map_node(m->doc, f, JSONC_OBJECT);
	const struct csv_field *type = cell(m, TYPE, f, n), *c;
	const char *type_name = type != NULL ? type->text : NULL;
	struct jsonc_node *action;
	int table;

	if (!check_width(m, f, n) || (table = read_table(m, f, n)) == -1)
		return;
	c = cell(m, ADDR, f, n);
	if (c != NULL && !read_addr(m, c, step_of(type_name, table), object))
		return;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if ((c = cell(m, texts[i], f, n)) != NULL)
			append(object, texts[i], node_of(m, c));
	if ((c = cell(m, VALUE, f, n)) != NULL)
		read_value(m, c, type_name, object);
	if ((c = cell(m, SCALE, f, n)) != NULL)
		read_scale(m, c, object);
	if ((c = cell(m, ACTION, f, n)) != NULL &&
	    (action = conf_map_action(m->ctx, m->doc, c)) != NULL)
		append(object, ACTION, action);
	tell(m->ctx, object, (enum store_table)table, arg);
}

static void
read_lines(struct map *m, conf_map_fn *tell, void *arg)
{
	struct csv_field field[CSV_FIELDS_MAX];
	int n = csv_next(&m->csv, field);

	if (n == 0)
		conf_fault_at(m->ctx, m->doc, 1, 1,
		    "the map is empty; its first line names the columns: "
		    "table,addr,type,order,value,name,unit,scale,access,"
		    "action");
	if (n > 0 && !read_header(m, field, n))
		return;
	while (n > 0) {
		n = csv_next(&m->csv, field);
		if (n > 0)
			read_line(m, field, n, tell, arg);
	}
	if (n == -1)
		conf_fault_at(m->ctx, m->doc, m->csv.why_line, m->csv.why_col,
		    m->csv.why);
}

int
conf_map_each(struct conf_ctx *ctx, int fd, const char *path, conf_map_fn *tell,
    void *arg)
{
	struct map m = { .ctx = ctx };
	size_t len = 0;
	char *text = conf_tree_slurp(fd, &len), *copy;

	if (text == NULL)
		return -1;
	m.doc = jsonc_new(path);
	conf_tree_keep(ctx, m.doc);
	/* the fields are looked at for as long as the tree is */
	copy = jsonc_take(m.doc, len + 1);
	memcpy(copy, text, len);
	free(text);
	csv_init(&m.csv, copy, len);
	read_lines(&m, tell, arg);
	return 0;
}
