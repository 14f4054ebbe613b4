/* SPDX-License-Identifier: MIT */
/* TNEF's attributes, one after the other. A checksum that is wrong is noted, not obeyed: readers ignore it, too. */
#include "mime/tnef.h"

enum { SIGNATURE = 0x223e9f78, HEAD = 6, ATTRIBUTE_HEAD = 9, CHECKSUM = 2 };
/* Attributes that carry content: MS-OXTNEF 2.1.3.2. */
enum {
    ATTACH_TITLE = 0x00018010,
    ATTACH_DATA = 0x0006800f,
    ATTACH_BEGINS = 0x00069002, /* attAttachRendData */
    ATTACH_PROPERTIES = 0x00069005,
    MESSAGE_BODY = 0x0002800c,
    MESSAGE_PROPERTIES = 0x00069003,
};
/* Types of properties: MS-OXCDATA 2.11.1. */
enum { TYPE_OBJECT = 0x0d, TYPE_STRING8 = 0x1e, TYPE_STRING = 0x1f, TYPE_BINARY = 0x102, SEVERAL = 0x1000 };
/* Properties that carry content or names. */
enum {
    BODY = 0x1000,
    RTF_COMPRESSED = 0x1009,
    HTML = 0x1013,
    DISPLAY_NAME = 0x3001,
    CONTENT = 0x3701,
    FILE_NAME = 0x3704,
    LONG_FILE_NAME = 0x3707,
};
enum { NAMED = 0x8000, GUID = 16 };

static uint32_t le32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static bool take32(struct span *s, uint32_t *value)
{
    if (s->len < 4)
        return false;
    *value = le32(s->ptr);
    *s = span_sub(*s, 4, s->len);
    return true;
}

/* LENGTH octets, and those that fill them up to a multiple of four. */
static bool take_padded(struct span *s, uint32_t length, struct span *taken)
{
    *taken = span_sub(*s, 0, length);
    *s = span_sub(*s, ((size_t)length + 3) & ~(size_t)3, s->len);
    return taken->len == length;
}

/* Octets of one value of a type of fixed size; 0: its values have lengths of their own, or it is not known. */
static uint32_t fixed_size(unsigned type)
{
    switch (type & ~(unsigned)SEVERAL) {
    case 0x02: /* 16 bits, filled up */
    case 0x03:
    case 0x04:
    case 0x0a:
    case 0x0b:
        return 4;
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x14:
    case 0x40:
        return 8;
    case 0x48:
        return GUID;
    default:
        return 0;
    }
}

static bool has_lengths(unsigned type)
{
    type &= ~(unsigned)SEVERAL;
    return type == TYPE_OBJECT || type == TYPE_STRING8 || type == TYPE_STRING || type == TYPE_BINARY;
}

/* A named property's name: a set, and a number or a text. */
static bool pass_name(struct span *s)
{
    uint32_t kind, value;
    struct span text;
    *s = span_sub(*s, GUID, s->len);
    return take32(s, &kind) && take32(s, &value) && (kind == 0 || take_padded(s, value, &text));
}

/* The next value that has a length. False: there are no more; *broken where the list ends early. */
static bool next_value(struct mime_tnef_properties *p, struct span *value, bool *broken)
{
    uint32_t word = 0, length;
    *value = (struct span){0};
    while (p->values == 0) {
        if (p->left == 0)
            return false;
        p->left--;
        bool good = take32(&p->rest, &word);
        p->type = word & 0xffff;
        p->id = word >> 16;
        good = good && (p->id < NAMED || pass_name(&p->rest));
        uint32_t size = fixed_size(p->type), count = 1;
        if (good && (has_lengths(p->type) || (p->type & SEVERAL) != 0))
            good = take32(&p->rest, &count);
        if (good && size > 0) {
            good = count <= p->rest.len / size;
            p->rest = span_sub(p->rest, (size_t)count * size, p->rest.len);
            count = 0;
        }
        if (!good || (size == 0 && !has_lengths(p->type))) {
            *broken = true;
            p->left = 0;
            return false;
        }
        p->values = count;
    }
    p->values--;
    if (!take32(&p->rest, &length) || !take_padded(&p->rest, length, value)) {
        *broken = true;
        p->left = p->values = 0;
    }
    return true;
}

static void properties_begin(struct mime_tnef_properties *p, struct span data)
{
    *p = (struct mime_tnef_properties){.rest = data};
    if (!take32(&p->rest, &p->left))
        p->left = 0;
}

