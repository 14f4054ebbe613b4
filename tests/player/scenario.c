/* SPDX-License-Identifier: MIT */
/* The reader of scenario files. It knows nothing of SMTP. */
#include "player/scenario.h"
#include "base/num.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20, SCENARIO_MAX = 1 << 26 };

#define DEFAULT_KEYWORDS SPAN("PIPELINING, SIZE 209715200, ENHANCEDSTATUSCODES, 8BITMIME")

struct reader {
    struct scenario *s;
    const char *folder;
    const char *file;
    unsigned line;
    struct errtext *why;
    struct step *newest;
};

static enum err fault(struct reader *r, const char *what)
{
    errtext_set(r->why, "%s:%u: %s", r->file, r->line, what);
    return ERR_SYNTAX;
}

bool scenario_match(struct span pattern, struct span text)
{
    size_t star = span_find(pattern, '*');
    if (star == pattern.len)
        return span_eq(pattern, text);
    if (!span_starts(text, span_sub(pattern, 0, star)))
        return false;
    pattern = span_sub(pattern, star + 1, pattern.len);
    for (size_t at = star; at <= text.len; at++)
        if (scenario_match(pattern, span_sub(text, at, text.len)))
            return true;
    return false;
}

/* ---- Bytes ---- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, char_lower(c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* TEXT without its escapes, TIMES times, and each time with AFTER behind it. */
static enum err unescape(struct reader *r, struct span text, uint64_t times, struct span after, struct span *out)
{
    char *bytes = arena_alloc(&r->s->arena, (text.len + after.len) * times + 1);
    size_t n = 0;
    if (!bytes)
        return fault(r, "out of memory");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\') {
            char e = ++i < text.len ? text.ptr[i] : '\0';
            if (e == 'x' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 && hex_digit(text.ptr[i + 2]) >= 0) {
                c = (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]));
                i += 2;
            } else if (e == 'r' || e == 'n' || e == '0' || e == '\\') {
                c = e == 'r' ? '\r' : e == 'n' ? '\n' : e == '0' ? '\0' : '\\';
            } else {
                return fault(r, "escapes are \\r \\n \\0 \\\\ and \\xHH");
            }
        }
        bytes[n++] = c;
    }
    memcpy(bytes + n, after.ptr, after.len);
    n += after.len;
    for (uint64_t i = 1; i < times; i++)
        memcpy(bytes + i * n, bytes, n);
    *out = span_of(bytes, n * times);
    return ERR_OK;
}

static enum err joined(struct reader *r, struct span a, struct span b, struct span *out)
{
    char *bytes = arena_alloc(&r->s->arena, a.len + b.len + 1);
    if (!bytes)
        return fault(r, "out of memory");
    if (a.len)
        memcpy(bytes, a.ptr, a.len);
    if (b.len)
        memcpy(bytes + a.len, b.ptr, b.len);
    *out = span_of(bytes, a.len + b.len);
    return ERR_OK;
}

/* ---- Steps ---- */

static enum err step_add(struct reader *r, enum act act, unsigned party, struct span text)
{
    struct step *step = ARENA_NEW(&r->s->arena, struct step);
    if (!step)
        return fault(r, "out of memory");
    step->act = act;
    step->line = r->line;
    step->party = party;
    step->text = text;
    *r->s->last = step;
    r->s->last = &step->next;
    r->s->step_count++;
    r->newest = step;
    return ERR_OK;
}

/* What one party sends without waiting in between is one step: one write. */
static enum err add_send(struct reader *r, enum act act, unsigned party, struct span bytes)
{
    struct step *before = r->newest;
    if (before && before->act == act && before->party == party)
        return joined(r, before->text, bytes, &before->text);
    return step_add(r, act, party, bytes);
}

static enum err add_reply(struct reader *r, unsigned client, struct span text)
{
    return text.len < 3 ? fault(r, "expected a reply code") : step_add(r, CLIENT_REPLY, client, text);
}

