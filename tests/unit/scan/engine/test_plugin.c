/* SPDX-License-Identifier: MIT */
/* Libraries behind the public interface, good and broken ones, as the engine `plugin` takes them. The libraries are
 * built from tests/e2e/hostile_plugin.c and broken_plugin.c into plugins/ beside this program. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scan/engine/engine.h"

struct loaded {
    struct engine_conf conf;
    struct conf_pair options[4];
    char path[PATH_MAX];
    void *state;
    struct engine_info info;
    struct errtext why;
};

static void prepare(struct loaded *l, const char *library)
{
    memset(l, 0, sizeof(*l));
    ssize_t len = readlink("/proc/self/exe", l->path, sizeof(l->path) - 64);
    ck_assert(len > 0);
    char *name = strrchr(l->path, '/');
    ck_assert(name != NULL);
    snprintf(name, 64, "/plugins/%s.so", library);
    l->conf.plugin.library = l->path;
    l->conf.plugin.instance = "vendor1";
    l->conf.plugin.options.items = l->options;
}

static void give_option(struct loaded *l, const char *name, const char *value)
{
    ck_assert(l->conf.plugin.options.count < ARRAY_SIZE(l->options));
    l->options[l->conf.plugin.options.count++] = (struct conf_pair){name, value};
}

static enum err open_it(struct loaded *l)
{
    return engine_plugin.open(&l->conf, &l->state, &l->info, &l->why);
}

static void must_open(struct loaded *l)
{
    ck_assert_msg(open_it(l) == ERR_OK, "%s", l->why.text);
    ck_assert_msg(engine_plugin.worker_start(l->state, "/nonexistent", &l->why) == ERR_OK, "%s", l->why.text);
}

static struct verdict scan(const struct loaded *l, const char *order)
{
    struct verdict v;
    char text[128];
    int len = snprintf(text, sizeof(text), "X-Plugin: %s\r\n\r\n", order);
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, text, (size_t)len) == len);
    engine_plugin.scan(l->state, fd, (uint64_t)len, 1000, &v);
    close(fd);
    return v;
}

static void assert_refused(struct loaded *l, const char *text)
{
    ck_assert(open_it(l) != ERR_OK);
    ck_assert_ptr_null(l->state);
    ck_assert_msg(strstr(l->why.text, text) != NULL, "expected \"%s\", found: %s", text, l->why.text);
}

START_TEST(a_library_of_this_version_scans)
{
    struct loaded l;
    prepare(&l, "hostile");
    must_open(&l);
    ck_assert_str_eq(l.info.version, "Hostile plug-in 0.1, database none");
    ck_assert_uint_eq(l.info.signatures, 1);
    struct verdict v = scan(&l, "clean");
    ck_assert(v.class == VERDICT_CLEAN);
    v = scan(&l, "infected Some.Virus");
    ck_assert(v.class == VERDICT_INFECTED);
    ck_assert_str_eq(v.name, "Some.Virus");
    v = scan(&l, "unscannable 101");
    ck_assert(v.class == VERDICT_UNSCANNABLE && v.reason == VERDICT_REASON_ENCRYPTED);
    v = scan(&l, "class 9");
    ck_assert(v.class == VERDICT_ERROR && v.reason == VERDICT_REASON_PROTOCOL);
    engine_plugin.close(l.state);
}
END_TEST

START_TEST(a_library_of_a_later_version_that_wants_no_more_than_this_one_has_scans)
{
    struct loaded l;
    prepare(&l, "later");
    must_open(&l);
    ck_assert_str_eq(scan(&l, "infected Some.Virus").name, "Some.Virus");
    engine_plugin.close(l.state);
}
END_TEST

static void assert_childless(void)
{
    ck_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

START_TEST(what_it_leaves_running_is_found_and_processes_end)
{
    static const struct {
        const char *mode, *text;
    } rows[] = {
        {"open-fork", "its open started a process, which would live outside the cage"},
        {"open-daemon", "its open started a process, which would live outside the cage"},
        {"open-thread", "its open started a thread, which would live outside the cage"},
        {"start-fork", "its worker_start started a process, which would live outside the cage"},
        {"start-daemon", "its worker_start started a process, which would live outside the cage"},
        {"start-thread", "its worker_start started a thread, which would live outside the cage"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct loaded l;
        prepare(&l, "hostile");
        give_option(&l, "mode", rows[i].mode);
        if (rows[i].mode[0] == 'o') {
            assert_refused(&l, rows[i].text);
        } else {
            ck_assert_msg(open_it(&l) == ERR_OK, "%s", l.why.text);
            ck_assert(engine_plugin.worker_start(l.state, "/nonexistent", &l.why) != ERR_OK);
            ck_assert_msg(strstr(l.why.text, rows[i].text) != NULL, "%s", l.why.text);
            engine_plugin.close(l.state);
        }
        assert_childless();
    }
}
END_TEST

START_TEST(it_gets_its_own_options_in_its_own_spelling_and_its_instances_name)
{
    struct loaded l;
    prepare(&l, "hostile");
    give_option(&l, "WORD", "Hello");
    must_open(&l);
    ck_assert_str_eq(scan(&l, "tell").name, "vendor1.Hello.");
    engine_plugin.close(l.state);
}
END_TEST

START_TEST(an_option_that_it_does_not_know_is_refused_with_those_that_it_knows)
{
    struct loaded l;
    prepare(&l, "hostile");
    give_option(&l, "wrod", "Hello");
    assert_refused(&l, "\"wrod\" is none of this plug-in's: did you mean \"word\"? (known are mode, word)");
    prepare(&l, "hostile");
    give_option(&l, "something", "1");
    assert_refused(&l, "\"something\" is none of this plug-in's: known are mode, word");
    prepare(&l, "hostile");
    give_option(&l, "word", "1");
    give_option(&l, "Word", "2");
    assert_refused(&l, "\"word\" is there twice");
}
END_TEST

START_TEST(what_it_says_when_it_refuses_to_start_is_told_as_one_clean_line)
{
    static const struct {
        const char *mode, *text;
    } rows[] = {
        {"refuse", "the plug-in's open returned 3: no licence???[31mfor vendor1"},
        {"refuse-silently", "the plug-in's open returned -1: it gave no reason"},
        {"refuse-endlessly", "the plug-in's open returned 1: wwww"},
    };
    struct loaded l;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        prepare(&l, "hostile");
        give_option(&l, "mode", rows[i].mode);
        assert_refused(&l, rows[i].text);
    }
    prepare(&l, "hostile");
    give_option(&l, "mode", "info");
    assert_refused(&l, "its open changed the size or a reserved field of its postern_info: expected zero there");
    prepare(&l, "hostile");
    l.conf.database = "/nonexistent/data";
    assert_refused(&l, "database /nonexistent/data: expected a line with its version");
    prepare(&l, "hostile");
    give_option(&l, "mode", "start-refuse");
    ck_assert(open_it(&l) == ERR_OK);
    ck_assert(engine_plugin.worker_start(l.state, "/nonexistent", &l.why) != ERR_OK);
    ck_assert_str_eq(l.why.text, "the plug-in's worker_start returned 1: no daemon to speak to");
    engine_plugin.close(l.state);
}
END_TEST

START_TEST(a_library_of_another_kind_is_refused_before_anything_in_it_is_called)
{
    static const struct {
        const char *library, *text;
    } rows[] = {
        {"none", "none.so: No such file or directory (it is opened as user "},
        {"no_symbol", "no_symbol.so has no symbol postern_engine: it is no engine for postern"},
        {"function", "its symbol postern_engine has 0 octets, expected an object of "},
        {"short", "its symbol postern_engine has 8 octets, expected an object of "},
        {"major", "built for version 2.1 of the interface, this postern has 1.1"},
        {"minor", "built for version 1.2 of the interface, this postern has 1.1"},
        {"size", "its table says that it has 120 octets, in an object of 128; expected 128 or more (version 1.0)"},
        {"beyond", "its table says that it has 136 octets, in an object of 128; expected 128 or more (version 1.0)"},
        {"reserved0", "a reserved field of its table is not zero: it wants something that version 1.1 has not"},
        {"reserved", "a reserved field of its table is not zero: it wants something that version 1.1 has not"},
        {"no_scan", "its table has no scan"},
    };
    struct loaded l;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        prepare(&l, rows[i].library);
        assert_refused(&l, rows[i].text);
    }
}
END_TEST

START_TEST(a_file_that_is_no_library_or_that_everybody_may_write_is_not_loaded)
{
    struct loaded l;
    char path[] = "/tmp/postern-plugin-XXXXXX";
    int fd = mkstemp(path);
    ck_assert(fd >= 0);
    prepare(&l, "none");
    l.conf.plugin.library = path;
    assert_refused(&l, "expected a shared library (ELF), found something else");
    ck_assert(write(fd, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0rest", 20) == 20);
    assert_refused(&l, "cannot be loaded: ");
    ck_assert(fchmod(fd, 0646) == 0);
    assert_refused(&l, "everybody may write it (mode 0646)");
    l.conf.plugin.library = "/tmp";
    assert_refused(&l, "library /tmp: expected a regular file");
    close(fd);
    ck_assert(unlink(path) == 0);
}
END_TEST

START_TEST(a_worker_whose_descriptors_it_keeps_should_be_replaced)
{
    struct loaded l;
    prepare(&l, "hostile");
    must_open(&l);
    ck_assert(scan(&l, "leak 40").class == VERDICT_CLEAN);
    ck_assert(!engine_plugin.is_worn(l.state, &l.why));
    ck_assert(scan(&l, "leak 40").class == VERDICT_CLEAN);
    ck_assert(engine_plugin.is_worn(l.state, &l.why));
    ck_assert(strstr(l.why.text, "more than 64 descriptors") != NULL);
    engine_plugin.close(l.state);
}
END_TEST

START_TEST(its_stanza_alone_widens_its_cage)
{
    const char *const ports[] = {"9000", "9001"}, *const files[] = {"/opt/vendor"};
    struct loaded l;
    prepare(&l, "hostile");
    l.conf.plugin.allow_ports = (struct conf_list){ports, 2};
    l.conf.plugin.allow_read = (struct conf_list){files, 1};
    l.conf.plugin.allow_unix_sockets = true;
    must_open(&l);
    ck_assert(!engine_plugin.needs(l.state)->widened);
    engine_plugin.close(l.state);
    l.conf.plugin.sandbox = PLUGIN_SANDBOX_VENDOR;
    must_open(&l);
    const struct engine_needs *n = engine_plugin.needs(l.state);
    ck_assert(n->widened && n->unix_sockets && !n->executable_memory);
    ck_assert_uint_eq(n->port_count, 2);
    ck_assert_uint_eq(n->ports[1], 9001);
    ck_assert_uint_eq(n->read_count, 1);
    ck_assert_str_eq(n->read[0], "/opt/vendor");
    engine_plugin.close(l.state);
}
END_TEST

START_TEST(what_changes_is_its_database_or_else_the_library_itself)
{
    struct loaded l;
    prepare(&l, "hostile");
    ck_assert_str_eq(engine_plugin.database(&l.conf), l.path);
    l.conf.database = "/var/lib/vendor";
    ck_assert_str_eq(engine_plugin.database(&l.conf), "/var/lib/vendor");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_library_of_this_version_scans)                                                                                 \
    X(a_library_of_a_later_version_that_wants_no_more_than_this_one_has_scans)                                         \
    X(what_it_leaves_running_is_found_and_processes_end)                                                               \
    X(it_gets_its_own_options_in_its_own_spelling_and_its_instances_name)                                              \
    X(an_option_that_it_does_not_know_is_refused_with_those_that_it_knows)                                             \
    X(what_it_says_when_it_refuses_to_start_is_told_as_one_clean_line)                                                 \
    X(a_library_of_another_kind_is_refused_before_anything_in_it_is_called)                                            \
    X(a_file_that_is_no_library_or_that_everybody_may_write_is_not_loaded)                                             \
    X(a_worker_whose_descriptors_it_keeps_should_be_replaced)                                                          \
    X(its_stanza_alone_widens_its_cage)                                                                                \
    X(what_changes_is_its_database_or_else_the_library_itself)
#include "support/check_main.h"
