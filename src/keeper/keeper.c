// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/keeper.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/program.h"
#include "keeper/hang_up.h"
#include "keeper/reload.h"
#include "keeper/root.h"
#include "keeper/sandbox.h"
#include "keeper/serve.h"
#include "keeper/settle.h"
#include "keeper/webroot_tokens.h"
#include "wicket/log.h"

uint64_t keeper_validations(const struct keeper *keeper)
{
    return keeper->validations_before + keeper->pong.validations;
}

uint64_t keeper_turned_away(const struct keeper *keeper)
{
    return keeper->turned_away_before + keeper->pong.turned_away;
}

uint64_t keeper_passed(const struct keeper *keeper)
{
    return keeper->passed_before + keeper->pong.passed;
}

uint64_t keeper_unknown(const struct keeper *keeper)
{
    return keeper->unknown_before + keeper->pong.unknown;
}

void keeper_trouble(struct keeper *keeper, const char *format, ...)
{
    char text[sizeof(keeper->trouble)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (strcmp(text, keeper->trouble) == 0)
        return;
    memcpy(keeper->trouble, text, sizeof(text));
    memcpy(keeper->trouble_last, text, sizeof(text));
    keeper->troubles++;
    if (log_limit_take(&keeper->troubles_told, event_now_ms()))
        log_warnx("%s", text);
}

void keeper_refuse_lease(struct keeper *keeper, const struct error *error)
{
    keeper->refusals++;
    /* Whatever else it is that the kernel refuses now, it may not later. */
    keeper->refusal_code = error->exit_code == EX_CONFIG ? EX_CONFIG : EX_TEMPFAIL;
}

const char *keeper_end_text(enum window_end end)
{
    switch (end) {
    case WINDOW_END_REMOVED:
        return "nothing is pending any more";
    case WINDOW_END_DEADLINE:
        return "nobody removed the token in time";
    case WINDOW_END_LIMIT:
        return "window.limit was reached";
    case WINDOW_END_BLOCKED:
        return "redirected connections did not arrive";
    case WINDOW_END_UNPASSED:
        return "visitors cannot be passed on with their own addresses";
    case WINDOW_END_STOPPED:
        return "the keeper was stopped";
    }
    return "";
}

/* --- what the responder says --- */

static void on_up(void *owner)
{
    struct keeper *keeper = owner;

    serve_all(keeper);
    window_responder_up(&keeper->window, event_now_ms());
}

static void on_down(void *owner)
{
    struct keeper *keeper = owner;

    keeper->validations_before = keeper_validations(keeper);
    keeper->turned_away_before = keeper_turned_away(keeper);
    keeper->passed_before = keeper_passed(keeper);
    keeper->unknown_before = keeper_unknown(keeper);
    keeper->pong = (struct link_pong){0};
    keeper->validations_told = 0;
    keeper->pressure.exhausted = 0;
    stateless_forget(&keeper->stateless);
    pass_forget(keeper);
    window_responder_down(&keeper->window, event_now_ms());
}

static void on_pong(void *owner, const struct link_pong *pong)
{
    struct keeper *keeper = owner;

    keeper->pong = *pong;
    if (pong->unknown > 0) {
        keeper->unknown_family = pong->unknown_family;
        memcpy(keeper->unknown_address, pong->unknown_address, sizeof(keeper->unknown_address));
    }
    /* In a flood it counts those that it does not tell of. */
    if (pong->validations > keeper->validations_told) {
        log_limit_leave_out(&keeper->validations, pong->validations - keeper->validations_told,
                            event_now_ms());
        keeper->validations_told = pong->validations;
    }
    keeper->pressure.exhausted = pong->exhausted;
    window_pong(&keeper->window, event_now_ms(), pong->sequence);
}

/* In a second: enough for twenty names that five perspectives of a CA ask for at once. */
#define VALIDATION_LINES 100

/* Whoever knows a token can ask for it for ever. */
static void note_validation(struct keeper *keeper, const struct link_validation *validation)
{
    char text[INET6_ADDRSTRLEN];

    if (!log_limit_take(&keeper->validations, event_now_ms()))
        return;
    log_info("validation of %s from %s port %u", validation->token,
             inet_ntop(validation->family, validation->address, text, sizeof(text)) == NULL ? "?"
                                                                                            : text,
             validation->port);
}

static void on_validation(void *owner, const struct link_validation *validation)
{
    struct keeper *keeper = owner;

    if (validation->loopback == 0) {
        keeper->validations_told++;
        struct validator *from = validators_note(&keeper->validators, validation);
        struct token *token = tokens_find(&keeper->tokens, validation->token);
        if (token != NULL)
            token->validated = true;
        note_validation(keeper, validation);
        ledger_note_validation(keeper, validation, from);
    }
}

static void on_drained(void *owner, uint64_t sequence)
{
    struct keeper *keeper = owner;

    window_drained(&keeper->window, event_now_ms(), sequence);
}

static void on_pass(void *owner, uint64_t id, int fd)
{
    pass_ask(owner, id, fd);
}

/* Sooner than its next pong tells. */
static void on_crowded(void *owner)
{
    struct keeper *keeper = owner;
    struct error error;

    keeper->pressure.exhausted |= LINK_EXHAUSTED_PASSES;
    if (pressure_check(&keeper->pressure, &error) == 0)
        return;
    keeper_trouble(keeper, "%s", error.text);
    keeper_refuse_lease(keeper, &error);
    window_lease_refused(&keeper->window, event_now_ms(), WINDOW_HOLD_PRESSURE);
}

static void on_broken(void *owner, const struct error *error)
{
    struct keeper *keeper = owner;

    log_errorx("the responder broke the protocol and may have been taken over: %s; leaving",
               error->text);
    keeper->leaving = true;
    keeper->exit_code = EX_SOFTWARE;
}

static const struct child_handlers child_handlers = {
    .up = on_up,
    .down = on_down,
    .pong = on_pong,
    .validation = on_validation,
    .drained = on_drained,
    .pass = on_pass,
    .crowded = on_crowded,
    .broken = on_broken,
};

/* --- events --- */

static void control_ready(void *owner, uint32_t events)
{
    (void)events;
    peers_accept(owner);
}

/* Who comes now waits for the next keeper, instead of being refused by this one: in the queue of a
 * socket unit's socket, or until a new one can be started. */
static void stop_listening(struct keeper *keeper)
{
    if (keeper->owns_control)
        listen_remove_control(keeper->config);
    keeper->owns_control = false;
    event_close(keeper->epoll_fd, &keeper->control);
}

static void stop(struct keeper *keeper)
{
    service_stopping(keeper->options.service);
    stop_listening(keeper);
    window_stop(&keeper->window, event_now_ms());
}

static void signals_ready(void *owner, uint32_t events)
{
    struct keeper *keeper = owner;
    struct signalfd_siginfo info;

    (void)events;
    while (read(keeper->signals.fd, &info, sizeof(info)) == sizeof(info)) {
        /* The kernel sends it when the terminal is gone. */
        if (info.ssi_signo == SIGHUP && info.ssi_code != SI_KERNEL) {
            log_info("signal %u from pid %u: reading the configuration afresh", info.ssi_signo,
                     info.ssi_pid);
            reload_run(keeper);
            continue;
        }
        log_info("signal %u from pid %u: %s", info.ssi_signo, info.ssi_pid,
                 keeper->window.stopping ? "leaving at once"
                                         : "shutting, then leaving when drained");
        stop(keeper);
    }
}

static void timer_ready(void *owner, uint32_t events)
{
    struct keeper *keeper = owner;
    uint64_t expirations;

    (void)events;
    /* keeper_settle looks at the time after every event; this only has to be one. */
    while (read(keeper->timer.fd, &expirations, sizeof(expirations)) > 0)
        continue;
    keeper->timer_ms = UINT64_MAX;
}

/* As many peers as the protocol allows, whatever soft limit this was started with. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("cannot raise the limit of open files");
}

static int watch(struct keeper *keeper, struct error *error)
{
    sigset_t handled;

    raise_descriptors();

    sigemptyset(&handled);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGHUP);
    keeper->peers.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    keeper->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    keeper->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    keeper->signals.fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    keeper->timer.fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    keeper->control = (struct event_source){keeper->control.fd, control_ready, keeper};
    keeper->signals = (struct event_source){keeper->signals.fd, signals_ready, keeper};
    keeper->timer = (struct event_source){keeper->timer.fd, timer_ready, keeper};
    if (keeper->peers.spare_fd < 0 || keeper->null_fd < 0 || keeper->epoll_fd < 0 ||
        sigprocmask(SIG_BLOCK, &handled, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        !event_add(keeper->epoll_fd, &keeper->control, EPOLLIN) ||
        !event_add(keeper->epoll_fd, &keeper->signals, EPOLLIN) ||
        !event_add(keeper->epoll_fd, &keeper->timer, EPOLLIN))
        return error_set_errno(error, EX_OSERR, "cannot set up the event loop");
    return keeper_admission_watch(keeper, error) < 0 || keeper_sources_watch(keeper, error) < 0 ? -1
                                                                                                : 0;
}

/* One that is set for earlier than that is left: it goes off once, and then there is time. */
static void set_timer(struct keeper *keeper, uint64_t at_ms)
{
    struct itimerspec when = {0};

    if (at_ms >= keeper->timer_ms)
        return;
    keeper->timer_ms = at_ms;
    /* 0 would disarm it. */
    when.it_value.tv_sec = (time_t)(at_ms / 1000);
    when.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000 + 1;
    timerfd_settime(keeper->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* --- life --- */

void keeper_window_options(struct window_options *out, const struct config *config)
{
    bool passes = config->other_requests == CONFIG_OTHER_PASS;
    /* The responder ends its own connections by then. */
    uint64_t other_drain_ms = passes ? KEEPER_DRAIN_MS : config->responder.deadline_ms + 1000;

    *out = (struct window_options){
        .lease_ms = config->window.lease_ms,
        .limit_ms = config->window.limit_ms,
        .drain_ms = other_drain_ms,
        .stop_ms = passes ? config->window.drain_ms : other_drain_ms,
    };
}

void keeper_link_setup(const struct keeper *keeper, struct link_setup *out)
{
    static const uint32_t other_requests[] = {
        [CONFIG_OTHER_PASS] = LINK_OTHER_PASS,
        [CONFIG_OTHER_NOT_FOUND] = LINK_OTHER_NOT_FOUND,
        [CONFIG_OTHER_HTTPS] = LINK_OTHER_HTTPS,
    };
    const struct config *config = keeper->config;

    *out = (struct link_setup){
        .listeners = keeper->listen_count,
        .sidecar = keeper->mode == PRIVILEGES_SIDECAR,
        .uid = keeper->account.responder_uid,
        .gid = keeper->account.responder_gid,
        .undecided = config->responder.undecided,
        .undecided_per_address = config->responder.undecided_per_address,
        .first_byte_ms = config->responder.first_byte_ms,
        .deadline_ms = config->responder.deadline_ms,
        .other_requests = other_requests[config->other_requests],
    };
}

static int start_child(struct keeper *keeper, const char *path, struct error *error)
{
    struct spawn_plan plan = {
        .path = path,
        .mode = keeper->mode,
        .null_fd = keeper->null_fd,
        .root_fd = keeper->root_fd,
        .lock_fd = keeper->lock.fd,
        .table_fd = redirect_owner_fd(keeper->redirect),
        .log_fd = -1,
        .listen_fds = {keeper->listen_fds[0], keeper->listen_fds[1]},
        .listen_count = keeper->listen_count,
    };
    struct link_setup setup;

    keeper_link_setup(keeper, &setup);
    child_init(&keeper->child, keeper->epoll_fd, &plan, &setup, &child_handlers, keeper);
    return child_start(&keeper->child, event_now_ms(), error);
}

static int take_lock(struct keeper *keeper, struct error *error)
{
    if (lock_prepare_directory(error) < 0)
        return -1;
    return keeper->options.lock_fd >= 0 ? lock_adopt(&keeper->lock, keeper->options.lock_fd, error)
                                        : lock_take(&keeper->lock, error);
}

/* A socket unit's socket has its own mode, owner and file; ours is made here. */
static int take_control(struct keeper *keeper, struct error *error)
{
    struct service *service = keeper->options.service;

    if (service->socket_fd < 0) {
        if (listen_control(&keeper->control.fd, keeper->config, &keeper->account, error) < 0)
            return -1;
        keeper->owns_control = true;
        (void)hang_up_refuse_descriptors(keeper->control.fd);
        return 0;
    }
    if (service_check_socket(service, keeper->config->control.socket, error) < 0)
        return -1;
    keeper->control.fd = service->socket_fd;
    service->socket_fd = -1;
    (void)hang_up_refuse_descriptors(keeper->control.fd);
    return 0;
}

/* The order of opening: the table without a lease, then the listener. */
static int open_up(struct keeper *keeper, struct error *error)
{
    struct config *config = keeper->config;

    if (redirect_create(&keeper->redirect, config, false, error) < 0 ||
        redirect_install(keeper->redirect, error) < 0)
        return -1;
    if (!redirect_is_owned(keeper->redirect))
        log_warnx("this kernel has no owned tables: if the keeper is killed, the lease alone "
                  "gives port %u back, within %llu ms",
                  config->redirect.port, (unsigned long long)config->window.lease_ms);
    keeper_admission_sweep(keeper);
    pressure_init(&keeper->pressure);
    if (listen_responder(keeper->listen_fds, &keeper->listen_count, config, error) < 0 ||
        root_open(&keeper->root_fd, keeper->mode, error) < 0 || take_control(keeper, error) < 0)
        return -1;
    return lock_describe(&keeper->lock, config->control.socket, config->path, error);
}

int keeper_init(struct keeper *keeper, struct config *config, const struct keeper_options *options,
                struct error *error)
{
    static const struct event_source none = {.fd = -1};
    struct window_options window;
    char responder[4096];

    *keeper = (struct keeper){
        .options = *options,
        .config = config,
        .lock = {.fd = -1},
        .epoll_fd = -1,
        .control = none,
        .signals = none,
        .timer = none,
        .null_fd = -1,
        .root_fd = -1,
        .peers = {.spare_fd = -1},
        .timer_ms = UINT64_MAX,
        .look_due_ms = UINT64_MAX,
        .shut_due_ms = UINT64_MAX,
        .shut_reason = "",
        .log_limit = {.about = "requests that were refused"},
        .validations = {.about = "validations", .most = VALIDATION_LINES},
        .troubles_told = {.about = "what stands in the way of windows"},
        .pressure = {.conntrack_count_fd = -1, .conntrack_max_fd = -1},
        .child = {.link = none, .process = none, .log = {.pipe = none}, .state = CHILD_DOWN},
    };
    keeper_window_options(&window, config);
    window_init(&keeper->window, &window);
    tokens_init(&keeper->tokens);
    pass_init(&keeper->pass);
    webroot_init(&keeper->webroot);
    keeper_admission_init(&keeper->admission);
    keeper_sources_init(&keeper->sources);
    ledger_init(&keeper->ledger);
    ledger_note_place(keeper);

    if (privileges_detect(&keeper->mode, error) < 0 || take_lock(keeper, error) < 0 ||
        account_resolve(&keeper->account, config, error) < 0 ||
        program_find(responder, sizeof(responder), "wicket-responder", error) < 0)
        return -1;
    /* It must not inherit what is opened now, and takes privileges that are given up below. */
    ledger_start(&keeper->ledger, config, &keeper->account);
    ledger_note_ruleset(keeper);
    if (open_up(keeper, error) < 0)
        return -1;
    webroot_tokens_prepare(keeper);
    if (privileges_reduce(keeper->mode, error) < 0 || watch(keeper, error) < 0)
        return -1;
    webroot_tokens_start(keeper);
    ledger_watch(&keeper->ledger, keeper->epoll_fd);
    keeper->responder_path = strdup(responder);
    if (keeper->responder_path == NULL)
        return error_set(error, EX_OSERR, "out of memory");
    keeper->stay_until_ms = event_now_ms() + KEEPER_STAY_MS;
    if (keeper_sandbox_enter(config, error) < 0)
        return -1;
    return start_child(keeper, keeper->responder_path, error);
}

int keeper_run(struct keeper *keeper, void (*ready)(void *context, const struct error *failure),
               void *context, struct error *error)
{
    while (!keeper->leaving) {
        set_timer(keeper, keeper_settle(keeper));
        if (keeper->leaving)
            break;
        if (!keeper->was_ready && keeper->window.responder_ready) {
            keeper->was_ready = true;
            service_ready(keeper->options.service);
            ready(context, NULL);
        } else if (!keeper->was_ready && keeper->child.deaths > 0) {
            error_set(error, EX_SOFTWARE,
                      "the responder %s could not be started; it said why in the log",
                      keeper->responder_path);
            return error->exit_code;
        }
        if (!event_wait(keeper->epoll_fd)) {
            log_error("cannot wait for events");
            return EX_OSERR;
        }
        peers_reap(keeper);
    }
    return keeper->exit_code;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void keeper_deinit(struct keeper *keeper)
{
    struct error error;

    log_limit_tick(&keeper->log_limit, UINT64_MAX);
    log_limit_tick(&keeper->validations, UINT64_MAX);
    log_limit_tick(&keeper->troubles_told, UINT64_MAX);
    request_log_deinit(&keeper->request_log);
    if (keeper->redirect != NULL && redirect_shut(keeper->redirect, &error) < 0)
        log_warnx("%s", error.text);
    /* A chain that was renamed in a window still has its rule. */
    if (keeper->admission.admitted)
        keeper_admission_sweep(keeper);
    /* Out of sight first: who connects now must find out before the greeting. */
    stop_listening(keeper);
    peers_close_all(keeper);
    child_stop(&keeper->child);
    ledger_note_end(keeper);
    ledger_close(&keeper->ledger);
    pass_deinit(keeper);
    for (unsigned int i = 0; i < keeper->listen_count; i++)
        close_fd(&keeper->listen_fds[i]);
    keeper->listen_count = 0;
    if (keeper->redirect != NULL && redirect_remove(keeper->redirect, &error) < 0)
        log_warnx("%s", error.text);
    redirect_destroy(keeper->redirect);
    keeper->redirect = NULL;
    if (keeper->root_fd >= 0)
        root_remove(keeper->mode);
    close_fd(&keeper->root_fd);
    close_fd(&keeper->null_fd);
    webroot_deinit(&keeper->webroot);
    keeper_admission_deinit(keeper);
    keeper_sources_deinit(keeper);
    close_fd(&keeper->peers.spare_fd);
    event_close(keeper->epoll_fd, &keeper->signals);
    event_close(keeper->epoll_fd, &keeper->timer);
    close_fd(&keeper->epoll_fd);
    pressure_deinit(&keeper->pressure);
    tokens_deinit(&keeper->tokens);
    validators_deinit(&keeper->validators);
    window_deinit(&keeper->window);
    free(keeper->responder_path);
    keeper->responder_path = NULL;
    lock_release(&keeper->lock);
    ledger_wait(&keeper->ledger);
}
