// SPDX-License-Identifier: GPL-2.0-or-later
/* The watcher on a real directory, as any user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the above first */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "keeper/webroot.h"
#include "keeper/webroot_create.h"
#include "wicket/log.h"

#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define OTHER      "OzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define CHALLENGES "/webroot/.well-known/acme-challenge/"
#define WAIT_MS    20000
#define KNOWN_MAX  4096

struct rig {
    char base[64]; /* a directory of the test's own */
    char webroot_path[80];
    int epoll_fd;
    struct webroot webroot;
    int log_read; /* what was logged */

    char known[KNOWN_MAX][32]; /* what appeared and did not vanish */
    size_t known_count;
    size_t limit; /* appeared() refuses more than that */
    unsigned int appeared, vanished;
    uint64_t age_ms; /* of the last one */
    uid_t uid;
};

static size_t known(const struct rig *rig, const char *name)
{
    size_t i = 0;
    while (i < rig->known_count && strcmp(rig->known[i], name) != 0)
        i++;
    return i;
}

static int appeared(void *owner, const struct webroot_file *file, uint64_t age_ms,
                    struct error *error)
{
    struct rig *rig = owner;
    size_t at = known(rig, file->challenge.token);

    rig->age_ms = age_ms;
    rig->uid = file->uid;
    if (at == rig->known_count && rig->known_count == rig->limit)
        return error_set(error, 75, "over the limit");
    if (strcmp(challenge_thumbprint(&file->challenge), OTHER) == 0)
        return error_set(error, 77, "another account");
    rig->appeared++;
    if (at == rig->known_count)
        strcpy(rig->known[rig->known_count++], file->challenge.token);
    return 0;
}

static void vanished(void *owner, const char *name)
{
    struct rig *rig = owner;
    size_t at = known(rig, name);

    assert_true(at < rig->known_count);
    rig->vanished++;
    rig->known_count--;
    memmove(rig->known[at], rig->known[rig->known_count], sizeof(rig->known[at]));
}

static const struct webroot_handlers handlers = {.appeared = appeared, .vanished = vanished};

/* Every event that is there by now; what is done to a file here is told by the kernel before the
 * call that did it returns. */
static void settle(struct rig *rig)
{
    struct pollfd ready = {.fd = rig->epoll_fd, .events = POLLIN};

    while (poll(&ready, 1, 0) == 1)
        assert_true(event_wait(rig->epoll_fd));
}

static void path_of(char *out, size_t capacity, const struct rig *rig, const char *below)
{
    assert_true((size_t)snprintf(out, capacity, "%s%s", rig->base, below) < capacity);
}

static void make_directories(const struct rig *rig)
{
    assert_int_equal(webroot_create_directories(rig->webroot_path, NULL, NULL), 0);
}

