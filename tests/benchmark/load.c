// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Visitors to a web server, as many as it serves or at a fixed rate. At a fixed rate a latency
 * counts from when the request was to begin, so that a server which stalls is not let off the
 * requests that could not begin meanwhile. Every answer is checked; the first wrong one ends it.
 */
#include "plan.h"
#include "samples.h"
#include "visit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static const uint64_t second = 1000000000;
static const uint64_t patience = 10 * second; /* nothing happens so long: an error */

struct load {
    struct plan plan;
    struct visit *visits;
    size_t *idle; /* a ring of those that ask for nothing */
    size_t idle_first;
    size_t idle_count;
    size_t next_source;
    int epoll;
    uint64_t begun;
    uint64_t answered;
    uint64_t connected;
    struct samples samples;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * second + (uint64_t)now.tv_nsec;
}

static void put_idle(struct load *load, const struct visit *visit)
{
    const size_t last = (load->idle_first + load->idle_count) % load->plan.connections;
    load->idle[last] = (size_t)(visit - load->visits);
    load->idle_count++;
}

static struct visit *take_idle(struct load *load)
{
    struct visit *const visit = &load->visits[load->idle[load->idle_first]];
    load->idle_first = (load->idle_first + 1) % load->plan.connections;
    load->idle_count--;
    return visit;
}

static int connect_visit(struct load *load, struct visit *visit, struct error *error)
{
    const struct plan *const plan = &load->plan;
    const struct plan_address *from = NULL;
    if (plan->from_count > 0) {
        from = &plan->from[load->next_source];
        load->next_source = (load->next_source + 1) % plan->from_count;
    }
    if (visit_connect(visit, plan, from, error) < 0) {
        return -1;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = visit};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, visit->fd, &event) < 0) {
        return error_set_errno(error, EX_OSERR, "epoll_ctl");
    }
    load->connected++;
    return 0;
}

/* The answer is there. The first one over a kept connection has the connecting in it. */
static int count(struct load *load, struct visit *visit, struct error *error)
{
    load->answered++;
    visit->requests++;
    if (load->plan.keep_alive && visit->requests == 1 && !visit->last) {
        return 0;
    }
    if (!samples_add(&load->samples, now_ns() - visit->due)) {
        return error_set(error, EX_OSERR, "out of memory");
    }
    return 0;
}

static int go_on(struct load *load, struct visit *visit, struct error *error)
{
    const bool was_asking = visit->asking;
    enum visit_state state;
    if (visit_go_on(visit, &load->plan, &state, error) < 0) {
        return -1;
    }
    if (state == VISIT_ANSWERED) {
        if (count(load, visit, error) < 0) {
            return -1;
        }
        if (load->plan.keep_alive && !visit->last) {
            put_idle(load, visit);
            return 0;
        }
        /* The server's end may have come along with the answer. */
        if (!load->plan.close_first && visit_go_on(visit, &load->plan, &state, error) < 0) {
            return -1;
        }
    }
    if (state == VISIT_CLOSED || (load->plan.close_first && was_asking && !visit->asking)) {
        visit_close(visit);
        put_idle(load, visit);
    }
    return 0;
}

static int begin(struct load *load, uint64_t due, struct error *error)
{
    struct visit *const visit = take_idle(load);
    const bool kept = visit->fd >= 0;
    if (!kept && connect_visit(load, visit, error) < 0) {
        return -1;
    }
    visit_ask(visit, due);
    load->begun++;
    /* On a new connection, writing waits for it to be there. */
    return kept ? go_on(load, visit, error) : 0;
}

/* All that is due and has a connection; `next` is when the next one is. */
static int begin_due(struct load *load, uint64_t start, uint64_t end, uint64_t *next,
                     struct error *error)
{
    const double rate = load->plan.rate;
    while (load->idle_count > 0) {
        const uint64_t now = now_ns();
        const uint64_t due =
            rate > 0 ? start + (uint64_t)((double)load->begun / rate * (double)second) : now;
        *next = due;
        if (due > now || due >= end) {
            return 0;
        }
        if (begin(load, due, error) < 0) {
            return -1;
        }
    }
    *next = UINT64_MAX;
    return 0;
}