static const struct {
    char who;
    const char *word;
    enum act act;
} actions[] = {
    {'C', "finish", CLIENT_FINISH},
    {'C', "close", CLIENT_CLOSE},
    {'C', "reset", CLIENT_RESET},
    {'C', "stops reading", CLIENT_STOP},
    {'C', "reads", CLIENT_READ},
    {'S', "closed", CLIENT_CLOSED},
    {'S', "nothing", CLIENT_NOTHING},
    {'B', "connect", BACKEND_CONNECT},
    {'B', "connect silently", BACKEND_CONNECT_SILENT},
    {'B', "message", BACKEND_MESSAGE},
    {'B', "unfinished", BACKEND_UNFINISHED},
    {'B', "closed", BACKEND_CLOSED},
    {'B', "finish", BACKEND_FINISH},
    {'B', "drop", BACKEND_DROP},
    {'B', "reset", BACKEND_RESET},
    {'B', "stops reading", BACKEND_STOP},
    {'B', "down", BACKEND_DOWN},
    {'B', "up", BACKEND_UP},
    {'P', "drain", DRAIN},
    {'P', "ended", DRAINED},
};

/* `C! body` is no step: it says what the octets behind it are. */
static enum err begin_body(struct reader *r, unsigned client)
{
    if (!r->newest || r->newest->act != CLIENT_SEND || r->newest->party != client || r->newest->body_at)
        return fault(r, "expected behind something that this client sends, once");
    r->newest->body_at = r->newest->text.len;
    return ERR_OK;
}

/* `P! disable ENGINE` and `P! enable ENGINE` */
static enum err add_switch(struct reader *r, struct span text)
{
    struct span verb = span_sub(text, 0, span_find(text, ' ')), name = span_sub(text, verb.len + 1, text.len);
    bool disable = span_eq(verb, SPAN("disable"));
    if (name.len == 0 || !(disable || span_eq(verb, SPAN("enable"))))
        return fault(r, "no such action");
    return step_add(r, disable ? ENGINE_DISABLE : ENGINE_ENABLE, 0, name);
}

static enum err add_action(struct reader *r, char who, unsigned party, struct span word)
{
    if (who == 'C' && span_eq(word, SPAN("body")))
        return begin_body(r, party);
    if (who == 'L')
        return step_add(r, LOG_HAS_NOT, 0, word);
    unsigned server = 0;
    bool numbered = word.len > 2 && word.ptr[word.len - 2] == ' ' && char_is_digit(word.ptr[word.len - 1]);
    if (numbered) {
        server = (unsigned)(word.ptr[word.len - 1] - '1');
        word = span_sub(word, 0, word.len - 2);
    }
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (actions[i].who != who || !span_eq(word, span_cstr(actions[i].word)))
            continue;
        enum act act = actions[i].act;
        bool of_server =
            act == BACKEND_CONNECT || act == BACKEND_CONNECT_SILENT || act == BACKEND_DOWN || act == BACKEND_UP;
        if (server >= r->s->servers || (numbered && !of_server))
            return fault(r, "there is no such server");
        enum err e = step_add(r, act, party, SPAN(""));
        if (e == ERR_OK)
            r->newest->server = server;
        return e;
    }
    return who == 'P' ? add_switch(r, word) : fault(r, "no such action");
}

/* "N text" of `C*` and `B*`. */
static enum err add_repeated(struct reader *r, enum act act, unsigned party, struct span text)
{
    uint64_t times;
    struct span bytes;
    size_t blank = span_find(text, ' ');
    if (num_parse_u64(span_sub(text, 0, blank), 1000000, &times) != ERR_OK || times == 0)
        return fault(r, "expected a number of lines");
    enum err e = unescape(r, span_sub(text, blank + 1, text.len), times, SPAN("\r\n"), &bytes);
    return e == ERR_OK ? add_send(r, act, party, bytes) : e;
}

/* "N code words" of `S*`. */
static enum err add_replies(struct reader *r, unsigned client, struct span text)
{
    uint64_t times;
    size_t blank = span_find(text, ' ');
    if (num_parse_u64(span_sub(text, 0, blank), 10000, &times) != ERR_OK || times == 0)
        return fault(r, "expected a number of replies");
    enum err e = ERR_OK;
    for (uint64_t i = 0; i < times && e == ERR_OK; i++)
        e = add_reply(r, client, span_sub(text, blank + 1, text.len));
    return e;
}

static enum err add_time(struct reader *r, struct span text)
{
    uint64_t ms;
    if (!span_starts(text, SPAN("+")) || num_parse_duration_ms(span_sub(text, 1, text.len), 86400000, &ms) != ERR_OK)
        return fault(r, "expected a time such as +500ms");
    enum err e = step_add(r, TIME_PASSES, 0, text);
    if (e == ERR_OK)
        r->newest->time = ms * 1000;
    return e;
}