static void write_file(const struct rig *rig, const char *name, const char *content)
{
    char path[256];

    snprintf(path, sizeof(path), "%s" CHALLENGES "%s", rig->base, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static void write_good(const struct rig *rig, const char *name)
{
    char content[128];

    snprintf(content, sizeof(content), "%s." THUMBPRINT, name);
    write_file(rig, name, content);
}

static void move(const struct rig *rig, const char *from, const char *to)
{
    char old[256], new[256];

    path_of(old, sizeof(old), rig, from);
    path_of(new, sizeof(new), rig, to);
    assert_int_equal(rename(old, new), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_below(const struct rig *rig, const char *below)
{
    char path[256];

    path_of(path, sizeof(path), rig, below);
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Whether this was logged since the last call. */
static bool logged(const struct rig *rig, const char *wanted)
{
    static char text[1 << 20];
    ssize_t length = read(rig->log_read, text, sizeof(text) - 1);

    text[length > 0 ? length : 0] = '\0';
    assert_null(strstr(text, THUMBPRINT));
    return strstr(text, wanted) != NULL;
}

static void begin(struct rig *rig)
{
    rig->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_true(rig->epoll_fd >= 0);
    assert_int_equal(
        webroot_start(&rig->webroot, rig->epoll_fd, rig->webroot_path, &handlers, rig, NULL), 0);
    settle(rig);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    int log[2];

    strcpy(rig->base, "/tmp/wicket-webroot-XXXXXX");
    assert_non_null(mkdtemp(rig->base));
    snprintf(rig->webroot_path, sizeof(rig->webroot_path), "%s/webroot", rig->base);
    rig->limit = KNOWN_MAX;
    assert_int_equal(pipe2(log, O_CLOEXEC | O_NONBLOCK), 0);
    rig->log_read = log[0];
    log_init(log[1], "test", 0);
    webroot_init(&rig->webroot);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    int log = log_fd();

    webroot_deinit(&rig->webroot);
    webroot_deinit(&rig->webroot);
    close(rig->epoll_fd);
    close(rig->log_read);
    log_init(-1, "test", 0);
    close(log);
    remove_below(rig, "");
    free(rig);
    return 0;
}

static void written_moved_and_removed(void **state)
{
    struct rig *rig = *state;

    make_directories(rig);
    begin(rig);
    assert_true(logged(rig, "is watched"));
    write_good(rig, "one");
    settle(rig);
    assert_int_equal(known(rig, "one"), 0);
    assert_in_range(rig->age_ms, 0, WAIT_MS);
    assert_int_equal(rig->uid, getuid());

    write_good(rig, "one");
    settle(rig);
    assert_int_equal(rig->appeared, 2); /* again */
    write_file(rig, ".two", "two." THUMBPRINT "\n");
    settle(rig);
    assert_int_equal(rig->appeared, 2);
    move(rig, CHALLENGES ".two", CHALLENGES "two");
    settle(rig);
    assert_int_equal(rig->known_count, 2);
    move(rig, CHALLENGES "two", CHALLENGES ".two");
    settle(rig);
    assert_int_equal(rig->known_count, 1);
    remove_below(rig, CHALLENGES "one");
    settle(rig);
    assert_int_equal(rig->known_count, 0);
    assert_int_equal(rig->vanished, 2);
    assert_false(logged(rig, "no token"));
}

static void overwritten(void **state)
{
    struct rig *rig = *state;

    make_directories(rig);
    begin(rig);
    write_good(rig, "one");
    settle(rig);
    write_file(rig, "one", "one." OTHER);
    settle(rig);
    assert_int_equal(rig->vanished, 1);
    assert_true(logged(rig, "the file \"one\" in the webroot is no token: another account"));
    write_good(rig, "one");
    settle(rig);
    assert_int_equal(rig->known_count, 1);
    write_file(rig, "one", "");
    settle(rig);
    assert_int_equal(rig->known_count, 0);
    assert_true(logged(rig, "it is empty"));
}

static void forgotten(void **state)
{
    struct rig *rig = *state;

    make_directories(rig);
    begin(rig);
    write_good(rig, "one");
    settle(rig);
    webroot_forget(&rig->webroot, "one");
    webroot_forget(&rig->webroot, "one");
    remove_below(rig, CHALLENGES "one");
    settle(rig);
    assert_int_equal(rig->vanished, 0);
}

/* Nothing makes a file younger but writing it. */
static void age(void **state)
{
    struct rig *rig = *state;
    char path[256];
    const struct timespec hour_ago[] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = time(NULL) - 3600}};
    const struct timespec ancient[] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = -1}};

    make_directories(rig);
    begin(rig);
    write_good(rig, "one");
    settle(rig);
    path_of(path, sizeof(path), rig, CHALLENGES "one");
    for (int way = 0; way < 4; way++) {
        assert_int_equal(utimensat(AT_FDCWD, path, hour_ago, 0), 0);
        settle(rig);
        webroot_forget(&rig->webroot, "one");
        rig->age_ms = 0;
        if (way == 0)
            assert_int_equal(chmod(path, 0600), 0);
        if (way == 1)
            assert_int_equal(utimensat(AT_FDCWD, path, hour_ago, 0), 0);
        if (way == 2) {
            move(rig, CHALLENGES "one", "/away");
            move(rig, "/away", CHALLENGES "one");
        }
        if (way == 3)
            close(open(path, O_WRONLY | O_CLOEXEC));
        settle(rig);
        assert_in_range(rig->age_ms, 3599000, 3600000 + WAIT_MS);
    }
    write_good(rig, "one");
    settle(rig);
    assert_in_range(rig->age_ms, 0, WAIT_MS);
    assert_int_equal(utimensat(AT_FDCWD, path, ancient, 0), 0);
    write_good(rig, "two");
    webroot_forget(&rig->webroot, "one");
    assert_int_equal(chmod(path, 0644), 0);
    settle(rig);
    assert_true(rig->known_count == 2);
}

static void what_is_no_plain_file(void **state)
{
    struct rig *rig = *state;
    char from[256], to[256];

    make_directories(rig);
    begin(rig);
    path_of(to, sizeof(to), rig, CHALLENGES "fifo");
    path_of(from, sizeof(from), rig, "/fifo");
    assert_int_equal(mkfifo(from, 0644), 0);
    assert_int_equal(rename(from, to), 0);
    settle(rig);
    assert_true(logged(rig, "it is no regular file"));

    path_of(to, sizeof(to), rig, CHALLENGES "link");
    path_of(from, sizeof(from), rig, "/link");
    assert_int_equal(symlink("/dev/zero", from), 0);
    assert_int_equal(rename(from, to), 0);
    settle(rig);
    assert_true(logged(rig, "it is a symbolic link"));

    write_good(rig, "hard");
    path_of(to, sizeof(to), rig, "/hard");
    path_of(from, sizeof(from), rig, CHALLENGES "hard");
    assert_int_equal(link(from, to), 0);
    settle(rig);
    assert_true(logged(rig, "it has more than one name"));
    assert_int_equal(rig->appeared, 0);
}

/* Root reads everything. */
static void settle_as_nobody(struct rig *rig)
{
    bool root = geteuid() == 0;

    if (root)
        assert_int_equal(seteuid(65534), 0);
    settle(rig);
    if (root)
        assert_int_equal(seteuid(0), 0);
}

static void unreadable(void **state)
{
    struct rig *rig = *state;
    char path[256];

    make_directories(rig);
    assert_int_equal(chmod(rig->base, 0755), 0);
    begin(rig);
    path_of(path, sizeof(path), rig, CHALLENGES "one");
    write_good(rig, "one");
    assert_int_equal(chmod(path, 0200), 0);
    settle_as_nobody(rig);
    assert_true(logged(rig, "it cannot be read; its owner (uid "));
    /* Nothing is written, but it can be read. */
    assert_int_equal(chmod(path, 0644), 0);
    settle_as_nobody(rig);
    assert_int_equal(rig->known_count, 1);
}

/* The kernel asks the holder of a lease, and whoever opens the file waits; not so the watcher. */
static void leased(void **state)
{
    struct rig *rig = *state;
    const struct itimerval limit = {.it_value.tv_sec = 10};
    char path[256];

    make_directories(rig);
    begin(rig);
    write_file(rig, ".one", "one." THUMBPRINT);
    path_of(path, sizeof(path), rig, CHALLENGES ".one");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(signal(SIGIO, SIG_IGN) == SIG_ERR, 0);
    assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    move(rig, CHALLENGES ".one", CHALLENGES "one");
    setitimer(ITIMER_REAL, &limit, NULL); /* the end of a watcher that waits */
    settle(rig);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    assert_true(logged(rig, "a program holds a lease on it"));
    assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    close(fd);
    settle(rig);
    assert_int_equal(rig->known_count, 1);
}

static void not_there_yet(void **state)
{
    struct rig *rig = *state;

    begin(rig);
    assert_true(logged(rig, "is not there"));
    make_directories(rig);
    settle(rig);
    assert_true(logged(rig, "is watched"));
    write_good(rig, "one");
    settle(rig);
    assert_int_equal(rig->known_count, 1);
}

static void directories_come_and_go(void **state)
{
    static const char *const levels[] = {"/webroot", "/webroot/.well-known",
                                         "/webroot/.well-known/acme-challenge"};
    struct rig *rig = *state;

    make_directories(rig);
    begin(rig);
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        write_good(rig, "one");
        settle(rig);
        assert_int_equal(rig->known_count, 1);
        move(rig, levels[i], "/aside");
        settle(rig);
        assert_int_equal(rig->known_count, 0);
        /* Another in its place, with nothing to be told in between, and then the first again. */
        make_directories(rig);
        write_good(rig, "two");
        settle(rig);
        assert_int_equal(rig->known_count, 1);
        assert_int_equal(known(rig, "two"), 0);
        remove_below(rig, levels[i]);
        move(rig, "/aside", levels[i]);
        settle(rig);
        assert_int_equal(rig->known_count, 1);
        assert_int_equal(known(rig, "one"), 0);
        remove_below(rig, levels[i]);
        settle(rig);
        assert_int_equal(rig->known_count, 0);
        make_directories(rig);
        settle(rig);
    }
}

