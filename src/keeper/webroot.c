// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "wicket/log.h"
#include "wicket/quote.h"

/* Room for so many of the events that token files make; a name of 43 characters takes 64 bytes. */
enum { EVENTS_BYTES = WEBROOT_ROUND * 64 };
_Static_assert(EVENTS_BYTES >= sizeof(struct inotify_event) + 256, "one event of the longest name");

struct webroot_entry {
    UT_hash_handle hh;
    uint64_t generation;
    ino_t inode;
    uint64_t changed_ns;
    char name[]; /* the key */
};

/* --- what is refused --- */

static void say_unwritten(struct webroot *webroot)
{
    if (webroot->unwritten > 0)
        log_warnx("%llu more files in the webroot are no tokens",
                  (unsigned long long)webroot->unwritten);
    webroot->unwritten = 0;
    webroot->lines = 0;
}

void webroot_tick(struct webroot *webroot, uint64_t now_ms)
{
    log_limit_tick(&webroot->log_limit, now_ms);
    if (webroot->lines > 0 && now_ms >= webroot->lines_from_ms + WEBROOT_LOG_MS)
        say_unwritten(webroot);
}

uint64_t webroot_next_ms(const struct webroot *webroot)
{
    uint64_t next_ms = log_limit_next_ms(&webroot->log_limit);

    return webroot->unwritten == 0 || webroot->lines_from_ms + WEBROOT_LOG_MS > next_ms
               ? next_ms
               : webroot->lines_from_ms + WEBROOT_LOG_MS;
}

static void refuse(struct webroot *webroot, const char *name, const char *why)
{
    uint64_t now_ms = event_now_ms();

    webroot_tick(webroot, now_ms);
    if (webroot->lines >= WEBROOT_LOG_LINES) {
        webroot->unwritten++;
        return;
    }
    if (webroot->lines++ == 0)
        webroot->lines_from_ms = now_ms;
    log_warnx("the file %s in the webroot is no token: %s", QUOTE(name, strlen(name)), why);
}

/* --- files --- */

static struct webroot_entry *entry_find(const struct webroot *webroot, const char *name)
{
    struct webroot_entry *entry;

    HASH_FIND_STR(webroot->entries, name, entry);
    return entry;
}

static void entry_drop(struct webroot *webroot, struct webroot_entry *entry)
{
    HASH_DEL(webroot->entries, entry);
    free(entry);
}

void webroot_forget(struct webroot *webroot, const char *name)
{
    struct webroot_entry *entry = entry_find(webroot, name);

    if (entry != NULL)
        entry_drop(webroot, entry);
}

static void vanish(struct webroot *webroot, struct webroot_entry *entry)
{
    webroot->handlers->vanished(webroot->owner, entry->name);
    entry_drop(webroot, entry);
}

static void vanish_all(struct webroot *webroot)
{
    struct webroot_entry *entry, *next;

    HASH_ITER(hh, webroot->entries, entry, next)
    {
        vanish(webroot, entry);
    }
}

/* Those the scan did not meet. */
static void vanish_unmet(struct webroot *webroot)
{
    struct webroot_entry *entry, *next;

    HASH_ITER(hh, webroot->entries, entry, next)
    {
        if (entry->generation != webroot->generation)
            vanish(webroot, entry);
    }
}

static uint64_t age_ms(const struct webroot_file *file)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    return now_ns > file->written_ns ? (now_ns - file->written_ns) / 1000000 : 0;
}

/* -1: no memory, or the owner does not want it. */
static int admit(struct webroot *webroot, const struct webroot_file *file, struct error *error)
{
    size_t size = strlen(file->challenge.token) + 1;
    struct webroot_entry *entry = entry_find(webroot, file->challenge.token);

    if (webroot->handlers->appeared(webroot->owner, file, age_ms(file), error) < 0)
        return -1;
    if (entry == NULL) {
        entry = malloc(sizeof(*entry) + size);
        if (entry == NULL) {
            webroot->handlers->vanished(webroot->owner, file->challenge.token);
            return error_set(error, EX_TEMPFAIL, "the keeper ran out of memory");
        }
        memcpy(entry->name, file->challenge.token, size);
        HASH_ADD_STR(webroot->entries, name, entry);
    }
    entry->generation = webroot->generation;
    entry->inode = file->inode;
    entry->changed_ns = file->changed_ns;
    return 0;
}