static int wait_events(struct load *load, struct epoll_event *events, int room, uint64_t until,
                       struct error *error)
{
    struct timespec timeout = {0};
    if (!load->plan.spin) {
        const uint64_t now = now_ns();
        const uint64_t left = until > now ? until - now : 0;
        timeout.tv_sec = (time_t)(left / second);
        timeout.tv_nsec = (long)(left % second);
    }
    const int happened = epoll_pwait2(load->epoll, events, room, &timeout, NULL);
    if (happened < 0) {
        return error_set_errno(error, EX_OSERR, "epoll_pwait2");
    }
    return happened;
}

/* Until all that began before the end is answered. */
static int run(struct load *load, uint64_t *took, struct error *error)
{
    static struct epoll_event events[256];
    const uint64_t start = now_ns();
    const uint64_t end = start + (uint64_t)(load->plan.seconds * (double)second);
    uint64_t last = start;
    for (;;) {
        uint64_t next = 0;
        if (begin_due(load, start, end, &next, error) < 0) {
            return -1;
        }
        const bool all_begun = load->idle_count > 0 && next >= end;
        if (all_begun && load->idle_count == load->plan.connections) {
            break;
        }
        const uint64_t give_up = last + patience;
        const int happened = wait_events(load, events, sizeof events / sizeof *events,
                                         !all_begun && next < give_up ? next : give_up, error);
        if (happened < 0) {
            return -1;
        }
        for (int i = 0; i < happened; i++) {
            if (go_on(load, events[i].data.ptr, error) < 0) {
                return -1;
            }
        }
        const uint64_t now = now_ns();
        if (happened > 0 || load->idle_count == load->plan.connections) {
            last = now;
        } else if (now >= give_up) {
            return error_set(error, EX_UNAVAILABLE, "%zu visitors without an answer for %llu s",
                             load->plan.connections - load->idle_count,
                             (unsigned long long)(patience / second));
        }
    }
    *took = now_ns() - start;
    return 0;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print(struct load *load, uint64_t took, double cpu)
{
    const struct samples *const samples = &load->samples;
    samples_sort(&load->samples);
    const double us = 1000;
    printf("{\"requests\": %llu, \"connections\": %llu, \"seconds\": %.6f, "
           "\"bytes_received\": %llu, \"bytes_sent\": %llu, \"cpu_seconds\": %.6f, \"latencies\": "
           "%zu, \"latency_us\": "
           "{\"min\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}}\n",
           (unsigned long long)load->answered, (unsigned long long)load->connected,
           (double)took / (double)second,
           (unsigned long long)(load->answered * load->plan.expect.length),
           (unsigned long long)(load->answered * load->plan.body.length), cpu, samples->count,
           (double)samples_percentile(samples, 0) / us,
           (double)samples_percentile(samples, 0.5) / us,
           (double)samples_percentile(samples, 0.99) / us,
           (double)samples_percentile(samples, 0.999) / us,
           (double)samples_percentile(samples, 1) / us);
}

static int prepare(struct load *load, struct error *error)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const size_t connections = load->plan.connections;
    load->visits = calloc(connections, sizeof *load->visits);
    load->idle = calloc(connections, sizeof *load->idle);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->visits == NULL || load->idle == NULL || load->epoll < 0) {
        return error_set_errno(error, EX_OSERR, "preparing");
    }
    for (size_t i = 0; i < connections; i++) {
        load->visits[i].fd = -1;
        put_idle(load, &load->visits[i]);
    }
    return 0;
}

static void deinit(struct load *load)
{
    for (size_t i = 0; load->visits != NULL && i < load->plan.connections; i++) {
        if (load->visits[i].fd >= 0) {
            visit_close(&load->visits[i]);
        }
    }
    free(load->visits);
    free(load->idle);
    if (load->epoll >= 0) {
        close(load->epoll);
    }
    samples_deinit(&load->samples);
}

int main(int argc, char **argv)
{
    struct load load = {.epoll = -1};
    struct error error = {0};
    uint64_t took = 0;
    int result = plan_read(&load.plan, argc, argv, &error);
    if (result == 0) {
        result = prepare(&load, &error);
    }
    if (result == 0) {
        const double before = cpu_seconds();
        result = run(&load, &took, &error);
        if (result == 0) {
            print(&load, took, cpu_seconds() - before);
        }
    }
    if (result < 0) {
        fprintf(stderr, "load: %s\n", error.text);
    }
    deinit(&load);
    return result < 0 ? error.exit_code : EX_OK;
}
