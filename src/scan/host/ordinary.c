/* SPDX-License-Identifier: MIT */
/* GMime over the message where it lies, with contents that stay in it until they are asked for. */
#include "scan/host/ordinary.h"
#include "base/mem.h"
#include "mime/field.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>
#include <sys/mman.h>
#include <unistd.h>

/* As mail names them. Others keep their octets: to find names is the splitter's business. */
static const char *const charsets[] = {
    "UTF-7",        "UTF-16",       "UTF-16LE",     "UTF-16BE",     "UTF-32",        "UTF-32LE",     "UTF-32BE",
    "US-ASCII",     "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",    "ISO-8859-5",   "ISO-8859-6",
    "ISO-8859-7",   "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",  "ISO-8859-11",   "ISO-8859-13",  "ISO-8859-14",
    "ISO-8859-15",  "ISO-8859-16",  "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252",  "WINDOWS-1253", "WINDOWS-1254",
    "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "CP874",         "TIS-620",      "KOI8-R",
    "KOI8-U",       "CP437",        "CP850",        "CP852",        "CP866",         "CP932",        "CP936",
    "CP949",        "CP950",        "MACINTOSH",    "GB2312",       "GBK",           "GB18030",      "BIG5",
    "BIG5-HKSCS",   "EUC-JP",       "SHIFT_JIS",    "ISO-2022-JP",  "ISO-2022-JP-2", "EUC-KR",       "ISO-2022-KR",
    "EUC-TW",       "ISO-2022-CN",  "VISCII",       "TCVN",         "GEORGIAN-PS",   "ARMSCII-8",    "IBM1047",
    "IBM037",       "IBM273",       "IBM500",
};
/* In which ASCII is written otherwise than as it stands. No mail program writes them, some read them. */
static const char *const foreign[] = {
    "ANSI_X3.110",    "ARMSCII-8",      "CSN_369103",      "EBCDIC-AT-DE",  "EBCDIC-AT-DE-A",  "EBCDIC-CA-FR",
    "EBCDIC-DK-NO",   "EBCDIC-DK-NO-A", "EBCDIC-ES",       "EBCDIC-ES-A",   "EBCDIC-ES-S",     "EBCDIC-FI-SE",
    "EBCDIC-FI-SE-A", "EBCDIC-FR",      "EBCDIC-IS-FRISS", "EBCDIC-IT",     "EBCDIC-PT",       "EBCDIC-UK",
    "EBCDIC-US",      "GREEK7-OLD",     "IBM038",          "IBM1025",       "IBM1026",         "IBM1097",
    "IBM1112",        "IBM1122",        "IBM1123",         "IBM1130",       "IBM1132",         "IBM1133",
    "IBM1137",        "IBM1140",        "IBM1141",         "IBM1142",       "IBM1143",         "IBM1144",
    "IBM1145",        "IBM1146",        "IBM1147",         "IBM1148",       "IBM1149",         "IBM1153",
    "IBM1154",        "IBM1155",        "IBM1156",         "IBM1157",       "IBM1158",         "IBM1160",
    "IBM1164",        "IBM1166",        "IBM12712",        "IBM1364",       "IBM1371",         "IBM1388",
    "IBM1390",        "IBM1399",        "IBM16804",        "IBM256",        "IBM274",          "IBM275",
    "IBM277",         "IBM278",         "IBM280",          "IBM281",        "IBM284",          "IBM285",
    "IBM290",         "IBM297",         "IBM420",          "IBM423",        "IBM424",          "IBM4517",
    "IBM4899",        "IBM4971",        "IBM803",          "IBM870",        "IBM871",          "IBM875",
    "IBM880",         "IBM9030",        "IBM905",          "IBM918",        "IBM930",          "IBM933",
    "IBM935",         "IBM937",         "IBM939",          "ISIRI-3342",    "ISO_5428",        "ISO_6937-2",
    "NC_NC00-10",     "NS_4551-2",      "T.61-8BIT",       "ISO-2022-JP-3", "ISO-2022-CN-EXT", "UTF-7-IMAP",
    "UNICODE",
};
#define NO_CONVERTER ((iconv_t)-1)

struct ordinary {
    iconv_t to[ARRAY_SIZE(charsets)], from[ARRAY_SIZE(charsets)]; /* UTF-8; held so that they stay loaded */
    iconv_t from_foreign[ARRAY_SIZE(foreign)];
};

