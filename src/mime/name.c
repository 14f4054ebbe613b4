/* SPDX-License-Identifier: MIT */
/* Names in all their decodings, and tricks with them. */
#include "mime/name.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "mime/charset.h"
#include "mime/decode.h"
#include "mime/field.h"

enum { RAW_MAX = 2048, FULL_SIZE = 3 * RAW_MAX, WORDS_MAX = LIMIT_PART_FIELD };

/* One encoded word "=?charset?B?text?=" at the begin of S. */
struct word {
    struct span charset, text;
    bool base64;
    size_t length;
};

static bool parse_word(struct span s, struct word *w)
{
    if (!span_starts(s, SPAN("=?")))
        return false;
    struct span rest = span_sub(s, 2, (size_t)2 * RAW_MAX);
    size_t charset = span_find(rest, '?');
    if (charset == 0 || charset + 3 > rest.len || rest.ptr[charset + 2] != '?')
        return false;
    char kind = char_lower(rest.ptr[charset + 1]);
    struct span text = span_sub(rest, charset + 3, rest.len);
    size_t end = span_find_span(text, SPAN("?="));
    if ((kind != 'b' && kind != 'q') || end == text.len)
        return false;
    w->charset = span_sub(rest, 0, charset);
    w->charset = span_sub(w->charset, 0, span_find(w->charset, '*'));
    w->base64 = kind == 'b';
    w->text = span_sub(text, 0, end);
    w->length = 2 + charset + 3 + end + 2;
    return true;
}

/* Appends the octets of W to OUT; what does not fit is left out. */
static void decode_word(const struct word *w, struct buf *out)
{
    if (w->base64) {
        if (mime_base64_decode(w->text, MIME_BASE64_ACROSS, out) != ERR_OK)
            return;
        return;
    }
    for (size_t i = 0; i < w->text.len; i++) {
        char c = w->text.ptr[i];
        if (c == '_')
            c = ' ';
        struct buf one;
        buf_init(&one, 8);
        bool escape = c == '=' && i + 2 < w->text.len;
        if (escape && mime_qp_decode(span_sub(w->text, i, 3), MIME_QP_TOLERANT, &one) == ERR_OK && buf_len(&one) == 1) {
            c = buf_span(&one).ptr[0];
            i += 2;
        }
        buf_release(&one);
        if (buf_append_char(out, c) != ERR_OK)
            return;
    }
}

/* Where text goes, bounded, always terminated. */
struct text_out {
    mime_converter *convert;
    char *text;
    size_t size, used;
};

static void put_text(struct text_out *o, struct span raw, struct span charset)
{
    if (o->used < o->size)
        o->used += o->convert(raw, charset, o->text + o->used, o->size - o->used);
}

/* Adjacent words of one charset are decoded as one text: a character may be split between them. The octets of S that
 * were used. */
static size_t put_words(struct text_out *o, struct span s, struct word w)
{
    struct buf octets;
    buf_init(&octets, WORDS_MAX);
    struct span charset = w.charset;
    size_t at = 0;
    for (;;) {
        decode_word(&w, &octets);
        at += w.length;
        size_t next = at;
        while (next < s.len && mime_is_space(s.ptr[next]))
            next++;
        if (!parse_word(span_sub(s, next, s.len), &w))
            break;
        at = next; /* blanks between words are not there */
        if (!span_eq_nocase(charset, w.charset))
            break;
    }
    put_text(o, buf_span(&octets), charset);
    buf_release(&octets);
    return at;
}

size_t mime_words_decode_with(struct span text, mime_converter *convert, char *out, size_t size, bool *found)
{
    struct text_out o = {.convert = convert, .text = out, .size = size};
    *found = false;
    if (size > 0)
        out[0] = '\0';
    while (text.len > 0 && o.used + 1 < size) {
        struct word w;
        size_t n = span_find_span(text, SPAN("=?"));
        if (n > 0) {
            put_text(&o, span_sub(text, 0, n), (struct span){0});
        } else if (parse_word(text, &w)) {
            *found = true;
            n = put_words(&o, text, w);
        } else {
            n = 2;
            put_text(&o, span_sub(text, 0, n), (struct span){0});
        }
        text = span_sub(text, n, text.len);
    }
    return o.used;
}

size_t mime_words_decode(struct span text, char *out, size_t size, bool *found)
{
    return mime_words_decode_with(text, mime_to_utf8, out, size, found);
}