/* Moved away and back before anybody looked: as if nothing had happened. */
static void back_in_time(void **state)
{
    struct rig *rig = *state;

    make_directories(rig);
    begin(rig);
    write_good(rig, "one");
    settle(rig);
    move(rig, "/webroot", "/aside");
    move(rig, "/aside", "/webroot");
    settle(rig);
    assert_int_equal(rig->known_count, 1);
    assert_int_equal(rig->appeared, 1);
}

static void links_on_the_way(void **state)
{
    struct rig *rig = *state;
    char real[256], link[256];

    /* The webroot may be reached through one; below it there is none. */
    make_directories(rig);
    move(rig, "/webroot", "/real");
    path_of(real, sizeof(real), rig, "/real");
    path_of(link, sizeof(link), rig, "/webroot");
    assert_int_equal(symlink(real, link), 0);
    begin(rig);
    write_good(rig, "one");
    settle(rig);
    assert_int_equal(rig->known_count, 1);

    move(rig, "/real/.well-known", "/inner");
    path_of(real, sizeof(real), rig, "/inner");
    path_of(link, sizeof(link), rig, "/real/.well-known");
    assert_int_equal(symlink(real, link), 0);
    settle(rig);
    assert_int_equal(rig->known_count, 0);
    assert_true(logged(rig, ".well-known is no directory, or a link, which is not followed"));
    struct error error;
    assert_int_equal(webroot_create_directories(rig->webroot_path, NULL, &error), -1);
    assert_int_equal(error.exit_code, 73);
}

