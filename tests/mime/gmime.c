/* SPDX-License-Identifier: MIT */
/* Prints what GMime by itself extracts from messages, one JSON object a line: an independent reader for
 * e2e/test_mime_oracle.py. It links nothing of postern: no pre-check, no splitter, the library as a mail program uses
 * it.
 *
 *   mime_gmime --find OCTETS_IN_HEX      names of files on standard input, one a line
 *
 * {"file":"…","parts":[{"size":3,"found":0}]}     found: where the octets of --find begin, or null
 * Each leaf stands there as GMime decodes it, and texts once more as GMime makes UTF-8 of their charsets. */
#include <gmime/gmime.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEEDLE_MAX = 512 };
struct printer {
    unsigned char needle[NEEDLE_MAX];
    size_t length;
    unsigned parts;
};

static void print_octets(struct printer *p, const void *octets, size_t size)
{
    const unsigned char *hit = size > 0 ? memmem(octets, size, p->needle, p->length) : NULL;
    printf("%s{\"size\":%zu,\"found\":", p->parts++ ? "," : "", size);
    if (hit)
        printf("%zu}", (size_t)(hit - (const unsigned char *)octets));
    else
        printf("null}");
}

static void print_leaf(GMimeObject *parent, GMimeObject *object, gpointer arg)
{
    struct printer *p = arg;
    (void)parent;
    if (GMIME_IS_MESSAGE_PART(object)) { /* which iterators of messages do not enter */
        GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (inner)
            g_mime_message_foreach(inner, print_leaf, arg);
        return;
    }
    if (!GMIME_IS_PART(object))
        return;
    GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(object));
    if (content) {
        GMimeStream *memory = g_mime_stream_mem_new();
        g_mime_data_wrapper_write_to_stream(content, memory);
        GByteArray *octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
        print_octets(p, octets->data, octets->len);
        g_object_unref(memory);
    }
    char *text = GMIME_IS_TEXT_PART(object) ? g_mime_text_part_get_text(GMIME_TEXT_PART(object)) : NULL;
    if (text)
        print_octets(p, text, strlen(text));
    g_free(text);
}

static bool read_message(struct printer *p, const char *path)
{
    GMimeStream *stream = g_mime_stream_file_open(path, "rb", NULL);
    if (!stream) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return false;
    }
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    p->parts = 0;
    printf("{\"file\":\"%s\",\"parts\":[", path); /* names are the test's own: digits and letters */
    if (message) {
        g_mime_message_foreach(message, print_leaf, p);
        g_object_unref(message);
    }
    printf("]}\n");
    g_object_unref(parser);
    g_object_unref(stream);
    return true;
}

static bool take_needle(struct printer *p, const char *hex)
{
    for (; hex[0] && hex[1] && p->length < NEEDLE_MAX; hex += 2) {
        const char pair[3] = {hex[0], hex[1], '\0'};
        p->needle[p->length++] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return p->length > 0 && hex[0] == '\0';
}

int main(int argc, char **argv)
{
    struct printer p = {0};
    char line[4096];
    bool good = true;
    if (argc != 3 || strcmp(argv[1], "--find") != 0 || !take_needle(&p, argv[2])) {
        fprintf(stderr, "usage: mime_gmime --find OCTETS_IN_HEX < NAMES\n");
        return EXIT_FAILURE;
    }
    g_mime_init();
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        good = read_message(&p, line) && good;
    }
    g_mime_shutdown();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