/* TEXT in MIME_NAME_SIZE: of a long one the middle is left out, as both ends are what people and systems go by. */
static void shorten(struct span text, char out[MIME_NAME_SIZE])
{
    const struct span gap = SPAN("\xe2\x80\xa6");
    if (text.len < MIME_NAME_SIZE) {
        memcpy(out, text.ptr, text.len);
        out[text.len] = '\0';
        return;
    }
    size_t head = (MIME_NAME_SIZE - 1 - gap.len) / 2, tail = text.len - (MIME_NAME_SIZE - 1 - gap.len - head);
    while (head > 0 && ((unsigned char)text.ptr[head] & 0xc0) == 0x80)
        head--;
    while (tail < text.len && ((unsigned char)text.ptr[tail] & 0xc0) == 0x80)
        tail++;
    memcpy(out, text.ptr, head);
    memcpy(out + head, gap.ptr, gap.len);
    memcpy(out + head + gap.len, text.ptr + tail, text.len - tail);
    out[head + gap.len + text.len - tail] = '\0';
}

static void keep(struct mime_names *names, struct span full)
{
    char text[MIME_NAME_SIZE];
    if (full.len == 0)
        return;
    shorten(full, text);
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->text[i], text) == 0)
            return;
    if (names->count == MIME_NAMES) {
        names->more = true;
        return;
    }
    snprintf(names->text[names->count++], MIME_NAME_SIZE, "%s", text);
}

/* RAW without folds; of a very long one, its two ends. */
static struct span unfold(struct span raw, char *out, size_t size)
{
    size_t n = 0;
    if (raw.len > size) {
        n = unfold(span_sub(raw, 0, size / 2), out, size / 2).len;
        raw = span_sub(raw, raw.len - size / 2, size / 2);
    }
    for (size_t i = 0; i < raw.len && n < size; i++)
        if (raw.ptr[i] != '\r' && raw.ptr[i] != '\n')
            out[n++] = (char)(raw.ptr[i] == '\t' ? ' ' : raw.ptr[i]);
    return span_of(out, n);
}

void mime_names_add(struct mime_names *names, struct span raw, struct span charset, mime_defects *defects)
{
    char flat[RAW_MAX], text[FULL_SIZE];
    struct span name = unfold(raw, flat, sizeof(flat));
    size_t length = mime_to_utf8(name, charset, text, sizeof(text));
    keep(names, span_of(text, length));
    bool words;
    length = mime_words_decode(name, text, sizeof(text), &words);
    if (words)
        keep(names, span_of(text, length));
    if (memchr(flat, '\0', name.len))
        *defects |= mime_defect_bit(MIME_DEFECT_NAME_CONTROL);
}