static mode_t mode_of(const struct rig *rig, const char *below)
{
    char path[256];
    struct stat status;

    path_of(path, sizeof(path), rig, below);
    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

/* For a group: whatever is missing, at whichever level, whatever the umask; and nothing else. */
static void made_for_the_group(void **state)
{
    struct rig *rig = *state;
    const struct account account = {.has_control_group = true, .control_gid = getegid()};
    static const char *const levels[] = {"/webroot", "/webroot/.well-known",
                                         "/webroot/.well-known/acme-challenge"};

    const mode_t mask = umask(077);
    make_directories(rig);
    for (size_t missing = 0; missing < 3; missing++) {
        remove_below(rig, levels[missing]);
        assert_int_equal(webroot_create_directories(rig->webroot_path, &account, NULL), 0);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(mode_of(rig, levels[i]), 03775);
    }
    remove_below(rig, levels[0]);
    make_directories(rig);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(mode_of(rig, levels[i]), 0755);
    /* What is there stays as it is. */
    assert_int_equal(webroot_create_directories(rig->webroot_path, &account, NULL), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(mode_of(rig, levels[i]), 0755);
    umask(mask);
}

/* A link to nowhere is not followed to make something there. */
static void link_to_nowhere(void **state)
{
    struct rig *rig = *state;
    char link[256], target[256];
    struct error error;
    const struct account account = {.has_control_group = true, .control_gid = getegid()};

    make_directories(rig);
    remove_below(rig, "/webroot/.well-known/acme-challenge");
    path_of(link, sizeof(link), rig, "/webroot/.well-known/acme-challenge");
    path_of(target, sizeof(target), rig, "/target");
    assert_int_equal(symlink(target, link), 0);
    assert_int_equal(webroot_create_directories(rig->webroot_path, &account, &error), -1);
    assert_int_equal(error.exit_code, 73);
    assert_non_null(strstr(error.text, "acme-challenge"));
    assert_int_equal(access(target, F_OK), -1);
}

/* What cannot be given to the group is not left behind as nobody's but ours. */
static void not_ours_to_give(void **state)
{
    struct rig *rig = *state;
    char path[256];
    struct error error;
    const struct account account = {.has_control_group = true, .control_gid = 4242};
    const bool root = geteuid() == 0;

    if (root) {
        assert_int_equal(chown(rig->base, 65534, 65534), 0);
        assert_int_equal(setegid(65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    const int result = webroot_create_directories(rig->webroot_path, &account, &error);
    if (root) {
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(setegid(0), 0);
    }
    assert_int_equal(result, -1);
    path_of(path, sizeof(path), rig, "/webroot");
    assert_int_equal(access(path, F_OK), -1);
}

static void there_at_the_start(void **state)
{
    struct rig *rig = *state;

    make_directories(rig);
    write_good(rig, "one");
    write_file(rig, "not.a.token", "x");
    struct pollfd later = {.fd = -1};
    assert_int_equal(poll(&later, 1, 5), 0); /* so that the file has an age */
    begin(rig);
    assert_int_equal(rig->known_count, 1);
    assert_in_range(rig->age_ms, 4, WAIT_MS);
    assert_true(logged(rig, "its name is none a token can have"));
}

/* More than anybody's limit, and more than fit into a round. */
static void many(void **state)
{
    struct rig *rig = *state;
    char name[32];

    make_directories(rig);
    rig->limit = 1000;
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "token%d", i);
        write_good(rig, name);
    }
    begin(rig);
    assert_int_equal(rig->known_count, 1000);
    uint64_t due_ms = webroot_next_ms(&rig->webroot);
    assert_in_range(due_ms, 1, event_now_ms() + WEBROOT_LOG_MS);
    webroot_tick(&rig->webroot, due_ms - 1);
    assert_int_equal(webroot_next_ms(&rig->webroot), due_ms);
    webroot_tick(&rig->webroot, due_ms);
    assert_int_equal(webroot_next_ms(&rig->webroot), UINT64_MAX);
    assert_true(logged(rig, "490 more files in the webroot are no tokens"));
    /* And all of them at once. */
    move(rig, "/webroot", "/aside");
    settle(rig);
    assert_int_equal(rig->known_count, 0);
    assert_int_equal(rig->vanished, 1000);
}

/* A round is short, however much there is to do. */
static void rounds(void **state)
{
    struct rig *rig = *state;
    char name[32];
    unsigned int before;

    make_directories(rig);
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "token%d", i);
        write_good(rig, name);
    }
    rig->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(
        webroot_start(&rig->webroot, rig->epoll_fd, rig->webroot_path, &handlers, rig, NULL), 0);
    do {
        before = rig->appeared;
        assert_true(event_wait(rig->epoll_fd));
        assert_true(rig->appeared - before <= WEBROOT_ROUND);
    } while (rig->appeared < 400);
    settle(rig);
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "event%d", i);
        write_good(rig, name);
    }
    do {
        before = rig->appeared;
        assert_true(event_wait(rig->epoll_fd));
        assert_true(rig->appeared - before <= 2 * WEBROOT_ROUND);
    } while (rig->appeared < 800);
}

