/* SPDX-License-Identifier: MIT */
/* One value: from the tree into a field of its type, and back into text. What is wrong with it is said as what was
 * expected and found. */
#include "base/num.h"
#include "conf/tree.h"

static const char *const bool_words[][2] = {
    {"off", "on"}, {"false", "true"}, {"disabled", "enabled"}, {"no", "yes"}, {"0", "1"}};

/* Index of TEXT as a truth value, or -1. */
static int bool_word(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(bool_words); i++)
        for (int value = 0; value < 2; value++)
            if (name_same(bool_words[i][value], text))
                return value;
    return -1;
}

static const char *value_kind(const struct tree_value *value)
{
    uint64_t number;
    if (value->kind == TREE_LIST)
        return "a list";
    if (value->kind == TREE_DICT)
        return "a dictionary";
    enum err e = num_parse_u64(span_cstr(value->text + (value->text[0] == '-')), UINT64_MAX, &number);
    if (e != ERR_SYNTAX)
        return "a number";
    return bool_word(value->text) >= 0 ? "a truth value" : "text";
}

int value_truth(const struct tree_value *value)
{
    return value->kind == TREE_WORD ? bool_word(value->text) : -1;
}

static enum err value_wrong_type(const struct directive *row, const struct tree_value *value, struct errtext *why)
{
    static const char *const expected[] = {
        [DIRECTIVE_BOOL] = "on or off",
        [DIRECTIVE_INT] = "a number",
        [DIRECTIVE_SIZE] = "a size in octets, or with K, M or G",
        [DIRECTIVE_DURATION] = "a time in seconds, or with ms, s, m, h or d",
        [DIRECTIVE_STRING] = "text",
        [DIRECTIVE_ENUM] = "one word",
        [DIRECTIVE_LIST] = "a list ( a b )",
        [DIRECTIVE_DICT] = "a dictionary [ name = value ]",
    };
    errtext_set(why, "expected %s, found %s", expected[row->type], value_kind(value));
    return ERR_SYNTAX;
}

/* One side of a range, in the unit that a bare number has. */
static void value_bound(const struct directive *row, int64_t bound, bool in_ms, char room[32])
{
    unsigned long long n = bound < 0 ? 0ULL - (unsigned long long)bound : (unsigned long long)bound;
    const char *unit = "";
    if (row->type == DIRECTIVE_DURATION) {
        bool whole = n % 1000 == 0;
        unit = !whole ? "ms" : in_ms ? "s" : "";
        n = whole ? n / 1000 : n;
    } else if (row->type == DIRECTIVE_SIZE && n) {
        static const char *const units[] = {"", "K", "M", "G"};
        unsigned i = 0;
        for (; i < 3 && n % 1024 == 0; i++)
            n /= 1024;
        unit = units[i];
    }
    snprintf(room, 32, "%s%llu%s", bound < 0 ? "-" : "", n, unit);
}

static enum err value_out_of_range(const struct directive *row, struct errtext *why)
{
    char low[32], high[32];
    bool in_ms = row->min % 1000 || (row->max != INT64_MAX && row->max % 1000);
    value_bound(row, row->min, in_ms, low);
    value_bound(row, row->max, in_ms, high);
    if (row->max == INT64_MAX)
        errtext_set(why, "must be at least %s", low);
    else
        errtext_set(why, "must be between %s and %s", low, high);
    return ERR_RANGE;
}

static enum err value_number(const struct directive *row, const struct tree_value *value, int64_t *out,
                             struct errtext *why)
{
    struct span s = span_cstr(value->text);
    bool negative = s.len > 1 && s.ptr[0] == '-';
    uint64_t magnitude = 0;
    if (value->kind != TREE_WORD)
        return value_wrong_type(row, value, why);
    if (negative)
        s = span_sub(s, 1, s.len);
    enum err e = row->type == DIRECTIVE_SIZE       ? num_parse_size(s, INT64_MAX, &magnitude)
                 : row->type == DIRECTIVE_DURATION ? num_parse_duration_ms(s, INT64_MAX, &magnitude)
                                                   : num_parse_u64(s, INT64_MAX, &magnitude);
    if (e == ERR_SYNTAX)
        return value_wrong_type(row, value, why);
    int64_t number = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (e != ERR_OK || number < row->min || number > row->max)
        return value_out_of_range(row, why);
    *out = number;
    return ERR_OK;
}

