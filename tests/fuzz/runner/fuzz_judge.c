/* SPDX-License-Identifier: MIT */
/* What a scanner prints, and its exit code, as hostile input. The first octet says how it ended, the first line is the
 * pattern, the rest the output. The result can be written and reads as the same; it is clean only by an exit code that
 * says so, where no line fits the pattern in the eyes of a second reader, who tries every way. */
#include "fuzz/fuzz.h"
#include "runner/judge.h"

void fuzz_target_words(fuzz_word *word)
{
    static const char *const words[] = {"*: %v FOUND\n", ": ", " FOUND", "%v", "*", "virus", "\r\n", "[", "]", "%"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(span_cstr(words[i]));
}

/* PATTERN, of which MIN octets are taken by the wildcard before it, at some place of LINE. */
static bool fits(const char *pattern, struct span line, bool wild, size_t min)
{
    size_t len = 0;
    while (pattern[len] && pattern[len] != '*' && !(pattern[len] == '%' && pattern[len + 1] == 'v'))
        len++;
    for (size_t at = min; at + len <= line.len && (wild || at == 0); at++) {
        if (len > 0 && memcmp(line.ptr + at, pattern, len) != 0)
            continue;
        struct span rest = span_sub(line, at + len, line.len);
        if (pattern[len] == '\0' && rest.len == 0)
            return true;
        if (pattern[len] == '*' && fits(pattern + len + 1, rest, true, 0))
            return true;
        if (pattern[len] == '%' && fits(pattern + len + 2, rest, true, 1))
            return true;
    }
    return false;
}

static bool some_line_fits(const char *pattern, struct span output)
{
    while (output.len > 0) {
        size_t end = span_find(output, '\n');
        struct span line = span_sub(output, 0, end);
        output = span_sub(output, end + 1, output.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (fits(pattern, line, false, 0))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PATTERN_MAX = 24, LINES_MAX = 400 };
    char pattern[PATTERN_MAX + 1];
    if (size == 0 || size > LINES_MAX) /* the second reader is slow */
        return 0;
    struct span text = span_of(data + 1, size - 1);
    size_t end = span_find(text, '\n');
    struct span output = span_sub(text, end + 1, text.len);
    size_t len = end < PATTERN_MAX ? end : PATTERN_MAX;
    memcpy(pattern, text.ptr ? text.ptr : "", len);
    pattern[len] = '\0';
    struct runner_rules rules = {.patterns = {pattern}, .pattern_count = 1};
    for (unsigned code = 0; code < RUNNER_CODES; code++)
        rules.codes[code] = (enum runner_meaning)(code % 4);
    const struct runner_end how = {.late = data[0] == 255, .signal = data[0] == 254 ? 9 : 0, .code = data[0]};
    struct scanner_result result, again;
    struct buf out;
    runner_judge(&rules, &how, output, &result);
    bool fit = some_line_fits(pattern, output);
    FUZZ_REQUIRE(!fit || result.status == SCANNER_INFECTED);
    FUZZ_REQUIRE(result.status != SCANNER_INFECTED || result.virus[0]);
    FUZZ_REQUIRE(result.status != SCANNER_CLEAN || (how.code % 4 == RUNNER_CLEAN && !how.late && how.signal == 0));
    buf_init(&out, SCANNER_MESSAGE_MAX);
    FUZZ_REQUIRE(scanner_result_write(&result, &out) == ERR_OK);
    FUZZ_REQUIRE(scanner_result_read(buf_span(&out), &again) == ERR_OK);
    FUZZ_REQUIRE(again.status == result.status && strcmp(again.virus, result.virus) == 0);
    buf_release(&out);
    return 0;
}