struct ordinary *ordinary_new(void)
{
    struct ordinary *o = MEM_NEW(struct ordinary);
    if (!o)
        return NULL;
    g_mime_init();
    for (size_t i = 0; i < ARRAY_SIZE(charsets); i++) { /* one that is not installed is not there for anybody */
        o->to[i] = iconv_open("UTF-8", charsets[i]);
        o->from[i] = iconv_open(charsets[i], "UTF-8");
    }
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        o->from_foreign[i] = iconv_open("UTF-8", foreign[i]);
    return o;
}

void ordinary_free(struct ordinary *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(charsets); i++) {
        if (o->to[i] != NO_CONVERTER)
            iconv_close(o->to[i]);
        if (o->from[i] != NO_CONVERTER)
            iconv_close(o->from[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        if (o->from_foreign[i] != NO_CONVERTER)
            iconv_close(o->from_foreign[i]);
    g_mime_shutdown();
    mem_free(o);
}

/* The listed charset of this name; NULL: there is none, or src/mime knows better what people mean by it. */
static const char *listed(struct span charset)
{
    if (charset.len == 0 || span_eq_nocase(charset, SPAN("us-ascii")) || span_eq_nocase(charset, SPAN("utf-8")))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(charsets); i++)
        if (span_eq_nocase(charset, span_cstr(charsets[i])))
            return charsets[i];
    return NULL;
}

size_t ordinary_to_utf8(struct span text, struct span charset, char *out, size_t size)
{
    static const struct span replacement = {"\xef\xbf\xbd", 3};
    const char *name = listed(charset);
    iconv_t converter = name ? iconv_open("UTF-8", name) : NO_CONVERTER;
    if (converter == NO_CONVERTER || size == 0)
        return mime_to_utf8(text, charset, out, size);
    char *from = (char *)(uintptr_t)text.ptr, *to = out; /* iconv lacks the const */
    size_t from_left = text.len, to_left = size - 1;
    while (from_left > 0 && iconv(converter, &from, &from_left, &to, &to_left) == (size_t)-1) {
        if (errno == E2BIG || to_left < replacement.len)
            break;
        memcpy(to, replacement.ptr, replacement.len);
        to += replacement.len;
        to_left -= replacement.len;
        from++;
        from_left--;
    }
    iconv_close(converter);
    *to = '\0';
    return (size_t)(to - out);
}

/* By that name, as mail writes it, as Python does ("ebcdic_cp_be"), or by its number ("1140"). */
static iconv_t open_by_name(struct span charset)
{
    char name[64], number[72];
    if (charset.len == 0 || charset.len >= sizeof(name) || span_find(charset, '\0') < charset.len)
        return NO_CONVERTER;
    memcpy(name, charset.ptr, charset.len);
    name[charset.len] = '\0';
    iconv_t converter = g_mime_iconv_open("UTF-8", name);
    for (char *p = name; converter == NO_CONVERTER && (p = strchr(p, '_')) != NULL;)
        *p = '-';
    if (converter == NO_CONVERTER)
        converter = g_mime_iconv_open("UTF-8", name);
    if (converter == NO_CONVERTER && span_eq_nocase(charset, SPAN("ibm039"))) /* Python's; nobody else has it */
        converter = g_mime_iconv_open("UTF-8", "IBM037");
    snprintf(number, sizeof(number), "CP%s", name);
    return converter == NO_CONVERTER && char_is_digit(name[0]) ? g_mime_iconv_open("UTF-8", number) : converter;
}

enum err ordinary_recode(struct span text, struct span charset, struct buf *out)
{
    static const struct span replacement = {"\xef\xbf\xbd", 3};
    char slice[4096], *from = (char *)(uintptr_t)text.ptr; /* iconv lacks the const */
    size_t left = text.len;
    iconv_t converter = open_by_name(charset);
    enum err e = ERR_OK;
    if (converter == NO_CONVERTER)
        return ERR_OK;
    for (bool ended = false; !ended && e == ERR_OK;) {
        char *to = slice;
        size_t room = sizeof(slice) - replacement.len;
        ended = left == 0; /* and what it kept back comes now */
        bool odd = iconv(converter, ended ? NULL : &from, &left, &to, &room) == (size_t)-1 && errno != E2BIG;
        if (odd && !ended) {
            memcpy(to, replacement.ptr, replacement.len);
            to += replacement.len;
            from++;
            left--;
        }
        e = buf_append(out, span_of(slice, (size_t)(to - slice)));
    }
    g_mime_iconv_close(converter);
    return e;
}

struct reading {
    ordinary_had *had;
    mime_part_sink *sink;
    void *arg;
    uint64_t left; /* octets that may still come of it */
    bool cut;
    mime_defects defects;
    const GByteArray *message;
};

static enum mime_encoding encoding_of(GMimeContentEncoding encoding)
{
    switch (encoding) {
    case GMIME_CONTENT_ENCODING_BASE64:
        return MIME_BASE64;
    case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
        return MIME_QP;
    case GMIME_CONTENT_ENCODING_UUENCODE:
        return MIME_UUENCODE;
    case GMIME_CONTENT_ENCODING_DEFAULT:
    case GMIME_CONTENT_ENCODING_7BIT:
    case GMIME_CONTENT_ENCODING_8BIT:
    case GMIME_CONTENT_ENCODING_BINARY:
        break;
    }
    return MIME_IDENTITY;
}

static void type_of(GMimeObject *object, char out[MIME_TYPE_SIZE])
{
    GMimeContentType *type = g_mime_object_get_content_type(object);
    char *text = type ? g_mime_content_type_get_mime_type(type) : NULL;
    struct span given = span_cstr(text);
    size_t len = given.len < MIME_TYPE_SIZE - 1 ? given.len : MIME_TYPE_SIZE - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = mime_shown(given.ptr[i]);
    out[len] = '\0';
    g_free(text);
}

/* Also of what is not handed out. */
static void judge_type(struct reading *r, GMimeObject *object)
{
    char text[MIME_TYPE_SIZE];
    struct mime_type type;
    type_of(object, text);
    mime_type_parse(span_cstr(text), &type);
    r->defects |= type.defects & mime_type_verdicts();
}

static enum err hand_out(struct reading *r, GMimePart *leaf, const char *path, struct span octets, const char *charset)
{
    struct mime_part *part = MEM_NEW(struct mime_part); /* too large for a stack that others use */
    if (!part)
        return ERR_NOMEM;
    part->path = path;
    part->declared = part->encoding = encoding_of(g_mime_part_get_content_encoding(leaf));
    part->octets = octets;
    type_of(GMIME_OBJECT(leaf), part->type);
    for (size_t i = 0; charset && charset[i] && i + 1 < sizeof(part->charset); i++)
        part->charset[i] = mime_shown(charset[i]);
    enum err e = r->sink(r->arg, part);
    mem_free(part);
    return e;
}

/* Appends what CONVERT makes of OCTETS, a slice at a time, as it keeps what it makes of one call. */
static enum err filter_all(GMimeFilter *convert, const GByteArray *octets, struct buf *out)
{
    enum { SLICE = 4096 };
    enum err e = ERR_OK;
    char *made, none[1] = "";
    size_t length, before;
    for (size_t at = 0; at < octets->len && e == ERR_OK; at += SLICE) {
        size_t left = octets->len - at;
        g_mime_filter_filter(convert, (char *)octets->data + at, left < SLICE ? left : SLICE, 0, &made, &length,
                             &before);
        e = buf_append(out, span_of(made, length));
    }
    if (e != ERR_OK)
        return e;
    g_mime_filter_complete(convert, none, 0, 0, &made, &length, &before);
    return buf_append(out, span_of(made, length));
}

/* The text as GMime makes UTF-8 of CHARSET, where that shows what the octets do not. The octets were counted; the text
 * is beside them, and may be longer. */
static enum err read_text(struct reading *r, GMimePart *leaf, const char *path, const char *charset)
{
    GMimeFilter *convert = g_mime_filter_charset_new(charset, "utf-8");
    if (!convert)
        return ERR_OK;
    GMimeStream *plain = g_mime_stream_mem_new();
    g_mime_data_wrapper_write_to_stream(g_mime_part_get_content(leaf), plain);
    const GByteArray *octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(plain));
    struct buf text;
    buf_init(&text, r->left);
    enum err e = filter_all(convert, octets, &text);
    if (e == ERR_FULL) {
        r->cut = true;
        e = ERR_OK;
    } else if (e == ERR_OK && mime_text_hides(span_of(octets->data, octets->len), buf_span(&text))) {
        r->left -= buf_len(&text);
        e = hand_out(r, leaf, path, buf_span(&text), NULL);
    }
    buf_release(&text);
    g_object_unref(plain);
    g_object_unref(convert);
    return e;
}