static enum err value_enum(const struct directive *row, const struct tree_value *value, int *out, struct errtext *why)
{
    char words[320] = "";
    size_t n = 0;
    struct suggestion s;
    if (value->kind != TREE_WORD)
        return value_wrong_type(row, value, why);
    suggestion_init(&s, value->text);
    for (int i = 0; row->words[i]; i++) {
        if (name_same(row->words[i], value->text)) {
            *out = i;
            return ERR_OK;
        }
        suggestion_offer(&s, row->words[i]);
        int more = snprintf(words + n, sizeof(words) - n, "%s%s", n ? ", " : "", row->words[i]);
        n = more > 0 && (size_t)more < sizeof(words) - n ? n + (size_t)more : n;
    }
    errtext_set(why, "must be one of %s%s%s%s", words, s.best ? ": did you mean \"" : "", s.best ? s.best : "",
                s.best ? "\"?" : "");
    return ERR_RANGE;
}

static enum err value_string(const struct directive *row, const struct tree_value *value, const char **out,
                             struct errtext *why)
{
    if (value->kind != TREE_WORD)
        return value_wrong_type(row, value, why);
    int64_t len = (int64_t)strlen(value->text);
    if ((row->min || row->max) && (len < row->min || len > row->max)) {
        errtext_set(why, "must be between %lld and %lld characters long, and has %lld", (long long)row->min,
                    (long long)row->max, (long long)len);
        return ERR_RANGE;
    }
    *out = value->text;
    return ERR_OK;
}

static enum err value_out_of_memory(struct errtext *why)
{
    errtext_set(why, "out of memory");
    return ERR_NOMEM;
}

static enum err value_list(struct arena *arena, const struct directive *row, const struct tree_value *value,
                           struct conf_list *out, struct errtext *why)
{
    size_t count = value->kind == TREE_WORD ? 1 : value->count, i = 0;
    if (value->kind == TREE_DICT)
        return value_wrong_type(row, value, why);
    const char **items = arena_alloc(arena, count * sizeof(*items));
    if (!items)
        return value_out_of_memory(why);
    if (value->kind == TREE_WORD)
        items[i++] = value->text;
    for (const struct tree_item *item = value->items; item && i < count; item = item->next)
        items[i++] = item->text;
    *out = (struct conf_list){items, i};
    return ERR_OK;
}

static enum err value_dict(struct arena *arena, const struct directive *row, const struct tree_value *value,
                           struct conf_dict *out, struct errtext *why)
{
    size_t i = 0;
    if (value->kind != TREE_DICT)
        return value_wrong_type(row, value, why);
    struct conf_pair *items = arena_alloc(arena, value->count * sizeof(*items));
    if (!items)
        return value_out_of_memory(why);
    for (const struct tree_item *item = value->items; item && i < value->count; item = item->next)
        items[i++] = (struct conf_pair){item->key, item->text};
    *out = (struct conf_dict){items, i};
    return ERR_OK;
}

enum err value_convert(struct arena *arena, const struct directive *row, const struct tree_value *value, void *field,
                       struct errtext *why)
{
    int truth;
    switch (row->type) {
    case DIRECTIVE_BOOL:
        truth = value_truth(value);
        if (truth < 0)
            return value_wrong_type(row, value, why);
        *(bool *)field = truth == 1;
        return ERR_OK;
    case DIRECTIVE_INT:
    case DIRECTIVE_SIZE:
    case DIRECTIVE_DURATION:
        return value_number(row, value, field, why);
    case DIRECTIVE_STRING:
        return value_string(row, value, field, why);
    case DIRECTIVE_ENUM:
        return value_enum(row, value, field, why);
    case DIRECTIVE_LIST:
        return value_list(arena, row, value, field, why);
    case DIRECTIVE_DICT:
        return value_dict(arena, row, value, field, why);
    }
    return ERR_STATE;
}

enum err value_default(struct arena *arena, const struct directive *row, void *field, struct errtext *why)
{
    struct tree_value value = {.kind = TREE_WORD, .text = row->default_text};
    if (!row->default_text)
        return ERR_OK;
    /* Texts of replies are easier to read in a table without quotes inside quotes. */
    if (row->type != DIRECTIVE_STRING || row->default_text[0] == '"') {
        enum err e = tree_parse_value(arena, span_cstr(row->default_text), &value);
        if (e == ERR_SYNTAX)
            errtext_set(why, "is not one value");
        if (e != ERR_OK)
            return e;
    }
    return value_convert(arena, row, &value, field, why);
}

