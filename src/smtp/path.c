/* SPDX-License-Identifier: MIT */
/* Parsing of paths: one pass of a cursor, no copy. */
#include "smtp/path.h"
#include "base/limits.h"

enum { DOMAIN_MAX = 255 }; /* RFC 5321 4.5.3.1.2 */

static bool is_atext_or_dot(char c)
{
    return char_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_name(char c)
{
    return char_is_alnum(c) || c == '-' || c == '_';
}

/* dcontent: printable ASCII but the blank, brackets and the backslash. */
static bool is_literal(char c)
{
    return char_is_print(c) && c != ' ' && c != '[' && c != ']' && c != '\\';
}

static struct span take_domain(struct cursor *c)
{
    struct span from = c->rest;
    if (cursor_accept(c, '[')) {
        if (cursor_while(c, is_literal).len == 0)
            cursor_fail(c);
        cursor_expect(c, ']');
    } else {
        do {
            if (cursor_while(c, is_name).len == 0)
                cursor_fail(c);
        } while (cursor_accept(c, '.'));
    }
    size_t len = from.len - c->rest.len;
    if (len > DOMAIN_MAX)
        cursor_fail(c);
    return c->bad ? span_of(NULL, 0) : span_sub(from, 0, len);
}

static void skip_quoted(struct cursor *c)
{
    while (!cursor_accept(c, '"')) {
        cursor_accept(c, '\\');
        struct span one = cursor_take(c, 1);
        if (one.len == 0 || !char_is_print(one.ptr[0])) {
            cursor_fail(c);
            return;
        }
    }
}

/* "@a,@b:" in front of the mailbox (RFC 5321 appendix C). */
static bool skip_route(struct cursor *c)
{
    if (cursor_peek(c) != '@')
        return false;
    do {
        cursor_expect(c, '@');
        take_domain(c);
    } while (cursor_accept(c, ','));
    cursor_expect(c, ':');
    return true;
}

bool smtp_path_parse(struct cursor *c, bool null_ok, struct smtp_path *path)
{
    struct span from = c->rest;
    *path = (struct smtp_path){0};
    cursor_expect(c, '<');
    path->routed = skip_route(c);
    struct span mailbox = c->rest;
    if (cursor_accept(c, '"'))
        skip_quoted(c);
    else
        cursor_while(c, is_atext_or_dot);
    size_t local = mailbox.len - c->rest.len;
    if (cursor_accept(c, '@'))
        path->domain = take_domain(c);
    path->mailbox = span_sub(mailbox, 0, mailbox.len - c->rest.len);
    cursor_expect(c, '>');
    path->whole = span_sub(from, 0, from.len - c->rest.len);
    if (c->bad || path->whole.len > LIMIT_PATH)
        return false;
    if (path->mailbox.len == 0)
        return null_ok && !path->routed;
    if (path->domain.len == 0 && path->routed)
        return false;
    return local > 0;
}

bool smtp_domain_valid(struct span name)
{
    struct cursor c = cursor_of(name);
    take_domain(&c);
    return !c.bad && cursor_at_end(&c);
}
