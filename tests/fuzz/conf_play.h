/* SPDX-License-Identifier: MIT */
/* Configuration with the tables of a target: what loads without error dumps into a text that loads without error and
 * dumps into the same text. Every finding is one line, and they come in the order of files and lines. */
#ifndef FUZZ_CONF_PLAY_H
#define FUZZ_CONF_PLAY_H

#include "conf/conf.h"
#include "fuzz/fuzz.h"

enum { CONF_DUMP_MAX = 1 << 24 };

/* The input is the file "main" and the file "other"; the directory "parts" has the entries other, .hidden and other.
 * So inputs include themselves, and each other, as deep as they like. */
static inline enum err conf_play_read(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    errtext_set(why, "no such file");
    if (strcmp(path, "main") != 0 && strcmp(path, "other") != 0 && strcmp(path, "parts/other") != 0)
        return ERR_NOTFOUND;
    return buf_append(out, *(const struct span *)arg);
}
static inline enum err conf_play_list(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)arg;
    errtext_set(why, "no directory");
    return strcmp(path, "parts") == 0 ? buf_append(out, SPAN("other\0.hidden\0other\0")) : ERR_NOTFOUND;
}

struct conf_play {
    struct conf conf;
    struct problems problems;
    enum err result;
};

static inline void conf_play_findings(const struct problems *p)
{
    size_t errors = 0, warnings = 0;
    for (const struct problem *at = p->first; at; at = at->next) {
        errors += at->severity == PROBLEM_ERROR;
        warnings += at->severity == PROBLEM_WARNING;
        for (const char *c = at->text; *c; c++)
            FUZZ_REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
        if (at->next) {
            FUZZ_REQUIRE(at->rank <= at->next->rank);
            FUZZ_REQUIRE(at->rank < at->next->rank || at->line <= at->next->line);
        }
    }
    FUZZ_REQUIRE(p->lost || (errors == p->errors && warnings == p->warnings));
}

static inline void conf_play_load(struct conf_play *p, struct span text, const struct conf_classes *classes)
{
    const struct conf_source source = {conf_play_read, conf_play_list, &text};
    problems_init(&p->problems);
    p->result = conf_load(&p->conf, "main", &source, classes, &p->problems);
    conf_play_findings(&p->problems);
    FUZZ_REQUIRE(p->result == ERR_OK || p->problems.errors > 0);
}
static inline void conf_play_release(struct conf_play *p)
{
    conf_release(&p->conf);
    problems_release(&p->problems);
}

static inline void conf_play(struct span text, const struct conf_classes *classes)
{
    struct conf_play first, second;
    struct buf dump, again;
    conf_play_load(&first, text, classes);
    if (first.result == ERR_OK && first.problems.errors == 0) {
        buf_init(&dump, CONF_DUMP_MAX);
        buf_init(&again, CONF_DUMP_MAX);
        FUZZ_REQUIRE(conf_dump(&first.conf, classes, &dump) == ERR_OK);
        conf_play_load(&second, buf_span(&dump), classes);
        if (second.result != ERR_OK || second.problems.errors > 0)
            fprintf(stderr, "%s\n%.*s\n", second.problems.first ? second.problems.first->text : "no finding",
                    SPAN_ARG(buf_span(&dump)));
        FUZZ_REQUIRE(second.result == ERR_OK && second.problems.errors == 0);
        FUZZ_REQUIRE(conf_dump(&second.conf, classes, &again) == ERR_OK);
        FUZZ_REQUIRE_SAME(buf_span(&dump), buf_span(&again));
        conf_play_release(&second);
        buf_release(&dump);
        buf_release(&again);
    }
    conf_play_release(&first);
}

static inline void conf_play_words(const struct conf_classes *classes, fuzz_word *word)
{
    static const char *const marks[] = {"{",
                                        "}",
                                        "(",
                                        ")",
                                        "[",
                                        "]",
                                        "=",
                                        "\n",
                                        "#",
                                        "/*",
                                        "*/",
                                        "\"",
                                        "\\\"",
                                        "include \"other\"",
                                        "readonly_include \"parts\"",
                                        "passive",
                                        "Validate"};
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        word(span_cstr(marks[i]));
    for (size_t c = 0; c < classes->count; c++) {
        const struct scope_class *class = classes->items[c];
        word(span_cstr(class->name));
        if (class->module)
            word(span_cstr(class->module));
        for (size_t i = 0; i < class->row_count; i++) {
            const struct directive *row = &class->rows[i];
            word(span_cstr(row->name));
            if (row->default_text && row->default_text[0] && strlen(row->default_text) < 32)
                word(span_cstr(row->default_text));
            for (const char *const *w = row->words; w && *w; w++)
                word(span_cstr(*w));
        }
    }
}

#endif
