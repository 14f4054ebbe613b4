/* SPDX-License-Identifier: MIT */
/* Prints what the splitter makes of messages, one JSON object a line, for tests in other languages.
 *
 *   mime_parts [--find OCTETS_IN_HEX] [--time N] FILE...     "-": names of files on standard input, one a line
 *
 * {"file":"…","error":null,"precheck":"none","cut":["work"],"defects":["bare-cr"],"paranoid":null,"readings":1,"work":1,"decoded":1,"us":12.5,
 *  "parts":[{"path":"1","reading":"ordinary","type":"text/plain","encoding":"base64","content":"text","size":3,"offset":9,"extent":4,
 *            "sha256":"…","names":["…"],"defects":["…"],"found":0}]}
 * found: where the octets of --find begin, or null. us: microseconds for pre-check and split, the best of N runs, with
 * --time. */
#include "base/buf.h"
#include "digest/sha256.h"
#include "mime/precheck.h"
#include "mime/split.h"
#include <errno.h>
#include <iconv.h>
#include <time.h>

struct options {
    struct span find;
    unsigned runs;
};

struct printer {
    struct span find;
    unsigned parts;
};

static void print_text(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == '"' || *s == '\\' || *s == 0x7f)
            printf("\\u%04x", (unsigned char)*s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void print_defects(mime_defects set)
{
    bool first = true;
    putchar('[');
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++)
        if (mime_defects_have(set, (enum mime_defect)d)) {
            printf("%s\"%s\"", first ? "" : ",", mime_defect_word((enum mime_defect)d));
            first = false;
        }
    putchar(']');
}

static enum err digest_of(struct span octets, char hex[2 * SHA256_SIZE + 1])
{
    struct sha256_digest d;
    struct sha256 *h = sha256_new();
    enum err e = h ? sha256_update(h, octets) : ERR_NOMEM;
    if (e == ERR_OK)
        e = sha256_finish(h, &d);
    if (e == ERR_OK)
        sha256_hex(&d, hex);
    sha256_free(h);
    return e;
}

static enum err print_part(void *arg, const struct mime_part *part)
{
    struct printer *p = arg;
    char hex[2 * SHA256_SIZE + 1], reading[256];
    enum err e = digest_of(part->octets, hex);
    if (e != ERR_OK)
        return e;
    mime_readings_text(part->readings, reading, sizeof(reading));
    printf("%s\n {\"path\":\"%s\",\"reading\":\"%s\",\"type\":", p->parts++ ? "," : "", part->path, reading);
    print_text(part->type);
    printf(",\"encoding\":\"%s\",\"content\":\"%s\",\"size\":%zu,\"offset\":%zu,\"extent\":%zu,\"sha256\":\"%s\","
           "\"names\":[",
           mime_encoding_word(part->encoding), mime_content_word(part->content), part->octets.len, part->offset,
           part->extent, hex);
    for (unsigned i = 0; i < part->names.count; i++) {
        printf("%s", i ? "," : "");
        print_text(part->names.text[i]);
    }
    printf("],\"defects\":");
    print_defects(part->defects);
    size_t at = p->find.len ? span_find_span(part->octets, p->find) : part->octets.len;
    if (at < part->octets.len)
        printf(",\"found\":%zu}", at);
    else
        printf(",\"found\":null}");
    return ERR_OK;
}

static enum err pass_over(void *arg, const struct mime_part *part)
{
    (void)arg;
    (void)part;
    return ERR_OK;
}

