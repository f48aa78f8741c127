/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a range of the daemon's is written as a line of a map.
 */

#include "control/cli/map.h"

#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/jtext.h"
#include "shm/table.h"
#include "shm/typed.h"

int
map_device(struct cli *cli, const char *named, char device[SHM_NAME_MAX])
{
	json_t *list;
	const char *name = named;
	int code;

	if (named != NULL && strlen(named) >= SHM_NAME_MAX)
		return cli_fail(CLI_USAGE, "%.60s...: no device", named);
	if (named != NULL) {
		snprintf(device, SHM_NAME_MAX, "%s", named);
		return CLI_OK;
	}
	code = client_call(cli, "devices.list", NULL, CLIENT_CALL_MS, &list);
	if (code != CLI_OK)
		return code;
	name =
	    json_string_value(json_object_get(json_array_get(list, 0), "name"));
	if (json_array_size(list) == 1 && name != NULL)
		snprintf(device, SHM_NAME_MAX, "%.*s", SHM_NAME_MAX - 1, name);
	else
		code = cli_fail(CLI_USAGE, "there are %zu devices; say which",
		    json_array_size(list));
	json_decref(list);
	return code;
}

bool
map_is_file(const char *word)
{
	return strcmp(word, "-") == 0 || strpbrk(word, "/.") != NULL;
}

/* ---- rows ---- */

int
map_table(const json_t *range)
{
	const char *name = json_string_value(json_object_get(range, "table"));
	int table = name != NULL ? table_find(name) : -1;

	return table < TABLE_PLAIN ? table : -1;
}

static bool
is_bits(const json_t *range)
{
	int table = map_table(range);

	return table == STORE_CO || table == STORE_DI;
}

const char *
map_type(const json_t *range)
{
	const char *name = json_string_value(json_object_get(range, "type"));

	if (is_bits(range))
		return "bits";
	/* sixteen bits are written as one number */
	if (name == NULL || typed_type_find(name) == -1 ||
	    strcmp(name, "bits") == 0)
		return "uint16";
	return name;
}

/* Registers, or bits, of one value. */
static unsigned
step_of(const json_t *range)
{
	const char *name = map_type(range);
	unsigned step;

	if (is_bits(range) || strcmp(name, "string") == 0)
		return 1;
	step = typed_regs((enum typed_type)typed_type_find(name));
	return step > 0 ? step : 1;
}

uint32_t
map_values(const json_t *range)
{
	json_int_t count = json_integer_value(json_object_get(range, "count"));

	return count > 0 && count <= 65536 ? (uint32_t)count / step_of(range)
					   : 1;
}

uint32_t
map_addr(const json_t *range, size_t i)
{
	return (uint32_t)(json_integer_value(json_object_get(range, "addr")) +
	    (json_int_t)(i * step_of(range)));
}

size_t
map_bytes(int table, uint32_t units)
{
	return store_bytes((enum store_table)table, units);
}

/* ---- fields ---- */

/* A value as a field has it: no quotes around a word. */
static void
put_value(FILE *f, const json_t *value)
{
	const char *text = json_string_value(value);
	char *dump;
	size_t len;

	/* those that jtext.h marks are numbers */
	if (text != NULL && text[0] != 1) {
		fputs(text, f);
		return;
	}
	dump = jtext_dump(value, &len);
	fputs(dump != NULL ? dump : "", f);
	free(dump);
}

char *
map_format_values(const json_t *range, size_t i, size_t n)
{
	const json_t *values = json_object_get(range, "values");
	size_t size, end = i + n;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	if (end > json_array_size(values))
		end = json_array_size(values);
	for (size_t k = i; k < end; k++) {
		if (k > i)
			putc(' ', f);
		put_value(f, json_array_get(values, k));
	}
	fclose(f);
	return text;
}

/* True if a parameter can stand between parentheses and is read as it is. */
static bool
is_plain(const json_t *value)
{
	const char *text = json_string_value(value);

	if (text == NULL || text[0] == 1)
		return true;
	return text[0] != '\0' && strpbrk(text, " \t\r\n,()=\"{}") == NULL &&
	    strspn(text, "+-.0123456789") == 0 && strcmp(text, "true") != 0 &&
	    strcmp(text, "false") != 0 && strcmp(text, "on") != 0 &&
	    strcmp(text, "off") != 0;
}

/* NAME(KEY=VALUE, ...), or as an object what cannot be written so. */
static void
put_action(FILE *f, const char *name, const json_t *action)
{
	const char *key;
	json_t *value;
	bool first = true;
	size_t len;
	char *dump;

	json_object_foreach ((json_t *)(uintptr_t)action, key, value) {
		if (is_plain(value))
			continue;
		dump = jtext_dump(action, &len);
		fputs(dump != NULL ? dump : "", f);
		free(dump);
		return;
	}
	fputs(name, f);
	json_object_foreach ((json_t *)(uintptr_t)action, key, value) {
		if (strcmp(key, "name") == 0)
			continue;
		fprintf(f, "%s%s=", first ? "(" : ", ", key);
		put_value(f, value);
		first = false;
	}
	if (!first)
		putc(')', f);
}

char *
map_format_action(const json_t *action)
{
	const char *name = json_string_value(json_object_get(action, "name"));
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	if (json_is_string(action))
		fputs(json_string_value(action), f);
	else if (name != NULL)
		put_action(f, name, action);
	fclose(f);
	return text;
}

/* In quotes if it would not be read as it is otherwise. */
static void
put_field(FILE *f, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 ||
	    (strpbrk(text, ",;\"\t\r\n") == NULL && text[0] != ' ' &&
		text[0] != '#' && text[len - 1] != ' ')) {
		fputs(text, f);
		return;
	}
	putc('"', f);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putc('"', f);
		putc(*text, f);
	}
	putc('"', f);
}

void
map_write_line(FILE *f, const char *const cells[MAP_COLUMNS])
{
	for (int i = 0; i < MAP_COLUMNS; i++) {
		if (i > 0)
			putc(',', f);
		put_field(f, cells[i] != NULL ? cells[i] : "");
	}
	putc('\n', f);
}
