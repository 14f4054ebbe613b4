/* SPDX-License-Identifier: MIT */
/* For the tests of this folder: a configuration text, loaded by the real loader with the scan classes alone. */
#ifndef SCAN_STANZA_FIXTURE_H
#define SCAN_STANZA_FIXTURE_H

#include "conf/conf.h"
#include "scan/framework.h"
#include <check.h>

static const struct scope_class *const fixture_classes[] = {
#define SCAN_STANZA(symbol)              &symbol,
#define SCAN_ENGINE(symbol, pool, built) &symbol,
#include "scan/stanza.def"
#undef SCAN_STANZA
#undef SCAN_ENGINE
};
static const struct conf_classes fixture_table = {.items = fixture_classes, .count = ARRAY_SIZE(fixture_classes)};

struct fixture {
    struct conf conf;
    struct problems problems;
    struct framework fw;
};

static enum err fixture_read(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)path;
    errtext_set(why, "the text is too long");
    return buf_append(out, span_cstr(arg));
}

static enum err fixture_list(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)arg;
    (void)path;
    (void)out;
    errtext_set(why, "no directories here");
    return ERR_NOTFOUND;
}

static void fixture_load(struct fixture *f, char *text)
{
    const struct conf_source source = {fixture_read, fixture_list, text};
    problems_init(&f->problems);
    ck_assert_int_eq(conf_load(&f->conf, "postern.conf", &source, &fixture_table, &f->problems), ERR_OK);
    if (f->problems.errors == 0)
        framework_init(&f->fw, f->conf.global);
}

static void fixture_release(struct fixture *f)
{
    problems_release(&f->problems);
    conf_release(&f->conf);
}

static const char *fixture_findings(const struct fixture *f, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (const struct problem *p = f->problems.first; p && n < size; p = p->next)
        n +=
            (size_t)snprintf(out + n, size - n, "%s %s\n", p->severity == PROBLEM_ERROR ? "error" : "warning", p->text);
    return out;
}

/* Loads TEXT, which must be free of errors, with WARNINGS findings. */
static void load(struct fixture *f, const char *text, size_t warnings)
{
    char findings[8192], copy[8192];
    snprintf(copy, sizeof(copy), "%s", text);
    fixture_load(f, copy);
    fixture_findings(f, findings, sizeof(findings));
    ck_assert_msg(f->problems.errors == 0 && f->problems.warnings == warnings,
                  "expected %zu warnings for\n%s\nfound\n%s", warnings, text, findings);
}

/* One finding that holds all of EXPECTED (parts divided by '|'). */
static void assert_finding(const char *text, const char *expected)
{
    struct fixture f;
    char copy[4096], findings[8192], part[256];
    snprintf(copy, sizeof(copy), "%s", text);
    fixture_load(&f, copy);
    fixture_findings(&f, findings, sizeof(findings));
    ck_assert_msg(f.problems.errors + f.problems.warnings == 1, "expected one finding for %s, found\n%s", text,
                  findings);
    for (const char *at = expected; *at;) {
        size_t len = strcspn(at, "|");
        snprintf(part, sizeof(part), "%.*s", (int)len, at);
        ck_assert_msg(strstr(findings, part) != NULL, "for %s\nexpected \"%s\"\nfound %s", text, part, findings);
        at += len + (at[len] == '|');
    }
    fixture_release(&f);
}

#endif
