/* SPDX-License-Identifier: MIT */
/* What the pool has done and how much of it is in use: counters, and sums over time that are brought up to date before
 * whatever they depend on changes. */
#include "scan/host/broker.h"

static uint64_t *figure(struct broker *b, enum pool_figure f)
{
    return &b->figures.values[f];
}

void figures_start(struct broker *b)
{
    memset(&b->figures, 0, sizeof(b->figures));
    b->figures.since_us = b->figures.until_us = loop_now_us(b->loop);
}

void figures_count(struct broker *b, enum pool_figure f, uint64_t n)
{
    *figure(b, f) += n;
}

void figures_settle(struct broker *b)
{
    uint64_t now = loop_now_us(b->loop), passed = now - b->figures.until_us;
    b->figures.until_us = now;
    *figure(b, POOL_BUSY_US) += passed * b->running;
    *figure(b, POOL_ACTIVE_US) += b->running > 0 ? passed : 0;
    *figure(b, POOL_CAPACITY_US) += passed * b->concurrency;
}

void figures_worker_ended(struct broker *b, enum worker_end end, bool at_birth)
{
    static const enum pool_figure causes[] = {
        [END_NOT] = POOL_CRASHES,
        [END_DEADLINE] = POOL_KILLED_DEADLINE,
        [END_CANCELLED] = POOL_KILLED_CANCELLED,
        [END_PROTOCOL] = POOL_KILLED_PROTOCOL,
        [END_RETIRED] = POOL_RETIRED,
        [END_REFUSED] = POOL_BIRTHS_FAILED,
    };
    bool by_itself = end == END_NOT || end == END_REFUSED;
    figures_count(b, at_birth && by_itself ? POOL_BIRTHS_FAILED : causes[end], 1);
}

static uint64_t count_workers(const struct broker *b, enum worker_state state)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < b->worker_count; i++)
        n += b->workers[i].state == state;
    return n;
}

void figures_report(struct broker *b, struct scan_pool_report *out)
{
    figures_settle(b);
    *figure(b, POOL_CONCURRENCY) = b->concurrency;
    *figure(b, POOL_WORKERS) = b->worker_count - count_workers(b, WORKER_EMPTY);
    *figure(b, POOL_BUSY) = count_workers(b, WORKER_BUSY);
    *figure(b, POOL_IDLE) = count_workers(b, WORKER_IDLE);
    *figure(b, POOL_QUEUED) = (uint64_t)b->queue_len;
    *figure(b, POOL_QUEUE_HIGHEST) = b->figures.queue_highest;
    *figure(b, POOL_QUEUE_LIMIT) = (uint64_t)b->queue_max;
    *figure(b, POOL_UPTIME_US) = b->figures.until_us - b->figures.since_us;
    memcpy(out->figures, b->figures.values, sizeof(out->figures));
}
