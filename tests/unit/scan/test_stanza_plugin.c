/* SPDX-License-Identifier: MIT */
/* The stanza of a vendor's plug-in: its pool, its names, what is refused before anything is loaded. */
#include "stanza_fixture.h"

START_TEST(a_plugin_runs_in_a_pool_of_its_own_that_has_its_name)
{
    struct fixture f;
    char name[FRAMEWORK_SCRIPT_NAME];
    load(&f,
         "ThreadPool \"VENDOR2\" { Concurrency = 3 } antivirus { clamav { } plugin \"vendor1\" { library = /v.so "
         "options [ "
         "Key = \"a value\" ] } plugin \"vendor2\" { library = /w.so } plugin \"v-3\" { library = /x.so pool = mine } "
         "} ThreadPool \"mine\" { }",
         0);
    ck_assert_uint_eq(f.fw.engine_count, 4);
    ck_assert_uint_eq(f.fw.pool_count, 4);
    const struct framework_engine *e = &f.fw.engines[1];
    ck_assert(e->built && framework_is_plugin(e) && framework_has_database(e) &&
              !framework_is_plugin(&f.fw.engines[0]));
    ck_assert_str_eq(e->pool, "vendor1");
    ck_assert_int_eq(f.fw.pools[framework_pool_index(&f.fw, "vendor1")].conf.concurrency, 4);
    ck_assert_int_eq(e->conf->plugin.sandbox, PLUGIN_SANDBOX_STRICT);
    ck_assert_uint_eq(e->conf->plugin.options.count, 1);
    ck_assert_str_eq(e->conf->plugin.options.items[0].key, "Key");
    ck_assert_str_eq(e->conf->plugin.options.items[0].value, "a value");
    ck_assert_str_eq(f.fw.engines[2].pool, "VENDOR2");
    ck_assert_int_eq(f.fw.pools[framework_pool_index(&f.fw, "vendor2")].conf.concurrency, 3);
    ck_assert_str_eq(f.fw.engines[3].pool, "mine");
    ck_assert(framework_pool_is_plugins(&f.fw, "mine") && !framework_pool_is_plugins(&f.fw, "CPU"));
    ck_assert_str_eq(framework_stem(&f.fw.engines[0]), "clamav");
    framework_script_name("kaspersky", name);
    ck_assert_str_eq(name, "kaspersky_avscan");
    framework_script_name("fsecure", name);
    ck_assert_str_eq(name, "f_secure_avscan");
    framework_script_name(framework_stem(&f.fw.engines[3]), name);
    ck_assert_str_eq(name, "v_3_avscan");
    fixture_release(&f);
}
END_TEST

START_TEST(a_third_partys_module_of_the_original_is_a_plugin)
{
    struct fixture f;
    char name[FRAMEWORK_SCRIPT_NAME];
    load(&f,
         "Validate validate/antivirus antivirus { }\nValidate validate/av_kaspersky kaspersky passive { }\n"
         "Validate validate/av_acme acme passive { library = /v.so }\n"
         "Validate validate/av_f-other f-other { library = /v.so action = quarantine }",
         0);
    ck_assert_uint_eq(f.fw.engine_count, 1);
    ck_assert_str_eq(f.fw.engines[0].type, "plugin");
    ck_assert_str_eq(f.fw.engines[0].name, "f-other");
    ck_assert_str_eq(f.fw.engines[0].pool, "f-other");
    framework_script_name(framework_stem(&f.fw.engines[0]), name);
    ck_assert_str_eq(name, "f_other_avscan");
    fixture_release(&f);
}
END_TEST

START_TEST(faults_of_a_plugins_stanza_are_named_with_their_place)
{
    static const struct {
        const char *text, *finding;
    } rows[] = {
        {"antivirus { plugin \"v\" { } }", "error |library"},
        {"antivirus { plugin \"v\" { library = \"v.so\" } }", "error |library = v.so|absolute path"},
        {"antivirus { plugin \"v\" { library = /v.so database = \"db\" } }", "error |database = db|absolute path"},
        {"antivirus { plugin \"v\" { library = /v.so sandbox = loose } }", "error |sandbox = loose|strict, vendor"},
        {"antivirus { plugin \"v\" { library = /v.so patern = x } }",
         "error |patern|options of its own stand in options [ name = value ]"},
        {"antivirus { plugin \"v\" { library = /v.so licence = /etc/l } }",
         "error |unknown option \"licence\"|options of its own stand in options [ name = value ]"},
        {"antivirus { plugin \"v\" { library = /v.so paranoid = on ignore_signatures = ( \"Paranoid.Redings\" ) } }",
         "warning |ignore_signatures|\"Paranoid.Redings\" fits no reason of paranoid|known are "
         "Paranoid.DuplicateHeader, |, Paranoid.Limit"},
        {"antivirus { plugin \"v\" { library = /v.so allow_ports = 25 } }",
         "error |allow_ports = 25|write sandbox = vendor"},
        {"antivirus { plugin \"v\" { library = /v.so allow_read = /opt } }",
         "error |allow_read = /opt|write sandbox = vendor"},
        {"antivirus { plugin \"v\" { library = /v.so allow_unix_sockets = on } }", "error |write sandbox = vendor"},
        {"antivirus { plugin \"v\" { library = /v.so allow_executable_memory = on } }",
         "error |write sandbox = vendor"},
        {"antivirus { plugin \"v\" { library = /v.so sandbox = vendor } }", "warning |sandbox = vendor|same as strict"},
        {"antivirus { plugin \"v\" { library = /v.so sandbox = vendor allow_ports = ( 25 70000 ) } }",
         "error |allow_ports|70000: expected a port from 1 to 65535"},
        {"antivirus { plugin \"v\" { library = /v.so sandbox = vendor allow_read = \"opt\" } }",
         "error |allow_read|opt: expected an absolute path"},
        {"antivirus { plugin \"v\" { library = /v.so ignore_signatures = ( \"X.*\" ) } }",
         "error |ignore_signatures|behind X.* would pass"},
        {"antivirus {\n clamav \"c\" { }\n plugin \"v\" { library = /v.so pool = CPU } }",
         "error postern.conf:3:|pool = CPU|for postern's own engines|a scan host of its own"},
        {"antivirus { plugin \"Io\" { library = /v.so } }",
         "error |the pool IO is for postern's own engines|name cannot be"},
        {"ThreadPool \"v\" { } antivirus {\n clamav \"c\" { pool = v }\n plugin \"v\" { library = /v.so } }",
         "error postern.conf:3:|shares the pool v with c"},
        {"ThreadPool \"two\" { } antivirus {\n plugin \"a\" { library = /v.so pool = two }\n plugin \"b\" { library = "
         "/v.so "
         "pool = two } }",
         "error postern.conf:3:|shares the pool two with a"},
        {"antivirus {\n clamav \"c\" { }\n plugin \"clamav\" { library = /v.so context_variable = v } }",
         "error postern.conf:3:|call it clamav_avscan|clamav \"c\" at postern.conf:2"},
        {"antivirus {\n plugin \"a-b\" { library = /v.so }\n plugin \"a.b\" { library = /v.so } }",
         "error |call it a_b_avscan"},
        {"antivirus { kaspersky { timout = 3 } }", "error |timout|timeout"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_finding(rows[i].text, rows[i].finding);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_plugin_runs_in_a_pool_of_its_own_that_has_its_name)                                                            \
    X(a_third_partys_module_of_the_original_is_a_plugin)                                                               \
    X(faults_of_a_plugins_stanza_are_named_with_their_place)
#include "support/check_main.h"