static enum err add_backend_line(struct reader *r, unsigned party, struct span text)
{
    struct span line;
    enum err e = unescape(r, text, 1, SPAN(""), &line);
    r->s->rset_scripted = r->s->rset_scripted || span_eq(line, SPAN("RSET"));
    r->s->quit_scripted = r->s->quit_scripted || span_eq(line, SPAN("QUIT"));
    return e == ERR_OK ? step_add(r, BACKEND_EXPECT, party, line) : e;
}

/* `WHO[number]MARK text` */
static enum err read_step(struct reader *r, struct span line)
{
    char who = line.ptr[0];
    size_t at = 1;
    unsigned party = who == 'C' || who == 'S' ? 1 : 0;
    if (line.len > 2 && char_is_digit(line.ptr[1]))
        party = (unsigned)(line.ptr[at++] - '0');
    if (at >= line.len || ((who == 'C' || who == 'S') && (party == 0 || party > SCENARIO_CLIENTS)))
        return fault(r, "not a step");
    char mark = line.ptr[at];
    struct span text = span_sub(line, at + 1, line.len), bytes;
    if (text.len > 0 && text.ptr[0] == ' ')
        text = span_sub(text, 1, text.len);
    enum act send = who == 'C' ? CLIENT_SEND : BACKEND_SEND;
    if (mark == '!')
        return add_action(r, who, party, text);
    if (who == 'S' && mark == ':')
        return add_reply(r, party, text);
    if (who == 'S' && mark == '*')
        return add_replies(r, party, text);
    if (who == 'L' && mark == ':')
        return step_add(r, LOG_HAS, 0, text);
    if (who == 'T' && mark == ':')
        return add_time(r, text);
    if (who == 'B' && mark == '<')
        return add_backend_line(r, party, text);
    if ((who == 'C' || who == 'B') && mark == '*')
        return add_repeated(r, send, party, text);
    if ((who == 'C' && mark == ':') || (who == 'B' && mark == '>') || ((who == 'C' || who == 'B') && mark == '+')) {
        enum err e = unescape(r, text, 1, mark == '+' ? SPAN("") : SPAN("\r\n"), &bytes);
        return e == ERR_OK ? add_send(r, send, party, bytes) : e;
    }
    return fault(r, "not a step");
}

/* ---- Files ---- */

static enum err read_file(struct reader *r, const char *path);

static enum err read_include(struct reader *r, struct span name)
{
    struct reader inner = *r;
    char path[4096];
    snprintf(path, sizeof(path), "%s/%.*s", r->folder, SPAN_ARG(name));
    inner.file = path;
    if (r->file != r->s->name && strcmp(r->file, path) == 0)
        return fault(r, "includes itself");
    enum err e = read_file(&inner, path);
    inner.file = r->file;
    inner.line = r->line;
    *r = inner;
    return e;
}

static enum err read_config(struct reader *r, struct span text)
{
    r->s->infected_passes = r->s->infected_passes || span_eq(text, SPAN("action = pass"));
    enum err e = joined(r, r->s->config, text, &r->s->config);
    return e == ERR_OK ? joined(r, r->s->config, SPAN("\n"), &r->s->config) : e;
}

/* One more server with these KEYWORDS; without any: the usual ones. */
static enum err read_server(struct reader *r, struct span keywords)
{
    if (r->s->servers == SCENARIO_SERVERS || r->newest)
        return fault(r, "expected at most three servers, before the first step");
    r->s->keywords[r->s->servers++] = keywords.len > 0 ? keywords : DEFAULT_KEYWORDS;
    return ERR_OK;
}

/* The next word of *REST, which then begins behind it. */
static struct span take_word(struct span *rest)
{
    struct span word = span_sub(*rest, 0, span_find(*rest, ' '));
    *rest = span_trim(span_sub(*rest, word.len, rest->len));
    return word;
}