/* The best of RUNS, in microseconds. */
static double measure(struct span message, const struct mime_limits *limits, unsigned runs)
{
    double best = 0;
    for (unsigned i = 0; i < runs; i++) {
        struct timespec begin, end;
        struct mime_report report;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        struct mime_precheck check = mime_precheck(message);
        enum err e = mime_split(message, limits, pass_over, NULL, &report);
        clock_gettime(CLOCK_MONOTONIC, &end);
        double us = (double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
        if (e == ERR_OK && check.parts < SIZE_MAX && (i == 0 || us < best))
            best = us;
    }
    return best;
}

static void print_report(const char *error, struct span message, const struct mime_report *r, double us)
{
    struct mime_precheck check = mime_precheck(message);
    const char *paranoid = mime_defects_paranoid(r->defects);
    printf("],\"error\":%s%s%s,\"precheck\":\"%s\",\"cut\":[", error ? "\"" : "", error ? error : "null",
           error ? "\"" : "", mime_cap_word(check.broken));
    bool first = true;
    for (unsigned bit = 1; bit <= MIME_CUT_LAST; bit <<= 1)
        if (r->cut & bit) {
            printf("%s\"%s\"", first ? "" : ",", mime_cut_word((enum mime_cut)bit));
            first = false;
        }
    printf("],\"defects\":");
    print_defects(r->defects);
    printf(",\"paranoid\":%s%s%s,\"readings\":%u,\"work\":%llu,\"decoded\":%llu,\"us\":%.1f}\n", paranoid ? "\"" : "",
           paranoid ? paranoid : "null", paranoid ? "\"" : "", r->readings, (unsigned long long)r->work,
           (unsigned long long)r->decoded, us);
    fflush(stdout);
}

/* The file's content in memory of exactly that size. */
static bool read_file(const char *path, struct buf *content)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char slice[65536];
    size_t n;
    enum err e = ERR_OK;
    while (e == ERR_OK && (n = fread(slice, 1, sizeof(slice), file)) > 0)
        e = buf_append(content, span_of(slice, n));
    bool good = e == ERR_OK && !ferror(file);
    fclose(file);
    return good;
}

/* As the worker does. */
static enum err convert(struct span text, struct span charset, struct buf *out)
{
    static const struct span replacement = {"\xef\xbf\xbd", 3};
    char name[64], slice[4096], *from = (char *)(uintptr_t)text.ptr;
    size_t left = text.len;
    snprintf(name, sizeof(name), "%.*s", SPAN_ARG(charset));
    iconv_t converter = iconv_open("UTF-8", name);
    enum err e = ERR_OK;
    if (converter == (iconv_t)-1)
        return ERR_OK;
    while (left > 0 && e == ERR_OK) {
        char *to = slice;
        size_t room = sizeof(slice) - replacement.len;
        if (iconv(converter, &from, &left, &to, &room) == (size_t)-1 && errno != E2BIG) {
            memcpy(to, replacement.ptr, replacement.len);
            to += replacement.len;
            from++;
            left--;
        }
        e = buf_append(out, span_of(slice, (size_t)(to - slice)));
    }
    iconv_close(converter);
    return e;
}

static bool play(const char *path, const struct options *o)
{
    struct buf content;
    buf_init(&content, (size_t)1 << 31);
    if (!read_file(path, &content)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        buf_release(&content);
        return false;
    }
    struct printer p = {.find = o->find};
    struct mime_report report;
    struct mime_limits limits = mime_limits_for(buf_len(&content));
    limits.convert = convert;
    printf("{\"file\":");
    print_text(path);
    printf(",\"parts\":[");
    enum err e = mime_split(buf_span(&content), &limits, print_part, &p, &report);
    double us = measure(buf_span(&content), &limits, o->runs);
    print_report(e == ERR_OK ? NULL : err_name(e), buf_span(&content), &report, us);
    buf_release(&content);
    return e == ERR_OK;
}

static bool play_listed(const struct options *o)
{
    char line[4096];
    bool good = true;
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        good = play(line, o) && good;
    }
    return good;
}

/* HEX's octets into OUT; how many. */
static size_t from_hex(const char *hex, char *out, size_t size)
{
    size_t n = 0;
    for (; n < size && hex[0] && hex[1]; hex += 2, n++) {
        char pair[3] = {hex[0], hex[1], '\0'};
        out[n] = (char)strtoul(pair, NULL, 16);
    }
    return n;
}

int main(int argc, char **argv)
{
    char octets[1024];
    struct options o = {0};
    bool good = argc > 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--find") == 0 && i + 1 < argc)
            o.find = span_of(octets, from_hex(argv[++i], octets, sizeof(octets)));
        else if (strcmp(argv[i], "--time") == 0 && i + 1 < argc)
            o.runs = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-") == 0)
            good = play_listed(&o) && good;
        else
            good = play(argv[i], &o) && good;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
