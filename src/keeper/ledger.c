// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/program.h"
#include "wicket/log.h"

/* Megabytes as configured. */
#define MEGABYTE UINT64_C(1000000)
/* Its descriptors: those of enum ledger_fd. */
enum { DESCRIPTORS = LEDGER_FD_SOCKET + 1 };

static void set_trouble(struct ledger *ledger, const char *text)
{
    if (strcmp(ledger->trouble, text) == 0)
        return;
    snprintf(ledger->trouble, sizeof(ledger->trouble), "%s", text);
    /* A disk may have room and none in turn, with every line. */
    if (!log_limit_take(&ledger->troubles_told, event_now_ms()))
        return;
    if (text[0] != '\0')
        log_warnx("the ledger is not written: %s; windows open and shut all the same", text);
    else
        log_info("the ledger is written again; %" PRIu64 " lines were lost", ledger_lost(ledger));
}

void ledger_init(struct ledger *ledger)
{
    static const struct event_source none = {.fd = -1};
    struct timespec now = {0};
    uint16_t chance = 0;

    *ledger = (struct ledger){
        .epoll_fd = -1,
        .socket = none,
        .process = none,
        .troubles_told = {.about = "the ledger"},
    };
    clock_gettime(CLOCK_REALTIME, &now);
    /* Two of other namespaces may have one pid at one time. */
    (void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
    snprintf(ledger->keeper, sizeof(ledger->keeper), "%llx-%x-%04x",
             (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000,
             (unsigned int)getpid(), chance);
}

/* ---- the writer ---- */

static bool place_descriptors(int null_fd, int log, int socket)
{
    const int sources[DESCRIPTORS] = {
        [LEDGER_FD_NULL_IN] = null_fd,
        [LEDGER_FD_NULL_OUT] = null_fd,
        [LEDGER_FD_LOG] = log,
        [LEDGER_FD_SOCKET] = socket,
    };
    int moved[DESCRIPTORS];

    /* Out of the way first, so that no target is overwritten before it was copied. */
    for (int i = 0; i < DESCRIPTORS; i++) {
        moved[i] = fcntl(sources[i], F_DUPFD, DESCRIPTORS);
        if (moved[i] < 0)
            return false;
    }
    for (int i = 0; i < DESCRIPTORS; i++)
        if (dup2(moved[i], i) < 0)
            return false;
    return close_range(DESCRIPTORS, ~0U, 0) == 0;
}

/* How a sanitizer takes its settings; the log's form; for the lab's faults. */
static void keep_environment(char *out[], size_t capacity)
{
    static const char *const passed_on[] = {"JOURNAL_STREAM=", "ASAN_OPTIONS=", "UBSAN_OPTIONS="};
    size_t kept = 0;

    for (char **entry = environ; *entry != NULL; entry++)
        for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
            if (kept + 1 < capacity && strncmp(*entry, passed_on[i], strlen(passed_on[i])) == 0)
                out[kept++] = *entry;
    out[kept] = NULL;
}

/* Between fork and exec. Of a session of its own: what ends the keeper is not for it to answer. */
__attribute__((noreturn)) static void become(const char *path, char *const *arguments, int null_fd,
                                             int socket)
{
    char *environment[8];
    sigset_t none;

    sigemptyset(&none);
    keep_environment(environment, sizeof(environment) / sizeof(environment[0]));
    if (place_descriptors(null_fd, log_fd(), socket) && setsid() >= 0 &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        execve(path, arguments, environment);
    _exit(EX_OSERR);
}

static int spawn(struct ledger *ledger, const char *path, char *const *arguments,
                 struct error *error)
{
    int pair[2];
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0)
        return error_set_errno(error, EX_OSFILE, "/dev/null");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        error_set_errno(error, EX_OSERR, "cannot make a socket to its writer");
        close(null_fd);
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(path, arguments, null_fd, pair[1]);
    if (pid < 0)
        error_set_errno(error, EX_OSERR, "cannot start %s", path);
    close(null_fd);
    close(pair[1]);
    int process = pid < 0 ? -1 : pidfd_open(pid, 0);
    if (pid > 0 && process < 0)
        error_set_errno(error, EX_OSERR, "cannot watch %s", path);
    if (process < 0) {
        close(pair[0]); /* at which it ends */
        return -1;
    }
    ledger->socket.fd = pair[0];
    ledger->process.fd = process;
    return 0;
}

void ledger_start(struct ledger *ledger, const struct config *config, const struct account *account)
{
    char program[PATH_MAX], path[sizeof(config->ledger.file)], size[32], group[32] = "-";
    struct error error;
    char *arguments[LEDGER_ARGUMENTS + 1] = {
        program,
        [LEDGER_ARGUMENT_PATH] = path,
        [LEDGER_ARGUMENT_SIZE] = size,
        [LEDGER_ARGUMENT_KEEPER] = ledger->keeper,
        [LEDGER_ARGUMENT_GROUP] = group,
    };

    ledger->wanted = config->ledger.file[0] != '\0';
    if (!ledger->wanted)
        return;
    memcpy(path, config->ledger.file, sizeof(path));
    snprintf(size, sizeof(size), "%" PRIu64, config->ledger.size * MEGABYTE);
    if (account->has_control_group)
        snprintf(group, sizeof(group), "%u", (unsigned int)account->control_gid);
    if (program_find(program, sizeof(program), "wicket-ledger", &error) < 0 ||
        spawn(ledger, program, arguments, &error) < 0)
        set_trouble(ledger, error.text);
}

/* ---- what it says ---- */

static bool is_good(const struct ledger_answer *answer, ssize_t length)
{
    size_t end = strnlen(answer->text, sizeof(answer->text));

    if (length != sizeof(*answer) || end == sizeof(answer->text))
        return false;
    for (size_t i = 0; i < end; i++)
        if (answer->text[i] < 0x20 || answer->text[i] > 0x7e)
            return false;
    return true;
}

static void socket_ready(void *owner, uint32_t events)
{
    struct ledger *ledger = owner;
    struct ledger_answer answer;

    (void)events;
    ssize_t length = recv(ledger->socket.fd, &answer, sizeof(answer), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        event_close(ledger->epoll_fd, &ledger->socket);
    } else if (!is_good(&answer, length)) {
        set_trouble(ledger, "its writer does not speak as agreed");
        event_close(ledger->epoll_fd, &ledger->socket);
    } else {
        ledger->lost = answer.lost;
        set_trouble(ledger, answer.text);
    }
}

static void process_ready(void *owner, uint32_t events)
{
    struct ledger *ledger = owner;
    siginfo_t info = {0};
    char text[128];

    (void)events;
    if (waitid(P_PIDFD, (id_t)ledger->process.fd, &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid == 0)
        return;
    /* What it said last, it said before. */
    if (ledger->socket.fd >= 0)
        socket_ready(ledger, 0);
    event_close(ledger->epoll_fd, &ledger->process);
    event_close(ledger->epoll_fd, &ledger->socket);
    if (ledger->trouble[0] != '\0')
        return;
    snprintf(text, sizeof(text), "its writer ended with %s %d; the next keeper starts another",
             info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
    set_trouble(ledger, text);
}

void ledger_watch(struct ledger *ledger, int epoll_fd)
{
    ledger->epoll_fd = epoll_fd;
    ledger->socket = (struct event_source){ledger->socket.fd, socket_ready, ledger};
    ledger->process = (struct event_source){ledger->process.fd, process_ready, ledger};
    if (ledger->socket.fd < 0)
        return;
    if (!event_add(epoll_fd, &ledger->socket, EPOLLIN) ||
        !event_add(epoll_fd, &ledger->process, EPOLLIN))
        log_warn("the ledger's writer cannot be watched");
}

/* ---- what it is told ---- */

void ledger_send(struct ledger *ledger, const char *line, size_t length, uint32_t flags)
{
    struct ledger_entry entry = {.flags = flags, .left_out = ledger->left_out};

    if (!ledger->wanted)
        return;
    if (length > sizeof(entry.line))
        length = 0; /* none is so long; and what is lost is counted below */
    memcpy(entry.line, line, length);
    if (length > 0 && ledger->socket.fd >= 0 &&
        send(ledger->socket.fd, &entry, LEDGER_ENTRY_HEAD + length, MSG_DONTWAIT | MSG_NOSIGNAL) >=
            0) {
        ledger->left_out = 0;
        return;
    }
    if (ledger->left_out < UINT32_MAX)
        ledger->left_out++;
    ledger->left_out_total++;
}

enum ledger_share ledger_share_of(uid_t uid)
{
    return uid == 0 ? LEDGER_OF_ROOT : LEDGER_OF_USERS;
}

bool ledger_may_tell(struct ledger *ledger, enum ledger_share share, uint64_t now_ms)
{
    if (!ledger->wanted)
        return false;
    if (now_ms - ledger->second_start_ms >= 1000) {
        ledger->second_start_ms = now_ms;
        memset(ledger->lines, 0, sizeof(ledger->lines));
    }
    if (ledger->lines[share] < LEDGER_LINES_A_SECOND) {
        ledger->lines[share]++;
        return true;
    }
    if (ledger->left_out < UINT32_MAX)
        ledger->left_out++;
    ledger->left_out_total++;
    return false;
}

uint64_t ledger_lost(const struct ledger *ledger)
{
    /* Those that the writer has heard of are in its own count. */
    return ledger->lost > ledger->left_out_total ? ledger->lost : ledger->left_out_total;
}

void ledger_close(struct ledger *ledger)
{
    const struct ledger_entry goodbye = {.flags = LEDGER_GOODBYE, .left_out = ledger->left_out};

    if (ledger->socket.fd >= 0)
        (void)send(ledger->socket.fd, &goodbye, LEDGER_ENTRY_HEAD, MSG_DONTWAIT | MSG_NOSIGNAL);
    event_close(ledger->epoll_fd, &ledger->socket);
    log_limit_tick(&ledger->troubles_told, UINT64_MAX);
}

void ledger_wait(struct ledger *ledger)
{
    struct pollfd ended = {.fd = ledger->process.fd, .events = POLLIN};
    siginfo_t info;

    if (ended.fd < 0)
        return;
    if (poll(&ended, 1, LEDGER_WAIT_MS) > 0)
        (void)waitid(P_PIDFD, (id_t)ended.fd, &info, WEXITED | WNOHANG);
    else
        log_warnx("the ledger's disk does not answer; its writer goes on without the keeper");
    event_close(ledger->epoll_fd, &ledger->process);
}
