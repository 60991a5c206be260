// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/event.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "keeper/descriptor.h"

enum { EVENTS_A_ROUND = 64 };

bool event_add(int epoll_fd, struct event_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0;
}

bool event_change(int epoll_fd, struct event_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(epoll_fd, EPOLL_CTL_MOD, source->fd, &event) == 0;
}

void event_remove(int epoll_fd, struct event_source *source)
{
    /* Explicitly: a descriptor that was passed on or inherited would stay registered. */
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
}

void event_close(int epoll_fd, struct event_source *source)
{
    int fd = source->fd;

    if (fd < 0)
        return;
    event_remove(epoll_fd, source);
    descriptor_close(fd);
}

bool event_wait(int epoll_fd)
{
    struct epoll_event events[EVENTS_A_ROUND];

    int count = epoll_wait(epoll_fd, events, EVENTS_A_ROUND, -1);
    if (count < 0)
        return errno == EINTR;
    for (int i = 0; i < count; i++) {
        struct event_source *source = events[i].data.ptr;
        if (source->fd >= 0)
            source->ready(source->owner, events[i].events);
    }
    return true;
}

uint64_t event_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