bool mime_tnef_open(struct mime_tnef *t, struct span octets)
{
    *t = (struct mime_tnef){0};
    if (octets.len < HEAD || le32(octets.ptr) != SIGNATURE)
        return false;
    t->rest = span_sub(octets, HEAD, octets.len);
    return true;
}

static bool checks(struct span data, const char *checksum)
{
    unsigned sum = 0;
    for (size_t i = 0; i < data.len; i++)
        sum += (unsigned char)data.ptr[i];
    return (sum & 0xffff) == ((unsigned char)checksum[0] | (unsigned)(unsigned char)checksum[1] << 8);
}

/* One attribute. */
struct attribute {
    uint32_t id;
    struct span data;
    bool sound; /* it is whole */
    const char *checksum;
};

static bool next_attribute(struct span *rest, struct attribute *a)
{
    if (rest->len <= ATTRIBUTE_HEAD)
        return false;
    uint32_t length = le32(rest->ptr + 5);
    a->id = le32(rest->ptr + 1);
    a->data = span_sub(*rest, ATTRIBUTE_HEAD, length);
    struct span after = span_sub(*rest, ATTRIBUTE_HEAD + a->data.len, rest->len);
    a->sound = a->data.len == length && after.len >= CHECKSUM;
    a->checksum = after.ptr;
    *rest = span_sub(after, CHECKSUM, after.len);
    return true;
}

static void add_name(struct mime_tnef *t, struct span text, bool wide)
{
    if (!wide)
        text = span_sub(text, 0, span_find(text, '\0'));
    if (text.len > 0 && t->names_count < MIME_TNEF_NAMES)
        t->names[t->names_count++] = (struct mime_tnef_name){text, wide};
}

/* Names stand before or behind what they name: a look at all attributes of the attachment that begins at REST. */
static void find_names(struct mime_tnef *t, struct span rest)
{
    struct attribute a;
    t->names_count = 0;
    while (next_attribute(&rest, &a) && a.id != ATTACH_BEGINS) {
        if (a.id == ATTACH_TITLE)
            add_name(t, a.data, false);
        if (a.id != ATTACH_PROPERTIES)
            continue;
        struct mime_tnef_properties p;
        struct span value;
        bool broken = false;
        properties_begin(&p, a.data);
        while (next_value(&p, &value, &broken))
            if (p.id == LONG_FILE_NAME || p.id == FILE_NAME || p.id == DISPLAY_NAME)
                add_name(t, value, (p.type & ~(unsigned)SEVERAL) == TYPE_STRING);
    }
}

static void set_file(struct mime_tnef *t, bool named, struct span data, struct mime_tnef_file *file)
{
    *file = (struct mime_tnef_file){.names = t->names, .names_count = named ? t->names_count : 0, .data = data};
}

/* A value that is content. */
static bool next_content(struct mime_tnef *t, struct mime_tnef_file *file)
{
    struct span value;
    while (next_value(&t->properties, &value, &t->broken)) {
        unsigned id = t->properties.id;
        if (value.len == 0 || (id != CONTENT && id != BODY && id != HTML && id != RTF_COMPRESSED))
            continue;
        /* An object begins with the identifier of its interface. */
        if ((t->properties.type & ~(unsigned)SEVERAL) == TYPE_OBJECT)
            value = span_sub(value, GUID, value.len);
        set_file(t, t->attached && id == CONTENT, value, file);
        file->compressed = id == RTF_COMPRESSED;
        return true;
    }
    return false;
}

bool mime_tnef_next(struct mime_tnef *t, struct mime_tnef_file *file)
{
    struct attribute a;
    if (next_content(t, file))
        return true;
    while (next_attribute(&t->rest, &a)) {
        if (!a.sound || !checks(a.data, a.checksum))
            t->broken = true;
        if (a.id == ATTACH_BEGINS)
            find_names(t, t->rest);
        bool properties = a.id == ATTACH_PROPERTIES || a.id == MESSAGE_PROPERTIES;
        if (!properties && a.id != ATTACH_DATA && a.id != MESSAGE_BODY)
            continue;
        /* Lists of properties are given as they are, too: whatever is in them besides, it has been seen. */
        if (properties)
            properties_begin(&t->properties, a.data);
        t->attached = a.id == ATTACH_PROPERTIES;
        set_file(t, a.id == ATTACH_DATA || t->attached, a.data, file);
        return true;
    }
    t->broken = t->broken || t->rest.len > 0;
    return false;
}