/* `[pool] OF NAME = VALUE` */
static enum err read_counter(struct reader *r, struct span text)
{
    struct counter_line *counter = ARENA_NEW(&r->s->arena, struct counter_line);
    if (!counter)
        return fault(r, "out of memory");
    counter->line = r->line;
    counter->of = take_word(&text);
    counter->of_pool = span_eq(counter->of, SPAN("pool"));
    if (counter->of_pool)
        counter->of = take_word(&text);
    counter->name = take_word(&text);
    if (counter->name.len == 0 || !span_eq(take_word(&text), SPAN("=")) ||
        num_parse_u64(text, UINT64_MAX, &counter->value) != ERR_OK)
        return fault(r, "expected `counter ENGINE NAME = NUMBER`, `counter pool …` or `counter quarantine …`");
    *r->s->last_counter = counter;
    r->s->last_counter = &counter->next;
    return ERR_OK;
}

/* NUMBER of a server, or nothing: all that there are so far. */
static enum err read_down(struct reader *r, struct span number)
{
    for (unsigned i = 0; i < r->s->servers; i++)
        if (number.len == 0 || (number.len == 1 && number.ptr[0] == (char)('1' + i)))
            r->s->down[i] = true;
    return ERR_OK;
}

/* Whatever leaves runs out says why. */
static enum err read_reason(struct reader *r, struct span why, struct span *out)
{
    *out = why;
    return why.len > 0 ? ERR_OK : fault(r, "expected a reason");
}

static enum err read_line(struct reader *r, struct span line)
{
    static const struct {
        const char *word;
        int kind;
    } heads[] = {{"config: ", 'c'},      {"keywords: ", 'k'},     {"backend: down", 'd'}, {"only: sockets ", 's'},
                 {"only: memory ", 'm'}, {"writes: whole ", 'w'}, {"include ", 'i'},      {"server:", 'b'},
                 {"runs: one ", 'o'},    {"counter ", 'n'},       {"excuse: ", 'm'}};
    if (line.len == 0 || line.ptr[0] == '#')
        return ERR_OK;
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        struct span word = span_cstr(heads[i].word);
        if (!span_starts(line, word))
            continue;
        struct span rest = span_trim(span_sub(line, word.len, line.len));
        switch (heads[i].kind) {
        case 'c':
            return read_config(r, rest);
        case 'k':
            r->s->keywords[0] = rest;
            return ERR_OK;
        case 'b':
            return read_server(r, rest);
        case 'd':
            return read_down(r, rest);
        case 'w':
            return read_reason(r, rest, &r->s->whole_writes);
        case 'o':
            return read_reason(r, rest, &r->s->one_run);
        case 's':
            return read_reason(r, rest, &r->s->sockets_only);
        case 'n':
            return read_counter(r, rest);
        case 'i':
            return read_include(r, rest);
        default:
            return ERR_OK;
        }
    }
    return read_step(r, line);
}

static enum err read_file(struct reader *r, const char *path)
{
    long size = -1;
    size_t len = 0;
    char *text = NULL;
    FILE *f = fopen(path, "re");
    if (f) {
        size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
        text = size >= 0 && size < FILE_MAX ? arena_alloc(&r->s->arena, (size_t)size + 1) : NULL;
        rewind(f);
        len = text ? fread(text, 1, (size_t)size, f) : 0;
        fclose(f);
    }
    if (!text || len != (size_t)size) {
        errtext_set(r->why, "%s: cannot be read, or is larger than %d octets", path, FILE_MAX);
        return ERR_IO;
    }
    enum err e = ERR_OK;
    struct span rest = span_of(text, len);
    for (r->line = 1; rest.len > 0 && e == ERR_OK; r->line++) {
        struct span line = span_sub(rest, 0, span_find(rest, '\n'));
        rest = span_sub(rest, line.len + 1, rest.len);
        e = read_line(r, line);
    }
    return e;
}

enum err scenario_load(struct scenario *s, const char *path, struct errtext *why)
{
    *s = (struct scenario){.keywords = {DEFAULT_KEYWORDS}, .servers = 1, .config = SPAN("")};
    arena_init(&s->arena, SCENARIO_MAX);
    s->last = &s->first;
    s->last_counter = &s->counters;
    char *folder = arena_strdup(&s->arena, span_cstr(path)), *name = arena_strdup(&s->arena, span_cstr(path));
    if (!folder || !name)
        return ERR_NOMEM;
    s->name = basename(name);
    char *ending = strrchr(name, '.');
    if (ending)
        *ending = '\0';
    struct reader r = {.s = s, .folder = dirname(folder), .file = path, .why = why};
    return read_file(&r, path);
}

void scenario_release(struct scenario *s)
{
    arena_release(&s->arena);
}
