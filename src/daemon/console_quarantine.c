/* SPDX-License-Identifier: MIT */
/* `quarantine`: what is kept, one entry in full, giving an entry to the backend after all, deleting it. What stands in
 * entries came from strangers, so every text goes through the console's cleaning. */
#include "base/num.h"
#include "daemon/console_commands.h"
#include "proxy/quarantine_desk.h"
#include <time.h>

enum { LIST_USUAL = 20, RELEASE_DEADLINE_MS = 600 * 1000, SHOWN_RECIPIENTS = 100 };

/* The call fails with TEXT, which may hold a server's words. */
static void fail_with(struct console_call *c, const char *what, const char *text)
{
    char clean[LIMIT_VERDICT_TEXT * 2];
    verdict_copy_text(clean, sizeof(clean), span_cstr(text));
    console_fail(c, "%s%s", what, clean);
}

static const char no_quarantine[] =
    "there is no quarantine: no engine has action = quarantine, and quarantine_directory holds none from before";

/* Asks the desk for ERRAND; ANSWER finishes the call. */
static void ask(struct console_call *c, enum quarantine_errand errand, const char *id, size_t limit, bool again,
                void (*answer)(void *arg, const struct quarantine_answer *a))
{
    const struct quarantine_question question = {
        .errand = errand, .id = span_cstr(id), .limit = limit, .again = again, .asked_by = c->asked_by};
    if (!c->view->quarantine) {
        console_fail(c, "%s", no_quarantine);
        console_call_finish(c);
        return;
    }
    enum err e = quarantine_desk_ask(c->view->quarantine, &question, answer, c);
    if (e != ERR_OK) {
        console_fail(c, "%s", e == ERR_STATE ? "postern is stopping" : err_name(e));
        console_call_finish(c);
    }
}

/* --- list --- */

static const char *what_was_found(const struct quarantine_meta *m)
{
    if (m->virus[0])
        return m->virus;
    return m->reason[0] ? m->reason : m->verdict;
}

static void text_column(struct console_call *c, const char *text, size_t width)
{
    struct span s = span_sub(span_cstr(text), 0, width);
    console_text_span(c, s);
    console_text(c, "%*s", (int)(width - s.len + 1), "");
}

static void list_entry(struct console_call *c, const struct quarantine_entry *e)
{
    const struct quarantine_meta *m = &e->meta;
    const char *status = e->damaged ? "damaged" : quarantine_status_word(m->status);
    console_text(c, "%s %-9s %10llu ", e->id, status, (unsigned long long)m->size);
    text_column(c, e->damaged ? e->why.text : what_was_found(m), 28);
    text_column(c, m->reverse_path, 28);
    text_column(c, m->recipient_count ? m->recipients[0] : "", 28);
    console_text_span(c, span_sub(span_cstr(m->header_subject), 0, 60));
    console_text(c, "\n");
    console_json_open(c, NULL, '{');
    console_json_str(c, "id", e->id);
    console_json_str(c, "status", status);
    if (e->damaged) {
        console_json_str(c, "detail", e->why.text);
    } else {
        console_json_u64(c, "time_ms", m->time_ms);
        console_json_u64(c, "size", m->size);
        console_json_str(c, "verdict", m->verdict);
        console_json_str(c, "found", what_was_found(m));
        console_json_str(c, "sender", m->reverse_path);
        console_json_str(c, "first_recipient", m->recipients[0]);
        console_json_u64(c, "recipients", m->recipient_count);
        console_json_str(c, "subject", m->header_subject);
    }
    console_json_close(c);
}

static void answer_list(void *arg, const struct quarantine_answer *a)
{
    struct console_call *c = arg;
    if (a->err != ERR_OK) {
        fail_with(c, "", a->text);
        console_call_finish(c);
        return;
    }
    console_json_open(c, NULL, '{');
    console_json_open(c, "entries", '[');
    console_text(c, "%-47s %-9s %10s %-28s %-28s %-28s %s\n", "ID", "STATUS", "SIZE", "FOUND", "SENDER", "RECIPIENT",
                 "SUBJECT");
    for (size_t i = 0; i < a->page->count; i++)
        list_entry(c, &a->page->entries[i]);
    console_json_close(c);
    const char *last = a->page->more ? a->page->last : NULL;
    console_text(c, "%zu of %llu entries; %llu of %llu octets in use\n", a->page->count,
                 (unsigned long long)a->usage.entries, (unsigned long long)a->usage.octets,
                 (unsigned long long)a->usage.max_octets);
    if (last)
        console_text(c, "older ones: quarantine list %zu %s\n", a->page->count > 0 ? a->page->count : 1, last);
    console_json_u64(c, "all_entries", a->usage.entries);
    console_json_u64(c, "octets", a->usage.octets);
    console_json_u64(c, "max_octets", a->usage.max_octets);
    console_json_str(c, "older", last);
    console_call_finish(c);
}

static void list_nothing(struct console_call *c)
{
    console_text(c, "%s\n", no_quarantine);
    console_json_open(c, NULL, '{');
    console_json_open(c, "entries", '[');
    console_json_close(c);
    console_json_u64(c, "all_entries", 0);
    console_call_finish(c);
}