/* `fresh`: it was closed or moved here just now. `quiet`: nobody is waiting to hear what is wrong
 * with it. */
static void look(struct webroot *webroot, int directory, const char *name, bool fresh, bool quiet)
{
    struct webroot_file file;
    struct error error;
    bool silent;

    if (!webroot_judge_name(name, &silent)) {
        if (!silent && !quiet)
            refuse(webroot, name, "its name is none a token can have");
        return;
    }
    struct webroot_entry *entry = entry_find(webroot, name);
    if (entry != NULL)
        entry->generation = webroot->generation;
    enum webroot_outcome outcome = webroot_file_read(&file, directory, name, &error);
    /* In a scan, and in doubt about a file that is a token: nothing happened to it. */
    if (outcome == WEBROOT_FILE_GOOD && !fresh && entry != NULL && entry->inode == file.inode &&
        entry->changed_ns == file.changed_ns)
        return;
    if (outcome == WEBROOT_FILE_GOOD && admit(webroot, &file, &error) == 0)
        return;
    if (entry != NULL)
        vanish(webroot, entry);
    if (outcome != WEBROOT_FILE_GONE && !quiet)
        refuse(webroot, name, error.text);
}

/* --- the whole directory --- */

static void scan_end(struct webroot *webroot)
{
    if (webroot->scan != NULL)
        closedir(webroot->scan);
    webroot->scan = NULL;
}

/* So that there is another round at once. */
static void ask_for_more(struct webroot *webroot, bool more)
{
    eventfd_t value;

    if (more)
        eventfd_write(webroot->more.fd, 1);
    else
        eventfd_read(webroot->more.fd, &value);
}

static bool scan_begin(struct webroot *webroot)
{
    scan_end(webroot);
    webroot->scan_owed = false;
    webroot->generation++;
    int fd = webroot_chain_open(&webroot->chain);
    webroot->scan = fd < 0 ? NULL : fdopendir(fd);
    if (webroot->scan == NULL && fd >= 0)
        close(fd);
    if (webroot->scan == NULL)
        log_info("the webroot %s changes while it is looked through", webroot->path);
    return webroot->scan != NULL;
}

static void scan_round(struct webroot *webroot)
{
    for (unsigned int i = 0; i < WEBROOT_ROUND; i++) {
        const struct dirent *one = readdir(webroot->scan);
        if (one == NULL) {
            scan_end(webroot);
            vanish_unmet(webroot);
            return;
        }
        if (strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0)
            look(webroot, dirfd(webroot->scan), one->d_name, false, false);
    }
}

static void note_result(struct webroot *webroot, int result, const struct error *error)
{
    const char *trouble = result < 0 ? error->text : "";

    if (result == webroot->result && strcmp(trouble, webroot->trouble) == 0)
        return;
    if (result < 0)
        log_warnx("the webroot %s is not watched: %s", webroot->path, trouble);
    else
        log_info("the webroot %s is %s", webroot->path, result == 0 ? "watched" : "not there");
    webroot->result = result;
    memcpy(webroot->trouble, trouble, strlen(trouble) + 1);
}

static void walk(struct webroot *webroot)
{
    struct error error = {0};
    bool changed;

    webroot->walk_owed = false;
    int result = webroot_chain_walk(&webroot->chain, &changed, &error);
    if (changed) {
        scan_end(webroot);
        webroot->scan_owed = result == 0;
        vanish_all(webroot);
    }
    note_result(webroot, result, &error);
}

/* What is owed, a piece of it at a time. */
static void work(struct webroot *webroot)
{
    if (webroot->walk_owed)
        walk(webroot);
    if (webroot->scan_owed && !scan_begin(webroot))
        webroot->walk_owed = webroot->chain.depth == webroot->chain.count;
    if (webroot->scan != NULL)
        scan_round(webroot);
    ask_for_more(webroot, webroot->scan != NULL || webroot->walk_owed);
}

/* --- events --- */

