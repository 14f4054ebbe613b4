/* SPDX-License-Identifier: MIT */
/* Messages inside parts that were read once. Several readings of the outer message find the same inner one again and
 * again, each with all readings of its own, and so does each of those with what is inside: what a small message costs
 * would grow with the power of its levels. Whatever decides what a message yields is part of its key, octets are
 * compared as such (whoever builds a mail could make any hash of ours collide), and what does not fit is read again. */
#include "base/mem.h"
#include "mime/run.h"

enum {
    PLACES = 256,
    OCTETS_EACH = 1 << 16, /* larger messages are few: they cost what they weigh */
    OCTETS_ALL = 1 << 20,
};

/* All that the outcome depends on beside the octets. */
struct state {
    mime_readings inherited; /* of the ways by which it was found those that make a difference inside */
    bool deviating;          /* it was found in another than the ordinary reading */
    bool headless, carved, odd;
};

struct mime_known {
    struct mime_known *next;
    struct state state;
    unsigned decodings; /* levels that were being decoded: where these are more, less is found */
    size_t length, type_length;
    char octets[]; /* of the message, then of its Content-Type where that counts */
};

struct mime_knowns {
    struct mime_known *places[PLACES];
    size_t octets;
};

static struct state state_of(const struct mime_job *job, bool odd)
{
    const mime_readings differ = 1u << MIME_READING_STRICT_LINE_END | 1u << MIME_READING_ANY_DELIMITER |
                                 1u << MIME_READING_WITHOUT_NUL | 1u << MIME_READING_GUESSED |
                                 1u << MIME_READING_VARIANT | 1u << MIME_READING_CARVED;
    return (struct state){.inherited = job->inherited & differ,
                          .deviating = job->inherited != 0,
                          .headless = job->headless,
                          .carved = job->carved,
                          .odd = odd};
}

static bool same_state(const struct state *a, const struct state *b)
{
    return a->inherited == b->inherited && a->deviating == b->deviating && a->headless == b->headless &&
           a->carved == b->carved && a->odd == b->odd;
}

/* The one that JOB is, or NULL. Every link and every comparison is counted, so that look-alikes end somewhere. */
static struct mime_known *find(struct mime_job *job, struct mime_known *first, const struct state *state,
                               struct span type)
{
    struct span message = job->message;
    for (struct mime_known *k = first; k; k = k->next) {
        if (!mime_run_spend(job->run, sizeof(*k)))
            return NULL;
        if (k->length != message.len || k->type_length != type.len || !same_state(&k->state, state))
            continue;
        if (!mime_run_spend(job->run, message.len + type.len))
            return NULL;
        if (span_eq(span_of(k->octets, k->length), message) &&
            span_eq(span_of(k->octets + k->length, k->type_length), type))
            return k;
    }
    return NULL;
}

static enum err keep(struct mime_job *job, struct mime_known **place, const struct state *state, struct span type)
{
    struct mime_knowns *all = job->run->knowns;
    size_t octets = job->message.len + type.len;
    if (octets > OCTETS_EACH || sizeof(struct mime_known) + octets > OCTETS_ALL - all->octets)
        return ERR_OK;
    struct mime_known *k = mem_resize(NULL, 1, sizeof(*k) + octets);
    if (!k)
        return ERR_NOMEM;
    all->octets += sizeof(*k) + octets;
    *k = (struct mime_known){.next = *place,
                             .state = *state,
                             .decodings = job->run->decodings,
                             .length = job->message.len,
                             .type_length = type.len};
    if (job->message.len > 0)
        memcpy(k->octets, job->message.ptr, job->message.len);
    if (type.len > 0)
        memcpy(k->octets + k->length, type.ptr, type.len);
    *place = k;
    return ERR_OK;
}

enum err mime_known_add(struct mime_job *job, bool odd, bool *known)
{
    struct mime_run *run = job->run;
    *known = false;
    if (job->message.len > OCTETS_EACH)
        return ERR_OK;
    if (!run->knowns && !(run->knowns = mem_new(1, sizeof(*run->knowns))))
        return ERR_NOMEM;
    struct state state = state_of(job, odd);
    struct span type = job->headless ? job->content_type : (struct span){0};
    struct mime_known **place = &run->knowns->places[mime_hash(job->message) % PLACES];
    struct mime_known *k = find(job, *place, &state, type);
    if (!k)
        return keep(job, place, &state, type);
    *known = k->decodings <= run->decodings;
    k->decodings = *known ? k->decodings : run->decodings;
    return ERR_OK;
}

void mime_knowns_release(struct mime_run *run)
{
    for (size_t i = 0; run->knowns && i < PLACES; i++)
        for (struct mime_known *k = run->knowns->places[i], *next; k; k = next) {
            next = k->next;
            mem_free(k);
        }
    mem_free(run->knowns);
    run->knowns = NULL;
}
