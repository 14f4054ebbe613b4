/* SPDX-License-Identifier: MIT */
/* A fuzz target as an ordinary test: plays every file of the given directories, and the given files, once.
 *
 *   TARGET-replay FILE|DIRECTORY...      TARGET-replay --dictionary
 *
 * A directory without files is an error: a corpus that went missing must not look like a test that passed. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum { INPUT_MAX = 1 << 20 };

static bool replay_fails(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    return false;
}

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return replay_fails(path, strerror(errno));
    struct buf content;
    buf_init(&content, INPUT_MAX);
    char slice[4096];
    size_t n;
    enum err e = ERR_OK;
    while (e == ERR_OK && (n = fread(slice, 1, sizeof(slice), file)) > 0)
        e = buf_append(&content, span_of(slice, n));
    bool failed = ferror(file) || e != ERR_OK;
    fclose(file);
    /* Memory of exactly that size, so that AddressSanitizer sees an octet too far; never NULL. */
    uint8_t *bytes = failed ? NULL : mem_new(buf_len(&content) + 1, 1);
    uint8_t *exact = bytes ? mem_resize(bytes, buf_len(&content) ? buf_len(&content) : 1, 1) : NULL;
    if (exact) {
        if (buf_len(&content) > 0)
            memcpy(exact, buf_span(&content).ptr, buf_len(&content));
        fprintf(stderr, "%s\n", path); /* on a crash, the last line names the culprit */
        LLVMFuzzerTestOneInput(exact, buf_len(&content));
    }
    mem_free(exact);
    buf_release(&content);
    return exact || replay_fails(path, "cannot be read, or is larger than 1 MiB");
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Plays PATH, adds to *played. */
static bool replay_path(const char *path, unsigned *played)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return replay_fails(path, strerror(errno));
    if (!S_ISDIR(st.st_mode)) {
        *played += 1;
        return replay_file(path);
    }
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, alphasort);
    bool good = count > 0 || replay_fails(path, "no files");
    for (int i = 0; i < count; i++) {
        char name[4096];
        int len = snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        good = good && len < (int)sizeof(name) && replay_file(name);
        *played += good;
        free(entries[i]); /* scandir's */
    }
    free(entries);
    return good;
}

/* One entry of a libFuzzer dictionary. */
static void print_word(struct span word)
{
    fputc('"', stdout);
    for (size_t i = 0; i < word.len; i++) {
        if (char_is_alnum(word.ptr[i]))
            fputc(word.ptr[i], stdout);
        else
            printf("\\x%02X", (unsigned char)word.ptr[i]);
    }
    printf("\"\n");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--dictionary") == 0) {
        fuzz_target_words(print_word);
        return 0;
    }
    unsigned played = 0;
    bool good = argc > 1 || replay_fails(argv[0], "expected files, directories or --dictionary");
    for (int i = 1; i < argc && good; i++)
        good = replay_path(argv[i], &played);
    printf("%u inputs played\n", played);
    return good ? 0 : 1;
}