static enum err read_content(struct reading *r, GMimePart *leaf, const char *path, GMimeDataWrapper *content,
                             const char *charset)
{
    GMimeStream *memory = g_mime_stream_mem_new();
    enum err e = g_mime_data_wrapper_write_to_stream(content, memory) < 0 ? ERR_IO : ERR_OK;
    const GByteArray *octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
    if (e == ERR_OK)
        e = hand_out(r, leaf, path, span_of(octets->data, octets->len), charset);
    g_object_unref(memory);
    return e;
}

/* What GMime did not read out of the message has no place in it. */
static bool is_had(const struct reading *r, GMimeStream *raw, GMimeDataWrapper *content)
{
    if (!GMIME_IS_STREAM_MEM(raw) || GMIME_STREAM_MEM(raw)->buffer != r->message || raw->bound_start < 0 ||
        raw->bound_end < raw->bound_start)
        return false;
    return r->had(r->arg, (size_t)raw->bound_start, (size_t)(raw->bound_end - raw->bound_start),
                  encoding_of(g_mime_data_wrapper_get_encoding(content)));
}

static enum err read_leaf(struct reading *r, GMimePart *leaf, const char *path)
{
    GMimeDataWrapper *content = g_mime_part_get_content(leaf);
    GMimeStream *raw = content ? g_mime_data_wrapper_get_stream(content) : NULL;
    if (!raw)
        return ERR_OK;
    /* No decoder that GMime has makes more of its input than uudecode, which keeps to it. */
    gint64 length = g_mime_stream_length(raw);
    if (length < 0 || (uint64_t)length > r->left) {
        r->cut = true;
        return ERR_OK;
    }
    r->left -= (uint64_t)length;
    const char *charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(leaf), "charset");
    enum err e = is_had(r, raw, content) ? ERR_OK : read_content(r, leaf, path, content, charset);
    bool plain = !GMIME_IS_TEXT_PART(leaf) || !charset || mime_charset_is_plain(span_cstr(charset));
    return e == ERR_OK && !plain ? read_text(r, leaf, path, charset) : e;
}