static void quarantine_list_command(struct console_call *c)
{
    uint64_t limit = LIST_USUAL;
    if (c->argc > 0 && (num_parse_u64(span_cstr(c->argv[0]), QUARANTINE_PAGE_MAX, &limit) != ERR_OK || limit == 0)) {
        console_refuse(c, "LIMIT: found \"%.40s\", expected a number from 1 to %d; BEFORE, an id, comes behind it",
                       c->argv[0], QUARANTINE_PAGE_MAX);
        console_call_finish(c);
        return;
    }
    if (c->view->quarantine)
        ask(c, QUARANTINE_LIST, c->argc > 1 ? c->argv[1] : "", (size_t)limit, false, answer_list);
    else
        list_nothing(c);
}

/* --- show --- */

static void show_text(struct console_call *c, const char *key, const char *value)
{
    if (!value[0])
        return;
    console_text(c, "%-15s ", key);
    console_text_span(c, span_cstr(value));
    console_text(c, "\n");
    console_json_str(c, key, value);
}

static void show_time(struct console_call *c, const char *key, uint64_t ms)
{
    char text[40];
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    if (ms == 0 || !gmtime_r(&seconds, &t))
        return;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &t);
    show_text(c, key, text);
}

static void show_entry(struct console_call *c, const struct quarantine_meta *m)
{
    char hex[2 * SHA256_SIZE + 1];
    sha256_hex(&m->digest, hex);
    show_text(c, "status", quarantine_status_word(m->status));
    show_time(c, "time", m->time_ms);
    show_time(c, "changed", m->changed_ms);
    show_text(c, "sha256", hex);
    console_text(c, "%-15s %llu\n", "size", (unsigned long long)m->size);
    console_json_u64(c, "size", m->size);
    console_json_u64(c, "database", m->database);
#define QUARANTINE_TEXT(field, key, meaning) show_text(c, key, m->field);
#include "spool/quarantine_text.def"
#undef QUARANTINE_TEXT
    console_json_u64(c, "recipient_count", m->recipient_count);
    console_json_open(c, "recipients", '[');
    for (size_t i = 0; i < m->recipient_count && i < SHOWN_RECIPIENTS; i++) {
        console_text(c, "%-15s ", "recipient");
        console_text_span(c, span_cstr(m->recipients[i]));
        console_text(c, "\n");
        console_json_str(c, NULL, m->recipients[i]);
    }
    if (m->recipient_count > SHOWN_RECIPIENTS)
        console_text(c, "and %zu further recipients\n", m->recipient_count - SHOWN_RECIPIENTS);
    console_json_close(c);
}

static void answer_show(void *arg, const struct quarantine_answer *a)
{
    struct console_call *c = arg;
    if (a->err != ERR_OK) {
        fail_with(c, "", a->text);
    } else if (a->entry->damaged) {
        fail_with(c, "the entry is damaged: ", a->entry->why.text);
    } else {
        console_json_open(c, NULL, '{');
        show_text(c, "id", a->entry->id);
        show_entry(c, &a->entry->meta);
    }
    console_call_finish(c);
}

static void quarantine_show_command(struct console_call *c)
{
    ask(c, QUARANTINE_SHOW, c->argv[0], 0, false, answer_show);
}

/* --- release, delete --- */

static void answer_release(void *arg, const struct quarantine_answer *a)
{
    struct console_call *c = arg;
    if (a->err == ERR_OK) {
        console_text(c, "released; the backend said: ");
        console_text_span(c, span_cstr(a->text));
        console_text(c, "\n");
        console_json_open(c, NULL, '{');
        console_json_bool(c, "released", true);
        console_json_str(c, "backend_reply", a->text);
    } else if (a->unknown) {
        fail_with(c, "it is not known whether the backend has it: ", a->text);
    } else {
        fail_with(c, "not released: ", a->text);
    }
    console_call_finish(c);
}

static void quarantine_release_command(struct console_call *c)
{
    ask(c, QUARANTINE_RELEASE, c->argv[0], 0, false, answer_release);
}

static void quarantine_release_again_command(struct console_call *c)
{
    ask(c, QUARANTINE_RELEASE, c->argv[0], 0, true, answer_release);
}

static void answer_delete(void *arg, const struct quarantine_answer *a)
{
    struct console_call *c = arg;
    if (a->err == ERR_OK) {
        console_text(c, "deleted\n");
        console_json_open(c, NULL, '{');
        console_json_bool(c, "deleted", true);
    } else {
        fail_with(c, "not deleted: ", a->text);
    }
    console_call_finish(c);
}

static void quarantine_delete_command(struct console_call *c)
{
    ask(c, QUARANTINE_DELETE, c->argv[0], 0, false, answer_delete);
}

static const struct console_command rows[] = {
    {.syntax = "quarantine list [LIMIT] [BEFORE]",
     .help = "what is kept, newest first; BEFORE is an id, for the next page",
     .run = quarantine_list_command},
    {.syntax = "quarantine show ID", .help = "everything that is known of one message", .run = quarantine_show_command},
    {.syntax = "quarantine release again ID",
     .help = "as release, also where the backend has, or may have, the message already",
     .changes = true,
     .deadline_ms = RELEASE_DEADLINE_MS,
     .run = quarantine_release_again_command},
    {.syntax = "quarantine release ID",
     .help = "give it to the backend with its own envelope, marked, without another scan",
     .changes = true,
     .deadline_ms = RELEASE_DEADLINE_MS,
     .run = quarantine_release_command},
    {.syntax = "quarantine delete ID", .help = "delete it for good", .changes = true, .run = quarantine_delete_command},
};
const struct console_table console_quarantine_table = CONSOLE_TABLE(rows);
