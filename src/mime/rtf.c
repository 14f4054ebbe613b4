/* SPDX-License-Identifier: MIT */
/* Compressed RTF (MS-OXRTFCP): runs out of a window of 4096 octets that begins with frequent words. */
#include "mime/tnef.h"

enum { COMPRESSED = 0x75465a4c, PLAIN = 0x414c454d, HEAD = 16, WINDOW = 4096, SLICE = 512 };

static const char words[] = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
                            "\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
                            "\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

struct window {
    char octets[WINDOW];
    size_t at;
    char slice[SLICE];
    size_t used;
};

static enum err put(struct window *w, char c, struct buf *out)
{
    w->octets[w->at] = c;
    w->at = (w->at + 1) % WINDOW;
    w->slice[w->used++] = c;
    if (w->used < SLICE)
        return ERR_OK;
    w->used = 0;
    return buf_append(out, span_of(w->slice, SLICE));
}

static enum err expand(struct window *w, struct span in, struct buf *out)
{
    const unsigned char *u = (const unsigned char *)in.ptr;
    enum err e = ERR_OK;
    size_t i = 0;
    while (i < in.len) {
        unsigned flags = u[i++];
        for (unsigned bit = 0; bit < 8 && i < in.len; bit++, flags >>= 1) {
            if ((flags & 1) == 0) {
                e = put(w, in.ptr[i++], out);
            } else {
                if (i + 2 > in.len)
                    return ERR_OK;
                size_t from = (size_t)u[i] << 4 | u[i + 1] >> 4, length = (u[i + 1] & 15u) + 2;
                i += 2;
                if (from == w->at) /* the end */
                    return ERR_OK;
                for (; length > 0 && e == ERR_OK; length--, from = (from + 1) % WINDOW)
                    e = put(w, w->octets[from], out);
            }
            if (e != ERR_OK)
                return e;
        }
    }
    return ERR_OK;
}

enum err mime_rtf_decode(struct span data, struct buf *out)
{
    if (data.len < HEAD)
        return ERR_OK;
    const unsigned char *u = (const unsigned char *)data.ptr + 8;
    uint32_t kind = u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
    struct span in = span_sub(data, HEAD, data.len);
    if (kind == PLAIN)
        return buf_append(out, in);
    if (kind != COMPRESSED)
        return ERR_OK;
    struct window w = {.at = sizeof(words) - 1};
    memcpy(w.octets, words, sizeof(words) - 1);
    enum err e = expand(&w, in, out);
    return e == ERR_OK ? buf_append(out, span_of(w.slice, w.used)) : e;
}