static enum err read_message(struct reading *r, GMimeMessage *message)
{
    GMimePartIter *at = g_mime_part_iter_new(GMIME_OBJECT(message));
    enum err e = ERR_OK;
    bool more = g_mime_part_iter_is_valid(at);
    while (more && e == ERR_OK) {
        GMimeObject *object = g_mime_part_iter_get_current(at);
        judge_type(r, object);
        if (GMIME_IS_PART(object)) {
            char *path = g_mime_part_iter_get_path(at);
            bool only = !path || !path[0] || strcmp(path, "0") == 0; /* what GMime calls the message's only body */
            e = read_leaf(r, GMIME_PART(object), only ? "1" : path);
            g_free(path);
        }
        more = g_mime_part_iter_next(at);
    }
    g_mime_part_iter_free(at);
    return e;
}

enum err ordinary_read(struct span message, uint64_t decoded, ordinary_had *had, mime_part_sink *sink, void *arg,
                       bool *cut, mime_defects *defects)
{
    /* GMime only reads it, and takes this array for the caller's own. */
    GByteArray octets = {.data = (guint8 *)(uintptr_t)message.ptr, .len = (guint)message.len};
    struct reading r = {.had = had, .sink = sink, .arg = arg, .left = decoded, .message = &octets};
    *cut = false;
    *defects = 0;
    if (message.len == 0)
        return ERR_OK;
    if (message.len > G_MAXUINT) {
        *cut = true;
        return ERR_OK;
    }
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(&octets);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    g_mime_parser_set_persist_stream(parser, TRUE);
    GMimeMessage *read = g_mime_parser_construct_message(parser, NULL);
    enum err e = ERR_OK; /* what it takes for no message has no parts */
    if (read)
        e = read_message(&r, read);
    if (read)
        g_object_unref(read);
    g_object_unref(parser);
    g_object_unref(stream);
    *cut = r.cut;
    *defects = r.defects;
    return e;
}