static void act(struct webroot *webroot, enum webroot_deed deed, const char *name, int *directory)
{
    struct webroot_entry *entry;

    switch (deed) {
    case WEBROOT_PASS_OVER:
        break;
    case WEBROOT_WALK:
        webroot->walk_owed = true;
        break;
    case WEBROOT_RESCAN:
        log_info("the kernel lost events of the webroot: looking through all of it");
        webroot->walk_owed = true;
        webroot->scan_owed = webroot->chain.depth == webroot->chain.count;
        break;
    case WEBROOT_VANISH:
        entry = entry_find(webroot, name);
        if (entry != NULL)
            vanish(webroot, entry);
        break;
    case WEBROOT_READ:
    case WEBROOT_RETRY:
        if (deed == WEBROOT_RETRY && entry_find(webroot, name) != NULL)
            break;
        if (*directory < 0)
            *directory = webroot_chain_open(&webroot->chain);
        /* It is another by now: the scan that follows finds what is in it. */
        if (*directory < 0)
            webroot->walk_owed = true;
        else
            look(webroot, *directory, name, deed == WEBROOT_READ, deed == WEBROOT_RETRY);
        break;
    }
}

static void inotify_ready(void *owner, uint32_t events)
{
    struct webroot *webroot = owner;
    _Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
    int directory = -1;

    (void)events;
    ssize_t length = read(webroot->inotify.fd, bytes, sizeof(bytes));
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const void *)(bytes + at);
        act(webroot, webroot_chain_judge(&webroot->chain, event),
            event->len > 0 ? event->name : NULL, &directory);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    if (directory >= 0)
        close(directory);
    if (webroot->walk_owed || webroot->scan_owed)
        ask_for_more(webroot, true);
}

static void mounts_ready(void *owner, uint32_t events)
{
    struct webroot *webroot = owner;

    (void)events;
    webroot->walk_owed = true;
    ask_for_more(webroot, true);
}

/* Here and nowhere else, so that a round is not more than a round. */
static void more_ready(void *owner, uint32_t events)
{
    (void)events;
    work(owner);
}

/* --- life --- */

void webroot_init(struct webroot *webroot)
{
    static const struct event_source none = {.fd = -1};

    *webroot = (struct webroot){
        .inotify = none,
        .mounts = none,
        .more = none,
        .log_limit = {.about = "challenge files"},
    };
}

int webroot_start(struct webroot *webroot, int epoll_fd, const char *path,
                  const struct webroot_handlers *handlers, void *owner, struct error *error)
{
    webroot_init(webroot);
    webroot->epoll_fd = epoll_fd;
    webroot->handlers = handlers;
    webroot->owner = owner;
    memcpy(webroot->path, path, strlen(path));
    webroot->inotify =
        (struct event_source){inotify_init1(IN_CLOEXEC | IN_NONBLOCK), inotify_ready, webroot};
    webroot->mounts = (struct event_source){open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC),
                                            mounts_ready, webroot};
    webroot->more =
        (struct event_source){eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), more_ready, webroot};
    /* A change of mounts is an exceptional condition (proc(5)); edge-triggered, it is not read. */
    if (webroot->inotify.fd < 0 || webroot->mounts.fd < 0 || webroot->more.fd < 0 ||
        !event_add(epoll_fd, &webroot->inotify, EPOLLIN) ||
        !event_add(epoll_fd, &webroot->mounts, EPOLLPRI | EPOLLET) ||
        !event_add(epoll_fd, &webroot->more, EPOLLIN)) {
        error_set_errno(error, EX_OSERR, "cannot watch the webroot %s", path);
        webroot_deinit(webroot);
        return -1;
    }
    webroot_chain_init(&webroot->chain, webroot->inotify.fd, webroot->path);
    webroot->walk_owed = true;
    webroot->result = WEBROOT_NOT_WALKED;
    return 0;
}

void webroot_deinit(struct webroot *webroot)
{
    struct webroot_entry *entry, *next;

    scan_end(webroot);
    event_close(webroot->epoll_fd, &webroot->inotify);
    event_close(webroot->epoll_fd, &webroot->mounts);
    event_close(webroot->epoll_fd, &webroot->more);
    HASH_ITER(hh, webroot->entries, entry, next)
    {
        entry_drop(webroot, entry);
    }
}