/* The kernel's queue overflows; what happened is found out by looking. */
static void lost_events(void **state)
{
    struct rig *rig = *state;
    int limit = 0;
    char path[256];

    FILE *stream = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    assert_non_null(stream);
    assert_int_equal(fscanf(stream, "%d", &limit), 1);
    fclose(stream);
    make_directories(rig);
    begin(rig);
    write_good(rig, "stays");
    write_good(rig, "goes");
    write_good(rig, "changes");
    settle(rig);
    assert_int_equal(rig->known_count, 3);
    write_file(rig, ".a", "");
    write_file(rig, ".b", "");
    for (int i = 0; i <= limit; i++) { /* the same event twice in a row is one */
        path_of(path, sizeof(path), rig, i % 2 == 0 ? CHALLENGES ".a" : CHALLENGES ".b");
        assert_int_equal(chmod(path, 0600), 0);
    }
    remove_below(rig, CHALLENGES "goes");
    write_file(rig, "changes", "changes." OTHER);
    write_good(rig, "new");
    settle(rig);
    assert_true(logged(rig, "the kernel lost events of the webroot"));
    assert_int_equal(rig->known_count, 2);
    assert_true(known(rig, "stays") < 2);
    assert_true(known(rig, "new") < 2);
    assert_int_equal(rig->appeared, 4);
}

static void nothing_is_left_open(void **state)
{
    struct rig *rig = *state;

    make_directories(rig);
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(before);
    begin(rig);
    write_good(rig, "one");
    move(rig, "/webroot", "/aside");
    settle(rig);
    webroot_deinit(&rig->webroot);
    close(rig->epoll_fd);
    rig->epoll_fd = -1;
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(after);
    assert_int_equal(before, after);
}

/* Whatever it runs out of at the start, it leaves nothing behind. */
static void no_descriptors(void **state)
{
    struct rig *rig = *state;
    struct rlimit old, few;
    struct error error;

    rig->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    for (rlim_t spare = 0; spare < 3; spare++) {
        int next = fcntl(rig->epoll_fd, F_DUPFD_CLOEXEC, 0);
        assert_true(next >= 0);
        close(next);
        few.rlim_cur = (rlim_t)next + spare;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        int result =
            webroot_start(&rig->webroot, rig->epoll_fd, rig->webroot_path, &handlers, rig, &error);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_int_equal(result, -1);
        assert_non_null(strstr(error.text, "cannot watch the webroot"));
        int after = fcntl(rig->epoll_fd, F_DUPFD_CLOEXEC, 0);
        assert_int_equal(after, next);
        close(after);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(written_moved_and_removed),
        TEST(overwritten),
        TEST(forgotten),
        TEST(age),
        TEST(what_is_no_plain_file),
        TEST(unreadable),
        TEST(leased),
        TEST(not_there_yet),
        TEST(directories_come_and_go),
        TEST(back_in_time),
        TEST(links_on_the_way),
        TEST(made_for_the_group),
        TEST(link_to_nowhere),
        TEST(not_ours_to_give),
        TEST(there_at_the_start),
        TEST(many),
        TEST(rounds),
        TEST(lost_events),
        TEST(nothing_is_left_open),
        TEST(no_descriptors),
    };

    return cmocka_run_group_tests_name("webroot_watch", tests, NULL, NULL);
}