/* Marks, joiners and selectors, without a shape and without a width. */
static bool is_invisible(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},   {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* These, and blanks and fillers. */
static bool is_unseen(uint32_t c)
{
    static const uint32_t blanks[] = {'\t',   ' ',    0xa0,   0x115f, 0x1160, 0x1680,
                                      0x202f, 0x205f, 0x2800, 0x3000, 0x3164, 0xffa0};
    for (size_t i = 0; i < ARRAY_SIZE(blanks); i++)
        if (c == blanks[i])
            return true;
    return (c >= 0x2000 && c < 0x200b) || is_invisible(c);
}

/* LIST has blanks around each word, which are ASCII. What nobody sees in EXTENSION is not there: programs that clean
 * names leave it out. */
static bool listed(struct span extension, const char *list)
{
    char word[24] = " ";
    size_t n = 1, length;
    for (size_t i = 0; i < extension.len; i += length) {
        uint32_t c = utf8_next(span_sub(extension, i, extension.len), &length);
        if (c >= 0x80 && is_invisible(c))
            continue;
        if (c <= ' ' || c >= 0x7f || n + 2 >= sizeof(word))
            return false;
        word[n++] = char_lower((char)c);
    }
    word[n] = ' ';
    word[n + 1] = '\0';
    return n > 1 && strstr(list, word) != NULL;
}

/* Extensions by which Windows or another desktop, or a program that comes with it, executes a file, installs it, mounts
 * it or goes where it points; scripts among them where a click runs them. Not those of scripts that one has to give to
 * a shell or an interpreter (sh, pl, rb), and of certificates: people send each other these as text. */
static bool is_program(struct span extension)
{
    static const char list[] = " exe scr pif bat cmd vbs vbe js jse wsf wsh hta lnk cpl msi msp jar ps1 psm1 reg "
                               "msc dll scf inf gadget app apk chm com vb sct shb shs url xll iqy ws wsc mst msu "
                               "jnlp ocx sys drv vxd 386 rdp udl xnk xbap hlp ins isp grp diagcab diagcfg diagpkg "
                               "appx appxbundle msix msixbundle appinstaller application appref-ms appcontent-ms "
                               "settingcontent-ms search-ms searchconnector-ms library-ms website theme msh msh1 "
                               "msh2 ps1xml ps2 ps2xml psc1 psc2 psd1 cdxml htc py pyc pyw pyz pyzw ade adp mde "
                               "accde xla xlam ppa ppam slk wll vsto vbp vsw vsmacros iso img vhd vhdx command "
                               "desktop workflow ";
    return listed(extension, list);
}

/* Top-level domains, too: a domain's name at the end of a sentence is no program. */
static bool is_domain(struct span extension)
{
    return listed(extension, " com py ws ");
}

static bool is_document(struct span extension)
{
    return listed(extension,
                  " pdf doc docx docm xls xlsx xlsm ppt pptx rtf txt csv xml htm html odt ods jpg jpeg gif png bmp tif "
                  "tiff mp3 mp4 avi mov mpg mpeg wav zip rar 7z gz eml msg ");
}

/* Behind the last dot of S. */
static struct span extension_of(struct span s)
{
    size_t n = s.len;
    while (n > 0 && s.ptr[n - 1] != '.')
        n--;
    return n > 0 ? span_sub(s, n, s.len) : (struct span){0};
}

static bool has_bidi(struct span s, bool *override)
{
    bool found = false;
    for (size_t i = 0; i + 3 <= s.len; i++) {
        const unsigned char *u = (const unsigned char *)s.ptr + i;
        if (u[0] != 0xe2)
            continue;
        if (u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) {
            found = true;
            *override = *override || u[2] >= 0xad;
        }
        found = found || (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
    }
    return found;
}

/* The character at the end of S, which is UTF-8; how many octets it has. */
static size_t last_character(struct span s, uint32_t *c)
{
    size_t n = 1;
    while (n < 4 && n < s.len && ((unsigned char)s.ptr[s.len - n] & 0xc0) == 0x80)
        n++;
    const unsigned char *u = (const unsigned char *)s.ptr + s.len - n;
    *c = n == 1 ? u[0] : u[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        *c = *c << 6 | (u[i] & 0x3fu);
    return n;
}

/* NAME without what people do not see, and some systems drop, at its end: blanks of all kinds, dots, and the stream
 * that is the file itself on NTFS. */
static struct span visible(struct span name)
{
    static const struct span stream = {":$DATA", 6};
    while (name.len > 0) {
        uint32_t c;
        size_t n = last_character(name, &c);
        if (span_ends_nocase(name, stream))
            n = stream.len + (name.len > stream.len && name.ptr[name.len - stream.len - 1] == ':');
        else if (c != '.' && !is_unseen(c))
            break;
        name.len -= n;
    }
    return name;
}

/* NAME up to its program's extension: one of a document before it, with whatever fills the space between, or a row of
 * fillers. */
static bool hides_extension(struct span stem)
{
    unsigned fillers = 0;
    while (stem.len > 0) {
        uint32_t c;
        size_t n = last_character(stem, &c);
        if (!is_unseen(c) && (c == 0 || c > 0x7f || !strchr("._-~=+*#!^,;", (int)c)))
            break;
        fillers += c != '.';
        stem.len -= n;
    }
    return fillers >= 5 || is_document(extension_of(stem));
}

mime_defects mime_name_judge(struct span name)
{
    mime_defects found = 0;
    struct span end = visible(name), extension = extension_of(end);
    bool program = is_program(extension), override = false;
    bool bidi = has_bidi(name, &override);
    if (override || (bidi && program))
        found |= mime_defect_bit(MIME_DEFECT_NAME_BIDI);
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            found |= mime_defect_bit(MIME_DEFECT_NAME_CONTROL);
    if (span_find_span(name, SPAN("\xe2\x90\x80")) < name.len)
        found |= mime_defect_bit(MIME_DEFECT_NAME_CONTROL);
    if (span_find(name, '/') < name.len || span_find(name, '\\') < name.len)
        found |= mime_defect_bit(MIME_DEFECT_NAME_PATH);
    if (!program)
        return found;
    found |= mime_defect_bit(MIME_DEFECT_NAME_PROGRAM);
    bool broken = utf8_plain_run(extension) < extension.len;
    if ((end.len < name.len || broken) && !is_domain(extension))
        found |= mime_defect_bit(MIME_DEFECT_NAME_TRAILING);
    if (hides_extension(span_sub(end, 0, end.len - extension.len - 1)))
        found |= mime_defect_bit(MIME_DEFECT_NAME_DOUBLE);
    return found;
}

mime_defects mime_names_judge(const struct mime_names *names)
{
    mime_defects found = 0;
    unsigned programs = 0, others = 0;
    for (unsigned i = 0; i < names->count; i++) {
        struct span name = span_cstr(names->text[i]);
        found |= mime_name_judge(name);
        struct span extension = extension_of(visible(name));
        bool encoded = span_find_span(name, SPAN("=?")) < name.len || span_find(name, '%') < name.len ||
                       (name.len > 0 && strchr("<'\"", name.ptr[0]));
        if (is_program(extension) && !is_domain(extension))
            programs++;
        else if (!encoded && extension.len > 0) /* a name that is not decoded is no name of its own */
            others++;
    }
    if (programs > 0 && others > 0)
        found |= mime_defect_bit(MIME_DEFECT_NAME_CONFLICT);
    return found;
}
