/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plugin host refuses, and in which words: objects that are none,
 * other versions, sizes, missing members, types and options. The objects are
 * compiled here, against the public header alone, from the few lines in which
 * they differ.
 */
#include "workers/hooks/plugin.h"

#include <sysexits.h>

#include "tests/suite.h"
#include "tests/lib/worker_fixture.h"

/* A plugin that is right, but for what is defined before. */
static const char source[] =
    "#include \"holdfast.h\"\n"
    "#ifndef ABI\n#define ABI HF_PLUGIN_ABI\n#endif\n"
    "#ifndef SIZE\n#define SIZE sizeof(struct hf_transport)\n#endif\n"
    "#ifndef TABLE\n#define TABLE sizeof(struct hf_plugin)\n#endif\n"
    "#ifndef NAME\n#define NAME \"odd\"\n#endif\n"
    "#ifndef MORE\n#define MORE 0\n#endif\n"
    "static int in(struct hf_listener *l) { (void)l; return -1; }\n"
    "static int take(struct hf_listener *l, struct hf_peer *p)\n"
    "{ (void)l; (void)p; return -1; }\n"
    "static enum hf_io get(struct hf_conn *c, uint8_t *b, size_t r, size_t *n)\n"
    "{ (void)c; (void)b; (void)r; (void)n; return HF_IO_EOF; }\n"
    "static enum hf_io put(struct hf_conn *c, const uint8_t *b, size_t l,\n"
    "    size_t *n)\n"
    "{ (void)c; (void)b; (void)l; (void)n; return HF_IO_EOF; }\n"
    "static const struct { struct hf_transport t; size_t more; } t = {\n"
    "    .t = { .size = SIZE, .name = NAME,\n"
    "#ifndef NO_LISTEN\n.listen = in,\n#endif\n"
    "#ifndef NO_ACCEPT\n.accept = take,\n#endif\n"
    "#ifndef NO_RECV\n.recv = get,\n#endif\n"
    "#ifndef NO_SEND\n.send = put,\n#endif\n"
    "    }, .more = MORE };\n"
    "static const struct hf_transport *const all[] = { &t.t, 0 };\n"
    "static const struct { struct hf_plugin p; size_t more; } p = {\n"
    "    .p = { .abi = ABI, .size = TABLE, .name = \"odd\",\n"
    "    .transports = all }, .more = MORE };\n"
    "#ifndef NO_ENTRY\n"
    "const struct hf_plugin *holdfast_plugin(const struct hf_host *h)\n"
    "{ (void)put; (void)get; (void)take; (void)in;\n"
    "  h->option(h, \"mode\");\n"
    "#ifdef REFUSE\n  REFUSE; return 0;\n#endif\n"
    "  return &p.p; }\n"
    "#endif\n";

static char dir[64];
static struct fx fx;
static char paths[2][80];
static char *plugins[2] = { paths[0], paths[1] };
static struct hf_transport ops;

