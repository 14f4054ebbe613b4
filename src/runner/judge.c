/* SPDX-License-Identifier: MIT */
/* Lines of output, then the exit code. */
#include "runner/judge.h"
#include "scan/verdict.h"

#include <signal.h>

/* The length of the literal text at *PATTERN, up to a * or %v or its end. */
static size_t literal_len(const char *pattern)
{
    size_t n = 0;
    while (pattern[n] && pattern[n] != '*' && !(pattern[n] == '%' && pattern[n + 1] == 'v'))
        n++;
    return n;
}

/* Literals are found from left to right, each as early as possible, the last one at the end of the line: what is
 * between two of them is as short as it can be, and nothing is tried twice. */
bool runner_pattern_fits(const char *pattern, struct span line, struct span *name)
{
    size_t len = literal_len(pattern), at = len;
    bool takes_name = false;
    *name = span_of(NULL, 0);
    if (!span_starts(line, span_of(pattern, len)))
        return false;
    for (pattern += len; *pattern; pattern += len) {
        takes_name = *pattern == '%';
        pattern += takes_name ? 2 : 1;
        len = literal_len(pattern);
        struct span rest = span_sub(line, at, line.len), literal = span_of(pattern, len);
        bool last = pattern[len] == '\0';
        size_t skip = takes_name ? 1 : 0; /* a name has at least one octet */
        if (rest.len < len + skip)
            return false;
        size_t found = last ? rest.len - len : skip + span_find_span(span_sub(rest, skip, rest.len), literal);
        if (len == 0 && !last)
            found = skip; /* wildcards side by side */
        if (found + len > rest.len || !span_eq(span_sub(rest, found, len), literal))
            return false;
        if (takes_name)
            *name = span_sub(rest, 0, found);
        at += found + len;
    }
    return at == line.len;
}

static bool find_name(const struct runner_rules *rules, struct span output, struct span *name)
{
    while (output.len > 0) {
        size_t end = span_find(output, '\n');
        struct span line = span_sub(output, 0, end);
        output = span_sub(output, end + 1, output.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        for (size_t i = 0; i < rules->pattern_count; i++)
            if (runner_pattern_fits(rules->patterns[i], line, name))
                return true;
    }
    return false;
}

static void infected(struct scanner_result *out, struct span name)
{
    out->status = SCANNER_INFECTED;
    scanner_result_add(out, "AVS_RESULT_VIRUS_FOUND");
    verdict_copy_text(out->virus, sizeof(out->virus), span_trim(name).len > 0 ? span_trim(name) : SPAN("Unknown"));
}

static void trouble(struct scanner_result *out, const char *code, const char *what)
{
    out->status = SCANNER_ERROR;
    scanner_result_add(out, code);
    verdict_copy_text(out->info, sizeof(out->info), span_cstr(what));
}

/* The last line that it printed: programs say at their end what went wrong. */
static struct span last_line(struct span output)
{
    size_t begin;
    while (output.len > 0 && (unsigned char)output.ptr[output.len - 1] <= ' ')
        output.len--;
    for (begin = output.len; begin > 0 && output.ptr[begin - 1] != '\n'; begin--)
        ;
    return span_sub(output, begin, output.len);
}

static void by_code(const struct runner_rules *rules, unsigned code, struct span output, struct scanner_result *out)
{
    char text[160];
    struct span said = last_line(output);
    int shown = said.len > 100 ? 100 : (int)said.len;
    snprintf(text, sizeof(text), "exit code %u%s%.*s", code, shown > 0 ? ": " : "", shown, said.ptr ? said.ptr : "");
    switch (rules->codes[code % RUNNER_CODES]) {
    case RUNNER_CLEAN:
        out->status = SCANNER_CLEAN;
        return;
    case RUNNER_INFECTED:
        infected(out, SPAN(""));
        return;
    case RUNNER_UNSCANNABLE:
        out->status = SCANNER_UNSCANNABLE;
        scanner_result_add(out, "POSTERN_RESULT_NOT_SCANNED");
        verdict_copy_text(out->info, sizeof(out->info), span_cstr(text));
        return;
    case RUNNER_TROUBLE:
        trouble(out, "POSTERN_RESULT_FAILED", text);
        return;
    }
}

void runner_judge(const struct runner_rules *rules, const struct runner_end *end, struct span output,
                  struct scanner_result *out)
{
    /* Which call it was the kernel tells nobody but its own log. */
    static const char by_the_cage[] =
        " (SIGSYS): a system call that its cage (profile exec) forbids, such as one for a "
        "process, a thread or a socket; the kernel's log has its number";
    struct span name;
    char text[LIMIT_VERDICT_TEXT + 1];
    memset(out, 0, sizeof(*out));
    if (find_name(rules, output, &name)) {
        infected(out, name);
    } else if (end->why) {
        trouble(out, "POSTERN_RESULT_DOWN", end->why);
    } else if (end->late) {
        trouble(out, "POSTERN_RESULT_TIMEOUT", "the program did not end in time");
    } else if (end->signal != 0) {
        snprintf(text, sizeof(text), "the program was ended by signal %d%s", end->signal,
                 end->signal == SIGSYS ? by_the_cage : "");
        trouble(out, "POSTERN_RESULT_CRASH", text);
    } else if (end->cut && rules->pattern_count > 0 && rules->codes[end->code % RUNNER_CODES] == RUNNER_CLEAN) {
        out->status = SCANNER_UNSCANNABLE;
        scanner_result_add(out, "POSTERN_RESULT_OUTPUT_CUT");
        verdict_copy_text(out->info, sizeof(out->info),
                          SPAN("it printed more than 1 MiB; a line that names a virus may be in the rest"));
    } else {
        by_code(rules, end->code, output, out);
    }
}
