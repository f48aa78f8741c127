/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges by the names that the configuration gives them.
 */

#include "control/cli/named.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "shm/table.h"
#include "supervisor/near.h"

enum { PLACE_MAX = 80, PLACES_MAX = 200 };

/* A search for one name among the ranges of some devices. */
struct search {
	const char *text; /* as it was typed */
	char device[SHM_NAME_MAX]; /* "" if left out */
	const char *name;
	struct address *address;
	struct declared_label *label;
	int found;
	char places[PLACES_MAX]; /* where it was found */
	const char **names; /* all there are */
	size_t nnames;
	json_t *keep; /* what they lie in */
};

bool
named_is(const char *text)
{
	char why[ADDRESS_WHY_MAX];
	struct address a;

	/* a table alone is all of it where that makes sense */
	return strchr(text, ':') == NULL &&
	    address_parse_table(text, &a, why) == -1;
}

/* ---- what there is ---- */

/* The devices' names: an array, or the one that is named. */
static int
devices(struct cli *cli, const char *device, json_t **names)
{
	json_t *list, *row;
	size_t i;
	int code;

	*names = json_array();
	if (device[0] != '\0') {
		json_array_append_new(*names, json_string(device));
		return CLI_OK;
	}
	code = client_call(cli, "devices.list", NULL, CLIENT_CALL_MS, &list);
	if (code != CLI_OK)
		return code;
	json_array_foreach (list, i, row)
		json_array_append(*names, json_object_get(row, "name"));
	json_decref(list);
	return CLI_OK;
}

typedef void range_fn(void *arg, const char *device, const json_t *range);

/* Tells all ranges of the tables that have addresses. */
static int
each_range(struct cli *cli, const char *device, json_t *keep, range_fn *tell,
    void *arg)
{
	json_t *names, *ranges, *range, *name;
	size_t i, k;
	int code = devices(cli, device, &names);

	json_array_append_new(keep, names);
	json_array_foreach (names, i, name) {
		if (code != CLI_OK)
			break;
		code = client_call(cli, "registers.describe",
		    json_pack("{s:O}", "device", name), CLIENT_CALL_MS,
		    &ranges);
		if (code != CLI_OK)
			break;
		json_array_append_new(keep, ranges);
		json_array_foreach (ranges, k, range)
			if (json_is_string(json_object_get(range, "name")))
				tell(arg, json_string_value(name), range);
	}
	return code;
}

/* ---- one of them ---- */

/* How many values a range holds. */
static uint32_t
values_of(const json_t *range, enum store_table table, int type)
{
	json_int_t count = json_integer_value(json_object_get(range, "count"));
	unsigned step;

	if (count < 1 || count > 65536)
		return 1;
	if (table == STORE_CO || table == STORE_DI || type == TYPED_STRING)
		return (uint32_t)count;
	if (type == TYPED_BITS)
		return 16 * (uint32_t)count;
	step = typed_regs((enum typed_type)type);
	return (uint32_t)count / (step > 0 ? step : 1);
}

static bool
to_address(const char *device, const json_t *range, struct address *a)
{
	const char *table_word =
	    json_string_value(json_object_get(range, "table"));
	const char *type_word =
	    json_string_value(json_object_get(range, "type"));
	const char *order = json_string_value(json_object_get(range, "order"));
	int table = table_word != NULL ? table_find(table_word) : -1;
	int type = type_word != NULL ? typed_type_find(type_word) : -1;

	if (table == -1 || table >= TABLE_PLAIN || type == -1)
		return false;
	*a = (struct address){ .table = (enum store_table)table,
		.has_count = true };
	snprintf(a->device, sizeof(a->device), "%s", device);
	a->addr = (uint32_t)json_integer_value(json_object_get(range, "addr"));
	a->count = values_of(range, a->table, type);
	if (a->table == STORE_CO || a->table == STORE_DI)
		return true;
	snprintf(a->type, sizeof(a->type), "%s", type_word);
	snprintf(a->order, sizeof(a->order), "%s", order != NULL ? order : "");
	return true;
}

static void
look(void *arg, const char *device, const json_t *range)
{
	struct search *s = arg;
	const char *name = json_string_value(json_object_get(range, "name"));
	const char **more =
	    realloc(s->names, (s->nnames + 1) * sizeof(s->names[0]));
	size_t len = strlen(s->places);
	struct address a;

	if (more != NULL) {
		s->names = more;
		s->names[s->nnames++] = name;
	}
	if (strcmp(name, s->name) != 0 || !to_address(device, range, &a))
		return;
	snprintf(s->places + len, sizeof(s->places) - len, "%s%s/%s:%u",
	    s->found > 0 ? ", " : "", device, table_short(a.table), a.addr);
	if (s->found++ == 0) {
		*s->address = a;
		if (s->label != NULL)
			declared_describe(range, s->label);
	}
}

static int
judge(const struct search *s)
{
	const char *near;

	if (s->found == 1)
		return CLI_OK;
	if (s->found > 1)
		return cli_fail(CLI_REFUSED,
		    "%s: %d ranges are called so: %s; say which address",
		    s->text, s->found, s->places);
	near = near_name(s->name, s->names, s->nnames);
	if (near != NULL)
		return cli_fail(CLI_REFUSED,
		    "%s: nothing is called \"%s\"; did you mean \"%s\"?",
		    s->text, s->name, near);
	return cli_fail(CLI_REFUSED,
	    "%s: nothing is called \"%s\"; an address is "
	    "[device/]table:addr[+count][:type[:order]]",
	    s->text, s->name);
}

int
named_resolve(struct cli *cli, const char *text, struct address *a,
    struct declared_label *label)
{
	struct search s = {
		.text = text, .name = text, .address = a, .label = label
	};
	const char *slash = strrchr(text, '/');
	int code;

	if (slash != NULL) {
		s.name = slash + 1;
		snprintf(s.device, sizeof(s.device), "%.*s",
		    (int)(slash - text < SHM_NAME_MAX ? slash - text
						      : SHM_NAME_MAX - 1),
		    text);
	}
	if (s.name[0] == '\0' || slash == text)
		return cli_fail(CLI_USAGE,
		    "\"%s\": an address, or a name, is wanted", text);
	s.keep = json_array();
	code = each_range(cli, s.device, s.keep, look, &s);
	if (code == CLI_OK)
		code = judge(&s);
	free(s.names);
	json_decref(s.keep);
	return code;
}

/* ---- all of them ---- */

struct all {
	named_fn *tell;
	void *arg;
	bool several;
};

static void
tell_name(void *arg, const char *device, const json_t *range)
{
	const struct all *all = arg;
	const char *name = json_string_value(json_object_get(range, "name"));
	char whole[SHM_NAME_MAX + 64];

	snprintf(whole, sizeof(whole), "%s%s%s", all->several ? device : "",
	    all->several ? "/" : "", name);
	all->tell(all->arg, whole);
}

int
named_each(struct cli *cli, named_fn *tell, void *arg)
{
	struct all all = { tell, arg, false };
	json_t *names = NULL, *keep = json_array();
	int code = devices(cli, "", &names);

	all.several = json_array_size(names) != 1;
	json_decref(names);
	if (code == CLI_OK)
		code = each_range(cli, "", keep, tell_name, &all);
	json_decref(keep);
	return code;
}