static void
run(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void
make_dir(void)
{
	char path[80];
	FILE *f;

	snprintf(dir, sizeof(dir), "/tmp/check_plugin.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/odd.c", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(source, f);
	fclose(f);
}

static void
remove_dir(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	run(command);
}

static void
setup(void)
{
	static char type[] = "odd";

	fx_init(&fx);
	fx.transport.type = CONF_PLUGIN;
	fx.transport.type_name = type;
	fx.transport.plugins.at = plugins;
	fx.transport.plugins.n = 1;
}

static void
teardown(void)
{
	plugins_free(&fx.worker);
	fx_fini(&fx);
}

/* Compiles the source with these definitions: one of the plugins. */
static void
compile(int i, const char *defines)
{
	char command[600];

	snprintf(paths[i], sizeof(paths[i]), "%s/odd%d.so", dir, i);
	snprintf(command, sizeof(command),
	    "cc -w -shared -fPIC -Isupervisor %s -o %s %s/odd.c", defines,
	    paths[i], dir);
	run(command);
}

static void
refused(const char *why)
{
	ck_assert_ptr_nonnull(fx.worker.why);
	ck_assert_str_eq(fx.worker.why, why);
	ck_assert_int_eq(fx.worker.code, EX_CONFIG);
}

START_TEST(one_that_is_right_is_loaded_and_serves_its_type)
{
	struct plugin *p;

	compile(0, "");
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_ptr_null(fx.worker.why);
	p = plugins_transport(&fx.worker, &ops);
	ck_assert_ptr_nonnull(p);
	ck_assert_str_eq(p->file, "odd0.so");
	ck_assert_str_eq(ops.name, "odd");
	ck_assert_ptr_nonnull(ops.recv);
	ck_assert_ptr_null(ops.pending);
	ck_assert_int_eq(plugins_options(&fx.worker), 0);
}
END_TEST

#define OTHER "known: it was built for another version of Holdfast"
#define T(n) "odd0.so: a transport of it is " n " bytes and not the 80 that "
#define P(n) "odd0.so: its table is " n " bytes and not the 40 that are " OTHER

static const struct {
	const char *defines, *why;
} bad[] = {
	{ "-DNO_ENTRY",
	    "odd0.so: no plugin: it has no function holdfast_plugin" },
	{ "-DABI=2",
	    "odd0.so: built for version 2 of the plugin interface; this is "
	    "version 1" },
	{ "-DABI=0",
	    "odd0.so: built for version 0 of the plugin interface; this is "
	    "version 1" },
	/* a byte less than what the first version had, and nothing at all */
	{ "-DSIZE=79", T("79") "are " OTHER },
	{ "-DSIZE=0", T("0") "are " OTHER },
	{ "-DTABLE=31", P("31") },
	/* more than is known, and in use */
	{ "-DSIZE=88 -DMORE=1", T("88") "are " OTHER },
	{ "-DTABLE=48 -DMORE=1", P("48") },
	{ "-DNAME=0", "odd0.so: a transport of it has no name" },
	{ "-DNAME='\"\"'", "odd0.so: a transport of it has no name" },
	{ "-DNO_LISTEN", "odd0.so: a transport of it has no listen" },
	{ "-DNO_ACCEPT", "odd0.so: a transport of it has no accept" },
	{ "-DNO_RECV", "odd0.so: a transport of it has no recv" },
	{ "-DNO_SEND", "odd0.so: a transport of it has no send" },
	{ "-DREFUSE='h->fail(h,\"not %s\",\"today\")'",
	    "odd0.so: does not serve: not today" },
	{ "-DREFUSE=", "odd0.so: does not serve: its plugin does not say why" },
};

START_TEST(one_that_is_not_as_it_should_be_is_named)
{
	compile(0, bad[_i].defines);
	ck_assert_int_eq(plugins_load(&fx.worker), -1);
	refused(bad[_i].why);
}
END_TEST

START_TEST(one_that_knows_more_but_does_not_use_it_is_taken)
{
	compile(0, "-DSIZE=88 -DTABLE=48");
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_ptr_nonnull(plugins_transport(&fx.worker, &ops));
}
END_TEST

START_TEST(one_of_before_there_were_hooks_is_taken)
{
	compile(0, "-DTABLE=32");
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_ptr_nonnull(plugins_transport(&fx.worker, &ops));
}
END_TEST

START_TEST(what_is_no_object_is_told_without_its_folder)
{
	FILE *f;

	snprintf(paths[0], sizeof(paths[0]), "%s/text.so", dir);
	ck_assert_int_eq(plugins_load(&fx.worker), -1);
	refused("text.so: cannot open shared object file: No such file or "
		"directory");
	plugins_free(&fx.worker);
	f = fopen(paths[0], "w");
	fputs("no code\n", f);
	fclose(f);
	ck_assert_int_eq(plugins_load(&fx.worker), -1);
	refused("text.so: file too short");
}
END_TEST

START_TEST(a_type_that_nobody_serves_is_told_with_those_that_are)
{
	static char wrong[] = "od";

	compile(0, "");
	fx.transport.type_name = wrong;
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_ptr_null(plugins_transport(&fx.worker, &ops));
	refused("no plugin serves the type \"od\"; they serve \"odd\"; did you "
		"mean \"odd\"?");
}
END_TEST

START_TEST(a_type_that_two_serve_is_nobodys)
{
	compile(0, "");
	compile(1, "");
	fx.transport.plugins.n = 2;
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_ptr_null(plugins_transport(&fx.worker, &ops));
	refused("the type \"odd\" is served twice, by odd1.so and odd1.so");
}
END_TEST

START_TEST(an_option_that_nobody_asks_for_is_told)
{
	static char name[2][5] = { "mode", "moed" }, value[] = "1";
	static struct conf_option options[2] = {
		{ .name = name[0], .value = value },
		{ .name = name[1], .value = value },
	};

	compile(0, "");
	fx.transport.options.at = options;
	fx.transport.options.n = 1;
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_int_eq(plugins_options(&fx.worker), 0);
	plugins_free(&fx.worker);
	fx.transport.options.n = 2;
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_int_eq(plugins_options(&fx.worker), -1);
	refused("no plugin knows the option \"moed\"; did you mean \"mode\"?");
}
END_TEST

START_TEST(a_transport_without_plugins_loads_none)
{
	fx.transport.type = CONF_TCP;
	fx.transport.plugins.n = 0;
	ck_assert_int_eq(plugins_load(&fx.worker), 0);
	ck_assert_ptr_null(fx.worker.plugins);
	ck_assert_int_eq(plugins_options(&fx.worker), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("plugin");
	TCase *tc = tcase_create("plugin");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60); /* a compiler runs in them */
	tcase_add_unchecked_fixture(tc, make_dir, remove_dir);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_that_is_right_is_loaded_and_serves_its_type);
	tcase_add_loop_test(tc, one_that_is_not_as_it_should_be_is_named, 0,
	    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, one_that_knows_more_but_does_not_use_it_is_taken);
	tcase_add_test(tc, one_of_before_there_were_hooks_is_taken);
	tcase_add_test(tc, what_is_no_object_is_told_without_its_folder);
	tcase_add_test(
	    tc, a_type_that_nobody_serves_is_told_with_those_that_are);
	tcase_add_test(tc, a_type_that_two_serve_is_nobodys);
	tcase_add_test(tc, an_option_that_nobody_asks_for_is_told);
	tcase_add_test(tc, a_transport_without_plugins_loads_none);
	return suite_run(s);
}