void value_load(const struct directive *row, const void *values, union value_field *out)
{
    static const size_t sizes[] = {
        [DIRECTIVE_BOOL] = sizeof(bool),
        [DIRECTIVE_INT] = sizeof(int64_t),
        [DIRECTIVE_SIZE] = sizeof(int64_t),
        [DIRECTIVE_DURATION] = sizeof(int64_t),
        [DIRECTIVE_STRING] = sizeof(const char *),
        [DIRECTIVE_ENUM] = sizeof(int),
        [DIRECTIVE_LIST] = sizeof(struct conf_list),
        [DIRECTIVE_DICT] = sizeof(struct conf_dict),
    };
    memset(out, 0, sizeof(*out));
    memcpy(out, (const char *)values + row->offset, sizes[row->type]);
}

bool value_is_set(const struct directive *row, const union value_field *field)
{
    return row->default_text || (row->type == DIRECTIVE_STRING && field->text);
}

bool value_word_is_plain(const char *text)
{
    if (!*text || strstr(text, "/*"))
        return false;
    for (; *text; text++)
        if (!char_is_alnum(*text) && !strchr("._-/:@+*", *text))
            return false;
    return true;
}

enum err value_print_quoted(struct buf *out, const char *text)
{
    enum err e = buf_append_char(out, '"');
    for (; *text && e == ERR_OK; text++) {
        if (strchr("\"\\\n\r", *text))
            e = buf_append_char(out, '\\');
        if (e == ERR_OK)
            e = buf_append_char(out, *text);
    }
    return e == ERR_OK ? buf_append_char(out, '"') : e;
}

enum err value_print_number(struct buf *out, enum directive_type type, int64_t number)
{
    char room[32];
    struct directive row = {.type = type};
    value_bound(&row, number, false, room);
    return buf_append(out, span_cstr(room));
}

enum err value_print_tree(struct buf *out, const struct tree_value *value)
{
    bool list = value->kind == TREE_LIST;
    if (value->kind == TREE_WORD)
        return value_print_quoted(out, value->text);
    enum err e = buf_append_char(out, list ? '(' : '[');
    for (const struct tree_item *item = value->items; item && e == ERR_OK; item = item->next) {
        e = buf_append_char(out, ' ');
        if (e == ERR_OK && item->key)
            e = value_print_quoted(out, item->key);
        if (e == ERR_OK && item->key)
            e = buf_append(out, SPAN(" = "));
        if (e == ERR_OK)
            e = value_print_quoted(out, item->text);
    }
    return e == ERR_OK ? buf_append(out, list ? SPAN(" )") : SPAN(" ]")) : e;
}

static enum err value_print_list(struct buf *out, const struct conf_list *list)
{
    enum err e = buf_append_char(out, '(');
    for (size_t i = 0; i < list->count && e == ERR_OK; i++) {
        e = buf_append_char(out, ' ');
        if (e == ERR_OK)
            e = value_print_quoted(out, list->items[i]);
    }
    return e == ERR_OK ? buf_append(out, SPAN(" )")) : e;
}

static enum err value_print_dict(struct buf *out, const struct conf_dict *dict)
{
    enum err e = buf_append_char(out, '[');
    for (size_t i = 0; i < dict->count && e == ERR_OK; i++) {
        e = buf_append_char(out, ' ');
        if (e == ERR_OK)
            e = value_print_quoted(out, dict->items[i].key);
        if (e == ERR_OK)
            e = buf_append(out, SPAN(" = "));
        if (e == ERR_OK)
            e = value_print_quoted(out, dict->items[i].value);
    }
    return e == ERR_OK ? buf_append(out, SPAN(" ]")) : e;
}

enum err value_print(struct buf *out, const struct directive *row, const union value_field *field)
{
    switch (row->type) {
    case DIRECTIVE_BOOL:
        return buf_append(out, field->flag ? SPAN("true") : SPAN("false"));
    case DIRECTIVE_INT:
    case DIRECTIVE_SIZE:
    case DIRECTIVE_DURATION:
        return value_print_number(out, row->type, field->number);
    case DIRECTIVE_STRING:
        return value_print_quoted(out, field->text ? field->text : "");
    case DIRECTIVE_ENUM:
        if (value_word_is_plain(row->words[field->word]))
            return buf_append(out, span_cstr(row->words[field->word]));
        return value_print_quoted(out, row->words[field->word]);
    case DIRECTIVE_LIST:
        return value_print_list(out, &field->list);
    case DIRECTIVE_DICT:
        return value_print_dict(out, &field->dict);
    }
    return ERR_STATE;
}

void value_show(const struct tree_value *value, char room[128])
{
    char text[112];
    if (value->kind == TREE_LIST) {
        snprintf(room, 128, "( ... )");
    } else if (value->kind == TREE_DICT) {
        snprintf(room, 128, "[ ... ]");
    } else {
        text_show(value->text, text, sizeof(text));
        snprintf(room, 128, value_word_is_plain(value->text) ? "%s" : "\"%s\"", text);
    }
}
