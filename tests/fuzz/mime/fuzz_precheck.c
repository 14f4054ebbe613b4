/* SPDX-License-Identifier: MIT */
/* What the pre-check promises of a library that allocates for all it finds and descends by recursion: whatever it lets
 * pass, GMime finds no more in it than the pre-check has counted, and so no more than the caps. GMime itself is the
 * judge. */
#include "fuzz/fuzz.h"
#include "mime/precheck.h"

#include <gmime/gmime.h>

void fuzz_target_words(fuzz_word *word)
{
    static const char *const words[] = {"Content-Type: multipart/mixed; boundary=a\n\n--a\n",
                                        "Content-Type: multipart/digest; boundary=\"a b\"\n\n--a b\n",
                                        "Content-Type: message/rfc822\n\n",
                                        "Content-Type: (comment (in it)) message/rfc822\n\n",
                                        "Content-Type: multipart/mixed; boundary*=us-ascii''%61",
                                        "Content-Disposition: attachment; filename*0=a; filename*1=b",
                                        "Content-Transfer-Encoding: base64\n",
                                        "\n--a\n",
                                        "\r--a\r",
                                        "\n--a--\n",
                                        "\n--\n",
                                        "To: a:b@c,(d)\"e\" <f@g>;,h:;\n",
                                        "Resent-To: a: b@c;",
                                        "From someone\n",
                                        ">From someone\n",
                                        "; a=b",
                                        "X: y\n",
                                        "\n\n",
                                        "\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(span_cstr(words[i]));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t parameters_of(GMimeParamList *list)
{
    int n = list ? g_mime_param_list_length(list) : 0;
    return n > 0 ? (size_t)n : 0;
}

/* What GMime found, in the terms of struct mime_precheck. */
static void count_headers(GMimeObject *object, struct mime_precheck *found)
{
    GMimeHeaderList *headers = g_mime_object_get_header_list(object);
    int n = g_mime_header_list_get_count(headers);
    found->headers = larger(found->headers, n > 0 ? (size_t)n : 0);
    for (int i = 0; i < n; i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(headers, i);
        const char *name = g_mime_header_get_raw_name(header), *value = g_mime_header_get_raw_value(header);
        found->field = larger(found->field, (name ? strlen(name) : 0) + (value ? strlen(value) : 0));
    }
    GMimeContentType *type = g_mime_object_get_content_type(object);
    GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(object);
    if (type)
        found->parameters = larger(found->parameters, parameters_of(g_mime_content_type_get_parameters(type)));
    if (disposition)
        found->parameters =
            larger(found->parameters, parameters_of(g_mime_content_disposition_get_parameters(disposition)));
}

static size_t groups_of(InternetAddressList *list)
{
    size_t groups = 0;
    for (int i = 0; list && i < internet_address_list_length(list); i++) {
        InternetAddress *one = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_GROUP(one))
            groups += 1 + groups_of(internet_address_group_get_members(INTERNET_ADDRESS_GROUP(one)));
    }
    return groups;
}

static void count_message(GMimeMessage *message, size_t depth, struct mime_precheck *found);

/* By recursion, as GMime itself: what it found is known to be shallow, or the pre-check has failed. */
static void count_object(GMimeObject *object, size_t depth, struct mime_precheck *found)
{
    FUZZ_REQUIRE(depth <= LIMIT_MIME_DEPTH + 1);
    count_headers(object, found);
    if (GMIME_IS_MULTIPART(object)) {
        found->depth = larger(found->depth, depth + 1);
        int n = g_mime_multipart_get_count(GMIME_MULTIPART(object));
        found->parts += n > 0 ? (size_t)n : 0;
        for (int i = 0; i < n; i++)
            count_object(g_mime_multipart_get_part(GMIME_MULTIPART(object), i), depth + 1, found);
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        found->depth = larger(found->depth, depth + 1);
        GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (inner)
            count_message(inner, depth + 1, found);
    }
}

static void count_message(GMimeMessage *message, size_t depth, struct mime_precheck *found)
{
    static const GMimeAddressType types[] = {GMIME_ADDRESS_TYPE_SENDER,   GMIME_ADDRESS_TYPE_FROM,
                                             GMIME_ADDRESS_TYPE_REPLY_TO, GMIME_ADDRESS_TYPE_TO,
                                             GMIME_ADDRESS_TYPE_CC,       GMIME_ADDRESS_TYPE_BCC};
    count_headers(GMIME_OBJECT(message), found);
    size_t groups = 0;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        groups = larger(groups, groups_of(g_mime_message_get_addresses(message, types[i])));
    found->groups = larger(found->groups, groups);
    GMimeObject *body = g_mime_message_get_mime_part(message);
    if (body)
        count_object(body, depth, found);
}

static struct mime_precheck parse(struct span octets)
{
    struct mime_precheck found = {0};
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(octets.ptr, octets.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    if (message) {
        count_message(message, 0, &found);
        g_object_unref(message);
    }
    g_object_unref(parser);
    g_object_unref(stream);
    return found;
}

static void check(struct span message)
{
    struct mime_precheck counted = mime_precheck(message);
    FUZZ_REQUIRE(counted.offset <= message.len);
    if (counted.broken != MIME_CAP_NONE)
        return;
    struct mime_precheck found = parse(message);
#define WITHIN(what, cap)                                                                                              \
    FUZZ_REQUIRE(counted.what <= (cap));                                                                               \
    FUZZ_REQUIRE(found.what <= counted.what)
    WITHIN(headers, LIMIT_MIME_HEADERS);
    WITHIN(field, LIMIT_MIME_FIELD);
    WITHIN(parameters, LIMIT_MIME_PARAMETERS);
    WITHIN(groups, LIMIT_MIME_GROUPS);
    WITHIN(depth, LIMIT_MIME_DEPTH);
    WITHIN(parts, LIMIT_MIME_PARTS);
}

/* The input HEAD times over, up to a size at which all caps can be passed: what counts too little counts so each time.
 */
static void check_repeated(struct span piece, unsigned times)
{
    struct buf all;
    buf_init(&all, 1 << 18);
    for (unsigned i = 0; i < times && buf_room(&all) >= piece.len; i++)
        fuzz_put(&all, piece);
    check(buf_span(&all));
    buf_release(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready) { /* it keeps tables of its own until the end, which leak checkers know */
        g_mime_init();
        ready = true;
    }
    check(span_of(data, size));
    if (size > 0)
        check_repeated(span_of(data, size), data[size - 1]);
    return 0;
}
